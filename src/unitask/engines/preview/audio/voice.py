"""A robotic voice: a buzz with the resonances of five vowels, and bursts of noise for what a syllable begins with."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from unitask.engines.preview.audio.syllables import Syllable
from unitask.engines.preview.audio.tones import Wave, band, cycles_of, edges, noise, overtones, read, seconds, table

# Resonances of a grown man's mouth in hertz, and how strong each is.
_FORMANTS: Final = {
    "a": ((730, 1.0), (1090, 0.60), (2440, 0.16)),
    "e": ((530, 1.0), (1840, 0.42), (2480, 0.22)),
    "i": ((290, 1.0), (2250, 0.30), (3010, 0.22)),
    "o": ((500, 1.0), (880, 0.50), (2410, 0.10)),
    "u": ((320, 1.0), (800, 0.28), (2240, 0.07)),
}
_WIDTH_HZ: Final = 110.0
_HIGH_VOICE_HZ: Final = 170.0
_BURSTS: Final = {"hiss": (0.075, 2500.0, 9000.0, 0.20), "stop": (0.022, 800.0, 5000.0, 0.35)}
"""Onset -> its seconds, the band of its noise in hertz, its level."""


@dataclass(frozen=True, slots=True)
class Tone:
    """How a syllable is sounded: its pitch, by how much the pitch glides (end over start), vibrato and breath."""

    pitch_hz: float
    glide: float = 1.0
    vibrato: float = 0.0


def sounded(syllable: Syllable, tone: Tone, count: int, rate: int, rng: np.random.Generator) -> Wave:
    """Sound one syllable: float32 (count,), peak about 1."""
    wave = table(_levels(syllable.vowel, tone.pitch_hz, rate))
    share = np.linspace(0, 1, count)
    bend = tone.glide**share
    if tone.vibrato:
        grown = np.clip(seconds(count, rate) / 0.25 - 0.6, 0, 1)
        bend = bend * (1 + tone.vibrato * grown * np.sin(2 * np.pi * 5.6 * seconds(count, rate)))
    voiced = read(wave, cycles_of(tone.pitch_hz, count, rate, bend))
    burst_s, low_hz, high_hz, level = _BURSTS.get(syllable.onset, (0.0, 0.0, 0.0, 0.0))
    burst = min(int(burst_s * rate), count // 3)
    soft = syllable.onset == "soft"
    gain = edges(count, int(rate * (0.05 if soft else 0.018)), int(rate * 0.045))
    if not burst:
        return voiced * gain
    gain[:burst] *= np.linspace(0, 1, burst, dtype=np.float32) ** 3
    sound = voiced * gain
    hiss = band(noise(rng, burst), low_hz, min(high_hz, rate * 0.45), rate)
    sound[:burst] += hiss * edges(burst, burst // 4, burst // 2) * np.float32(level)
    return sound


def _levels(vowel: str, pitch_hz: float, rate: int) -> Wave:
    """Levels of the overtones: a falling buzz under the vowel's resonances, moved up for high voices."""
    number = overtones(pitch_hz, rate, most=60)
    moved = 1 + 0.17 * np.clip((pitch_hz - _HIGH_VOICE_HZ) / 120, 0, 1)
    at = number * pitch_hz
    mouth = sum(level / (1 + ((at - hertz * moved) / _WIDTH_HZ) ** 2) for hertz, level in _FORMANTS[vowel])
    levels: Wave = np.asarray((mouth + 0.012) * number**-0.35, np.float32)
    return levels
