"""Changes to a recording that keep its tempo and its length, chosen by the words of a style.

All give float32 (2, samples).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from unitask.engines.preview.audio.tones import Wave, band, floats, in_room, seconds


@dataclass(frozen=True, slots=True)
class Take:
    """What is to be changed: `sound` is float32 (2, samples) at `rate` samples a second."""

    sound: Wave
    rate: int
    bpm: float


Effect = Callable[[Take], Wave]

_TELEPHONE_HZ: Final = (320, 3300)
_VOICES_HZ: Final = (220, 4200)


def _old(take: Take) -> Wave:
    """Play it on worn tape: dull, a little unsteady, with hiss."""
    wobbling = _delayed(
        take.sound, take.rate, 0.004 * (1 + np.sin(2 * np.pi * 0.55 * seconds(take.sound.shape[1], take.rate)))
    )
    hiss = np.random.default_rng(2).standard_normal(take.sound.shape, np.float32) * np.float32(0.004)
    return band(wobbling, 90, 3600, take.rate) * np.float32(1.3) + hiss


def _telephone(take: Take) -> Wave:
    return floats(np.tanh(band(take.sound, *_TELEPHONE_HZ, take.rate) * np.float32(3)) * np.float32(0.6))


def _driven(take: Take) -> Wave:
    level = np.float32(max(float(np.abs(take.sound[:, ::11]).max()), 1e-6))
    return band(np.tanh(take.sound / level * np.float32(5)), 60, 7000, take.rate) * level * np.float32(0.6)


def _far(take: Take) -> Wave:
    """Play it in a cathedral."""
    soft = band(take.sound, 0, 5000, take.rate)
    return in_room(soft, take.rate, 1.6, 2.6)[:, : take.sound.shape[1]] * np.float32(0.7)


def _dark(take: Take) -> Wave:
    return band(take.sound, 0, 900, take.rate) * np.float32(1.25)


def _bright(take: Take) -> Wave:
    return take.sound * np.float32(0.75) + band(take.sound, 2600, take.rate, take.rate)


def _pumping(take: Take) -> Wave:
    """Duck it on every beat, as if a kick drum pushed it aside."""
    place = seconds(take.sound.shape[1], take.rate) * np.float32(take.bpm / 60) % 1
    return floats(take.sound * (0.25 + 0.75 * np.clip(place * 1.6, 0, 1) ** 0.8))


def _crushed(take: Take) -> Wave:
    """Reduce it to few levels and few samples, like an early game."""
    step = max(1, take.rate // 7000)
    held = np.repeat(take.sound[:, ::step], step, axis=1)[:, : take.sound.shape[1]]
    return floats(np.round(held * 12) / np.float32(12))


def _doubled(take: Take) -> Wave:
    """Add wandering copies: one player becomes several."""
    time = seconds(take.sound.shape[1], take.rate)
    copies = [_delayed(take.sound, take.rate, 0.014 + 0.005 * np.sin(2 * np.pi * hertz * time)) for hertz in (0.7, 1.1)]
    return floats((take.sound + 0.7 * copies[0] + 0.7 * copies[1][::-1]) * np.float32(0.6))


def _warm(take: Take) -> Wave:
    close = band(take.sound, 70, 4200, take.rate) * np.float32(1.15)
    return in_room(close, take.rate, 0.5, 0.6)[:, : take.sound.shape[1]]


_EFFECTS: Final[dict[Effect, str]] = {
    _old: "lofi lo vintage old tape vinyl chill cassette nostalgic hiphop rap",
    _telephone: "radio telephone phone megaphone",
    _driven: "rock metal punk distorted distortion grunge heavy aggressive industrial overdrive",
    _far: "ambient dreamy ethereal reverb cathedral spacious meditation cinematic epic classical orchestral choir",
    _dark: "dark deep underwater muffled bass dub gloomy",
    _bright: "bright crisp happy pop shiny uplifting clear",
    _pumping: "house techno edm electronic dance club trance disco electro synthwave dnb",
    _crushed: "8bit chiptune arcade game glitch bitcrushed",
    _doubled: "chorus strings ensemble wide folk country gospel soul latin reggae funk",
    _warm: "jazz blues acoustic warm soft piano bossa swing rnb ballad slow quiet",
}
_EFFECT_OF: Final = {word: effect for effect, words in _EFFECTS.items() for word in words.split()}


def choose(words: list[str], chance: int) -> Effect:
    """Take the effect of the first word that has one; `chance` decides where none has."""
    known = next((_EFFECT_OF[word] for word in words if word in _EFFECT_OF), None)
    effects = list(_EFFECTS)
    return known or effects[chance % len(effects)]


def without_voice(sound: Wave, rate: int) -> Wave:
    """Lower what is in the middle and where voices lie; a mono recording loses some of its instruments too."""
    middle = sound.mean(axis=0, keepdims=True)
    return sound - band(middle, *_VOICES_HZ, rate) * np.float32(0.85)


def _delayed(sound: Wave, rate: int, delay_s: Wave) -> Wave:
    """Read each sample a little later than it was; the delay may change all the time."""
    source = np.clip(np.arange(sound.shape[1]) - delay_s.astype(np.float64) * rate, 0, None)
    whole = source.astype(np.int64)
    share = (source - whole).astype(np.float32)
    following = np.minimum(whole + 1, sound.shape[1] - 1)
    result: Wave = sound[:, whole] * (1 - share) + sound[:, following] * share
    return result
