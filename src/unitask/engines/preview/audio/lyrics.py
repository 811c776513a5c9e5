"""Lyrics: under tags such as `[chorus]`, or with the time of each line as `[01:23.45]`."""

import re
from dataclasses import dataclass
from typing import Final

from unitask.engines.preview.audio.syllables import Syllable, of_line

MOST_LINES: Final = 400
_TAG: Final = re.compile(r"^\s*\[([^\]]*)\]\s*$")
_TIME: Final = re.compile(r"\[\s*(\d{1,3})\s*:\s*(\d{1,2}(?:[.:]\d{1,3})?)\s*\]")
_LOUD: Final = ("chorus", "hook", "refrain", "drop")


@dataclass(frozen=True, slots=True)
class Line:
    """One line to sing. `at_s` is None where the lyrics do not say when."""

    syllables: tuple[Syllable, ...]
    chorus: bool = False
    at_s: float | None = None


def read(lyrics: str) -> list[Line]:
    """Read the lines that have something to sing, timed ones in the order of their times."""
    timed: list[Line] = []
    untimed: list[Line] = []
    chorus = False
    for text in lyrics.splitlines():
        if tag := _tag(text):
            chorus = tag.startswith(_LOUD)
            continue
        syllables = tuple(of_line(_TIME.sub(" ", text)))
        times = _TIME.findall(text)
        if not syllables or len(timed) + len(untimed) >= MOST_LINES:
            continue
        timed.extend(Line(syllables, chorus, _seconds(*time)) for time in times)
        if not times:
            untimed.append(Line(syllables, chorus))
    # Where some lines have a time, the others have no place: they would be sung over them.
    return sorted(timed, key=lambda line: line.at_s or 0.0) or untimed


def last_time(lyrics: str) -> float | None:
    """Give the latest time that stands in the lyrics, of a line or alone, in seconds."""
    times = [_seconds(*time) for time in _TIME.findall(lyrics)]
    return max(times) if times else None


def _tag(text: str) -> str:
    """Give the tag that the line consists of, in small letters; empty for a line of words and for a time."""
    match = _TAG.match(text)
    return "" if match is None or _TIME.search(text) else match[1].strip().lower() or "verse"


def _seconds(minutes: str, rest: str) -> float:
    return int(minutes) * 60 + float(rest.replace(":", "."))
