"""A long text in pieces that are spoken one after another, how long each takes, and how they are joined.

A text's length is counted in bytes of UTF-8: that says better than its letters how long it takes to say it.
"""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unitask.engines.networks.speech.mel import HOP, RATE

Wave = NDArray[np.float32]
"""Sound as (samples,), in -1..1."""

TOGETHER_S: Final = 22.0
"""How long a recording and what follows it are together: the model was taught no more than 30 seconds."""
PACES: Final = (5.0, 60.0)
"""Bytes a second as people speak, in any script."""
SHORT_BYTES: Final = 10
SHORT_SPEED: Final = 0.3
"""How fast what is shorter than that is spoken: a model that has too little time swallows it."""
FADE_S: Final = 0.15
WIDE: Final = "\u3002\uff01\uff1f"
"""Full stop, exclamation and question mark of Chinese and Japanese, after which no blank is written."""
_WIDE: Final = WIDE + "\u3001\uff0c\uff1a\uff1b"
_SENTENCES: Final = re.compile(rf"(?<=[;:,.!?…؛،؟।])\s+|(?<=[{_WIDE}])")


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast someone speaks: bytes a second."""

    bytes_per_s: float

    @classmethod
    def of(cls, text: str, seconds: float, speed: float) -> "Pace":
        """Measure it; what nobody speaks like is brought near."""
        low, high = PACES
        return cls(min(max(size(text) / seconds, low), high) * speed)

    def frames(self, piece: str) -> int:
        """Tell how long a piece takes, in frames."""
        slow = SHORT_SPEED if size(piece) < SHORT_BYTES else 1.0
        return max(2, round(size(piece) / (self.bytes_per_s * slow) * RATE / HOP))

    def most_bytes(self, seconds: float) -> int:
        """Tell how long a piece may be after a recording of so many seconds."""
        return max(SHORT_BYTES, int((TOGETHER_S - seconds) * self.bytes_per_s))


def size(text: str) -> int:
    """Count a text's bytes."""
    return len(text.encode())


def pieces(text: str, most_bytes: int) -> list[str]:
    """Divide a text at the ends of sentences and clauses, and where these are too long, between words or letters."""
    found: list[str] = []
    for part in (short for long in _SENTENCES.split(text) if long for short in _short(long, most_bytes)):
        joint = "" if not found or found[-1][-1] in _WIDE else " "
        if found and size(found[-1] + joint + part) <= most_bytes:
            found[-1] += joint + part
        else:
            found.append(part)
    return found


def _short(part: str, most_bytes: int) -> list[str]:
    found = []
    while size(part) > most_bytes:
        fits = part.encode()[:most_bytes].decode(errors="ignore")
        found.append(first_words(part, len(fits)))
        part = part[len(found[-1]) :].strip()
    return [*found, part]


def first_words(text: str, letters: int) -> str:
    """Give the whole words among the first letters of a text; of a text without blanks, these letters."""
    cut = f"{text} ".rfind(" ", 1, letters + 1)
    return text[: cut if cut > 0 else letters]


def joined(waves: list[Wave]) -> Wave:
    """Lay sounds end to end; each fades into the next."""
    whole = waves[0]
    for wave in waves[1:]:
        both = min(round(FADE_S * RATE), len(whole), len(wave))
        rise = np.linspace(0, 1, both, dtype=np.float32)
        faded = whole[len(whole) - both :] * (1 - rise) + wave[:both] * rise
        whole = np.concatenate([whole[: len(whole) - both], faded, wave[both:]])
    return whole
