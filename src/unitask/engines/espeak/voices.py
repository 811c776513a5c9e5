"""Which of espeak-ng's voices fits a text: by its script, and among Latin ones by its small words."""

import re
from typing import Final

# A range of signs -> the voice that reads them; the first that occurs decides.
_SCRIPTS: Final = (
    ("\u3040-\u30ff", "ja"),
    ("\uac00-\ud7af", "ko"),
    ("\u4e00-\u9fff", "cmn"),
    ("\u0400-\u04ff", "ru"),
    ("\u0600-\u06ff", "ar"),
    ("\u0900-\u097f", "hi"),
    ("\u0370-\u03ff", "el"),
)
_SMALL_WORDS: Final = {
    "en-us": "the and of to in is it you that was for are with his they this have from not be at on your",
    "fr": "le la les des une est et que qui dans pour pas sur avec vous nous je au du ce il elle",
    "de": "der die das und ist nicht ein eine ich sie mit von auf den dem es zu wir im auch",
    "es": "el los las una que es por con para como pero su muy está yo del lo se en y",
    "it": "il gli che è per una con non sono della nel più come anche ma questo di lo",
    "pt": "os as uma que não para com mais como mas ele ela isso do da em você é",
    "nl": "de het een en van ik niet dat je zijn op voor met maar ook naar we",
}
_WORDS: Final = {voice: frozenset(words.split()) for voice, words in _SMALL_WORDS.items()}
VARIANTS: Final = ("", "+m3", "+f2", "+f3")
"""Men's and women's ways of speaking, for any language."""


def language_of(text: str) -> str:
    """Name the voice that reads a text best; English if nothing speaks for another."""
    for signs, voice in _SCRIPTS:
        if re.search(f"[{signs}]", text):
            return voice
    words = re.findall(r"[^\W\d_]+", text.lower())
    return max(_WORDS, key=lambda voice: sum(word in _WORDS[voice] for word in words))
