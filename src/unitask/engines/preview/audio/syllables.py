"""Words cut into syllables, well enough for a placeholder voice to have one sound for each."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

_VOWELS: Final = {
    "a": "aаяα", "e": "eеэєε", "i": "iyиыйіηιυ", "o": "oоοω", "u": "uую",  # noqa: RUF001 - three alphabets
}  # fmt: skip
_VOWEL_OF: Final = {sign: vowel for vowel, signs in _VOWELS.items() for sign in signs}
_HISSES: Final = frozenset("sfzvhxcсзшщжхфцчσζφχθ")  # noqa: RUF001 - three alphabets
_STOPS: Final = frozenset("tkpbdgqтдкгпбτκπ")  # noqa: RUF001 - three alphabets
_ORDER: Final = "aeiou"
_LETTERS_A_SYLLABLE: Final = 2
# Nobody's word has longer ones, but a stranger's text may be one letter ten thousand times.
_MOST_LETTERS: Final = 8
# Scripts in which one sign is a syllable or a word.
_WHOLE: Final = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*|\d")


@dataclass(frozen=True, slots=True)
class Syllable:
    """`onset` is how it begins: `hiss`, `stop`, `soft` or nothing; `vowel` one of a, e, i, o, u."""

    vowel: str
    onset: str
    signs: int


def is_whole(sign: str) -> bool:
    """Tell whether one sign of this script is a syllable by itself."""
    return _WHOLE.match(sign) is not None


def of_line(text: str) -> list[Syllable]:
    """Cut every word of a line; marks and blanks are skipped."""
    return [syllable for word in _WORD.findall(text) for syllable in of_word(word)]


def of_word(word: str) -> list[Syllable]:
    """Cut one word, or one digit."""
    folded = "".join(part for part in unicodedata.normalize("NFD", word.lower()) if not unicodedata.combining(part))
    composed = unicodedata.normalize("NFC", folded)
    if any(is_whole(sign) for sign in composed):
        return [_unknown(sign) for sign in composed]
    if not any(sign in _VOWEL_OF for sign in composed):
        step = _LETTERS_A_SYLLABLE
        return [_unknown(composed[start : start + step]) for start in range(0, len(composed), step)]
    step = _MOST_LETTERS
    return [_syllable(part[at : at + step]) for part in _parts(composed) for at in range(0, len(part), step)]


def _parts(word: str) -> list[str]:
    """Each part holds one run of vowels; consonants go to what follows, the last ones to what precedes."""
    runs = [match.span() for match in re.finditer(f"[{''.join(_VOWEL_OF)}]+", word)]
    silent = len(runs) > 1 and word.endswith("e") and runs[-1] == (len(word) - 1, len(word))
    if silent:
        runs.pop()
    starts = [0, *(end for _, end in runs[:-1])]
    return [word[start:end] for start, end in zip(starts, [*starts[1:], len(word)], strict=True)]


def _syllable(part: str) -> Syllable:
    first = part[0]
    vowel = next((_VOWEL_OF[sign] for sign in part if sign in _VOWEL_OF), "e")
    kinds = ((_HISSES, "hiss"), (_STOPS, "stop"), (frozenset(_VOWEL_OF), ""))
    return Syllable(vowel, next((kind for signs, kind in kinds if first in signs), "soft"), len(part))


def _unknown(part: str) -> Syllable:
    code = sum(map(ord, part))
    return Syllable(_ORDER[code % len(_ORDER)], ("hiss", "stop", "soft", "")[code // 5 % 4], len(part))
