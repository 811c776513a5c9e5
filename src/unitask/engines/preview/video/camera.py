"""A camera before a flat picture: it slides, comes nearer and rolls."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.preview.arrays import Pixels

Matrix = NDArray[np.float64]

_MOST_ZOOM: Final = 3.0
_HALVINGS: Final = 14


@dataclass(frozen=True, slots=True)
class View:
    """Where the camera stands and looks.

    `right` and `down` are shares of the picture's width, `roll` (clockwise) is radians; `zoom` 1 shows all of it.
    """

    right: float = 0.0
    down: float = 0.0
    zoom: float = 1.0
    roll: float = 0.0


class Scenery:
    """A picture (height, width, 3 or 4) to be filmed at its own size."""

    def __init__(self, picture: Pixels) -> None:
        self._height, self._width = picture.shape[:2]
        self._aspect = self._height / self._width
        self._picture = picture

    def seen(self, view: View) -> Pixels:
        """Take a frame of the picture's size, from so near that nothing beyond the picture's edge is seen."""
        if view == View():
            return np.array(self._picture, np.uint8, order="C")
        return self._taken(_plane(view, max(view.zoom, self._nearer(view))))

    def _taken(self, plane: Matrix) -> Pixels:
        # Pixel -> place on the plane, which is 1 wide and has its origin in the middle -> pixel.
        width, height = self._width, self._height
        out = np.array([[1, 0, (1 - width) / 2], [0, 1, (1 - height) / 2], [0, 0, width]]) / width
        back = np.array([[width, 0, (width - 1) / 2], [0, width, (height - 1) / 2], [0, 0, 1]])
        frame: Any = cv2.warpAffine(
            self._picture,
            (back @ plane @ out)[:2],
            (width, height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        return np.asarray(frame, np.uint8)

    def _nearer(self, view: View) -> float:
        low, high = 1.0, _MOST_ZOOM
        if self._holds(_plane(view, low)):
            return low
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if self._holds(_plane(view, middle)) else (middle, high)
        return high

    def _holds(self, plane: Matrix) -> bool:
        corners = np.array([(x, y * self._aspect, 1) for x in (-0.5, 0.5) for y in (-0.5, 0.5)])
        x, y, _ = (corners @ plane.T).T
        within = (np.abs(x) <= 0.5) & (np.abs(y) <= 0.5 * self._aspect)  # noqa: PLR2004 - from the middle to the edge
        return bool(within.all())


def _plane(view: View, zoom: float) -> Matrix:
    """Map a point of the frame to the point of the picture that is seen there."""
    cos, sin = np.cos(view.roll), np.sin(view.roll)
    roll = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    slide = np.array([[1, 0, view.right], [0, 1, view.down], [0, 0, 1]])
    plane: Matrix = slide @ roll @ np.diag([1 / zoom, 1 / zoom, 1])
    return plane
