"""How a recording goes on after its end: the place in it that sounds most like the end, and all that follows there."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from unitask.kit.pitch import mono

Wave = NDArray[np.float32]

_EAR_HZ: Final = 12_000
_WINDOW: Final = 1024
_HOP: Final = 512
_BANDS: Final = 28
_COMPARED_S: Final = 1.2
_LEAST_LOOP_S: Final = 6.0
_LEAST_LOOP_SHARE: Final = 0.4
_ALIGNED_S: Final = 0.06
_BEAT_S: Final = 0.7
_FADE_S: Final = 0.03
_DYING: Final = 0.6
_LEAST_QUIET_S: Final = 0.55
"""An end that is so long quieter than that share of the usual loudness is dying away, no place to go on from."""
_LAST_FADE_S: Final = 1.5
_REPAIRED_S: Final = 0.01


def following(sound: Wave, count: int, rate: int) -> Wave:
    """Make what follows (samples, channels): float32 (count, channels), joined without a click, quiet at its end."""
    if not count:
        return np.zeros((0, sound.shape[1]), np.float32)
    end = _end(sound, rate)
    start = _start(sound[:end], rate)
    loop = sound[start:end].copy()
    fade = min(round(_FADE_S * rate), start, len(loop) // 2)
    if fade:
        turn = np.linspace(0, np.pi / 2, fade, dtype=np.float32)[:, None]
        loop[-fade:] = loop[-fade:] * np.cos(turn) + sound[start - fade : start] * np.sin(turn)
    result = np.tile(loop, (-(-count // len(loop)), 1))[:count]
    _join(result, sound, start, rate, dying=end < len(sound))
    last = min(round(_LAST_FADE_S * rate), count // 3)
    if last:
        result[-last:] *= np.cos(np.linspace(0, np.pi / 2, last, dtype=np.float32))[:, None]
    return result


def _join(result: Wave, sound: Wave, start: int, rate: int, *, dying: bool) -> None:
    """Let the first samples begin where the recording's last one was; after an end that dies away, swell."""
    if dying:
        swell = min(round(0.4 * rate), len(result))
        result[:swell] *= np.sin(np.linspace(0, np.pi / 2, swell, dtype=np.float32))[:, None]
    before = sound[start - 1] if start and not dying else np.zeros(sound.shape[1], np.float32)
    repaired = min(round(_REPAIRED_S * rate), len(result))
    result[:repaired] += (sound[-1] - before) * np.linspace(1, 0, repaired, dtype=np.float32)[:, None]


def _end(sound: Wave, rate: int) -> int:
    """Give the sample after the last one that is not part of a dying end."""
    step = max(1, rate // 20)
    blocks = len(sound) // step
    if blocks < 8:  # noqa: PLR2004 - too short to tell
        return len(sound)
    loud = np.sqrt(np.square(mono(sound[: blocks * step])).reshape(blocks, step).mean(axis=1))
    usual = float(np.median(loud[loud > 0])) if (loud > 0).any() else 0.0
    alive = np.flatnonzero(loud >= _DYING * usual)
    quiet_s = (blocks - 1 - int(alive[-1])) * step / rate if len(alive) else 0.0
    if quiet_s < _LEAST_QUIET_S or alive[-1] < blocks // 2:
        return len(sound)
    return (int(alive[-1]) + 1) * step


def _start(sound: Wave, rate: int) -> int:
    """Find the sample before which the recording sounds most like before its end."""
    step = max(1, round(rate / _EAR_HZ))
    ear = mono(sound)[: len(sound) // step * step].reshape(-1, step).mean(axis=1)
    if len(ear) < 4 * _WINDOW:
        return len(sound) // 4
    features = _features(ear)
    moment = _HOP * step
    compared = max(2, min(round(_COMPARED_S * rate / moment), len(features) // 4))
    last = features[-compared:]
    least = min(round(_LEAST_LOOP_S * rate / moment), int(len(features) * (1 - _LEAST_LOOP_SHARE)))
    latest = max(len(features) - max(least, compared), compared + 1)
    candidates = np.lib.stride_tricks.sliding_window_view(features[:latest], compared, axis=0)
    distance = np.square(candidates - last.T).mean(axis=(1, 2))
    # Among places that are equally alike the longest loop is the least tiring.
    place = int(np.argmin(distance * (1 + 0.15 * np.linspace(0, 1, len(distance)))))
    return _aligned(sound, (place + compared) * moment + (len(sound) - (len(features) + 1) * moment), rate)


def _features(ear: Wave) -> NDArray[np.float32]:
    """Describe each moment by the loudness of its bands: (moments, bands)."""
    frames = np.lib.stride_tricks.sliding_window_view(ear, _WINDOW)[::_HOP] * np.hanning(_WINDOW).astype(np.float32)
    spectra = np.abs(np.fft.rfft(frames)).astype(np.float32)
    edges = np.unique(np.geomspace(2, _WINDOW // 2, _BANDS + 1).astype(int))
    bands = np.add.reduceat(spectra, edges[:-1], axis=1)
    result: NDArray[np.float32] = np.log1p(40 * bands / max(float(bands.mean()), 1e-9))
    return result


def _aligned(sound: Wave, near: int, rate: int) -> int:
    """Move a place by at most some milliseconds to where the waves before it and before the end agree best."""
    wave = mono(sound)
    reach = round(_ALIGNED_S * rate)
    # As long as a beat, or the end of the pattern may be the silence between two.
    length = min(round(_BEAT_S * rate), len(wave) // 4)
    pattern = wave[-length:]
    near = min(max(near, length), len(wave) - 1)
    begin = max(near - length - reach, 0)
    around = wave[begin : near + reach]
    size = 1 << (len(around) + length).bit_length()
    fit = np.fft.irfft(np.fft.rfft(around, size) * np.conj(np.fft.rfft(pattern, size)), size)
    places = len(around) - length + 1
    energy = np.cumsum(np.square(np.concatenate([[0.0], around])))
    power = energy[length:][:places] - energy[:places]
    return begin + int(np.argmax(fit[:places] / np.sqrt(power + 1e-9))) + length
