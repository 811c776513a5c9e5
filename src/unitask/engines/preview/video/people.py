"""Where faces are: so that a crop keeps heads, and two people can be told apart."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.preview.arrays import Floats, Pixels
from unitask.engines.preview.faces import find
from unitask.engines.preview.sources import resize

Mask = NDArray[np.bool_]


class Face(NamedTuple):
    """A box round a face, in shares of the picture: its middle and its width."""

    x: float
    y: float
    width: float


def faces(picture: Pixels) -> list[Face]:
    """Find upright faces seen from the front in (height, width, 3), from left to right."""
    height, width = picture.shape[:2]
    found = [Face(x / width, y / height, one.size / width) for one in find(picture) for x, y in [one.middle]]
    return sorted(found, key=lambda face: face.x)


def framed(picture: Pixels, width: int, height: int) -> Pixels:
    """Cut as much out of (height, width, 3) as has these proportions, with the faces or from the middle; scale it."""
    found = faces(picture)
    if not found:
        return cut(picture, width, height)
    x, y = (float(np.mean([getattr(face, axis) for face in found])) for axis in "xy")
    # A face looks right a little above the middle.
    return cut(picture, width, height, (x, y + 0.05 * picture.shape[1] / picture.shape[0]))


def cut(picture: Pixels, width: int, height: int, middle: tuple[float, float] = (0.5, 0.5)) -> Pixels:
    """Cut the largest part with these proportions out, as near to `middle` (shares) as can be, and scale it to them."""
    rows, columns = picture.shape[:2]
    scale = min(columns / width, rows / height)
    wide, high = max(1, min(columns, round(width * scale))), max(1, min(rows, round(height * scale)))
    left = int(np.clip(middle[0] * columns - wide / 2, 0, columns - wide))
    top = int(np.clip(middle[1] * rows - high / 2, 0, rows - high))
    return np.ascontiguousarray(resize(picture[top : top + high, left : left + wide], width, height))


def body(x: Floats, y: Floats, bottom: float, face: Face) -> tuple[Mask, Mask]:
    """Say where a person with this face is likely, and where surely: both bool (height, width).

    `x` (1, width) and `y` (height, 1) are places in shares of the picture's width, and so is its `bottom`.
    """
    middle, wide = face.y * bottom, face.width
    head = ((x - face.x) / (0.75 * wide)) ** 2 + ((y - middle + 0.1 * wide) / (0.95 * wide)) ** 2
    below = np.clip((y - middle - 0.6 * wide) / (0.9 * wide), 0, 1)
    trunk = (np.abs(x - face.x) < wide * (0.45 + 1.0 * below)) & (y > middle + 0.6 * wide)
    core = (np.abs(x - face.x) < wide * (0.2 + 0.5 * below)) & (y > middle + 0.6 * wide)
    return (head < 1) | trunk, (head < 0.4) | core  # noqa: PLR2004 - the inner part of an oval


def grabbed(picture: Pixels, mask: Pixels, rounds: int) -> Floats:
    """Cut out what a mask of cv2.GC_... values suggests (GrabCut, Rother 2004): float32 (height, width), 0 or 1.

    `mask` is changed.
    """
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(picture, mask, (0, 0, 1, 1), *models, rounds, cv2.GC_INIT_WITH_MASK)
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
