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
FAR_LAB: Final = 14.0
"""Distances in Lab: surely the backdrop, and surely not."""


def find_subject(rgb: Pixels) -> Pixels:
    """Mark the subject of an RGB picture, uint8 (h, w, 3) of at most some 500 px a side: bool (h, w), maybe empty."""
    seeds = _seeds(rgb)
    if not (seeds & 1).any():
        return np.zeros(seeds.shape, bool)
    return _cleaned(_grab_cut(rgb, seeds))


def border(shape: tuple[int, ...]) -> Pixels:
    """Mark a thin frame at the top and both sides: bool (h, w). The bottom is left out, portraits stand on it."""
    band = max(2, min(shape[:2]) // 60)
    frame = np.zeros(shape[:2], bool)
    frame[:band] = frame[:, :band] = frame[:, -band:] = True
    return frame


def _backdrop(lab: Pixels) -> tuple[Pixels, Pixels] | None:
    """Fit a smooth backdrop (paper, wall, sky) to the border, if most of the border is one.

    The surface is quadratic in x and y for each channel, fitted with Geman-McClure weights so that a subject at the
    border does not bend it. Returns the backdrop seen from the border, bool (h, w), and the distance of each pixel
    from the surface in Lab, float32 (h, w).
    """
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    frame = border(lab.shape)
    surface = np.broadcast_to(np.median(lab[frame], axis=0), lab.shape)
    for _ in range(12):
        error = np.linalg.norm(lab[frame] - surface[frame], axis=1)
        weight = (1 / (1 + (error / 4) ** 2))[:, None]
        factors = np.linalg.lstsq(terms[frame] * weight, lab[frame] * weight, rcond=None)[0]
        surface = terms @ factors
    distance = np.linalg.norm(lab - surface, axis=2)
    if (distance[frame] < NEAR_LAB + 1).mean() < FLAT_BORDER:
        return None
    near = (distance < NEAR_LAB).astype(np.uint8)
    _, parts = cv2.connectedComponents(near)
    at_border = np.unique(parts[border(lab.shape) & (near > 0)])
    return np.isin(parts, at_border) & (near > 0), distance


def _seeds(rgb: Pixels) -> Pixels:
    """What GrabCut starts from: uint8 (h, w) of cv2.GC_BGD, GC_FGD, GC_PR_BGD and GC_PR_FGD."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    seeds = np.full(rgb.shape[:2], cv2.GC_PR_BGD, np.uint8)
    salient = saliency(rgb)
    faces = _faces(rgb)
    if faces:
        body, core = _bodies(faces, rgb.shape[:2])
        prior = np.clip(0.3 * salient + 0.7 * body, 0, 1)
        seeds[prior > 0.5] = cv2.GC_PR_FGD
        seeds[prior < 0.08] = cv2.GC_BGD
        seeds[core] = cv2.GC_FGD
    else:
        threshold = cv2.threshold((salient * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255
        seeds[salient > threshold] = cv2.GC_PR_FGD
        seeds[salient > min(0.95, threshold + 0.4)] = cv2.GC_FGD
        seeds[salient < threshold * 0.25] = cv2.GC_BGD
    backdrop = _backdrop(lab)
    if backdrop is not None:
        behind, distance = backdrop
        seeds[behind] = cv2.GC_BGD
        seeds[~behind & (distance > FAR_LAB)] = cv2.GC_PR_FGD
    rim = max(1, int(min(rgb.shape[:2]) * 0.008))
    seeds[:rim] = cv2.GC_BGD
    if not faces:
        seeds[:, :rim] = seeds[:, -rim:] = cv2.GC_BGD
    return seeds


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
            group = next((group for group in groups if _overlap(next(iter(group.values())), box) > 0.5), None)
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
        for canvas, head, trunk in (
            (body, (0.45, 0.75, 0.95), ((0.45, 1.0), (1.5, 1.75), (1.9, 3.2), (1.9, 99))),
            (core, (0.5, 0.38, 0.48), ((0.25, 1.05), (0.7, 2.2), (0.8, 99))),
        ):
            centre = (int(middle), int(top + height * head[0]))
            cv2.ellipse(canvas, centre, (int(width * head[1]), int(height * head[2])), 0, 0, 360, 255, -1)
            right = [(middle + width * x, min(top + height * y, shape[0])) for x, y in trunk]
            outline = right + [(2 * middle - x, y) for x, y in reversed(right)]
            cv2.fillPoly(canvas, [np.array(outline).astype(np.int32)], 255)
    soft = cv2.GaussianBlur(body, (0, 0), max(2, shape[1] * 0.015))
    return soft.astype(np.float32) / 255, core > 0


def _grab_cut(rgb: Pixels, seeds: Pixels) -> Pixels:
    """Settle the probable pixels: bool (h, w)."""
    smooth = cv2.bilateralFilter(rgb, 7, 30, 5)
    cv2.setRNGSeed(1)
    result, _, _ = cv2.grabCut(
        smooth, seeds.copy(), None, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK
    )
    return (result & 1).astype(bool)


def _cleaned(mask: Pixels) -> Pixels:
    """Drop crumbs, fill pinholes, round the outline: bool (h, w)."""
    binary = mask.astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(binary)
    areas = stats[:, cv2.CC_STAT_AREA]
    if len(areas) > 1:
        kept = [part for part in range(1, len(areas)) if areas[part] > 0.12 * areas[1:].max()]
        binary = np.isin(parts, kept).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(1 - binary)
    holes = [part for part in range(1, len(stats)) if stats[part, cv2.CC_STAT_AREA] < 0.004 * mask.size]
    binary[np.isin(parts, holes)] = 1
    return cv2.medianBlur(binary * 255, 5) > 127


