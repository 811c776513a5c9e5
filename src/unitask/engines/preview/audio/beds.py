"""Noises of the world, from formulas: rain, engines, birds, steps and the like.

Each gives float32 (samples,) of a peak near 1. `motion` is (samples,), 0 to 1: how much moves in the picture.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from unitask.engines.preview.audio.instruments import STROKES, note
from unitask.engines.preview.audio.syllables import Syllable
from unitask.engines.preview.audio.tones import Wave, band, edges, floats, noise, seconds
from unitask.engines.preview.audio.voice import Tone, sounded

Bed = Callable[[Wave, int, np.random.Generator], Wave]
"""(motion, samples a second, chance) -> sound."""


def _rain(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    hiss = band(noise(rng, len(motion)), 1500, 11000, rate) * np.float32(0.45)
    return floats(hiss + band(_specks(len(motion), rng, 0.0015) * np.float32(9), 900, 6000, rate))


def _wind(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    gusts = 1 + 0.7 * np.sin(2 * np.pi * 0.23 * seconds(len(motion), rate) + rng.uniform(0, 6))
    return floats(band(noise(rng, len(motion)), 120, 750, rate) * np.float32(1.6) * gusts)


def _water(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    swell = 0.25 + 0.75 * np.sin(np.pi * 0.12 * seconds(len(motion), rate) + rng.uniform(0, 3)) ** 2
    return floats(band(noise(rng, len(motion)), 180, 4500, rate) * swell)


def _fire(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    roar = band(noise(rng, len(motion)), 60, 480, rate) * np.float32(1.2)
    return floats(roar + band(_specks(len(motion), rng, 0.0006) * np.float32(25), 900, 8000, rate))


def _engine(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    turns = np.cumsum(38 + 45 * motion.astype(np.float64)) / rate
    strokes = (turns * 2 % 1).astype(np.float32) * 2 - 1
    return band(strokes + np.float32(0.6) * noise(rng, len(motion)), 45, 1400, rate)


def _crowd(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    sound = band(noise(rng, len(motion)), 220, 1900, rate) * np.float32(0.5)
    for at in _moments(len(motion), rate, rng, 5.0):
        vowel = "aeiou"[int(rng.integers(5))]
        pitch_hz = float(rng.uniform(110, 260))
        word = sounded(Syllable(vowel, "soft", 2), Tone(pitch_hz, glide=0.9), int(0.18 * rate), rate, rng)
        _add(sound, word * np.float32(rng.uniform(0.1, 0.3)), at)
    return sound


def _birds(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    sound = band(noise(rng, len(motion)), 2000, 5000, rate) * np.float32(0.05)
    for at in _moments(len(motion), rate, rng, 2.2):
        time = seconds(int(rng.uniform(0.08, 0.16) * rate), rate)
        pitch_hz, sweep = rng.uniform(2600, 4200), rng.uniform(-6000, 9000)
        chirp = np.sin(2 * np.pi * (pitch_hz * time + sweep * time**2)) * edges(len(time), rate // 80, rate // 25)
        for repeat in range(int(rng.integers(1, 4))):
            _add(sound, chirp.astype(np.float32) * np.float32(0.6), at + int(repeat * 0.2 * rate))
    return sound


def _steps(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    sound = np.zeros(len(motion), np.float32)
    at = int(0.1 * rate)
    while at < len(motion):
        time = seconds(int(0.16 * rate), rate)
        grit = (
            band(noise(rng, len(time)), 250, 3800, rate)
            * np.exp(-time * 28)
            * edges(len(time), rate // 300, rate // 50)
        )
        thud = np.sin(2 * np.pi * 82 * time) * np.exp(-time * 32)
        _add(sound, (grit + thud).astype(np.float32) * np.float32(rng.uniform(0.7, 1)), at)
        at += int(rate * (0.62 - 0.2 * float(motion[at])) * rng.uniform(0.94, 1.06))
    return sound


def _thunder(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    sound = band(noise(rng, len(motion)), 30, 90, rate) * np.float32(0.25)
    for at in [int(0.12 * len(motion)), *_moments(len(motion), rate, rng, 0.12)]:
        time = seconds(min(3 * rate, len(motion)), rate)
        _add(sound, band(noise(rng, len(time)), 35, 260, rate) * np.exp(-time * 1.5) * np.float32(3), at)
    return sound


def _blast(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    sound = np.zeros(len(motion), np.float32)
    for at in [int(motion.argmax()), *_moments(len(motion), rate, rng, 0.1)]:
        time = seconds(min(2 * rate, len(motion)), rate)
        _add(sound, np.tanh(band(noise(rng, len(time)), 30, 1600, rate) * 4) * np.exp(-time * 2.6), at)
    return sound


def _ticks(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    sound = np.zeros(len(motion), np.float32)
    tick = band(noise(rng, rate // 40), 2200, 6500, rate) * np.exp(-seconds(rate // 40, rate) * 220)
    for number, at in enumerate(range(0, len(motion), rate // 2)):
        _add(sound, tick * np.float32(2.5 if number % 2 else 2.0), at)
    return sound


def _keys(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    sound = np.zeros(len(motion), np.float32)
    for at in _moments(len(motion), rate, rng, 8.0):
        time = seconds(rate // 30, rate)
        _add(
            sound,
            band(noise(rng, len(time)), 1300, 7000, rate) * np.exp(-time * 160) * np.float32(rng.uniform(0.8, 2)),
            at,
        )
    return sound


def _applause(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    sound = np.zeros(len(motion), np.float32)
    clap = band(noise(rng, rate // 25), 700, 5200, rate) * np.exp(-seconds(rate // 25, rate) * 130)
    for at in _moments(len(motion), rate, rng, 70.0):
        _add(sound, clap * np.float32(rng.uniform(0.3, 1)), at)
    return sound


def _bells(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    sound = np.zeros(len(motion), np.float32)
    for at in range(0, len(motion), int(1.4 * rate)):
        _add(sound, note("bell", int(rng.choice((72, 76, 79))), min(2 * rate, len(motion)), rate, rng), at)
    return sound


def _heart(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    sound = np.zeros(len(motion), np.float32)
    beat = STROKES["kick"](rate, rng)
    for at in range(0, len(motion), int(0.9 * rate)):
        _add(sound, beat, at)
        _add(sound, beat * np.float32(0.6), at + int(0.28 * rate))
    return band(sound, 0, 180, rate)


def _animal(onset: str, pitch_hz: float, length_s: float, glide: float, often: float) -> Bed:
    def bed(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
        sound = np.zeros(len(motion), np.float32)
        for at in [int(0.1 * rate), *_moments(len(motion), rate, rng, often)]:
            tone = Tone(pitch_hz * float(rng.uniform(0.93, 1.07)), glide=glide, vibrato=0.01)
            _add(sound, sounded(Syllable("a", onset, 2), tone, int(length_s * rate), rate, rng), at)
        return sound

    return bed


def _siren(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    time = seconds(len(motion), rate).astype(np.float64)
    pitch_hz = 750 + 250 * np.sign(np.sin(2 * np.pi * 0.7 * time + rng.uniform(0, 6)))
    return floats(np.tanh(3 * np.sin(2 * np.pi * np.cumsum(pitch_hz) / rate)) * 0.5)


def air(motion: Wave, rate: int, rng: np.random.Generator) -> Wave:
    """Breathe with the motion of the picture: for films about which no word is known."""
    return band(noise(rng, len(motion)), 90, 2600, rate)


def pad(motion: Wave, rate: int, rng: np.random.Generator, root: int) -> Wave:
    """Hold a quiet chord on `root` (0 to 11): what a film without a word sounds of besides."""
    keys = (48 + root, 55 + root, 60 + root, 64 + root)
    chord: Wave = sum((note("pad", key, len(motion), rate, rng) for key in keys), np.zeros(len(motion), np.float32))
    return chord * np.float32(0.22)


_BEDS: Final[dict[str, tuple[Bed, str]]] = {
    "rain": (_rain, "rain rainy raining drizzle shower storm"),
    "wind": (_wind, "wind windy breeze blowing desert snowfall blizzard storm"),
    "water": (_water, "water sea ocean wave waves river stream waterfall beach lake swimming surf splash"),
    "fire": (_fire, "fire campfire flames burning crackling fireplace flame"),
    "engine": (_engine, "engine car cars motor motorcycle truck rocket plane train helicopter traffic vehicle drone"),
    "crowd": (_crowd, "crowd people street city market talking chatter voices cafe restaurant speech murmur traffic"),
    "birds": (_birds, "bird birds birdsong chirping forest jungle nature garden meadow spring"),
    "steps": (_steps, "footstep footsteps steps walking running walk run gravel dancing horse"),
    "thunder": (_thunder, "thunder thunderstorm lightning rumble earthquake"),
    "blast": (_blast, "explosion explode blast bomb gunshot firework fireworks crash"),
    "ticks": (_ticks, "ticks clock tick ticking watch metronome"),
    "keys": (_keys, "keys typing keyboard type computer office"),
    "applause": (_applause, "applause clapping clap cheering audience"),
    "bells": (_bells, "bell bells church chime chimes music melody"),
    "heart": (_heart, "heart heartbeat drum drums drumming"),
    "dog": (_animal("stop", 330.0, 0.16, 0.7, 0.9), "dog dogs bark barking puppy"),
    "cat": (_animal("soft", 520.0, 0.7, 1.25, 0.3), "cat cats meow kitten"),
    "cow": (_animal("soft", 140.0, 1.3, 0.9, 0.2), "cow cows sheep moo goat"),
    "siren": (_siren, "siren sirens police ambulance alarm"),
}  # fmt: skip

NAMES: Final = tuple(_BEDS)
"""The noises that words may name; each is a word for itself."""


def named(prompt: str, negative: str) -> dict[str, Bed]:
    """Find the noises that the prompt names and the negative prompt does not."""
    unwanted = set(_names(negative))
    return {name: _BEDS[name][0] for name in _names(prompt) if name not in unwanted}


def _names(text: str) -> Iterator[str]:
    said = set(re.findall(r"[a-z]+", text.lower()))
    return (name for name, (_, words) in _BEDS.items() if said & set(words.split()))


def _specks(count: int, rng: np.random.Generator, share: float) -> Wave:
    """Scatter single samples of noise over silence."""
    return floats(np.where(rng.random(count, np.float32) < share, noise(rng, count), 0))


def _moments(count: int, rate: int, rng: np.random.Generator, per_second: float) -> list[int]:
    """Draw moments at random, so many a second on average."""
    number = rng.poisson(per_second * count / rate)
    return sorted(int(at) for at in rng.integers(0, count, number))


def _add(sound: Wave, part: Wave, at: int) -> None:
    room = len(sound) - at
    if room > 0:
        sound[at : at + len(part)] += part[:room]
