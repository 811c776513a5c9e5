"""What all families of video models share: what is promised, pictures cut to it, and frames written as MP4."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unitask.kit.errors import EngineFailure
from unitask.kit.video import write_video
from unitask.runtime.pictures import GRID_PX, covering, fetch_picture, labels, on_grid, opaque
from unitask.spec.engine import Job

Pixels = NDArray[np.uint8]
REPORTS: Final = 20


@dataclass(frozen=True, slots=True)
class Film:
    """What the client gets: pixels, frames, frames per second. `grid_px` and `every` are what the model can make.

    Its sides are multiples of `grid_px`, its frames one more than a multiple of `every`.
    """

    width: int
    height: int
    frames: int
    fps: Fraction
    grid_px: int = GRID_PX
    every: int = 4

    @classmethod
    def of(cls, inputs: Any, job: Job) -> "Film":
        """Read what the recipe says: `frames`, `fps`, and `size`, or `sizes` by aspect ratio."""
        options = job.recipe.options
        width, height = options.get("size") or options["sizes"][inputs.aspect_ratio]
        return cls(width, height, options["frames"], Fraction(options["fps"]))

    @property
    def seconds(self) -> Fraction:
        """How long it plays."""
        return self.frames / self.fps

    @property
    def made_size(self) -> tuple[int, int]:
        """Give the next larger size that the model can make."""
        return on_grid((self.width, self.height), self.grid_px)

    @property
    def made_frames(self) -> int:
        """Give the next larger number of frames that the model can make."""
        return ceil((self.frames - 1) / self.every) * self.every + 1

    @property
    def arguments(self) -> dict[str, Any]:
        """What every pipeline takes; the frames come as a tensor, for `shoot`."""
        width, height = self.made_size
        return {"width": width, "height": height, "num_frames": self.made_frames, "output_type": "pt"}

    def picture(self, inputs: Any, field: str, job: Job) -> Image.Image:
        """Fetch the picture of a field and cut it to the size that the model makes.

        Raises:
            MediaFailure: unreachable, not a picture, damaged or too large.

        """
        return covering(opaque(fetch_picture(inputs, field, job)), self.made_size)


def shoot(job: Job, film: Film, made: Any, *, low: float = 0.92) -> str:
    """Cut what a model made to what was promised, write and store it; returns its reference for the output.

    `made` is a tensor (frames, 3, height, width) of values 0 to 1. Progress goes on from `low`.

    Raises:
        EngineFailure: the model made less than was promised.
        Cancelled: the client took the order back.

    """
    count, _, height, width = made.shape
    if count < film.frames or height < film.height or width < film.width:
        raise EngineFailure(
            f"the model made {count} frames of {width}x{height} in place of {film.frames} of {film.width}x{film.height}"
        )
    path = job.scratch / "made.mp4"
    size = film.width, film.height
    write_video(path, _frames(job, film, made, low), fps=film.fps, size=size, labels=labels(job, job.seed))
    reference = job.save(path, "mp4")
    job.progress(1.0)
    return reference


def _frames(job: Job, film: Film, made: Any, low: float) -> Iterator[Pixels]:
    """Give the middle of the first frames, one after another as bytes."""
    top, left = (made.shape[2] - film.height) // 2, (made.shape[3] - film.width) // 2
    report_every = ceil(film.frames / REPORTS)
    for number in range(film.frames):
        if number % report_every == 0:
            share = number / film.frames
            job.progress(low + (0.99 - low) * share, f"writing frame {number + 1} of {film.frames}")
        cut = made[number, :, top : top + film.height, left : left + film.width]
        pixels = (cut.float().clamp(0, 1) * 255).round().byte()
        yield pixels.permute(1, 2, 0).contiguous().cpu().numpy()
