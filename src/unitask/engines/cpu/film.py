"""Videos on their way in and out: what is to be shot, the client's own video, labels and progress."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu import LABELS
from unitask.kit.errors import MediaFailure
from unitask.kit.video import PHRASE, Video, VideoLimits, read_video, write_video
from unitask.spec.engine import Job
from unitask.spec.media import media_values

Pixels = NDArray[Any]
REPORTS: Final = 50


@dataclass(frozen=True, slots=True)
class Film:
    """What is to be shot: pixels, frames, frames per second."""

    width: int
    height: int
    frames: int
    fps: Fraction

    @classmethod
    def of(cls, inputs: Any, job: Job) -> "Film":
        """Read what the recipe says: `frames`, `fps`, and `sizes` by aspect ratio."""
        options = job.recipe.options
        width, height = options["sizes"][inputs.aspect_ratio]
        return cls(width, height, options["frames"], Fraction(options["fps"]))

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return float(self.frames / self.fps)

    @property
    def shares(self) -> list[float]:
        """Where each frame lies: 0 is the first, 1 the last; a single frame is the first."""
        return [number / max(self.frames - 1, 1) for number in range(self.frames)]


def fetch_video(inputs: Any, name: str, job: Job) -> Video:
    """Fetch the video in the field `name` and check it against the field's limits and the recipe's `limit_frames`.

    Raises:
        MediaFailure: not a video, damaged, too long or too large.

    """
    value = next((value for value in media_values(inputs) if value.path == f"input.{name}"), None)
    if value is None:
        raise MediaFailure(f"{PHRASE}: input.{name} is empty")
    media = value.media
    limits = VideoLimits(
        frames=job.recipe.options["limit_frames"],
        side_px=media.limit_side_px,
        pixels=media.limit_pixels,
        size_bytes=media.limit_bytes,
    )
    return read_video(job.fetch(value.source, media), limits)


def reported(frames: Iterable[Pixels], count: int, job: Job, *, note: str, low: float, high: float) -> Iterator[Pixels]:
    """Hand frames on, with a report of progress from `low` to `high` every now and then.

    Raises:
        Cancelled: the client took the order back.

    """
    every = max(1, count // REPORTS)
    for number, frame in enumerate(frames):
        if number % every == 0:
            job.progress(low + (high - low) * min(number / count, 1), f"{note}: frame {number + 1} of {count}")
        yield frame


def shoot(
    job: Job, film: Film, frames: Iterable[Pixels], *, low: float = 0.1, sound_of: Video | None = None
) -> tuple[str, int]:
    """Encode the frames, uint8 (h, w, 3), label and store them; gives the reference and their number."""
    path = job.scratch / "made.mp4"
    told = reported(frames, film.frames, job, note="filming", low=low, high=0.98)
    as_bytes = (np.asarray(frame, np.uint8) for frame in told)
    size = film.width, film.height
    count = write_video(path, as_bytes, fps=film.fps, size=size, labels=LABELS, sound_of=sound_of)
    reference = job.save(path, "mp4")
    job.progress(1.0)
    return reference, count
