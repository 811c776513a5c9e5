"""Faces seen from the front, by Haar cascades (Viola and Jones 2001)."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.preview.arrays import Pixels
from unitask.engines.preview.sources import resize

_LOOK_AT_PX: Final = 512
_MOST_ENLARGED: Final = 4.0
_LEAST_SHARE: Final = 0.07
_CASCADES: Final = ("frontalface_alt2", "frontalface_default", "frontalface_alt")
_VOTES: Final = 2
_SAME: Final = 0.5


@dataclass(frozen=True, slots=True)
class Face:
    """The square round it, in pixels."""

    left: float
    top: float
    size: float

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
    boxes = _boxes(np.asarray(cv2.equalizeHist(grey), np.uint8))
    return [Face(left / scale, top / scale, size / scale) for left, top, size in boxes]


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
