"""Background removal on the client's own video: the subject, followed from frame to frame, on green; the sound kept.

Every few frames the subject is looked for anew, as in a picture; in between its mask moves along with the optical flow
(dense inverse search, Kroeger 2016), and GrabCut settles its outline within a narrow band. What looks and flow say is
averaged along the motion, so that a single wrong look does not flicker.
"""

from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu.film import Film, shoot
from unitask.engines.cpu.passing import flow
from unitask.engines.cpu.subject import find_subject
from unitask.kit.errors import TaskFailure
from unitask.kit.mattes import HOLE_GREEN, NO_SUBJECT, ON_GREEN, UNSEEN, on_green
from unitask.kit.video import Video
from unitask.runtime.clips import fetch_video
from unitask.spec.engine import Job, Output
from unitask.spec.product import VideoResult

Pixels = NDArray[Any]

WORK_PX: Final = 320
"""Longest side of the copies on which the subject is looked for and followed."""
LOOK_EVERY: Final = 10
"""Frames from one look for the subject to the next."""
SETTLE_EVERY: Final = 2
"""Frames from one time that the outline is settled to the next."""
FIRST_LOOKS: Final = 3
"""Looks at the beginning of a shot that are averaged, rather than added little by little."""
LEAST_SHARE: Final = 0.01
"""A look that finds less of the picture, or next to all of it, is not believed."""
MOST_SHARE: Final = 0.95
SAME: Final = 0.5
"""Looks that share less than this with what was followed are hardly believed."""
WEIGHTS: Final = (0.35, 0.08)
"""How much a new look counts against what was followed: where both agree by and large, and where they do not."""
BAND_PX: Final = 6
INERTIA: Final = 0.6
CUT: Final = (10.0, 0.5)
"""Mean difference of two frames' thumbnails above which, and correlation below which, they belong to two shots."""
THUMBNAIL: Final = (32, 18)


def remove_video_background(inputs: Any, job: Job) -> Output:
    """Lay the subject on green, or with `invert_output` the background without it: as many frames at the same rate.

    Raises:
        MediaFailure: not a video, or beyond the limits.
        TaskFailure: no subject stands out.

    """
    job.progress(0.02, "reading the video")
    video = fetch_video(inputs, "video", job)
    job.warn(HOLE_GREEN if inputs.invert_output else ON_GREEN)
    follower = Follower()
    film = Film(video.width, video.height, video.frames, video.fps)
    frames = _on_green(video, follower, inverted=inputs.invert_output)
    reference, count = shoot(job, film, frames, low=0.05, sound_of=video)
    if without := count - follower.seen:
        job.warn(UNSEEN.format(count=without, frames=count))
    return Output(VideoResult.of(reference), measures={"frame": count})


def _on_green(video: Video, follower: "Follower", *, inverted: bool) -> Iterator[Pixels]:
    for frame in video:
        share = follower.subject(frame)
        yield on_green(frame, 1 - share if inverted else share)
    if not follower.seen:
        raise TaskFailure(NO_SUBJECT.format("video"))


class Follower:
    """Takes the frames of a video one after the other, and says of each how much of each pixel is subject."""

    def __init__(self) -> None:
        self.seen = 0
        self._belief: Pixels | None = None
        self._grey: Pixels | None = None
        self._since = 0
        self._looks = 0

    def subject(self, frame: Pixels) -> Pixels:
        """Take the next frame, uint8 (h, w, 3): float32 (h, w), 0 to 1."""
        scale = min(1.0, WORK_PX / max(frame.shape[:2]))
        size = max(2, round(frame.shape[1] * scale)), max(2, round(frame.shape[0] * scale))
        small = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        if self._grey is None or _is_cut(self._grey, grey):
            self._belief, self._since, self._looks = None, 0, 0
        elif self._belief is not None:
            self._belief = _moved(self._belief, flow(grey, self._grey))
        if self._since % LOOK_EVERY == 0:
            self._look(small)
        self._since += 1
        self._grey = grey
        if self._belief is None:
            return np.zeros(frame.shape[:2], np.float32)
        if self._since % SETTLE_EVERY == 1:
            self._belief += (_settled(small, self._belief) - self._belief) * (1 - INERTIA)
        self.seen += 1
        return _refined(self._belief, small, frame)

    def _look(self, small: Pixels) -> None:
        fresh = find_subject(small)
        if not LEAST_SHARE <= fresh.mean() <= MOST_SHARE:
            return
        new = fresh.astype(np.float32)
        if self._belief is None:
            self._belief = new
        else:
            followed = self._belief > 0.5  # noqa: PLR2004 - rather subject than not
            shared = (followed & fresh).sum() / max(1, (followed | fresh).sum())
            weight = WEIGHTS[0] if shared > SAME else WEIGHTS[1]
            if self._looks < FIRST_LOOKS:
                weight = max(weight, 1 / (self._looks + 1))
            self._belief += (new - self._belief) * weight
        self._looks += 1


def _moved(belief: Pixels, back: Pixels) -> Pixels:
    """Move a mask along; `back` leads from each pixel of the new frame to where it was."""
    rows, columns = np.indices(belief.shape, np.float32)
    x, y = columns + back[..., 0], rows + back[..., 1]
    return np.asarray(cv2.remap(belief, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _is_cut(before: Pixels, grey: Pixels) -> bool:
    one, other = (
        cv2.resize(each, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32) for each in (before, grey)
    )
    least, most = CUT
    far = float(np.abs(one - other).mean())
    one, other = one - one.mean(), other - other.mean()
    alike = float((one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other) + 1))
    return far > least and alike < most


def _settled(small: Pixels, belief: Pixels) -> Pixels:
    """Settle the outline within a narrow band by colours: float32 (h, w), 0 or 1."""
    subject = (belief > 0.5).astype(np.uint8)  # noqa: PLR2004 - rather subject than not
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * BAND_PX + 1,) * 2)
    seeds = np.where(subject > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    seeds[cv2.erode(subject, kernel) > 0] = cv2.GC_FGD
    seeds[cv2.dilate(subject, kernel) == 0] = cv2.GC_BGD
    if not (seeds == cv2.GC_FGD).any() or not (seeds == cv2.GC_BGD).any():
        return belief
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, seeds, (0, 0, 1, 1), *models, 1, cv2.GC_INIT_WITH_MASK)
    return np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)


def _refined(belief: Pixels, small: Pixels, frame: Pixels) -> Pixels:
    """Bring a mask to the frame's size along its edges: guided filter, He 2013, with slopes from the small copy."""
    guide = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    mean, target = _mean(guide), _mean(belief)
    slope = (_mean(guide * belief) - mean * target) / (_mean(guide * guide) - mean * mean + 4e-4)
    offset = target - slope * mean
    size = frame.shape[1::-1]
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    slopes, offsets = (cv2.resize(_mean(one), size, interpolation=cv2.INTER_LINEAR) for one in (slope, offset))
    share = np.clip((slopes * grey + offsets - 0.3) / 0.4, 0, 1).astype(np.float32)
    soft: Pixels = share * share * (3 - 2 * share)
    return soft


def _mean(plane: Pixels) -> Pixels:
    return np.asarray(cv2.blur(plane, (7, 7), borderType=cv2.BORDER_REFLECT), np.float32)
