"""Drawing one figure in its own coordinates: x right, y up, feet at (0, 0), the top of its head at y = 1."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from unitask.engines.preview.canvas import Canvas, Points, Shade, curved, oval, ribbon
from unitask.engines.preview.colours import RGB, times

Corners = Sequence[tuple[float, float]]

_THINNEST_PX: Final = 1.1


class Pen:
    """Places shapes on the canvas under the scene's light; `flip` mirrors the figure."""

    def __init__(
        self,
        canvas: Canvas,
        *,
        foot: tuple[float, float],
        height_px: float,
        ambient: RGB = (1.0, 1.0, 1.0),
        flip: bool = False,
    ) -> None:
        self.canvas = canvas
        self._foot = np.array(foot, np.float64)
        self._scale = np.array((-height_px if flip else height_px, -height_px), np.float64)
        self._height_px = height_px
        self._ambient = ambient

    def shape(
        self,
        corners: Corners | Points,
        colour: RGB,
        shade: Shade = "round",
        *,
        alpha: float = 1.0,
        lit: bool = False,
    ) -> None:
        """Draw a polygon. `lit` means that it shines by itself: the dark of the night does not dim it."""
        seen = colour if lit else times(colour, self._ambient)
        self.canvas.fill(self._at(corners), seen, shade, alpha)

    def blob(
        self,
        knots: Corners | Points,
        colour: RGB,
        shade: Shade = "round",
        *,
        alpha: float = 1.0,
        lit: bool = False,
    ) -> None:
        """Draw a smooth closed shape through these points."""
        self.shape(curved(knots, closed=True), colour, shade, alpha=alpha, lit=lit)

    def oval(  # noqa: PLR0917 - a shape is its numbers
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        colour: RGB,
        shade: Shade = "round",
        *,
        angle: float = 0.0,
        alpha: float = 1.0,
        lit: bool = False,
    ) -> None:
        """Draw an ellipse; `angle` in degrees, counter-clockwise."""
        self.shape(oval(x, y, rx, ry, angle), colour, shade, alpha=alpha, lit=lit)

    def box(  # noqa: PLR0917 - a shape is its numbers
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        colour: RGB,
        shade: Shade = "side",
        *,
        soft: float = 0.0,
        alpha: float = 1.0,
        lit: bool = False,
    ) -> None:
        """Draw a rectangle standing on (x, y), x in its middle, with corners rounded by the radius `soft`."""
        corners = _rounded(x - width / 2, y, width, height, soft)
        self.shape(corners, colour, shade, alpha=alpha, lit=lit)

    def line(
        self,
        knots: Corners | Points,
        width: float,
        colour: RGB,
        shade: Shade = "flat",
        *,
        end: float | None = None,
        alpha: float = 1.0,
        lit: bool = False,
    ) -> None:
        """Draw a smooth stroke with round ends, `width` wide at its start and `end` wide at its end."""
        path = curved(knots, closed=False)
        thinnest = _THINNEST_PX / self._height_px
        outline = ribbon(path, max(width, thinnest), max(width if end is None else end, thinnest))
        self.shape(outline, colour, shade, alpha=alpha, lit=lit)

    def glow(self, x: float, y: float, radius: float, colour: RGB, strength: float = 0.8) -> None:
        """Add light round a lamp or a window."""
        centre = self._at([(x, y)])[0]
        self.canvas.glow(float(centre[0]), float(centre[1]), radius * self._height_px, colour, strength)

    def shadow(self, x: float, radius: float, strength: float = 0.35) -> None:
        """Lay the shadow on the ground under (x, 0)."""
        centre = self._at([(x, 0.0)])[0]
        self.canvas.shadow(float(centre[0]), float(centre[1]), radius * self._height_px, strength)

    def _at(self, corners: Corners | Points) -> Points:
        return np.asarray(corners, np.float64) * self._scale + self._foot


def _rounded(left: float, bottom: float, width: float, height: float, radius: float) -> Points:
    radius = min(radius, width / 2, height / 2)
    if radius <= 0:
        right, top = left + width, bottom + height
        return np.array([(left, bottom), (right, bottom), (right, top), (left, top)])
    turn = np.linspace(0, np.pi / 2, 7)
    arc = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius
    right, top = left + width - radius, bottom + height - radius
    quarters = [
        arc + np.array((right, top)),
        arc[::-1] * (-1, 1) + (left + radius, top),
        arc * (-1, -1) + (left + radius, bottom + radius),
        arc[::-1] * (1, -1) + (right, bottom + radius),
    ]
    return np.concatenate(quarters)
