"""Chance that comes out the same every time, and the noise made from it."""

import hashlib

import cv2
import numpy as np

from unitask.engines.preview.arrays import Floats


def dice(*keys: object) -> np.random.Generator:
    """Give a generator that depends on the keys alone: the same seed and layer draw the same things everywhere."""
    digest = hashlib.sha256("|".join(map(str, keys)).encode("utf-8", "replace")).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def fractal(
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    octaves: int = 5,
    cells: float = 3,
    stretch: float = 1,
) -> Floats:
    """Make soft noise of (height, width), 0 to 1, with `cells` lumps along the longer side, `stretch` times as wide."""
    height, width = size
    total = np.zeros(size, np.float32)
    longest = max(height, width)
    for octave in range(octaves):
        across = cells * 2**octave
        rows = max(2, min(height, round(across * height / longest * stretch))) + 2
        columns = max(2, min(width, round(across * width / longest))) + 2
        grid = rng.random((rows, columns), np.float32)
        total += _enlarged(grid, width, height) * 0.55**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def _enlarged(grid: Floats, width: int, height: int) -> Floats:
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def profile(width: int, rng: np.random.Generator, *, bumps: int, octaves: int = 5, smooth: bool = False) -> Floats:
    """Draw one rough (or smooth) line of `width` heights, 0 to 1: the outline of mountains or hills."""
    kind = cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR
    line = np.zeros(width, np.float32)
    for octave in range(octaves):
        points = rng.random((1, max(2, bumps * 2**octave + 1)), np.float32)
        line += np.asarray(cv2.resize(points, (width, 1), interpolation=kind))[0] * 0.5**octave
    low, high = float(line.min()), float(line.max())
    return (line - low) / max(high - low, 1e-6)
