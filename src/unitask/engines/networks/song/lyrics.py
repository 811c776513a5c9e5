"""Lyrics with times, as lines `[mm:ss.xx] words`: read to symbols, which are put at the frames where they are sung."""

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

from unitask.engines.networks.song import english, mandarin
from unitask.engines.networks.song.symbols import COMMA, NUMBERS, PERIOD

MOST_LINES: Final = 400
RATE: Final = 44_100
HOP: Final = 2048
"""Samples of one frame."""
_TIME: Final = re.compile(r"\[\s*(\d{1,3})\s*:\s*(\d{1,2}(?:[.:]\d{1,3})?)\s*\]")
_TAG: Final = re.compile(r"\[[^\]]*\]")
_TONGUES: Final = re.compile("[^A-Za-z一-龥]*(?:([A-Za-z])[^一-龥]*|[一-龥][^A-Za-z]*)")
"""A stretch of one language: from its first letter to the first of the other; what is before the first is of it too."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line to sing, from `at_s` on; None where the lyrics do not say when."""

    words: str
    at_s: float | None


class Singer:
    """Reads lines; espeak-ng runs from the first English one until the end of the `with`."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @cached_property
    def _english(self) -> english.Reader:
        return self._open.enter_context(english.reading())

    def numbers_of(self, words: str) -> list[int]:
        """Give what the network is told for a line: its symbols, and a full stop at its end; within it are commas.

        Raises:
            EngineFailure: English cannot be read here.

        """
        symbols = [COMMA if symbol == PERIOD else symbol for symbol in self._symbols(words)]
        return [NUMBERS[symbol] for symbol in (*symbols, PERIOD) if symbol in NUMBERS] if symbols else []

    def _symbols(self, words: str) -> Iterator[str]:
        stretches = list(_TONGUES.finditer(words))
        for stretch in stretches:
            if stretch[1]:
                yield from self._english.symbols_of(stretch[0], last=stretch is stretches[-1])
            else:
                yield from mandarin.symbols_of(stretch[0])


def read(lyrics: str) -> list[Line]:
    """Read the lines that have words, in the order of their times; where some have a time, the others are left out.

    Of more than `MOST_LINES` there are so many and one.
    """
    timed: list[Line] = []
    untimed: list[Line] = []
    for text in lyrics.splitlines():
        words = _TAG.sub(" ", text).strip()
        if not words or len(timed) + len(untimed) > MOST_LINES:
            continue
        times = _TIME.findall(text)
        timed += [Line(words, int(minutes) * 60 + float(rest.replace(":", "."))) for minutes, rest in times]
        if not times:
            untimed.append(Line(words, None))
    return sorted(timed, key=lambda line: line.at_s or 0.0)[: MOST_LINES + 1] or untimed


def untimed(lyrics: str) -> bool:
    """Tell whether there are lines with words that do not say when they are sung."""
    return any(_TAG.sub("", text).strip() and not _TIME.search(text) for text in lyrics.splitlines())


def spread(lines: Sequence[Line], seconds: float) -> list[Line]:
    """Give lines without times their places: at equal distances, from the end of the first such distance on."""
    step_s = seconds / (len(lines) + 1)
    return [Line(line.words, number * step_s) for number, line in enumerate(lines, 1)]


def placed(lines: Sequence[tuple[float, Sequence[int]]], frames: int) -> list[int]:
    """Put lines (seconds, numbers) at their frames, one number a frame; 0 elsewhere.

    A line that would begin within the one before it follows that one; what does not fit at the end is cut.
    """
    told = [0] * frames
    free = 0
    for at_s, numbers in lines:
        begin = min(max(int(at_s * RATE / HOP), free), frames)
        free = min(begin + len(numbers), frames)
        told[begin:free] = numbers[: free - begin]
    return told
