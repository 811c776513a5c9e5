"""What is played when: chords, bass, drums and a melody for the whole length, and the lyrics as notes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import floor
from typing import Final

import numpy as np

from unitask.engines.preview.audio.style import GROOVES, Style
from unitask.engines.preview.audio.syllables import Syllable
from unitask.engines.preview.audio.vocals import Sung
from unitask.engines.preview.chance import dice

STEPS: Final = 16
BEATS: Final = 4
SECTION_BARS: Final = 8
_LONG_S: Final = 16.0
_MAJOR: Final = (0, 2, 4, 5, 7, 9, 11)
_MINOR: Final = (0, 2, 3, 5, 7, 8, 10)
_PROGRESSIONS: Final = {
    False: ((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 0, 4), (0, 2, 3, 4)),
    True: ((0, 5, 2, 6), (0, 3, 5, 4), (0, 6, 5, 6), (0, 5, 3, 4), (0, 2, 6, 3)),
}
_RICH: Final = frozenset({"epiano", "pad", "organ"})
_STABS: Final = (2, 5, 10, 13)
_HIGHEST_CHORD: Final = 69
_LEAD_LOW: Final = 67
_RHYTHMS: Final = ((0, 4, 6, 8, 12), (0, 3, 6, 8, 11, 14), (0, 2, 4, 8, 10, 12), (0, 6, 8, 14), (2, 4, 6, 10, 12, 14))


@dataclass(frozen=True, slots=True)
class Note:
    """`part` is chords, bass, lead, voice or a drum; `midi` the key; `gain` 0 to 1."""

    at_s: float
    length_s: float
    part: str
    midi: int = 0
    gain: float = 1.0
    syllable: Syllable | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: where it lies in its section, and the degree of the scale that its chord stands on."""

    number: int
    kind: str
    place: int
    degree: int


@dataclass(slots=True)
class Score:
    """A whole piece."""

    style: Style
    bars: list[Bar]
    bar_s: float
    notes: list[Note] = field(default_factory=list)

    def degree_at(self, at_s: float) -> int:
        """Give the chord that sounds at this time."""
        number = min(max(int(at_s / self.bar_s), 0), len(self.bars) - 1)
        return self.bars[number].degree


def compose(style: Style, length_s: float, sung: Sequence[Sung], seed: int) -> Score:
    """Write a piece of this length around what is sung."""
    score = outline(style, length_s, sung, seed)
    silent = {bar.number for bar in score.bars} - _bars_sung(sung, score.bar_s)
    motifs = {kind: _motif(seed, style, kind) for kind in ("intro", "verse", "chorus")}
    for bar in score.bars:
        score.notes.extend(_chords(score, bar))
        score.notes.extend(_bass(score, bar))
        score.notes.extend(_drums(score, bar, seed))
        if bar.number in silent and bar.kind in motifs:
            score.notes.extend(_lead(score, bar, motifs[bar.kind]))
    return score


def outline(style: Style, length_s: float, sung: Sequence[Sung], seed: int) -> Score:
    """Lay out the bars and their chords; no note yet."""
    bar_s = BEATS * style.beat_s
    whole = floor(length_s / bar_s + 1e-6)
    # What is left of a bar at the end is the last chord dying away.
    count = whole if whole > 1 else max(1, whole + 1)
    kinds = _kinds(count, sung, bar_s, intro=2 if length_s >= _LONG_S else 0)
    rng = dice(seed, "chords", style.minor, style.groove)
    choice = _PROGRESSIONS[style.minor]
    first, second = (choice[int(index)] for index in rng.permutation(len(choice))[:2])
    bars = []
    place = 0
    for number, kind in enumerate(kinds):
        place = place + 1 if number and kinds[number - 1] == kind and place + 1 < SECTION_BARS else 0
        degree = 0 if kind == "end" else (second if kind == "chorus" else first)[place % 4]
        bars.append(Bar(number, kind, place, degree))
    return Score(style, bars, bar_s)


def _kinds(count: int, sung: Sequence[Sung], bar_s: float, intro: int) -> list[str]:
    kinds = ["intro" if bar < intro else ("verse", "chorus")[(bar - intro) // SECTION_BARS % 2] for bar in range(count)]
    for line in sung:
        for bar in range(int(line.at_s / bar_s), min(int(line.until_s / bar_s - 0.01) + 1, count)):
            kinds[bar] = "chorus" if line.chorus else "verse"
    if count > 2:  # noqa: PLR2004 - a piece of two bars has no room for an end
        kinds[-1] = "end"
    return kinds


def _bars_sung(sung: Sequence[Sung], bar_s: float) -> set[int]:
    return {bar for line in sung for bar in range(int(line.at_s / bar_s), int(line.until_s / bar_s - 0.01) + 1)}


def pitch(style: Style, degree: int, octave: int = 0) -> int:
    """Give the key of a degree of the scale, 0 being the root in the octave below middle C."""
    scale = _MINOR if style.minor else _MAJOR
    return 48 + style.root + scale[degree % 7] + 12 * (degree // 7 + octave)


def _within(midi: int, low: int) -> int:
    """Move by octaves into the octave that begins at `low`."""
    return low + (midi - low) % 12


def _at(score: Score, bar: Bar, step: float) -> float:
    beat_s = score.style.beat_s
    late = score.style.swing * beat_s / 2 if int(step) // 2 % 2 else 0.0
    return bar.number * score.bar_s + step * beat_s / 4 + late


def _chords(score: Score, bar: Bar) -> Iterator[Note]:
    style, step_s = score.style, score.style.beat_s / 4
    degrees = [0, 2, 4, 6] if style.chords in _RICH or style.groove == "jazz" else [0, 2, 4]
    if style.chords == "overdrive":
        keys = [_within(pitch(style, bar.degree), 40) + shift for shift in (0, 7, 12)]
    else:
        keys = [_within(pitch(style, bar.degree + degree), _HIGHEST_CHORD - 12) for degree in degrees]
    loud = {"intro": 0.7, "verse": 0.8, "chorus": 1.0, "end": 1.0}[bar.kind]
    if bar.kind == "end" or style.comping == "held":
        length_s = score.bar_s * (2 if bar.kind == "end" else 1)
        yield from (Note(_at(score, bar, 0), length_s, "chords", key, loud) for key in keys)
    elif style.comping in {"arpeggio", "picking"}:
        ladder = [*sorted(keys), min(keys) + 12]
        order = (0, 1, 2, 3, 2, 1, 2, 1) if style.comping == "arpeggio" else (0, 2, 1, 2, 0, 3, 1, 2)
        for eighth, index in enumerate(order):
            key = ladder[index % len(ladder)]
            yield Note(_at(score, bar, 2 * eighth), 3 * step_s, "chords", key, loud * (1.15 if eighth % 4 else 1.3))
    else:
        steps = {"stabs": _STABS, "offbeats": (2, 6, 10, 14), "eighths": tuple(range(0, STEPS, 2))}[style.comping]
        long_s = (2.2 if style.comping == "eighths" else 1.7) * step_s
        for step in steps:
            gain = loud * (0.85 if style.comping == "eighths" and step % 4 else 1.0)
            yield from (Note(_at(score, bar, step), long_s, "chords", key, gain) for key in keys)


def _bass(score: Score, bar: Bar) -> Iterator[Note]:
    style, step_s = score.style, score.style.beat_s / 4
    if style.bass == "none" or (bar.kind == "intro" and bar.number == 0):
        return
    root, third, fifth = (_within(pitch(style, bar.degree + degree), 34) for degree in (0, 2, 4))
    lines: dict[str, list[tuple[int, int, float]]] = {
        "fingered": [(0, root, 5), (6, root, 2), (8, root, 4), (12, fifth, 4)],
        "picked": [(step, root, 1.8) for step in range(0, STEPS, 2)],
        "synth": [(step, root + 12 * (step % 4 == 2), 1.6) for step in range(0, STEPS, 2)],  # noqa: PLR2004 - offbeats
        "walking": [(0, root, 4), (4, third, 4), (8, fifth, 4), (12, root + (2 if bar.place % 2 else -1), 4)],
    }
    line = [(0, root, 2.0 * STEPS)] if bar.kind == "end" else lines[style.bass]
    for step, key, steps in line:
        yield Note(_at(score, bar, step), steps * step_s, "bass", key)


def _drums(score: Score, bar: Bar, seed: int) -> Iterator[Note]:
    style = score.style
    if style.groove == "none":
        return
    if bar.kind == "end" or (bar.kind == "chorus" and bar.place == 0):
        yield Note(_at(score, bar, 0), 0, "crash", gain=0.7)
    if bar.kind == "end":
        yield Note(_at(score, bar, 0), 0, "kick")
        return
    rng = dice(seed, "hands", bar.number)
    fill = bar.place == SECTION_BARS - 1
    playing = ("hat",) if bar.kind == "intro" and bar.number == 0 else ("kick", "snare", "hat")
    for drum, steps in zip(("kick", "snare", "hat"), GROOVES[style.groove], strict=True):
        for step, sign in enumerate(steps):
            if sign == "." or drum not in playing or (fill and step >= 12 and drum != "kick"):  # noqa: PLR2004
                continue
            soft = 0.45 if sign == "o" else 0.7 if drum == "hat" and step % 4 else 1.0
            yield Note(_at(score, bar, step), 0, drum, gain=soft * float(rng.uniform(0.85, 1)))
    if fill:
        yield from (Note(_at(score, bar, step), 0, "snare", gain=0.5 + (step - 12) * 0.12) for step in range(12, STEPS))


def _motif(seed: int, style: Style, kind: str) -> list[list[tuple[int, int]]]:
    """Make up two bars of a tune: (step, degree over the chord) for each note."""
    rng = dice(seed, "motif", kind, style.lead, style.minor)
    bars = []
    at = int(rng.integers(0, 5))
    for _ in range(2):
        rhythm = _RHYTHMS[int(rng.integers(len(_RHYTHMS)))]
        bar = []
        for step in rhythm:
            bar.append((step, at))
            at = min(max(at + int(rng.choice((-2, -1, -1, 1, 1, 2, 3))), -2), 8)
        bars.append(bar)
    return bars


def _lead(score: Score, bar: Bar, motif: list[list[tuple[int, int]]]) -> Iterator[Note]:
    """Play the tune; its fourth bar rests on one note, and strong notes belong to the chord."""
    style, step_s = score.style, score.style.beat_s / 4
    if bar.kind == "intro" and len(score.bars) > SECTION_BARS:
        return
    tune = motif[bar.place % 2] if bar.place % 4 != 3 else motif[1][:1]  # noqa: PLR2004 - every fourth bar
    lift = 1 if bar.kind == "chorus" else 0
    for index, (step, degree) in enumerate(tune):
        until = tune[index + 1][0] if index + 1 < len(tune) else STEPS
        chordal = bar.degree + min((0, 2, 4, 7), key=lambda tone: abs(tone - degree))
        key = pitch(style, chordal if step % 8 == 0 else bar.degree + degree, 1)
        while key > _LEAD_LOW + 14 + 2 * lift:
            key -= 12
        while key < _LEAD_LOW - 5:
            key += 12
        yield Note(_at(score, bar, step), (until - step) * step_s * 0.95, "lead", key, 0.9)


def sing(score: Score, sung: Sequence[Sung], seed: int) -> None:
    """Add a note for each syllable: a tune of its own for verses and for choruses, the same each time round."""
    style = score.style
    centre = 69 if style.high_voice else 57
    for number, line in enumerate(sung):
        rng = dice(seed, "tune", line.chorus, number % 4, style.minor)
        degree = int(rng.integers(2, 6)) + 2 * line.chorus
        last = len(line.times) - 1
        for index, (syllable, (at_s, until_s)) in enumerate(zip(line.syllables, line.times, strict=True)):
            chord = score.degree_at(at_s)
            strong = index in {0, last} or index % 4 == 0
            key = pitch(
                style, chord + int(np.argmin(np.abs(np.array((0, 2, 4)) - degree % 7))) * 2 if strong else degree
            )
            while key < centre - 7:
                key += 12
            while key > centre + 7:
                key -= 12
            score.notes.append(Note(at_s, until_s - at_s, "voice", key, 1.0, syllable))
            degree = min(max(degree + int(rng.choice((-2, -1, -1, 0, 1, 1, 2))), 0), 9)
