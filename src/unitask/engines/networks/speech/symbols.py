"""From a text to the symbols that F5-TTS knows: letters and marks as they are, Chinese characters as syllables.

Words begin after a blank: the model was taught texts that were divided so, and misses the blanks where they lack.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from pypinyin import Style, lazy_pinyin

_CHINESE: Final = "\u3100-\u9fff"
_DIVIDED: Final = re.compile(rf"[{_CHINESE}]+|[a-zA-Z0-9]+(?:\.\d+)?%?|[+#&._%-]+|.", re.DOTALL)
"""Runs of Chinese, words and numbers, runs of what may stand within words; all else one by one."""
_WORDS: Final = re.compile(r"[a-zA-Z0-9+#&._%-]{2,}")
_BEFORE_WORDS: Final = " :'\""
_ALIKE: Final = str.maketrans({";": ",", "\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'"})
_UNKNOWN: Final = 0


def plain(text: str) -> str:
    """Bring a text into one form: composed letters, blanks for all white space, nothing that only formats."""
    composed = unicodedata.normalize("NFC", re.sub(r"\s", " ", text))
    return "".join(letter for letter in composed if unicodedata.category(letter) not in ("Cc", "Cf")).strip()


def symbols(text: str) -> list[str]:
    """Divide a text into symbols, in order."""
    found: list[str] = []
    for piece in _DIVIDED.findall(text.translate(_ALIKE)):
        if re.match(f"[{_CHINESE}]", piece):
            for syllable in lazy_pinyin(piece, style=Style.TONE3, tone_sandhi=True, errors=_each):
                found += [" ", syllable]
            continue
        if found and found[-1] not in _BEFORE_WORDS and _WORDS.fullmatch(piece):
            found.append(" ")
        found += piece
    return found


def _each(without_sound: str) -> Any:
    """Keep characters that are no syllables, one by one."""
    return list(without_sound)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The symbols of a model and their numbers."""

    numbers: dict[str, int]

    @classmethod
    def of(cls, path: Path) -> Self:
        """Read a `vocab.txt`: a symbol a line, the first is a blank.

        Raises:
            OSError, ValueError: it cannot be read.

        """
        lines = path.read_bytes().decode().replace("\r\n", "\n").removesuffix("\n").split("\n")
        return cls({symbol: number for number, symbol in enumerate(lines)})

    def ids(self, text: str) -> list[int]:
        """Give the numbers of a text's symbols; what is not known counts as a blank."""
        return [self.numbers.get(symbol, _UNKNOWN) for symbol in symbols(text)]

    def unknown(self, text: str) -> list[str]:
        """List the symbols of a text that the model does not know, each once."""
        return [symbol for symbol in dict.fromkeys(symbols(text)) if symbol not in self.numbers]
