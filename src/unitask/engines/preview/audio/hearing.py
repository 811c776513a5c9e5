"""What can be heard in a recording by plain arithmetic: the pitch of a voice, beat, key and colour."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin2, oaconvolve

from unitask.engines.preview.audio.tones import Wave
from unitask.kit.pitch import HEARD_S, mono, peak, thinned

_EAR_HZ: Final = 12_000
"""Beat and key need no more than this many samples a second."""
_WINDOW: Final = 1024
_HOP: Final = 256
_USUAL_BPM: Final = 112.0
_SLOWEST_BPM: Final = 56.0
_FASTEST_BPM: Final = 190.0
_LEAST_BEATS: Final = 6
_CLEAR_BEAT: Final = 0.12
_CLEAR_KEY: Final = 0.45
# How well each note of the scale fits its key, by listeners (Krumhansl and Kessler 1982).
_MAJOR: Final = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR: Final = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_BANDS: Final = 24
_KERNEL: Final = 1023


@dataclass(frozen=True, slots=True)
class Heard:
    """Beat and key. `root` counts semitones from C. None, and 0 for `first_beat_s`, where nothing is clear."""

    bpm: float | None
    first_beat_s: float
    root: int | None
    minor: bool


def listen(sound: Wave, rate: int) -> Heard:
    """Find beat and key of (samples, channels); only the first minute and a half is heard."""
    ear, ear_rate = thinned(mono(sound)[: round(HEARD_S * rate)], rate, _EAR_HZ)
    if len(ear) < 2 * _WINDOW:
        return Heard(None, 0.0, None, minor=False)
    bpm, first_s = _beat(_spectra(ear, _WINDOW, _HOP), ear_rate / _HOP)
    root, minor = _key(ear, ear_rate)
    return Heard(bpm, first_s, root, minor)


def _spectra(sound: Wave, window: int, hop: int) -> NDArray[np.float32]:
    """Give the spectrum of each moment: (moments, window / 2 + 1)."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, window)[::hop] * np.hanning(window).astype(np.float32)
    result: NDArray[np.float32] = np.abs(np.fft.rfft(frames)).astype(np.float32)
    return result


def _beat(spectra: NDArray[np.float32], moments_a_second: float) -> tuple[float | None, float]:
    """Find how often sounds begin, by autocorrelation; and when the first beat is."""
    begin = np.maximum(np.diff(np.log1p(30 * spectra), axis=0), 0).sum(axis=1)
    begin -= begin.mean()
    power = float(begin @ begin)
    lags = np.arange(len(begin))
    longest = int(60 * moments_a_second / _SLOWEST_BPM) + 1
    if power <= 0 or len(begin) < _LEAST_BEATS * 60 * moments_a_second / _FASTEST_BPM or len(begin) <= longest + 1:
        return None, 0.0
    spectrum = np.fft.rfft(begin, 2 * len(begin))
    likeness = np.fft.irfft(np.abs(spectrum) ** 2)[: len(begin)] / power
    bpm = 60 * moments_a_second / np.maximum(lags, 1)
    usual = np.exp(-0.5 * (np.log2(bpm / _USUAL_BPM) / 0.8) ** 2)
    scores = np.where((bpm >= _SLOWEST_BPM) & (bpm <= _FASTEST_BPM), likeness * usual, -1)
    lag = int(scores.argmax())
    if likeness[lag] < _CLEAR_BEAT:
        return None, 0.0
    period = peak(likeness, lag)
    starts = [begin[(np.arange(start, len(begin) - 1, period)).astype(int)].mean() for start in range(int(period))]
    return 60 * moments_a_second / period, int(np.argmax(starts)) / moments_a_second


def _key(ear: Wave, rate: float) -> tuple[int | None, bool]:
    """Find the root and whether the scale is minor: the profile that the strength of the twelve notes fits best."""
    window = 4096 if len(ear) > 4 * _WINDOW else _WINDOW
    if len(ear) < window:
        return None, False
    strength = _spectra(ear, window, window // 2).sum(axis=0)
    hertz = np.fft.rfftfreq(window, 1 / rate)
    tones = (hertz > 70) & (hertz < 2000)  # noqa: PLR2004 - where melodies and chords lie
    notes = np.round(12 * np.log2(hertz[tones] / 440) + 9).astype(int) % 12
    chroma = np.bincount(notes, strength[tones], 12)
    if np.ptp(chroma) <= 0:
        return None, False
    fits = [
        (float(np.corrcoef(np.roll(profile, root), chroma)[0, 1]), root, minor)
        for minor, profile in ((False, _MAJOR), (True, _MINOR))
        for root in range(12)
    ]
    best, root, minor = max(fits)
    return (root, minor) if best > _CLEAR_KEY else (None, False)


def colour(music: Wave, model: Wave, rate: int, most_db: float = 9.0) -> None:
    """Bring the balance of low and high of `music` near that of `model`, in place; both (samples, channels)."""
    edges_hz = np.geomspace(40, min(14_000, 0.45 * rate), _BANDS + 1)
    wanted, present = (_balance(sound, rate, edges_hz) for sound in (model, music))
    gain_db = np.clip(wanted - present, -most_db, most_db)
    centres = np.sqrt(edges_hz[:-1] * edges_hz[1:])
    hertz = np.geomspace(30, rate / 2, 64)
    gains = 10 ** (np.interp(hertz, centres, gain_db) / 20)
    kernel = firwin2(_KERNEL, [0, *hertz], [gains[0], *gains], fs=rate).astype(np.float32)
    for channel in range(music.shape[1]):
        music[:, channel] = oaconvolve(music[:, channel], kernel, mode="same")


def _balance(sound: Wave, rate: int, edges_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Measure the level of each band in decibels, their mean taken out."""
    part = mono(sound[: round(HEARD_S * rate)])
    window = min(4096, len(part))
    strength = _spectra(part, window, max(1, window // 2)).mean(axis=0)
    hertz = np.fft.rfftfreq(window, 1 / rate)
    sums = [float(strength[(hertz >= low) & (hertz < high)].sum()) for low, high in pairwise(edges_hz)]
    levels = 20 * np.log10(np.array(sums) + 1e-3 * max(*sums, 1e-6))
    result: NDArray[np.float64] = levels - levels.mean()
    return result
