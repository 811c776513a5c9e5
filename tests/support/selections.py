"""Boxes planted in pictures, and how well a selection meets them."""

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]
"""Top, left, bottom, right."""


def place(box: Box, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Mark a box in a picture of a size (height, width)."""
    mask = np.zeros(size, np.bool_)
    mask[box[0] : box[2], box[1] : box[3]] = True
    return mask


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Give the share of what both mark in what any marks."""
    return float((one & other).sum() / (one | other).sum())
