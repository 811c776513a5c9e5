"""Sound for a silent film: noises that the words name, as loud as the picture moves, and a hit at every cut."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.preview.audio import beds
from unitask.engines.preview.audio.instruments import STROKES
from unitask.engines.preview.audio.source import Medium, finish
from unitask.engines.preview.audio.tones import Wave, edges, floats, in_room, levelled
from unitask.engines.preview.chance import dice
from unitask.kit.errors import TaskFailure
from unitask.kit.video import Video, VideoLimits, read_video
from unitask.spec.engine import Job, Output
from unitask.spec.media import media_values

_SMALL: Final = (96, 54)
_LIMIT_FRAMES: Final = 36_000
_LIMIT_S: Final = 1200.0
_CUT_LEVELS: Final = 24.0
"""Mean change of a pixel, in grey levels of 256, that may be a cut; it must also stand out from what is around it."""
_CUT_TIMES: Final = 3.5
_STILL: Final = 0.35
_AROUND: Final = 6
_LEAST_MOTION: Final = 1.0
_BED_LOUDNESS: Final = 0.3
_PROGRESS_EVERY: Final = 24


@dataclass(frozen=True, slots=True)
class Motion:
    """What happens in a film, frame by frame: float (frames,).

    `amount` is the mean change of a pixel in grey levels; `side` where it changes, -1 left to 1 right; `hue` is the
    film's mean colour as a share of the circle.
    """

    amount: NDArray[np.float64]
    side: NDArray[np.float64]
    fps: float
    hue: float

    @property
    def cuts(self) -> list[int]:
        """The frames at which another scene begins."""
        found = []
        for frame in np.flatnonzero(self.amount > _CUT_LEVELS):
            around = np.delete(self.amount, frame)[max(0, frame - _AROUND) : frame + _AROUND]
            if not len(around) or self.amount[frame] > _CUT_TIMES * np.median(around):
                found.append(int(frame))
        return found

    def spread(self, values: NDArray[np.float64], count: int, rate: int) -> Wave:
        """Bring one value a frame to one value a sample."""
        at = np.arange(count) * (self.fps / rate)
        return floats(np.interp(at, np.arange(len(values)), values))


def sound_for_video(inputs: Any, job: Job) -> Output:
    """Make a sound track as long as the film, at most as long as the recipe says."""
    medium = Medium.of(job.recipe.options)
    film = _film(inputs, job)
    length_s = min(film.duration_s, medium.limit_s)
    motion = _watched(film, length_s, job)
    job.progress(0.5, "making noises")
    count = max(1, round(length_s * medium.rate))
    sound = _sounded(inputs, motion, count, medium.rate, job)
    return finish(job, sound.T, medium, inputs.prompt)


def _film(inputs: Any, job: Job) -> Video:
    value = next((item for item in media_values(inputs) if item.path == "input.video"), None)
    if value is None:
        raise TaskFailure("`video` is empty: give a URL or base64 of a film")
    job.progress(0.02, "reading the film")
    media = value.media
    limits = VideoLimits(_LIMIT_FRAMES, media.limit_side_px, media.limit_pixels, media.limit_bytes, _LIMIT_S)
    return read_video(job.fetch(value.source, media), limits)


def _watched(film: Video, length_s: float, job: Job) -> Motion:
    """Compare each frame with the one before, small and grey."""
    fps = float(film.fps)
    amount, side = [0.0], [0.0]
    colours = []
    before = None
    across = np.linspace(-1, 1, _SMALL[0], dtype=np.float32)
    for number, frame in enumerate(film):
        if number > length_s * fps:
            break
        if number % _PROGRESS_EVERY == 0:
            job.progress(0.05 + 0.4 * min(1.0, number / (length_s * fps)), "watching the film")
            colours.append(cv2.resize(frame, (1, 1), interpolation=cv2.INTER_AREA)[0, 0])
        grey = cv2.cvtColor(cv2.resize(frame, _SMALL, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY).astype(
            np.float32
        )
        if before is not None:
            change = np.abs(grey - before)
            amount.append(float(change.mean()))
            side.append(float((change.sum(axis=0) * across).sum() / max(float(change.sum()), 1e-3)))
        before = grey
    mean = np.mean(colours, axis=0, dtype=np.float32).astype(np.uint8).reshape(1, 1, 3)
    hue = float(cv2.cvtColor(mean, cv2.COLOR_RGB2HSV)[0, 0, 0]) / 180
    return Motion(np.array(amount), np.array(side), fps, hue)


def _sounded(inputs: Any, motion: Motion, count: int, rate: int, job: Job) -> Wave:
    """Mix the noises: float32 (2, count)."""
    cuts = motion.cuts
    steady = motion.amount.copy()
    steady[cuts] = np.median(steady)
    usual = max(float(np.percentile(steady, 95)), _LEAST_MOTION)
    smooth = np.convolve(np.clip(steady / usual, 0, 1), np.ones(3) / 3, "same")
    moves = motion.spread(smooth, count, rate)
    found = beds.named(inputs.prompt, inputs.negative_prompt)
    if not found:
        job.warn("no noise that the prompt names is known here: the sound follows motion and colour of the picture")
    sound = np.zeros(count, np.float32)
    for index, (name, bed) in enumerate((found or {"air": beds.air}).items()):
        job.progress(0.5 + 0.25 * index / max(len(found), 1), f"making the noise {name}")
        part = bed(moves, rate, dice(job.seed, "bed", name, inputs.prompt))
        # By loudness and not by peak: a single spark would make the whole fire quiet.
        sound += np.tanh(part * np.float32(_BED_LOUDNESS / max(float(np.sqrt(np.mean(np.square(part)))), 1e-6)))
    sound *= _STILL + (1 - _STILL) * moves
    if not found:
        sound += beds.pad(moves, rate, dice(job.seed, "pad"), round(motion.hue * 12) % 12)
    gentle = np.convolve(np.clip(motion.side, -1, 1), np.ones(5) / 5, "same")[: len(motion.side)]
    angle = (motion.spread(gentle, count, rate) * np.float32(0.7) + 1) * np.float32(np.pi / 4)
    stereo = np.stack([sound * np.cos(angle), sound * np.sin(angle)])
    for cut in cuts:
        _hit(stereo, round(cut / motion.fps * rate), rate, dice(job.seed, "hit", cut))
    wet = np.ascontiguousarray(in_room(stereo, rate, 0.25, 0.8)[:, :count])
    edge = edges(count, round(0.01 * rate), round(0.03 * rate))
    return levelled(wet) * edge


def _hit(sound: Wave, at: int, rate: int, rng: np.random.Generator) -> None:
    """Add a blow to (2, samples) where the scene changes."""
    blow = STROKES["kick"](rate, rng) * np.float32(1.6)
    crash = STROKES["crash"](rate, rng) * np.float32(0.5)
    loud = max(float(np.abs(sound).max()), 0.3)
    for part in (blow, crash):
        room = sound.shape[1] - at
        if room > 0:
            sound[:, at : at + len(part)] += part[:room] * np.float32(loud)
