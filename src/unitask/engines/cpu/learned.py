"""Doubling a picture's light by filters that were learned (RAISR: Romano, Isidoro and Milanfar 2016).

Each pixel of a Lanczos enlargement is looked at: which way its surroundings run, how strong and how clear that is. For
each such kind, and for each of the four places in a doubled pixel, there is one linear filter over the 9 x 9 pixels
around. `scripts/learn_filters.py` learns them from photographs that anyone may use; one set for clean pictures and
one for what JPEG left over.
"""

from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Kind = Literal["clean", "lossy"]

REACH: Final = 4
TAPS: Final = (2 * REACH + 1) ** 2
ANGLES: Final = 24
STRENGTHS: Final = (1.2, 4.0, 9.0)
CLARITIES: Final = (0.25, 0.5)
KINDS: Final = ANGLES * (len(STRENGTHS) + 1) * (len(CLARITIES) + 1)
PLACES: Final = ((0, 0), (0, 1), (1, 0), (1, 1))
_ROWS: Final = 64
"""Rows that are filtered at a time: each pixel takes 81 numbers twice."""


@cache
def filters(kind: Kind) -> Floats:
    """Load a set: (4 places, kinds, 81 taps)."""
    with files("unitask.engines.cpu").joinpath(f"filters_{kind}.npz").open("rb") as file:
        return np.asarray(np.load(file)["filters"], np.float32)


def doubled(light: Floats, kind: Kind) -> Floats:
    """Enlarge (h, w), 0..255, to (2h, 2w)."""
    plain = enlarged(light, 2)
    kinds, around = kinds_of(plain), surroundings(plain)
    learned = filters(kind)
    sums = learned.sum(axis=2)
    means = cv2.boxFilter(plain, -1, (2 * REACH + 1, 2 * REACH + 1), borderType=cv2.BORDER_REFLECT)
    result = np.empty_like(plain)
    for place, (row, column) in enumerate(PLACES):
        for top in range(row, len(plain), 2 * _ROWS):
            part = np.s_[top : top + 2 * _ROWS : 2, column::2]
            of_kind, mean = kinds[part], means[part]
            seen = around[part].reshape(*of_kind.shape, TAPS)
            # What is learned is how a pixel differs from the mean of its surroundings.
            filtered = np.einsum("ijk,ijk->ij", seen, learned[place][of_kind], optimize=True)
            result[part] = filtered + mean * (1 - sums[place][of_kind])
    return result


def enlarged(plane: Floats, scale: int) -> Floats:
    """Enlarge (h, w) by Lanczos."""
    size = plane.shape[1] * scale, plane.shape[0] * scale
    return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.LANCZOS), np.float32)


def kinds_of(plain: Floats) -> NDArray[np.intp]:
    """Tell the kind of each pixel: the angle, strength and clarity of the gradients around it."""
    across, down = (cv2.Sobel(plain, cv2.CV_32F, *order, scale=0.125) for order in ((1, 0), (0, 1)))
    xx, xy, yy = (cv2.GaussianBlur(product, (9, 9), 2) for product in (across**2, across * down, down**2))
    spread = np.sqrt((xx - yy) ** 2 / 4 + xy**2)
    strong, weak = (np.sqrt(np.maximum((xx + yy) / 2 + sign * spread, 0)) for sign in (1, -1))
    turn = 0.5 * np.arctan2(2 * xy, xx - yy) / np.pi + 0.5
    angle = np.minimum((turn * ANGLES).astype(np.intp), ANGLES - 1)
    strength = np.digitize(strong, STRENGTHS)
    clarity = np.digitize((strong - weak) / (strong + weak + 1e-3), CLARITIES)
    return np.asarray((angle * (len(STRENGTHS) + 1) + strength) * (len(CLARITIES) + 1) + clarity)


def surroundings(plain: Floats) -> Any:
    """View the 9 x 9 pixels around each: (h, w, 9, 9)."""
    padded = cv2.copyMakeBorder(plain, REACH, REACH, REACH, REACH, cv2.BORDER_REFLECT)
    return np.lib.stride_tricks.sliding_window_view(padded, (2 * REACH + 1, 2 * REACH + 1))
