"""A camera before a flat picture: it slides, comes nearer, turns and rolls."""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.preview.arrays import Floats, Pixels, step

Matrix = NDArray[np.float64]

_MOST_ZOOM: Final = 3.0
_HALVINGS: Final = 14
_TOLERATED: Final = 0.1


@dataclass(frozen=True, slots=True)
class View:
    """Where the camera stands and looks.

    `right` and `down` are shares of the picture's width; `yaw` (to the right), `pitch` (up) and `roll` (clockwise) are
    radians; `zoom` 1 shows the whole picture. A zoom below 1 shows what lies beside it.
    """

    right: float = 0.0
    down: float = 0.0
    zoom: float = 1.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0


class Scenery:
    """A picture (height, width, 3 or 4) to be filmed at its own size.

    `beside` is the share of its size by which it is continued on each side, mirrored and blurred, for cameras that
    look past its edge.
    """

    def __init__(self, picture: Pixels, beside: float = 0.0) -> None:
        self._height, self._width = picture.shape[:2]
        self._aspect = self._height / self._width
        self._margin = (int(self._height * beside), int(self._width * beside))
        self._edge = 0.5 + beside * _TOLERATED
        self._picture = _continued(picture, *self._margin) if beside else picture

    def seen(self, view: View, *, inside: bool = True) -> Pixels:
        """Take a frame of the picture's size. `inside`: come as much nearer as keeps most of its surroundings away.

        A `view` with a zoom below 1 goes back from there.
        """
        if view == View():
            top, left = self._margin
            return np.array(self._picture[top : top + self._height, left : left + self._width], np.uint8, order="C")
        nearer = self._nearer(view) if inside else 1.0
        return self._taken(_plane(view, max(view.zoom, nearer) if view.zoom >= 1 else nearer * view.zoom))

    def _taken(self, plane: Matrix) -> Pixels:
        top, left = self._margin
        # Pixel -> place on the plane, which is 1 wide and has its origin in the middle -> pixel.
        width, height = self._width, self._height
        out = np.array([[1, 0, (1 - width) / 2], [0, 1, (1 - height) / 2], [0, 0, width]]) / width
        back = np.array([[width, 0, (width - 1) / 2 + left], [0, width, (height - 1) / 2 + top], [0, 0, 1]])
        frame: Any = cv2.warpPerspective(
            self._picture,
            back @ plane @ out,
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
        seen = corners @ plane.T
        x, y = seen[:, 0] / seen[:, 2], seen[:, 1] / seen[:, 2]
        within = (np.abs(x) <= self._edge) & (np.abs(y) <= self._edge * self._aspect) & (seen[:, 2] > 0)
        return bool(within.all())


def _plane(view: View, zoom: float) -> Matrix:
    """Map a point of the frame to the point of the picture that is seen there; the frame is as far away as wide."""
    across, up = view.yaw, view.pitch
    turn_right = np.array([[np.cos(across), 0, np.sin(across)], [0, 1, 0], [-np.sin(across), 0, np.cos(across)]])
    turn_up = np.array([[1, 0, 0], [0, np.cos(up), -np.sin(up)], [0, np.sin(up), np.cos(up)]])
    cos, sin = np.cos(view.roll), np.sin(view.roll)
    roll = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    slide = np.array([[1, 0, view.right], [0, 1, view.down], [0, 0, 1]])
    plane: Matrix = slide @ turn_right @ turn_up @ roll @ np.diag([1 / zoom, 1 / zoom, 1])
    return plane


def _continued(picture: Pixels, rows: int, columns: int) -> Pixels:
    """Continue the picture on all sides: mirrored, blurred more and more, a little darker."""
    wide: Any = cv2.copyMakeBorder(picture, rows, rows, columns, columns, cv2.BORDER_REFLECT_101)
    height, width = wide.shape[:2]
    small = cv2.resize(wide, (max(width // 8, 1), max(height // 8, 1)), interpolation=cv2.INTER_AREA)
    soft = cv2.resize(cv2.GaussianBlur(small, (0, 0), max(width / 500, 0.5)), (width, height))
    away_x = np.abs(np.arange(width) - (width - 1) / 2) - (width / 2 - columns)
    away_y = np.abs(np.arange(height) - (height - 1) / 2) - (height / 2 - rows)
    away = np.maximum(away_x[None, :] / max(columns, 1), away_y[:, None] / max(rows, 1)).astype(np.float32)
    share: Floats = step(0.0, 0.25, away)
    for channel in range(wide.shape[2]):
        part = wide[..., channel]
        part[:] = part + (soft[..., channel] * (1 - 0.2 * share) - part.astype(np.float32)) * share
    return np.asarray(wide, np.uint8)
