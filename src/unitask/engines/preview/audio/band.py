"""The band that plays a score: every different note is made once, set into the room, and added where it is due."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from unitask.engines.preview.audio.instruments import STROKES, hertz, note
from unitask.engines.preview.audio.score import Note, Score
from unitask.engines.preview.audio.style import Style
from unitask.engines.preview.audio.tones import Wave, in_room, levelled, panned
from unitask.engines.preview.audio.voice import Tone, sounded
from unitask.engines.preview.chance import dice

_TICK_S: Final = 0.02
"""Lengths of notes are rounded to this, so that few are different."""
_PROGRESS_EVERY: Final = 200
_SHORTEST_S: Final = 0.06


@dataclass(frozen=True, slots=True)
class Seat:
    """Level, place between the ears (-1 to 1) and share of the room's echo."""

    level: float
    side: float = 0.0
    room: float = 0.0


_SEATS: Final = {
    "chords": Seat(0.22, -0.3, 0.8),
    "bass": Seat(0.50),
    "lead": Seat(0.36, 0.25, 1.0),
    "voice": Seat(0.75, 0.0, 0.8),
    "kick": Seat(0.95),
    "snare": Seat(0.42, 0.08, 0.4),
    "hat": Seat(0.20, 0.35),
    "crash": Seat(0.16, -0.3),
}


class Band:
    """Plays at `rate` samples a second."""

    def __init__(self, style: Style, rate: int, seed: int) -> None:
        self._style = style
        self._rate = rate
        self._seed = seed
        self._made: dict[tuple[object, ...], Wave] = {}

    def play(self, score: Score, length_s: float, progress: Callable[[float], None]) -> Wave:
        """Play the score for exactly this long, with a quiet end: float32 (samples, 2)."""
        mix = self.mixed(score.notes, round(length_s * self._rate), progress)
        fade = round(min(1.5, length_s * 0.2) * self._rate)
        levelled(mix)
        mix[:, len(mix[0]) - fade :] *= np.cos(np.linspace(0, np.pi / 2, fade, dtype=np.float32))
        return mix.T

    def mixed(self, notes: Iterable[Note], count: int, progress: Callable[[float], None]) -> Wave:
        """Add up the notes: float32 (2, count)."""
        mix = np.zeros((2, count), np.float32)
        ordered = list(notes)
        for index, each in enumerate(ordered):
            if index % _PROGRESS_EVERY == 0:
                progress(index / len(ordered))
            start = round(each.at_s * self._rate)
            if not 0 <= start < count:
                continue
            sound = self._sound(each)[:, : count - start]
            mix[:, start : start + sound.shape[1]] += sound * np.float32(each.gain)
        return mix

    def _sound(self, each: Note) -> Wave:
        ticks = max(round(each.length_s / _TICK_S), round(_SHORTEST_S / _TICK_S))
        key = (each.part, each.midi, ticks, each.syllable)
        if key not in self._made:
            self._made[key] = self._seated(each, round(ticks * _TICK_S * self._rate))
        return self._made[key]

    def _seated(self, each: Note, count: int) -> Wave:
        seat = _SEATS[each.part]
        sound = panned(self._dry(each, count) * np.float32(seat.level), seat.side)
        return in_room(sound, self._rate, self._style.room * seat.room, 0.9) if seat.room else sound

    def _dry(self, each: Note, count: int) -> Wave:
        rng = dice(self._seed, each.part, each.midi, count)
        if each.part in STROKES:
            return STROKES[each.part](self._rate, rng)
        if each.syllable is not None:
            return sounded(each.syllable, Tone(hertz(each.midi), vibrato=0.012), count, self._rate, rng)
        instruments = {"chords": self._style.chords, "lead": self._style.lead, "bass": self._bass}
        return note(instruments[each.part], each.midi, count, self._rate, rng)

    @property
    def _bass(self) -> str:
        return "bass" if self._style.bass == "synth" else self._style.bass
