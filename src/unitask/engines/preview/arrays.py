"""The arrays that pictures are made of."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Pixels = NDArray[np.uint8]


def pixels(values: NDArray[Any]) -> Pixels:
    """Cut to 0..255 and round down to bytes."""
    result: Pixels = np.clip(values, 0, 255).astype(np.uint8)
    return result


def step(low: float, high: float, value: Floats) -> Floats:
    """Rise smoothly from 0 at `low` to 1 at `high`."""
    share = np.clip((value - low) / (high - low), 0, 1)
    result: Floats = (share * share * (3 - 2 * share)).astype(np.float32)
    return result


def moved(values: Floats, down: int, right: int) -> Floats:
    """Shift (height, width) by whole pixels, either way; the rim is repeated."""
    rows = np.clip(np.arange(values.shape[0]) - down, 0, values.shape[0] - 1)
    columns = np.clip(np.arange(values.shape[1]) - right, 0, values.shape[1] - 1)
    result: Floats = values[rows][:, columns]
    return result
