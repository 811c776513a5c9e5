"""Faces seen from the front, with their eyes and mouths, by Haar cascades (Viola and Jones 2001)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.preview.arrays import Floats, Pixels
from unitask.engines.preview.sources import resize

Point = NDArray[np.float64]
"""x and y in pixels."""

_LOOK_AT_PX: Final = 512
_MOST_ENLARGED: Final = 4.0
_LEAST_SHARE: Final = 0.07
_CASCADES: Final = ("frontalface_alt2", "frontalface_default", "frontalface_alt")
_VOTES: Final = 2
_SAME: Final = 0.5
_PATCH_PX: Final = 200
_EYES: Final = ((0.305, 0.385), (0.695, 0.385))
"""Where eyes usually are in the box of a face, as shares of it."""
_EYE_ERROR: Final = 0.11
_LOWEST_MOUTH: Final = 1.35
_HIGHEST_MOUTH: Final = 0.8
"""How far below the eyes a mouth can be, in distances between the eyes."""


@dataclass(frozen=True, slots=True)
class Face:
    """`left`, `top`, `size`: the square round it, in pixels. `eyes`: the left one in the picture, the right one."""

    left: float
    top: float
    size: float
    eyes: tuple[Point, Point]
    mouth: Point

    @property
    def middle(self) -> tuple[float, float]:
        """The square's middle, x and y."""
        return self.left + self.size / 2, self.top + self.size / 2


def find(picture: Pixels) -> list[Face]:
    """Find upright faces in (height, width, 3), as far as two of three cascades agree on them."""
    height, width = picture.shape[:2]
    scale = min(_MOST_ENLARGED, _LOOK_AT_PX / max(height, width))
    seen = resize(picture, max(1, round(width * scale)), max(1, round(height * scale)))
    grey = np.asarray(cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY), np.uint8)
    return [_looked_into(seen, grey, box, scale) for box in _boxes(np.asarray(cv2.equalizeHist(grey), np.uint8))]


@cache
def _cascade(name: str) -> Any:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / f"haarcascade_{name}.xml"))


def _boxes(grey: Pixels) -> list[tuple[float, float, float]]:
    """Give left, top and size of each face; one cascade alone sees faces in clouds."""
    least = max(24, int(min(grey.shape) * _LEAST_SHARE))
    groups: list[dict[str, tuple[float, float, float]]] = []
    for name in _CASCADES:
        for left, top, size, _ in _cascade(name).detectMultiScale(grey, 1.1, 4, minSize=(least, least)):
            box = float(left), float(top), float(size)
            group = next((group for group in groups if _shared(next(iter(group.values())), box) > _SAME), None)
            if group is None:
                groups.append({name: box})
            else:
                group[name] = box
    voted = [np.median(list(group.values()), axis=0) for group in groups if len(group) >= _VOTES]
    return [(float(left), float(top), float(size)) for left, top, size in voted]


def _shared(one: tuple[float, float, float], other: tuple[float, float, float]) -> float:
    """Give the common area as a share of the smaller box."""
    sides = (min(one[axis] + one[2], other[axis] + other[2]) - max(one[axis], other[axis]) for axis in (0, 1))
    wide, high = (max(0.0, side) for side in sides)
    return wide * high / min(one[2], other[2]) ** 2


def _looked_into(seen: Pixels, grey: Pixels, box: tuple[float, float, float], scale: float) -> Face:
    left, top, size = box
    patch = cv2.getRectSubPix(grey, (max(1, round(size)),) * 2, (left + size / 2, top + size / 2))
    large = cv2.resize(patch, (_PATCH_PX, _PATCH_PX), interpolation=cv2.INTER_CUBIC)
    face = np.asarray(cv2.equalizeHist(large), np.uint8)
    corner = np.array((left, top))
    first, second = (corner + eye * size / _PATCH_PX for eye in _eyes(face))
    mouth = _mouth(seen, first, second)
    return Face(left / scale, top / scale, size / scale, (first / scale, second / scale), mouth / scale)


def _eyes(face: Pixels) -> tuple[Point, Point]:
    """Find the eyes in a face of 200 pixels a side: the pair that lies most like eyes do, or the usual places."""
    usual = np.array(_EYES) * _PATCH_PX
    upper = face[: int(_PATCH_PX * 0.6)]
    spots = [
        np.array((x + wide / 2, y + high / 2))
        for name in ("eye_tree_eyeglasses", "eye")
        for x, y, wide, high in _cascade(name).detectMultiScale(upper, 1.12, 3, minSize=(22, 22), maxSize=(78, 78))
    ]
    pairs = [sorted(pair, key=lambda spot: float(spot[0])) for pair in combinations(spots, 2)]
    errors = [float(np.abs(np.array(pair) - usual).mean()) / _PATCH_PX for pair in pairs]
    if not errors or min(errors) > _EYE_ERROR:
        return usual[0], usual[1]
    best = pairs[int(np.argmin(errors))]
    return best[0], best[1]


def _mouth(seen: Pixels, first: Point, second: Point) -> Point:
    """Find the line between the lips: dark and red, in the window below the eyes where a mouth may be."""
    apart = second - first
    down = np.array((-apart[1], apart[0]))
    upright = np.array([first, second, (first + second) / 2 + down], np.float32)
    onto = np.array([(80, 60), (120, 60), (100, 100)], np.float32)
    turn = cv2.getAffineTransform(upright, onto)
    lab = cv2.cvtColor(seen, cv2.COLOR_RGB2LAB)
    window = cv2.warpAffine(lab, turn, (200, 140), borderMode=cv2.BORDER_REPLICATE)[88:122, 86:114].astype(np.float32)
    light = cv2.GaussianBlur(window[..., 0], (0, 0), 1.2)
    dark = (cv2.GaussianBlur(window[..., 0], (0, 0), 6) - light).mean(axis=1)
    red = window[..., 1].mean(axis=1)
    likely = np.exp(-0.5 * ((np.arange(len(dark)) - 14) / 9.0) ** 2)
    row = 88 + int(np.argmax((dark - dark.min() + 0.7 * (red - red.min())) * likely))
    return np.asarray(cv2.invertAffineTransform(turn) @ np.array((100, row, 1.0)), np.float64)


def anchors(face: Face) -> Floats:
    """Give eyes and mouth as three points; a mouth that cannot be is moved to where it can: float32 (3, 2)."""
    first, second = face.eyes
    apart = second - first
    length = float(np.hypot(*apart))
    across = apart / length
    down = np.array((-across[1], across[0]))
    middle = (first + second) / 2
    away = face.mouth - middle
    depth = float(np.clip(away @ down / length, _HIGHEST_MOUTH, _LOWEST_MOUTH))
    aside = float(np.clip(away @ across / length, -0.15, 0.15))
    return np.array([first, second, middle + (across * aside + down * depth) * length], np.float32)


def oval(shape: Sequence[int], points: Floats) -> Pixels:
    """Draw a face from its brows to its chin, by its anchors, into `shape`: uint8 (height, width), 0 to 255."""
    first, second, mouth = (anchor.astype(np.float64) for anchor in points)
    apart = second - first
    length = float(np.hypot(*apart))
    across = apart / length
    down = np.array((-across[1], across[0]))
    middle = (first + second) / 2
    depth = float((mouth - middle) @ down) / length
    top, bottom = -0.60, depth + 0.40
    turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    x = 0.95 * np.cos(turn) * (1 - 0.17 * np.maximum(np.sin(turn), 0))
    y = (top + bottom) / 2 + (bottom - top) / 2 * np.sin(turn)
    outline = middle + length * (x[:, None] * across + y[:, None] * down)
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    return mask
