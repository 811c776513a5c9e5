"""A picture at working size with what is asked of it more than once: colours, subject, faces, smooth areas.

A mask is bool (height, width).
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu import faces
from unitask.engines.cpu.cutout import VAGUE_OUTLINE, vague
from unitask.engines.cpu.faces import Face
from unitask.engines.cpu.subject import find_subject

Pixels = NDArray[Any]
Floats = NDArray[Any]
Mask = NDArray[np.bool_]

SUBJECT_PX: Final = 480
"""Longest side at which the subject is looked for."""
TEXTURE_PX: Final = 5
SURE_MIDDLE: Final = 0.4
POSSIBLE_MIDDLE: Final = 0.6
"""Half axes of where a subject that fills the frame is, and may be, as shares of the picture."""
LEAST_PIXELS: Final = 16
"""GrabCut needs some pixels to learn colours from."""


class View:
    """A picture, uint8 (height, width, 3). `notes`: what the client should know about how it was looked at."""

    def __init__(self, rgb: Pixels) -> None:
        self.rgb = rgb
        self.height, self.width = rgb.shape[:2]
        self.notes: list[str] = []
        self._found: dict[Callable[[View], Mask], Mask] = {}

    def once(self, part: "Callable[[View], Mask]") -> Mask:
        """Look for a part, or remember where it was found."""
        if part not in self._found:
            self._found[part] = part(self)
        return self._found[part]

    @cached_property
    def hsv(self) -> Pixels:
        """Hue 0 to 180, saturation and value 0 to 255, smoothed without blurring edges."""
        return np.asarray(cv2.cvtColor(cv2.bilateralFilter(self.rgb, 7, 25, 5), cv2.COLOR_RGB2HSV), np.uint8)

    @cached_property
    def lab(self) -> Floats:
        """Lab with L 0 to 100."""
        return self.blurred_lab(1.0)

    def blurred_lab(self, spread: float) -> Floats:
        """Lab of the surroundings of each pixel."""
        soft = cv2.GaussianBlur(self.rgb, (0, 0), spread).astype(np.float32) / 255
        return np.asarray(cv2.cvtColor(soft, cv2.COLOR_RGB2LAB), np.float32)

    @cached_property
    def texture(self) -> Floats:
        """How much the lightness, 0 to 100, varies round each pixel."""
        light = self.blurred_lab(0.5)[..., 0]
        mean, squared = (cv2.blur(plane, (2 * TEXTURE_PX + 1,) * 2) for plane in (light, light * light))
        return np.asarray(np.sqrt(np.maximum(squared - mean * mean, 0)), np.float32)

    @cached_property
    def subject(self) -> Mask:
        """What stands out; nothing where nothing does."""
        scale = min(1.0, SUBJECT_PX / max(self.height, self.width))
        size = max(8, round(self.width * scale)), max(8, round(self.height * scale))
        found = find_subject(cv2.resize(self.rgb, size, interpolation=cv2.INTER_AREA)).astype(np.uint8) * 255
        mask = np.asarray(cv2.resize(found, (self.width, self.height)) > 127, bool)  # noqa: PLR2004 - half
        if self.faces or not mask.any() or vague(self.rgb, mask) <= VAGUE_OUTLINE:
            return mask
        # What was found ends where nothing ends: the subject fills the frame.
        return filled(without_crumbs(self._middle(), 0.1), 0.02)

    def _middle(self) -> Mask:
        sure, possible = np.zeros((2, self.height, self.width), np.uint8)
        for mask, share in ((sure, SURE_MIDDLE), (possible, POSSIBLE_MIDDLE)):
            axes = max(2, round(self.width * share)), max(2, round(self.height * share))
            cv2.ellipse(mask, (self.width // 2, round(self.height * 0.52)), axes, 0, 0, 360, (1,), -1)
        return self.grown(sure > 0, possible > 0)

    @cached_property
    def faces(self) -> list[Face]:
        """The faces seen from the front."""
        return faces.find(self.rgb)

    @cached_property
    def smooth(self) -> Mask:
        """Where the picture has no edges."""
        grey = cv2.GaussianBlur(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY), (0, 0), 1.4)
        edges = cv2.dilate(cv2.Canny(grey, 25, 70), np.ones((3, 3), np.uint8))
        return np.asarray(edges == 0, bool)

    def empty(self) -> Mask:
        """Mark nothing."""
        return np.zeros((self.height, self.width), bool)

    def grown(self, sure: Mask, possible: Mask, never: Mask | None = None) -> Mask:
        """Let GrabCut (Rother 2004) say how far what is sure goes on in what is possible."""
        seeds = np.where(possible, cv2.GC_PR_BGD, cv2.GC_BGD).astype(np.uint8)
        seeds[sure] = cv2.GC_PR_FGD
        seeds[eroded(sure, 2)] = cv2.GC_FGD
        if never is not None:
            seeds[never] = cv2.GC_BGD
        front = (seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)
        if min(front.sum(), (~front).sum()) < LEAST_PIXELS:
            return np.asarray(front, bool)
        cv2.setRNGSeed(1)
        models = np.zeros((1, 65)), np.zeros((1, 65))
        smooth = cv2.bilateralFilter(self.rgb, 7, 30, 5)
        settled, _, _ = cv2.grabCut(smooth, seeds, (0, 0, 1, 1), *models, 3, cv2.GC_INIT_WITH_MASK)
        return np.asarray(np.asarray(settled) % 2 == 1, bool)


def eroded(mask: Mask, pixels: int) -> Mask:
    """Shrink; the picture's edge is no outline."""
    kernel = np.ones((2 * pixels + 1,) * 2, np.uint8)
    return np.asarray(cv2.erode(mask.astype(np.uint8), kernel) > 0, bool)


def dilated(mask: Mask, pixels: int) -> Mask:
    """Grow."""
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * pixels + 1,) * 2, np.uint8)) > 0, bool)


def tidied(mask: Mask) -> Mask:
    """Close gaps and drop single pixels."""
    closed = cv2.morphologyEx(mask.astype(np.uint8) * 255, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.medianBlur(closed, 3) > 127, bool)  # noqa: PLR2004 - half


def without_crumbs(mask: Mask, share: float) -> Mask:
    """Drop what is smaller than this share of the largest part, and fill holes as small."""
    kept = mask
    for _ in range(2):
        _, parts, stats, _ = cv2.connectedComponentsWithStats(kept.astype(np.uint8), connectivity=8)
        areas = stats[:, cv2.CC_STAT_AREA].copy()
        areas[0] = 0
        kept = np.logical_not((areas >= max(1.0, share * areas.max()))[parts])
    return np.asarray(kept, bool)


def filled(mask: Mask, share: float) -> Mask:
    """Fill holes of up to this share of the picture."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < share * mask.size
    small[0] = False
    return np.asarray(mask | small[parts], bool)
