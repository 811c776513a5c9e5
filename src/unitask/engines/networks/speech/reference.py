"""The recording whose voice is followed: how much of it, and how loud."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unitask.engines.networks.speech.mel import RATE
from unitask.engines.networks.speech.pieces import Wave
from unitask.kit.errors import MediaFailure
from unitask.kit.sound import PHRASE

MOST_S: Final = 12.0
LEAST_S: Final = 6.0
"""Between these a longer recording is cut, where it is quiet for longest."""
LOUDNESS: Final = 0.1
"""The root of the mean square to which a softer recording is raised."""
_PAUSE_S: Final = 0.05
_STEP: Final = RATE // 100
_QUIET: Final = 10 ** (-42 / 20)
_QUIET_SHARE: Final = 0.1
_SILENT: Final = 1e-4
_LEAST_QUIET_STEPS: Final = 10


@dataclass(frozen=True, slots=True)
class Reference:
    """What the model hears. `raised`: by how much it was made louder. `share`: how much of the voice it is, up to 1."""

    wave: Wave
    raised: float
    share: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.wave) / RATE

    @classmethod
    def of(cls, wave: Wave) -> "Reference":
        """Take off the quiet before and after a voice, cut what is too long, and raise what is too soft.

        Raises:
            MediaFailure: there is nothing to hear.

        """
        loud = _loud_steps(wave)
        if not loud.any():
            raise MediaFailure(f"{PHRASE}: ref_audio is silent; send a recording of a voice")
        first, last = _ends(loud)
        kept = loud[first:last]
        if len(kept) * _STEP > MOST_S * RATE:
            kept = kept[: _cut(kept)]
            kept = kept[: _ends(kept)[1]]
        voice = wave[first * _STEP : (first + len(kept)) * _STEP]
        raised = max(1.0, LOUDNESS / float(np.sqrt(np.mean(np.square(voice)))))
        pause = np.zeros(round(_PAUSE_S * RATE), np.float32)
        return cls(np.concatenate([voice * np.float32(raised), pause]), raised, len(kept) / (last - first))


def _loud_steps(wave: Wave) -> NDArray[np.bool_]:
    """Tell for each hundredth of a second whether there is something to hear, beside the loudest of it."""
    padded = np.pad(wave, (0, -len(wave) % _STEP)).reshape(-1, _STEP)
    levels = np.sqrt(np.mean(np.square(padded), axis=1))
    loudest = levels.max(initial=0)
    if loudest < _SILENT:
        return np.zeros(len(levels), bool)
    return np.asarray(levels >= min(_QUIET, loudest * _QUIET_SHARE))


def _ends(loud: NDArray[np.bool_]) -> tuple[int, int]:
    found = np.flatnonzero(loud)
    return int(found[0]), int(found[-1]) + 1


def _cut(loud: NDArray[np.bool_]) -> int:
    """Find the middle of the longest pause in the time where a cut may be; without one, cut at the end of it."""
    low, high = (round(seconds * RATE / _STEP) for seconds in (LEAST_S, MOST_S))
    edges = np.flatnonzero(np.diff(np.concatenate([[True], loud[low:high], [True]]).astype(np.int8)))
    starts, ends = edges[::2] + low, edges[1::2] + low
    if not len(starts) or (ends - starts).max() < _LEAST_QUIET_STEPS:
        return high
    longest = int(np.argmax(ends - starts))
    return int(starts[longest] + ends[longest]) // 2
