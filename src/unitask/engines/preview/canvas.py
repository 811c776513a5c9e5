"""The surface that scenes are painted on, and the one way to put an antialiased, shaded shape on it."""

from collections.abc import Callable, Sequence
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.preview.arrays import Floats
from unitask.engines.preview.colours import RGB

Points = NDArray[np.float64]
Shade = Literal["flat", "round", "ball", "down", "side"]

_SUBPIXEL_BITS: Final = 4
_CURVE_STEPS: Final = 10

# The light comes from the upper left; u and v run from -1 to 1 over the shape, left to right and top to bottom.
_TONES: Final[dict[Shade, Callable[[Floats, Floats], Floats]]] = {
    "flat": lambda u, v: np.ones_like(u + v),
    "round": lambda u, v: 1.14 - 0.19 * np.hypot(u + 0.45, v + 0.6),
    "ball": lambda u, v: 1.30 - 0.42 * np.hypot(u + 0.4, v + 0.5),
    "down": lambda u, v: 1.08 - 0.13 * (v + 1) + 0 * u,
    "side": lambda u, v: 1.10 - 0.15 * (u + 1) + 0 * v,
}


class Canvas:
    """`rgb` is (height, width, 3), 0 to 1; `cover` is (height, width), how far a figure hides the backdrop."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.rgb: Floats = np.zeros((height, width, 3), np.float32)
        self.cover: Floats = np.zeros((height, width), np.float32)

    def fill(self, outline: Points, colour: RGB, shade: Shade = "flat", alpha: float = 1.0) -> None:
        """Paint the polygon with these corners (pixels, x right, y down)."""
        low, high = outline.min(axis=0), outline.max(axis=0)
        left, top = max(int(low[0]) - 2, 0), max(int(low[1]) - 2, 0)
        right, bottom = min(int(high[0]) + 3, self.width), min(int(high[1]) + 3, self.height)
        if right <= left or bottom <= top:
            return
        mask = np.zeros((bottom - top, right - left), np.uint8)
        corners = np.round((outline - (left, top)) * 2**_SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(mask, [corners], (255,), cv2.LINE_AA, _SUBPIXEL_BITS)
        opacity = mask.astype(np.float32) * (alpha / 255)
        centre, half = (low + high) / 2, np.maximum((high - low) / 2, 0.5)
        u = ((np.arange(left, right) - centre[0]) / half[0]).astype(np.float32)[None, :]
        v = ((np.arange(top, bottom) - centre[1]) / half[1]).astype(np.float32)[:, None]
        self._lay(opacity, (left, top), colour, _TONES[shade](u, v))

    def _lay(self, opacity: Floats, corner: tuple[int, int], colour: RGB, tone: Floats) -> None:
        left, top = corner
        height, width = opacity.shape
        area = self.rgb[top : top + height, left : left + width]
        shine = np.maximum(tone - 1, 0) * 0.4
        for channel in range(3):
            part = area[..., channel]
            part += (colour[channel] * tone + shine - part) * opacity
        cover = self.cover[top : top + height, left : left + width]
        np.maximum(cover, opacity, out=cover)

    def tint(self, colour: RGB, share: Floats | float) -> None:
        """Mix `colour` into the picture; `share` is one number or (height, width), 0 to 1."""
        for channel in range(3):
            part = self.rgb[..., channel]
            part += (colour[channel] - part) * share

    def glow(self, x: float, y: float, radius: float, colour: RGB, strength: float = 1.0) -> None:
        """Add light round a point; it has faded out at `radius` pixels."""
        left, right = max(int(x - radius), 0), min(int(x + radius) + 1, self.width)
        top, bottom = max(int(y - radius), 0), min(int(y + radius) + 1, self.height)
        if right <= left or bottom <= top:
            return
        across = (np.arange(left, right, dtype=np.float32) - x)[None, :] / radius
        down = (np.arange(top, bottom, dtype=np.float32) - y)[:, None] / radius
        fall = np.clip(1 - np.sqrt(across**2 + down**2), 0, 1) ** 2.2 * strength
        area = self.rgb[top:bottom, left:right]
        for channel in range(3):
            part = area[..., channel]
            part += (1 - part) * fall * colour[channel]

    def shadow(self, x: float, y: float, radius: float, strength: float = 0.35) -> None:
        """Darken a flat, soft-edged oval on the ground."""
        squash = 0.22
        left, right = max(int(x - radius), 0), min(int(x + radius) + 1, self.width)
        top, bottom = max(int(y - radius * squash), 0), min(int(y + radius * squash) + 1, self.height)
        if right <= left or bottom <= top:
            return
        across = (np.arange(left, right, dtype=np.float32) - x)[None, :] / radius
        down = (np.arange(top, bottom, dtype=np.float32) - y)[:, None] / (radius * squash)
        fall = np.clip(1 - (across**2 + down**2), 0, 1) * strength
        self.rgb[top:bottom, left:right] *= (1 - fall)[..., None]


def oval(x: float, y: float, rx: float, ry: float, angle_deg: float = 0.0) -> Points:
    """Give the corners of an ellipse, fine enough for any size."""
    turn = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    result: Points = turned(np.stack([np.cos(turn) * rx, np.sin(turn) * ry], axis=1), angle_deg) + np.array((x, y))
    return result


def turned(points: Points, angle_deg: float) -> Points:
    """Turn about the origin."""
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    result: Points = points @ np.array([[cos, sin], [-sin, cos]])
    return result


def curved(points: Sequence[tuple[float, float]] | Points, *, closed: bool) -> Points:
    """Run a smooth curve (Catmull-Rom) through the points."""
    knots = np.asarray(points, np.float64)
    if closed:
        around = np.concatenate([knots[-1:], knots, knots[:2]])
    else:
        around = np.concatenate([2 * knots[:1] - knots[1:2], knots, 2 * knots[-1:] - knots[-2:-1]])
    before, start, end, after = around[:-3], around[1:-2], around[2:-1], around[3:]
    share = np.linspace(0, 1, _CURVE_STEPS, endpoint=False)[None, :, None]
    a, b, c, d = (part[:, None, :] for part in (before, start, end, after))
    curve = b + 0.5 * share * (c - a + share * (2 * a - 5 * b + 4 * c - d + share * (3 * (b - c) + d - a)))
    flat = curve.reshape(-1, 2)
    result: Points = flat if closed else np.concatenate([flat, knots[-1:]])
    return result


def ribbon(path: Points, start_width: float, end_width: float) -> Points:
    """Outline a stroke along `path` with round ends, going from one width to the other."""
    along = np.gradient(path, axis=0)
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / length
    half = np.linspace(start_width, end_width, len(path))[:, None] / 2
    tip = _cap(path[-1], normal[-1], float(half[-1, 0]))
    tail = _cap(path[0], -normal[0], float(half[0, 0]))
    return np.concatenate([path + normal * half, tip, (path - normal * half)[::-1], tail])


def _cap(centre: Points, normal: Points, radius: float) -> Points:
    turn = np.linspace(0, np.pi, 9)[1:-1, None]
    forward = np.array([normal[1], -normal[0]])
    result: Points = centre + radius * (np.cos(turn) * normal + np.sin(turn) * forward)
    return result
