"""Background removal by networks that say how much of each pixel is subject: BiRefNet, BRIA's RMBG, and BEN2.

The network that the client names makes the cut-out where its weights lie here, else the one that the recipe needs. It
sees a picture at one size; its answer is brought back to the picture's own, and the background's tint is taken out of
the edge there.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unitask.kit.errors import TaskFailure
from unitask.kit.mattes import HOLE_GREEN, NO_SUBJECT, ON_GREEN, UNSEEN, foreground, on_green
from unitask.kit.pictures import with_profile
from unitask.kit.tiles import tiles
from unitask.kit.video import Video
from unitask.runtime.clips import fetch_video, reported, written
from unitask.runtime.pictures import fetch_picture, opaque, save
from unitask.runtime.runtime import Runtime
from unitask.runtime.sessions import Session, session_part
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult, VideoResult

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
SIDE_PX: Final = 1024
"""What these networks see, where their file leaves it open."""
TILE_PX: Final = 512
EDGE_SHARE: Final = 0.006
"""How far from the outline colours are made clean, in shares of the longer side."""
_SUBJECT: Final = 0.5
_LEAST_RANGE: Final = 0.1
_IMAGENET: Final = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_INSTEAD: Final = "rmbg_model {} was not used: {}; {} made this cut-out"


@dataclass(frozen=True, slots=True)
class Matting:
    """How a network wants its picture, and what its numbers say: `logits`, or else 0 to 1, to be stretched to it."""

    card: str
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    logits: bool = False
    stretched: bool = False


BIREFNET: Final = Matting("birefnet-general", *_IMAGENET, logits=True)
BY_NAME: Final = {
    "RMBG-1.4": Matting("rmbg-1.4", (0.5, 0.5, 0.5), (1.0, 1.0, 1.0), stretched=True),
    "RMBG-2.0": Matting("rmbg-2.0", *_IMAGENET),
    "BEN2": Matting("ben2", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), stretched=True),
}
"""The networks that the wire names, by these names; each as its makers run it."""


def remove_background(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make the background transparent: an RGBA picture of the same size.

    Raises:
        TaskFailure: no subject stands out.

    """
    picture = fetch_picture(inputs, "image", job)
    matting = _chosen(inputs.rmbg_model, job, runtime)
    job.progress(0.05, "loading the network")
    session = _session(matting, runtime)
    rgb = np.asarray(opaque(picture))
    job.progress(0.2, "looking for the subject")
    matte = found_matte(session, matting, rgb)
    if matte.max() < _SUBJECT:
        raise TaskFailure(NO_SUBJECT.format("picture"))
    rgba = np.dstack([rgb, np.round(matte * 255).astype(np.uint8)])
    radius = max(2, round(max(matte.shape) * EDGE_SHARE))
    for tile in tiles(rgb.shape[0], rgb.shape[1], TILE_PX, 8 * radius):
        clean = foreground(rgb[tile.seen].astype(np.float32) / 255, matte[tile.seen], radius)[tile.inner]
        rgba[tile.place][..., :3] = np.round(clean * 255)
        job.progress(0.6 + 0.35 * tile.done, "cleaning the edge")
    if picture.mode == "RGBA":
        given = np.asarray(picture)
        rgba[..., 3] = np.minimum(rgba[..., 3], given[..., 3])
    return Output(ImageResult.of(save(with_profile(Image.fromarray(rgba), picture), job, job.seed)))


def remove_video_background(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Lay the subject on green, or with `invert_output` the background without it: as many frames at the same rate.

    Raises:
        MediaFailure: not a video, or beyond the limits.
        TaskFailure: no subject stands out.

    """
    job.progress(0.02, "reading the video")
    video = fetch_video(inputs, "video", job)
    job.warn(HOLE_GREEN if inputs.invert_output else ON_GREEN)
    session = _session(BIREFNET, runtime)
    frames = _Frames(video, session, inverted=inputs.invert_output)
    told = reported(frames, video.frames, job, note="removing the background", low=0.05, high=0.98)
    reference, count = written(job, video, told)
    if without := count - frames.seen:
        job.warn(UNSEEN.format(count=without, frames=count))
    return Output(VideoResult.of(reference), measures={"frame": count})


@dataclass(slots=True)
class _Frames:
    """The frames of a video on green; `seen` counts those with a subject.

    Raises:
        TaskFailure: at the end, when there is none.

    """

    video: Video
    session: Session
    inverted: bool
    seen: int = 0

    def __iter__(self) -> Iterator[Pixels]:
        for frame in self.video:
            matte = found_matte(self.session, BIREFNET, frame)
            if matte.max() < _SUBJECT:
                matte = np.zeros_like(matte)
            else:
                self.seen += 1
            yield on_green(frame, 1 - matte if self.inverted else matte)
        if not self.seen:
            raise TaskFailure(NO_SUBJECT.format("video"))


def found_matte(session: Session, matting: Matting, rgb: Pixels) -> Floats:
    """Say how much of each pixel of a picture (h, w, 3) is subject: (h, w), 0 to 1.

    Raises:
        EngineFailure: the file is of another kind of network.

    """
    height, width = (side if isinstance(side, int) else SIDE_PX for side in next(iter(session.inputs.values()))[2:])
    seen = Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR)
    mean, deviation = np.array([matting.mean, matting.deviation], np.float32)
    scaled = (np.asarray(seen, np.float32) / 255 - mean) / deviation
    small: NDArray[Any] = session(scaled.transpose(2, 0, 1)[None])[-1].reshape(height, width)
    if matting.logits:
        small = 1 / (1 + np.exp(-np.clip(small, -50, 50)))
    if matting.stretched and np.ptp(small) > _LEAST_RANGE:
        small = (small - small.min()) / np.ptp(small)
    full = cv2.resize(small.astype(np.float32), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(full, 0, 1), np.float32)


def _session(matting: Matting, runtime: Runtime) -> Session:
    """Give the network of a card, open on the device with room for its work."""
    part = session_part(runtime, matting.card)
    session: Session = runtime.networks({"matting": part}, work_bytes=part.card.memory_bytes)["matting"]
    return session


def _chosen(name: str, job: Job, runtime: Runtime) -> Matting:
    """Take the network that the client names; where it is not here, the recipe's own, and say so."""
    matting = BY_NAME[name]
    if lack := runtime.shelf.lacks((matting.card,)):
        job.warn(_INSTEAD.format(name, lack, "BiRefNet"))
        return BIREFNET
    return matting
