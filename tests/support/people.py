"""Two people on photographs, and a measure of how alike two faces are.

The astronaut, Eileen Collins, comes with scikit-image. `admiral.jpg` is part of the portrait of Grace Hopper by James
S. Davis of the United States Navy, 1984. Both are works of the government of the United States: public domain.
"""

from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]


@cache
def astronaut() -> Picture:
    """A woman with a fringe who smiles: 320 x 320 pixels."""
    return np.ascontiguousarray(skimage.data.astronaut()[:320, 60:380], np.uint8)


@cache
def admiral() -> Picture:
    """A woman with cap and glasses who does not: 300 x 360 pixels."""
    with Image.open(Path(__file__).with_name("admiral.jpg")) as image:
        return np.asarray(image, np.uint8)


ASTRONAUT = np.array([(141, 101), (184, 103), (162, 143)], np.float32)
ADMIRAL = np.array([(116, 116), (176, 114), (148, 177)], np.float32)
"""Eyes and mouth as a person sees them."""


def couple() -> Picture:
    """Both side by side, the astronaut on the left: 620 x 320 pixels."""
    return np.hstack([astronaut(), admiral()[:320]])


def face(picture: NDArray[Any], anchors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cut a face out, upright and of one size: grey, float32 (100, 80)."""
    goal = np.array([(20, 30), (60, 30), (40, 70)], np.float32)
    soft = cv2.GaussianBlur(np.ascontiguousarray(picture[..., :3]), (0, 0), 1.0)
    level = cv2.warpAffine(soft, cv2.getAffineTransform(anchors, goal), (80, 100), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(level, cv2.COLOR_RGB2GRAY), np.float32)


def alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Correlate eyes, nose and mouth of two faces, whatever the light and small shifts: 1 is the same face."""
    first, second = (part - cv2.GaussianBlur(part, (0, 0), 12) for part in (one, other))
    found = cv2.matchTemplate(first, np.ascontiguousarray(second[25:82, 14:66]), cv2.TM_CCOEFF_NORMED)
    return float(found[20:31, 9:20].max())
