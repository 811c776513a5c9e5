"""What every sound is built from: one period of a wave as a table, read at any pitch, under an envelope.

All arrays are float32; a mono sound is (samples,), a stereo sound (2, samples).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, oaconvolve, sosfilt

Wave = NDArray[np.float32]

TABLE: Final = 4096
"""Samples of a table: fine enough to be read without interpolation."""
_HIGHEST_SHARE: Final = 0.45


def floats(values: Any) -> Wave:
    """See to it that samples have 32 bits: a single number of 64 makes all that it touches as large."""
    return np.asarray(values, np.float32)


def table(harmonics: Sequence[float] | Wave) -> Wave:
    """Build one period from the levels of the fundamental and its overtones; its peak is 1."""
    spectrum = np.zeros(TABLE // 2 + 1, np.complex64)
    levels = np.asarray(harmonics, np.float32)[: TABLE // 2]
    # Phases that grow with the square keep the peak low: all overtones in step would click.
    turn = np.pi * np.arange(len(levels)) ** 2 / max(len(levels), 1)
    spectrum[1 : len(levels) + 1] = levels * np.exp(1j * turn)
    wave = np.fft.irfft(spectrum).astype(np.float32)
    return floats(wave / max(float(np.abs(wave).max()), 1e-9))


def overtones(frequency_hz: float, rate: int, most: int = 40) -> Wave:
    """Count up the overtones that a sound at this pitch may have: 1, 2, ... below half the rate."""
    count = max(1, min(most, int(_HIGHEST_SHARE * rate / frequency_hz)))
    return np.arange(1, count + 1, dtype=np.float32)


def read(wave: Wave, cycles: NDArray[np.float64]) -> Wave:
    """Play a table; `cycles` counts the periods up to each sample."""
    return floats(wave[(cycles * TABLE).astype(np.int64) & (TABLE - 1)])


def cycles_of(
    frequency_hz: float, count: int, rate: int, bend: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Count periods of a tone; `bend` multiplies its frequency at each sample."""
    if bend is None:
        return np.arange(count, dtype=np.float64) * (frequency_hz / rate)
    return np.asarray(np.cumsum(bend) * (frequency_hz / rate), np.float64)


def seconds(count: int, rate: int) -> Wave:
    """Give the time of each sample."""
    return np.arange(count, dtype=np.float32) / np.float32(rate)


def edges(count: int, rise: int, fall: int) -> Wave:
    """Open from 0 to 1 over `rise` samples and close over the last `fall`; both shrink if there is no room."""
    gain = np.ones(count, np.float32)
    rise, fall = min(rise, count // 2), min(fall, count - min(rise, count // 2))
    if rise:
        gain[:rise] = np.sin(np.linspace(0, np.pi / 2, rise, dtype=np.float32)) ** 2
    if fall:
        gain[-fall:] *= np.cos(np.linspace(0, np.pi / 2, fall, dtype=np.float32)) ** 2
    return gain


def noise(rng: np.random.Generator, count: int) -> Wave:
    """Hiss with a spread of 1."""
    return rng.standard_normal(count, np.float32)


def band(sound: Wave, low_hz: float, high_hz: float, rate: int) -> Wave:
    """Keep what lies between two frequencies; along the last axis. Zero or half the rate leave a side open."""
    nyquist = rate / 2
    high = min(high_hz, nyquist * 0.98)
    if low_hz <= 0:
        filters = butter(2, high, "lowpass", fs=rate, output="sos")
    elif high_hz >= nyquist:
        filters = butter(2, min(low_hz, nyquist * 0.9), "highpass", fs=rate, output="sos")
    else:
        filters = butter(2, [min(low_hz, high * 0.9), high], "bandpass", fs=rate, output="sos")
    result: Wave = sosfilt(filters, sound).astype(np.float32)
    return result


@lru_cache(maxsize=4)
def _room(rate: int, length_s: float) -> Wave:
    """Draw the echoes of a room: (2, samples), each ear its own."""
    count = int(rate * length_s)
    rng = np.random.default_rng(0x5EED)
    hiss = rng.standard_normal((2, count), np.float32)
    soft = np.cumsum(hiss, axis=1)
    soft -= np.concatenate([np.zeros((2, 6), np.float32), soft[:, :-6]], axis=1)
    fall = np.exp(-5.5 * seconds(count, rate) / length_s) * edges(count, rate // 100, rate // 50)
    echo = soft * fall
    return floats(echo / np.sqrt((echo**2).sum(axis=1, keepdims=True)))


def in_room(sound: Wave, rate: int, share: float, length_s: float = 1.1) -> Wave:
    """Set a mono or stereo sound into a room: (2, samples + the echoes' length)."""
    stereo = sound if sound.ndim == 2 else np.stack([sound, sound])  # noqa: PLR2004 - axes
    room = _room(rate, length_s)
    wet = floats(oaconvolve(stereo, room, axes=1))
    wet *= share
    wet[:, : stereo.shape[1]] += stereo
    return wet


def panned(sound: Wave, side: float) -> Wave:
    """Place a mono sound between the ears, -1 left to 1 right: (2, samples)."""
    angle = (side + 1) * np.pi / 4
    return np.stack([sound * np.float32(np.cos(angle)), sound * np.float32(np.sin(angle))]) * np.float32(np.sqrt(2))


def levelled(sound: Wave, peak: float = 0.89) -> Wave:
    """Round off what sticks out and bring the peak to one level, in place; silence stays silent."""
    spread = float(np.sqrt(np.mean(np.square(sound[..., ::7], dtype=np.float32))))
    if spread <= 0:
        return sound
    sound *= np.float32(0.22 / spread)
    np.tanh(sound, out=sound)
    sound *= np.float32(peak / max(float(sound.max()), -float(sound.min()), 1e-9))
    return sound
