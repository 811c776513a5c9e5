"""Where faces are: so that a crop keeps heads, and two people can be told apart."""

from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.preview.arrays import Floats, Pixels
from unitask.engines.preview.sources import resize

Mask = NDArray[np.bool_]

_LOOK_AT_PX: Final = 480
_MOST_ENLARGED: Final = 4.0
_NEIGHBOURS: Final = 5


class Face(NamedTuple):
    """A box round a face, in shares of the picture: its middle and its width."""

    x: float
    y: float
    width: float


def faces(picture: Pixels) -> list[Face]:
    """Find upright faces seen from the front in (height, width, 3), from left to right."""
    height, width = picture.shape[:2]
    scale = min(_MOST_ENLARGED, _LOOK_AT_PX / max(height, width))
    grey = cv2.cvtColor(resize(picture, max(1, int(width * scale)), max(1, int(height * scale))), cv2.COLOR_RGB2GRAY)
    # The folder is an attribute that the stubs of OpenCV do not know.
    folder: str = cv2.data.haarcascades
    cascade: Any = cv2.CascadeClassifier(folder + "haarcascade_frontalface_default.xml")
    least = max(16, int(min(grey.shape) * 0.08))
    boxes = cascade.detectMultiScale(grey, 1.1, _NEIGHBOURS, minSize=(least, least))
    rows, columns = grey.shape
    found = [Face((x + w / 2) / columns, (y + h / 2) / rows, w / columns) for x, y, w, h in boxes]
    return sorted(found, key=lambda face: face.x)


def framed(picture: Pixels, width: int, height: int) -> Pixels:
    """Scale (height, width, 3) until width x height is covered, and cut out the part with the faces, or the middle."""
    rows, columns = picture.shape[:2]
    scale = max(width / columns, height / rows)
    wide, high = max(width, round(columns * scale)), max(height, round(rows * scale))
    scaled = resize(picture, wide, high)
    found = faces(picture)
    x = float(np.mean([face.x for face in found])) if found else 0.5
    y = float(np.mean([face.y for face in found])) + 0.04 if found else 0.5
    left = int(np.clip(x * wide - width / 2, 0, wide - width))
    top = int(np.clip(y * high - height * 0.45, 0, high - height)) if found else (high - height) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


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
