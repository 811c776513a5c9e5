"""Where the lines of the lyrics stand in a piece, and how long each syllable is."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from unitask.engines.preview.audio.lyrics import Line
from unitask.engines.preview.audio.syllables import Syllable

_LONGEST_SYLLABLE_S: Final = 0.5
_LEAST_SYLLABLE_S: Final = 0.07
_BREATH: Final = 0.9
_MOST_A_LINE: Final = 200


@dataclass(frozen=True, slots=True)
class Sung:
    """One line in its place; `times` holds beginning and end of each syllable in seconds."""

    syllables: tuple[Syllable, ...]
    times: tuple[tuple[float, float], ...]
    chorus: bool

    @property
    def at_s(self) -> float:
        """When the line begins."""
        return self.times[0][0]

    @property
    def until_s(self) -> float:
        """When its last syllable ends."""
        return self.times[-1][1]


def place(lines: Sequence[Line], beat_s: float, length_s: float) -> list[Sung]:
    """Give every line that fits its place: at its own time, or one after another from the second or third bar on."""
    if any(line.at_s is not None for line in lines):
        return _by_time(lines, length_s)
    return _by_bars(lines, beat_s, length_s)


def _by_time(lines: Sequence[Line], length_s: float) -> list[Sung]:
    sung = []
    starts = [line.at_s or 0.0 for line in lines]
    for line, at_s, next_s in zip(lines, starts, [*starts[1:], length_s], strict=True):
        room_s = min(next_s, length_s) - at_s
        fitting = _fitting(line.syllables, room_s)
        if at_s < length_s and fitting:
            step_s = min(room_s / len(fitting), _LONGEST_SYLLABLE_S)
            times = [(at_s + index * step_s, at_s + (index + _BREATH) * step_s) for index in range(len(fitting))]
            times[-1] = (times[-1][0], min(times[-1][0] + 2 * step_s, at_s + room_s))
            sung.append(Sung(fitting, tuple(times), line.chorus))
    return sung


def _by_bars(lines: Sequence[Line], beat_s: float, length_s: float) -> list[Sung]:
    bar_s = 4 * beat_s
    bars = int(length_s / bar_s)
    intro = 2 if length_s >= 16 else 0  # noqa: PLR2004 - seconds; a short piece begins at once
    free = max(bars - intro - (bars > 4), 1)  # noqa: PLR2004 - a piece of some bars has an end of its own
    each = 2 if 2 * len(lines) <= free else 1
    pause = 2 if (each * len(lines) + 2 * _changes(lines)) <= free else 0
    sung: list[Sung] = []
    bar = intro
    for index, line in enumerate(lines):
        if index and lines[index - 1].chorus != line.chorus:
            bar += pause
        if bar + each > intro + free and sung:
            break
        at_s, room_s = bar * bar_s, min(each * bar_s, length_s - bar * bar_s)
        fitting = _fitting(line.syllables, room_s)
        if fitting:
            sung.append(Sung(fitting, _on_the_beat(len(fitting), at_s, room_s, beat_s), line.chorus))
        bar += each
    return sung


def _changes(lines: Sequence[Line]) -> int:
    return sum(before.chorus != after.chorus for before, after in pairwise(lines))


def _fitting(syllables: tuple[Syllable, ...], room_s: float) -> tuple[Syllable, ...]:
    return syllables[: min(_MOST_A_LINE, max(int(room_s / _LEAST_SYLLABLE_S), 0))]


def _on_the_beat(count: int, at_s: float, room_s: float, beat_s: float) -> tuple[tuple[float, float], ...]:
    """Spread syllables over eighths, or sixteenths where there are many, or evenly where even those are too few."""
    sung_s = room_s * _BREATH
    for grid_s in (beat_s, beat_s / 2, beat_s / 4):
        slots = int(sung_s / grid_s)
        if count <= slots:
            break
    else:
        grid_s, slots = sung_s / count, count
    used = min(slots, count * 2)
    starts = [at_s + (index * used // count) * grid_s for index in range(count)]
    ends = [*starts[1:], min(starts[-1] + 2 * grid_s, at_s + room_s)]
    return tuple((start, start + (end - start) * 0.95) for start, end in zip(starts, ends, strict=True))
