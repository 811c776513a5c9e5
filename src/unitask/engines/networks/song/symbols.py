"""The symbols that DiffRhythm sings, as published with it (Apache-2.0): a symbol's place in the list is its number.

English in the IPA, Mandarin by initials and finals with their tones, and signs of punctuation. Of the 363, lyrics in
these two languages reach the first 318 and the last four.
"""

from typing import Final

LEVEL, RISING, DIPPING, FALLING = "→", "↑", "↓↑", "↓"
TONES: Final = (LEVEL, RISING, DIPPING, FALLING)
COMMA: Final = ","
PERIOD: Final = "."
GAP: Final = "_"
"""Between words."""

# `*`: without a tone, and with each of the four; `+`: with each of the four only.
# The cedilla is in the list in both of its spellings.
_TABLE: Final = """
, . ? ! _ iː ɪ ɜː ɚ oːɹ ɔː ɔːɹ ɑː uː ʊ ɑːɹ ʌ ɛ æ eɪ aɪ ɔɪ aʊ oʊ ɪɹ ɛɹ ʊɹ p b t d k ɡ f v θ ð s z ʃ ʒ h tʃ dʒ m n ŋ j w
ɹ l tɹ dɹ ts dz i ɔ ə ɾ iə r u oː ɛː ɪː aɪə aɪɚ ɑ̃ ç ɔ̃ ææ ɐɐ ɡʲ nʲ iːː p⁼ pʰ t⁼ tʰ k⁼ kʰ x tʃ⁼ tʃʰ ts`⁼ ts`ʰ s` ɹ`
ts⁼ tsʰ p⁼wo* pʰwo* mwo* fwo* jɛn* ɥæn* in* ɥn* iŋ* ʊŋ* jʊŋ* ia* iɛ* iɑʊ* ioʊ* iɑŋ* ua* uo* uaɪ* ueɪ* uan* uən* uɑŋ*
ɥɛ* a* o* ə+ ɛ+ aɪ+ eɪ+ ɑʊ* oʊ+ an* ən* ɑŋ* əŋ* əɹ* i+ u+ ɥ* ts`⁼ɹ* ts`ʰɹ* s`ɹ* ɹ`ɹ* ts⁼ɹ* tsʰɹ* sɹ*
ɯ e aː ɯː eː ç ɸ ɰᵝ ɴ g dʑ q ː bj tɕ dej tej gj gɯ çj kj kɯ mj nj pj ɾj ɕ tsɯ ɐ ɑ ɒ ɜ ɫ ʑ ʲ y ø œ ʁ ̃ ɲ : ; ' …
"""


def _listed() -> list[str]:
    found: list[str] = []
    for entry in _TABLE.split():
        if len(entry) > 1 and entry[-1] in "*+":
            found += [entry[:-1]] * (entry[-1] == "*") + [entry[:-1] + tone for tone in TONES]
        else:
            found.append(entry)
    return found


SYMBOLS: Final = tuple(_listed())
NUMBERS: Final = {symbol: number for number, symbol in enumerate(SYMBOLS, 1)}
"""What the network is told: one more than the place in the list, as 0 says that nothing is sung."""
