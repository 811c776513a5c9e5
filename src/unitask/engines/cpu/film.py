"""Videos on their way out: what is to be shot, labels and progress."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu import LABELS
from unitask.kit.video import Video, write_video
from unitask.runtime.clips import reported
from unitask.spec.engine import Job

Pixels = NDArray[Any]


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
