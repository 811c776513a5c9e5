"""Cutting a picture to the shape of a video without cutting heads off."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu.faces import find
from unitask.engines.cpu.patches import fill

Pixels = NDArray[Any]
Place = tuple[slice, slice]
"""Rows and columns."""
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""

HEAD: Final = (0.25, 0.45, 0.25, 0.25)
"""What of a head lies left of the square round its face, above it, right of it and below it, in sides of the square."""
MARGIN: Final = 0.15
"""How much is kept on each side of the frame for a camera that moves, as a share of the root of its area."""
FILLED_PX: Final = 480
"""Longest side of the copies on which is found what may lie beyond the edge of a picture."""
LEAST_RIM_PX: Final = 60
BLURRED: Final = 0.12
"""How far beyond its edge a picture begins to be blurred, as a share of the canvas's longer side."""
ROOM: Final = 0.03
"""What stays free round a head, as a share of the frame's shorter side."""


@dataclass(frozen=True, slots=True)
class Framed:
    """A picture cut to a frame, with what lies around it.

    `canvas` is uint8 (h, w, 3), `frame` its part that is the frame, `known` its part that the picture covers; the rest
    is made up. `heads` are in pixels of the frame and within it.
    """

    canvas: Pixels
    frame: Place
    known: Place
    heads: Sequence[Box]

    @property
    def picture(self) -> Pixels:
        """The frame alone."""
        return np.ascontiguousarray(self.canvas[self.frame])


def framed(rgb: Pixels, width: int, height: int, rng: np.random.Generator) -> Framed:
    """Cut the largest part with these proportions that keeps all heads, and scale it to them.

    Where no part is large enough for a head, all of the head is shown, and beside it what the picture may go on like.
    """
    heads = [_head(*face.box) for face in find(rgb)]
    left, top, scale = _window(rgb.shape[:2], (height, width), heads)
    margin = round(MARGIN * sqrt(width * height))
    # The canvas in pixels of the given picture, and the part of it that the picture covers.
    corner = np.array((left - margin / scale, top - margin / scale))
    size = np.array((width + 2 * margin, height + 2 * margin))
    low = np.maximum(np.floor(corner), 0).astype(int)
    high = np.minimum(np.ceil(corner + size / scale), rgb.shape[1::-1]).astype(int)
    part = rgb[low[1] : high[1], low[0] : high[0]]
    begin = np.clip(np.round((low - corner) * scale), 0, size - 1).astype(int)
    end = np.clip(np.round((high - corner) * scale), begin + 1, size).astype(int)
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(part, (int(end[0] - begin[0]), int(end[1] - begin[1])), interpolation=method)
    known = slice(int(begin[1]), int(end[1])), slice(int(begin[0]), int(end[0]))
    frame = slice(margin, margin + height), slice(margin, margin + width)
    shown = []
    for head in heads:
        x0, y0, x1, y1 = (np.array(head) - (left, top, left, top)) * scale
        box = max(float(x0), 0.0), max(float(y0), 0.0), min(float(x1), float(width)), min(float(y1), float(height))
        if box[0] < box[2] and box[1] < box[3]:
            shown.append(box)
    return Framed(_continued(scaled, known, (int(size[1]), int(size[0])), rng), frame, known, shown)


def _continued(part: Pixels, known: Place, shape: tuple[int, int], rng: np.random.Generator) -> Pixels:
    """Continue a picture on all sides with what its own rim looks like; what lies far from it is blurred."""
    canvas = np.zeros((*shape, 3), np.uint8)
    canvas[known] = part
    (top, bottom), (left, right) = ((place.start, place.stop) for place in known)
    rows, columns = np.arange(shape[0])[:, None], np.arange(shape[1])[None]
    for missing, far in ((left, columns), (shape[1] - right, columns[:, ::-1])):
        _continue(canvas[top:bottom], (far < missing)[0], missing, rng, across=True)
    for missing, far in ((top, rows), (shape[0] - bottom, rows[::-1])):
        _continue(canvas, (far < missing)[:, 0], missing, rng, across=False)
    away = np.maximum(
        np.maximum(left - columns, columns - right + 1), np.maximum(top - rows, rows - bottom + 1)
    ).astype(np.float32)
    near = BLURRED * max(shape)
    if away.max() <= near:
        return canvas
    small = cv2.resize(canvas, (max(1, shape[1] // 8), max(1, shape[0] // 8)), interpolation=cv2.INTER_AREA)
    soft = cv2.resize(cv2.GaussianBlur(small, (0, 0), near / 24), shape[::-1])
    share = np.clip(away / near - 1, 0, 1)
    return np.asarray(cv2.blendLinear(soft, canvas, share, 1 - share), np.uint8)


def _continue(canvas: Pixels, hole: Pixels, missing: int, rng: np.random.Generator, *, across: bool) -> None:
    """Fill the missing rows or columns at one end of a canvas, in place, looking at no more than its rim."""
    if not missing:
        return
    axis = 1 if across else 0
    seen = min(canvas.shape[axis], missing + max(LEAST_RIM_PX, 2 * missing))
    strip = slice(0, seen) if hole[0] else slice(canvas.shape[axis] - seen, None)
    place = (slice(None), strip) if across else (strip, slice(None))
    gap = np.broadcast_to(hole[strip] if across else hole[strip, None], canvas[place].shape[:2])
    canvas[place] = completed(canvas[place], gap, FILLED_PX, rng)


def completed(rgb: Pixels, hole: Pixels, longest_px: int, rng: np.random.Generator) -> Pixels:
    """Fill a hole, bool (h, w), with what the rest of the picture looks like, found on a copy of at most this size."""
    if not hole.any():
        return rgb
    scale = min(1.0, longest_px / max(hole.shape))
    size = ceil(hole.shape[1] * scale), ceil(hole.shape[0] * scale)
    known = (~hole).astype(np.float32)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    small = np.asarray(cv2.resize(rgb * known[..., None], size, interpolation=cv2.INTER_AREA), np.float32)
    small /= np.maximum(share, 1e-3)[..., None]
    small_hole = share < 0.999  # noqa: PLR2004 - partly unknown
    if small_hole.all():
        return rgb
    new = fill(np.clip(small, 0, 255).astype(np.uint8), small_hole, rng, lambda _: None)
    large = cv2.resize(new, hole.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.where(hole[..., None], np.clip(large + 0.5, 0, 255), rgb).astype(np.uint8)


def _head(left: float, top: float, side: float) -> Box:
    before, above, behind, below = HEAD
    return left - before * side, top - above * side, left + (1 + behind) * side, top + (1 + below) * side


def _window(shape: tuple[int, ...], frame: tuple[int, int], heads: Sequence[Box]) -> tuple[float, float, float]:
    """Say where the frame begins in the picture, x and y, and how many of its pixels a pixel of the picture takes."""
    rows, columns = shape
    height, width = frame
    scale = max(width / columns, height / rows)
    if not heads:
        return (columns - width / scale) / 2, (rows - height / scale) / 2, scale
    wanted = _kept(heads, (columns, rows), (width / scale, height / scale))
    room = ROOM * min(frame)
    fits = min((width - 2 * room) / (wanted[2] - wanted[0]), (height - 2 * room) / (wanted[3] - wanted[1]))
    scale = max(min(scale, fits), min(width / columns, height / rows))
    left, top = (
        _placed(wanted[axis], wanted[axis + 2], side / scale, whole, room / scale)
        for axis, (side, whole) in enumerate(((width, columns), (height, rows)))
    )
    return left, top, scale


def _kept(heads: Sequence[Box], picture: tuple[float, float], window: tuple[float, float]) -> Box:
    """Join the heads that fit into one window, the largest first, as far as they lie in the picture."""
    kept: Box | None = None
    for head in sorted(heads, key=lambda head: head[0] - head[2]):
        inside = max(head[0], 0.0), max(head[1], 0.0), min(head[2], picture[0]), min(head[3], picture[1])
        joined = inside if kept is None else (*map(min, kept[:2], inside[:2]), *map(max, kept[2:], inside[2:]))
        x0, y0, x1, y1 = joined
        if kept is None or (x1 - x0 <= window[0] and y1 - y0 <= window[1]):
            kept = x0, y0, x1, y1
    return kept or (0.0, 0.0, *picture)


def _placed(first: float, last: float, window: float, whole: float, room: float) -> float:
    """Begin the window as near to the middle of the picture as shows first to last; within the picture if it can be."""
    if window >= whole:
        return (whole - window) / 2
    middle = (whole - window) / 2
    least, most = last + room - window, first - room
    begin = float(np.clip(middle, least, most)) if least <= most else (least + most) / 2
    return float(np.clip(begin, 0, whole - window))
