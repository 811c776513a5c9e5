"""A film as the networks look at it: so many square frames a second, of a size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from unitask.kit.video import Video

REPORT_EVERY: Final = 25
_CUBIC: Final = Image.Resampling.BICUBIC


@dataclass(slots=True)
class Look:
    """What one network wants to see: `count` frames, `rate` a second, squares of `side_px`.

    The middle of the frame is `cut` out, or all of it is squeezed into the square.
    """

    rate: int
    count: int
    side_px: int
    cut: bool
    seen: list[NDArray[np.uint8]] = field(default_factory=list)

    def at(self, frame: NDArray[np.uint8], time_s: Fraction) -> None:
        """Show a frame of the film: it is what is seen at each moment since the frame before."""
        square = None
        while len(self.seen) < self.count and time_s * self.rate >= len(self.seen):
            square = self._square(frame) if square is None else square
            self.seen.append(square)

    @property
    def frames(self) -> torch.Tensor:
        """Give what was seen as bytes (count, 3, side, side)."""
        return torch.from_numpy(np.stack(self.seen)).permute(0, 3, 1, 2)

    def _square(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        picture, size = Image.fromarray(frame), (self.side_px, self.side_px)
        square = ImageOps.fit(picture, size, _CUBIC) if self.cut else picture.resize(size, _CUBIC)
        return np.asarray(square)


def watch(film: Video, looks: Sequence[Look], on_part: Callable[[float], None]) -> None:
    """Show a film to all looks until they have seen enough; one that is over stands still.

    `on_part` is told which share is done.

    Raises:
        MediaFailure: the film is damaged, or beyond its limits.

    """
    for number, frame in enumerate(film):
        if number % REPORT_EVERY == 0:
            on_part(min(len(look.seen) / look.count for look in looks))
        for look in looks:
            look.at(frame, number / film.fps)
        if all(len(look.seen) == look.count for look in looks):
            return
    for look in looks:
        look.at(frame, Fraction(look.count, look.rate))
