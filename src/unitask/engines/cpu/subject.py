"""Where the subject of a picture is: a mask at working size.

Seeds come from a smooth backdrop fitted to the border, if there is one, from saliency, and from a body drawn below each
face (Haar cascades, Viola and Jones 2001); GrabCut (Rother 2004) settles the rest.
"""

from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu.saliency import saliency

Pixels = NDArray[Any]
Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels."""

FLAT_BORDER: Final = 0.75
"""Share of the border that must fit one smooth backdrop before we believe in it."""
NEAR_LAB: Final = 4.0
OFF_LAB: Final = 6.0
SHADOW_LAB: Final = 14.0
"""Distances from the backdrop in Lab: up to which it is the backdrop; from which it is something else; from which it is
something else although it could be a shadow."""
MAYBE: Final = 0.5
HARDLY: Final = 0.08
"""Belief in a person from which a pixel is probably one, and up to which it surely is not."""
BODY: Final = ((0.45, 0.75, 0.95), ((0.45, 1.0), (1.5, 1.75), (1.9, 3.2), (1.9, 99.0)))
CORE: Final = ((0.5, 0.38, 0.48), ((0.25, 1.05), (0.5, 2.2), (0.5, 99.0)))
"""Where a person may be and where one surely is, in widths and heights of the face: the head as an ellipse (its centre
below the top of the face, its half axes), the right half of the trunk as points (from the middle, from the top)."""
SAME_FACE: Final = 0.5
LEAST_PIXELS: Final = 16
"""GrabCut needs some pixels to learn colours from."""


def find_subject(rgb: Pixels) -> Pixels:
    """Mark the subject of an RGB picture, uint8 (h, w, 3) of at most some 500 px a side: bool (h, w), maybe empty."""
    seeds = _seeds(rgb)
    front = np.isin(seeds, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if min(front.sum(), (~front).sum()) < LEAST_PIXELS:
        return np.full(front.shape, front.mean() > MAYBE)
    mask = _cleaned(_grab_cut(rgb, seeds))
    rim = _rim(mask)
    # A subject that reaches the rim goes on to the edge of the picture.
    return np.pad(mask[rim:, rim:-rim], ((rim, 0), (rim, rim)), mode="edge")


def border(shape: tuple[int, ...]) -> Pixels:
    """Mark a thin frame at the top and both sides: bool (h, w). The bottom is left out, portraits stand on it."""
    band = max(2, min(shape[:2]) // 60)
    frame = np.zeros(shape[:2], bool)
    frame[:band] = frame[:, :band] = frame[:, -band:] = True
    return frame


def _backdrop(lab: Pixels) -> tuple[Pixels, Pixels] | None:
    """Fit a smooth backdrop (paper, wall, sky) to the border, if most of the border is one.

    The surface is quadratic in x and y for each channel, fitted with Geman-McClure weights so that a subject at the
    border does not bend it. Returns the backdrop seen from the border and what stands before it, both bool (h, w).
    """
    frame = border(lab.shape)
    away = lab - _surface(lab, frame)
    distance = np.linalg.norm(away, axis=2)
    if (distance[frame] < NEAR_LAB + 1).mean() < FLAT_BORDER:
        return None
    _, parts = cv2.connectedComponents((distance < NEAR_LAB).astype(np.uint8))
    behind = np.isin(parts, np.unique(parts[frame & (distance < NEAR_LAB)])) & (distance < NEAR_LAB)
    # A cast shadow darkens and does not tint, so what is only darker must differ more to count as an object.
    no_shadow = (np.linalg.norm(away[..., 1:], axis=2) > OFF_LAB) | (away[..., 0] > OFF_LAB)
    return behind, ~behind & (no_shadow | (distance > SHADOW_LAB))


def _surface(lab: Pixels, frame: Pixels) -> Pixels:
    """Fit the smooth surface through the marked pixels: float (h, w, 3)."""
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    at, colours = terms[frame], lab[frame]
    fitted = np.broadcast_to(np.median(colours, axis=0), colours.shape)
    for _ in range(12):
        weight = (1 / (1 + (np.linalg.norm(colours - fitted, axis=1) / NEAR_LAB) ** 2))[:, None]
        factors = np.linalg.lstsq(at * weight, colours * weight, rcond=None)[0]
        fitted = at @ factors
    surface: Pixels = terms @ factors
    return surface


def _seeds(rgb: Pixels) -> Pixels:
    """Choose what GrabCut starts from: uint8 (h, w) of cv2.GC_BGD, GC_FGD, GC_PR_BGD and GC_PR_FGD."""
    seeds = np.full(rgb.shape[:2], cv2.GC_PR_BGD, np.uint8)
    salient, possible = saliency(rgb)
    body, core = _bodies(_faces(rgb), rgb.shape[:2])
    if core.any():
        belief = 0.3 * salient + 0.7 * body
        seeds[belief > MAYBE] = cv2.GC_PR_FGD
        seeds[belief < HARDLY] = cv2.GC_BGD
        seeds[core] = cv2.GC_FGD
    else:
        threshold = _otsu(salient)
        seeds[salient > threshold] = cv2.GC_PR_FGD
        seeds[salient > min(0.95, threshold + 0.4)] = cv2.GC_FGD
        seeds[possible < 0.25 * _otsu(possible)] = cv2.GC_BGD
    backdrop = _backdrop(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB))
    if backdrop is not None:
        behind, before = backdrop
        seeds[behind] = cv2.GC_BGD
        seeds[before] = cv2.GC_PR_FGD
    rim = _rim(seeds)
    outermost = np.ones(seeds.shape, bool)
    outermost[rim:, rim:-rim] = False
    seeds[outermost & (body < MAYBE)] = cv2.GC_BGD
    return seeds


def _rim(mask: Pixels) -> int:
    """Width in pixels of the outermost frame, where background is assumed so that GrabCut has some to learn from."""
    return max(1, int(min(mask.shape) * 0.008))


def _otsu(values: Pixels) -> float:
    """Otsu's threshold of values in 0..1."""
    return float(cv2.threshold((values * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0]) / 255


@cache
def _cascade(name: str) -> Any:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / f"haarcascade_{name}.xml"))


def _faces(rgb: Pixels) -> list[Box]:
    """Find frontal faces on which two of three cascades agree; one alone sees faces in clouds."""
    gray = cv2.equalizeHist(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    least = max(24, int(min(gray.shape) * 0.06))
    groups: list[dict[str, Box]] = []
    for name in ("frontalface_alt2", "frontalface_default", "frontalface_alt"):
        for box in _cascade(name).detectMultiScale(gray, 1.08, 4, minSize=(least, least)):
            group = next((group for group in groups if _overlap(next(iter(group.values())), box) > SAME_FACE), None)
            if group is None:
                groups.append({name: box})
            else:
                group[name] = box
    return [tuple(np.median(list(group.values()), axis=0)) for group in groups if len(group) > 1]


def _overlap(one: Box, other: Box) -> float:
    """Shared area as a share of the smaller box."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height) / min(one[2] * one[3], other[2] * other[3])


def _bodies(faces: list[Box], shape: tuple[int, ...]) -> tuple[Pixels, Pixels]:
    """Draw head and shoulders below each face: where a body may be, float 0..1, and where it surely is, bool."""
    body = np.zeros(shape, np.uint8)
    core = np.zeros(shape, np.uint8)
    for left, top, width, height in faces:
        middle = left + width / 2
        for canvas, ((down, across, along), trunk) in ((body, BODY), (core, CORE)):
            centre = (int(middle), int(top + height * down))
            cv2.ellipse(canvas, centre, (int(width * across), int(height * along)), 0, 0, 360, 255, -1)
            right = [(middle + width * x, min(top + height * y, shape[0])) for x, y in trunk]
            outline = right + [(2 * middle - x, y) for x, y in reversed(right)]
            cv2.fillPoly(canvas, [np.array(outline).astype(np.int32)], 255)
    soft = cv2.GaussianBlur(body, (0, 0), max(2, shape[1] * 0.015))
    return soft.astype(np.float32) / 255, core > 0


def _grab_cut(rgb: Pixels, seeds: Pixels) -> Pixels:
    """Settle the probable pixels: bool (h, w)."""
    smooth = cv2.bilateralFilter(rgb, 7, 30, 5)
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    result, _, _ = cv2.grabCut(smooth, seeds.copy(), (0, 0, 1, 1), *models, 4, cv2.GC_INIT_WITH_MASK)
    return np.isin(np.asarray(result), (cv2.GC_FGD, cv2.GC_PR_FGD))


def _cleaned(mask: Pixels) -> Pixels:
    """Drop crumbs, fill pinholes, round the outline: bool (h, w)."""
    binary = mask.astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(binary)
    areas = stats[:, cv2.CC_STAT_AREA]
    if len(areas) > 1:
        kept = [part for part in range(1, len(areas)) if areas[part] > 0.12 * areas[1:].max()]
        binary = np.isin(parts, kept).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(1 - binary)
    holes = [part for part in range(1, len(stats)) if stats[part, cv2.CC_STAT_AREA] < 0.008 * mask.size]
    binary[np.isin(parts, holes)] = 1
    return cv2.medianBlur(binary, 5).astype(bool)
