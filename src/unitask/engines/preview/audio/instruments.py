"""The instruments of the band: each note and each stroke from a formula."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.signal import lfilter

from unitask.engines.preview.audio.tones import Wave, band, cycles_of, edges, noise, overtones, read, seconds, table


@dataclass(frozen=True, slots=True)
class Timbre:
    """An instrument with a steady wave. `slope`: how fast overtones weaken; `odd`: only every second one is strong.

    `fall_s` is how long a struck note takes to fade (0: it is held), `dulls` whether it loses its brightness first;
    `spread` detunes two more voices by that share of the pitch; `breath` is the level of noise in it.
    """

    slope: float
    attack_s: float = 0.006
    fall_s: float = 0.0
    odd: bool = False
    dulls: bool = False
    spread: float = 0.0
    vibrato: float = 0.0
    breath: float = 0.0
    drive: float = 0.0


_TIMBRES: Final = {
    "piano": Timbre(1.5, attack_s=0.003, fall_s=0.9, dulls=True, spread=0.0006),
    "epiano": Timbre(2.3, attack_s=0.004, fall_s=1.2, dulls=True, spread=0.001),
    "overdrive": Timbre(0.9, attack_s=0.005, fall_s=3.0, spread=0.004, drive=4.0),
    "strings": Timbre(1.2, attack_s=0.09, spread=0.005, vibrato=0.004),
    "brass": Timbre(0.95, attack_s=0.035, spread=0.0015, vibrato=0.002),
    "sax": Timbre(1.05, attack_s=0.03, odd=True, vibrato=0.006, breath=0.03),
    "organ": Timbre(1.1, attack_s=0.012, odd=True, spread=0.0015),
    "flute": Timbre(2.6, attack_s=0.05, vibrato=0.006, breath=0.06),
    "harmonica": Timbre(0.8, attack_s=0.02, odd=True, vibrato=0.008, spread=0.001),
    "choir": Timbre(1.6, attack_s=0.12, spread=0.007, vibrato=0.006, breath=0.02),
    "synth": Timbre(1.0, attack_s=0.004, spread=0.006),
    "pad": Timbre(1.7, attack_s=0.25, spread=0.007),
    "fingered": Timbre(1.7, attack_s=0.006, fall_s=0.8, dulls=True),
    "picked": Timbre(1.2, attack_s=0.004, fall_s=0.9, dulls=True),
    "walking": Timbre(2.0, attack_s=0.01, fall_s=0.5, dulls=True),
    "bass": Timbre(1.1, attack_s=0.004, fall_s=0.6),
}
_BELL: Final = ((1.0, 1.0, 1.2), (2.76, 0.45, 0.6), (5.40, 0.22, 0.35), (8.93, 0.1, 0.2))
"""Partials of a struck bar: share of the pitch, level, seconds to fade."""
_RELEASE_S: Final = 0.09


def hertz(midi: float) -> float:
    """Give the pitch of a key, 69 being 440 Hz."""
    return float(440 * 2 ** ((midi - 69) / 12))


def note(instrument: str, midi: int, count: int, rate: int, rng: np.random.Generator) -> Wave:
    """Play one note: float32 (count,), its peak about 1; silence for an instrument called `none`."""
    pitch_hz = hertz(midi)
    if instrument == "guitar":
        return _plucked(pitch_hz, count, rate, rng)
    if instrument == "bell":
        return _struck(pitch_hz, count, rate)
    timbre = _TIMBRES.get(instrument)
    return np.zeros(count, np.float32) if timbre is None else _steady(timbre, pitch_hz, count, rate, rng)


def _steady(timbre: Timbre, pitch_hz: float, count: int, rate: int, rng: np.random.Generator) -> Wave:
    number = overtones(pitch_hz, rate)
    levels = number**-timbre.slope
    if timbre.odd:
        levels = np.where(number % 2 == 0, levels * 0.35, levels)
    time = seconds(count, rate)
    bend = 1 + timbre.vibrato * np.sin(2 * np.pi * 5.2 * time) * np.clip(time / 0.3, 0, 1) if timbre.vibrato else None
    voices = (1.0, 1 + timbre.spread, 1 - timbre.spread) if timbre.spread else (1.0,)
    bright = table(levels)
    counted = [cycles_of(pitch_hz * share, count, rate, bend) + at for at, share in enumerate(voices)]
    sound = np.mean([read(bright, cycles + 0.29 * at) for at, cycles in enumerate(counted)], axis=0, dtype=np.float32)
    if timbre.dulls:
        dull = read(table(levels * number**-1.2), counted[0])
        share = np.exp(-time * np.float32(5))
        sound = sound * share + dull * (1 - share)
    if timbre.breath:
        sound += band(noise(rng, count), pitch_hz, pitch_hz * 4, rate) * np.float32(timbre.breath)
    if timbre.drive:
        sound = np.tanh(sound * np.float32(timbre.drive)) * np.float32(0.7)
    if timbre.fall_s:
        sound = sound * np.exp(-time / np.float32(timbre.fall_s))
    result: Wave = sound * edges(count, int(timbre.attack_s * rate), int(_RELEASE_S * rate))
    return result


def _plucked(pitch_hz: float, count: int, rate: int, rng: np.random.Generator) -> Wave:
    """Let a burst of noise run round a string that damps it (Karplus and Strong 1983)."""
    period = max(2, round(rate / pitch_hz - 0.5))
    burst = np.zeros(count, np.float32)
    pick = band(noise(rng, period * 2), 0, min(6 * pitch_hz + 1500, 0.4 * rate), rate)[period:]
    burst[: min(period, count)] = (pick - pick.mean())[:count]
    feedback = np.zeros(period + 2, np.float32)
    feedback[0] = 1
    feedback[period : period + 2] = -0.4975
    sound = lfilter(np.ones(1, np.float32), feedback, burst).astype(np.float32)
    peak = max(float(np.abs(sound).max()), 1e-6)
    result: Wave = sound / np.float32(peak) * edges(count, 24, int(_RELEASE_S * rate))
    return result


def _struck(pitch_hz: float, count: int, rate: int) -> Wave:
    time = seconds(count, rate)
    parts = (
        np.float32(level) * np.sin(np.float32(2 * np.pi * pitch_hz * share) * time) * np.exp(-time / np.float32(fall_s))
        for share, level, fall_s in _BELL
        if pitch_hz * share < 0.45 * rate
    )
    result: Wave = sum(parts, np.zeros(count, np.float32)) * edges(count, 32, int(_RELEASE_S * rate)) * np.float32(0.7)
    return result


def _kick(rate: int, rng: np.random.Generator) -> Wave:
    time = seconds(int(0.32 * rate), rate)
    fall = 48 * time + (110 / 32) * (1 - np.exp(-time * 32))
    body = np.sin(2 * np.pi * fall) * np.exp(-time * 11)
    body[: rate // 200] += noise(rng, rate // 200) * np.float32(0.15)
    result: Wave = (body * edges(len(time), 8, rate // 50)).astype(np.float32)
    return result


def _snare(rate: int, rng: np.random.Generator) -> Wave:
    time = seconds(int(0.22 * rate), rate)
    wires = band(noise(rng, len(time)), 1200, 9000, rate) * np.exp(-time * 20)
    skin = np.sin(2 * np.pi * 185 * time) * np.exp(-time * 28)
    result: Wave = ((wires * 0.75 + skin * 0.6) * edges(len(time), 8, rate // 50)).astype(np.float32)
    return result


def _hat(rate: int, rng: np.random.Generator) -> Wave:
    time = seconds(int(0.07 * rate), rate)
    result: Wave = band(noise(rng, len(time)), 7000, rate, rate) * np.exp(-time * 60) * edges(len(time), 8, rate // 100)
    return result


def _crash(rate: int, rng: np.random.Generator) -> Wave:
    time = seconds(int(1.4 * rate), rate)
    metal = band(noise(rng, len(time)), 3500, rate, rate)
    result: Wave = metal * np.exp(-time * 3.2) * edges(len(time), 8, rate // 10)
    return result


STROKES: Final[dict[str, Callable[[int, np.random.Generator], Wave]]] = {
    "kick": _kick,
    "snare": _snare,
    "hat": _hat,
    "crash": _crash,
}
"""Drum -> one stroke: (rate, chance) -> float32 (samples,)."""
