"""The pitch of a voice, by plain arithmetic. NumPy is imported inside: engines only."""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from unitask.kit.sound import Sound

HEARD_S: Final = 90.0
"""No more of a recording than this is listened to."""
_LOWEST_VOICE_HZ: Final = 65.0
_HIGHEST_VOICE_HZ: Final = 420.0
_VOICED: Final = 0.6
_SILENCE: Final = 1e-6
_LEAST_VOICED_FRAMES: Final = 6


def mono(sound: "Sound") -> "Sound":
    """Mix (samples, channels) to (samples,)."""
    return sound.mean(axis=1, dtype="float32") if sound.shape[1] > 1 else sound[:, 0]


def median_pitch(sound: "Sound", rate: int) -> float | None:
    """Find the median pitch of the voiced parts, in hertz; None where nothing is voiced (autocorrelation)."""
    import numpy as np  # noqa: PLC0415 - only engines need NumPy

    voice, ear = thinned(mono(sound)[: round(HEARD_S * rate)], rate, 8000)
    size, hop = int(0.05 * ear), int(0.02 * ear)
    if len(voice) < size:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(voice, size)[::hop] * np.hanning(size).astype(np.float32)
    power = np.abs(np.fft.rfft(frames, 2 * size)) ** 2
    likeness = np.fft.irfft(power)[:, :size]
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(size), 2 * size)) ** 2)[:size]
    loud = likeness[:, 0]
    shape = likeness / np.maximum(loud, 1e-12)[:, None] / (window / window[0] + 1e-3)
    low, high = int(ear / _HIGHEST_VOICE_HZ), min(int(ear / _LOWEST_VOICE_HZ), int(size * 0.7))
    best = shape[:, low:high].max(axis=1)
    # The first lag that is nearly as good as the best: its multiples are as good, and an octave too low.
    lag = low + np.argmax(shape[:, low:high] > 0.9 * best[:, None], axis=1)
    lag = np.array([low + peak(row[low:high], at - low) for row, at in zip(shape, lag, strict=True)])
    heard = (best > _VOICED) & (loud > 0.02 * loud.max()) & (loud > _SILENCE)
    pitches = ear / lag[heard]
    return float(np.median(pitches)) if len(pitches) >= _LEAST_VOICED_FRAMES else None


def peak(row: Any, at: int) -> float:
    """Climb from `at` to the next top, and place it between the samples."""
    while at + 1 < len(row) and row[at + 1] > row[at]:
        at += 1
    if not 0 < at < len(row) - 1:
        return float(at)
    before, top, after = (float(value) for value in row[at - 1 : at + 2])
    bend = before - 2 * top + after
    return at + (0.5 * (before - after) / bend if bend else 0.0)


def thinned(sound: "Sound", rate: int, wanted_hz: int) -> tuple["Sound", float]:
    """Average neighbours until there are about `wanted_hz` samples a second."""
    step = max(1, round(rate / wanted_hz))
    whole = len(sound) // step * step
    return sound[:whole].reshape(-1, step).mean(axis=1), rate / step
