"""Control maps read from a picture, and a scene made to follow one."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from unitask.engines.preview.arrays import Floats, Pixels, pixels
from unitask.engines.preview.sources import resize

_DEPTH_NOTE: Final = "the depth map is a guess from brightness and position: the preview engine measures no depth"
_EDGE_NOTE: Final = "the map holds the real edges of control_image; only the picture painted along it is a preview"
_POSE_NOTE: Final = "openpose follows the outline of the figure: the preview engine finds no joints"


def canny(picture: Pixels) -> Pixels:
    """Thin edges, 0 or 255; the thresholds follow the picture's contrast."""
    grey = np.asarray(cv2.GaussianBlur(_grey(picture), (0, 0), 1.3 * max(min(picture.shape[:2]) / 512, 0.5)), np.uint8)
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    high = float(np.clip(np.percentile(slope, 94), 40, 220))
    return np.asarray(cv2.Canny(grey, high * 0.45, high), np.uint8)


def soft_edge(picture: Pixels) -> Pixels:
    """Broad edges, 0 to 255: the blurred gradient."""
    unit = max(min(picture.shape[:2]) / 512, 0.5)
    grey = np.asarray(cv2.GaussianBlur(_grey(picture), (0, 0), 1.6 * unit), np.float32)
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(slope, (0, 0), 1.2 * unit), np.float32)
    return pixels(soft / max(float(np.percentile(soft, 98.5)), 1.0) * 255)


def depth(picture: Pixels) -> Pixels:
    """Near is bright: the lower and the brighter, the nearer."""
    grey = cv2.GaussianBlur(_grey(picture), (0, 0), max(min(picture.shape[:2]) / 110, 0.5))
    level = np.asarray(grey, np.float32) / 255
    rows = np.linspace(0, 1, picture.shape[0], dtype=np.float32)[:, None]
    near = 0.45 * rows + 0.55 * level * (0.55 + 0.45 * rows)
    low, high = float(near.min()), float(near.max())
    return ((near - low) / max(high - low, 1e-3) * 255).astype(np.uint8)


def outline(picture: Pixels) -> Pixels:
    """Edges of the largest thing in the middle that differs from the border of the picture, 0 to 255."""
    figure = _figure(picture)
    thick = max(3, round(min(figure.shape) / 220))
    edge = cv2.morphologyEx(figure, cv2.MORPH_GRADIENT, np.ones((thick, thick), np.uint8))
    return np.maximum(np.asarray(edge, np.uint8), np.asarray(cv2.bitwise_and(canny(picture), figure), np.uint8))


def _figure(picture: Pixels) -> Pixels:
    """Where the largest thing in the middle is: 0 or 255."""
    height, width = picture.shape[:2]
    lab = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), np.float32)
    rim = max(1, min(height, width) // 20)
    border = np.concatenate([lab[:rim].reshape(-1, 3), lab[:, :rim].reshape(-1, 3), lab[:, -rim:].reshape(-1, 3)])
    away = np.sqrt(((lab - np.median(border, axis=0)) ** 2).sum(axis=2))
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    near_middle = np.exp(-1.3 * across**2 - 0.7 * down**2)
    likely = np.asarray(cv2.GaussianBlur(away * near_middle, (0, 0), max(min(height, width) / 40, 0.5)), np.float32)
    scaled = (likely / max(float(likely.max()), 1.0) * 255).astype(np.uint8)
    _, mask = cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(np.asarray(mask, np.uint8))
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if len(stats) > 1 else -1
    return np.where(labels == largest, 255, 0).astype(np.uint8)


def _grey(picture: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


MAPS: Final[dict[str, tuple[Callable[[Pixels], Pixels], str]]] = {
    "canny": (canny, _EDGE_NOTE),
    "soft_edge": (soft_edge, _EDGE_NOTE),
    "depth": (depth, _DEPTH_NOTE),
    "openpose": (outline, _POSE_NOTE),
}
"""A control type -> how its map is read, and what a client must know about it."""


def follow(scene: Pixels, control_map: Pixels, kind: str, strength: float) -> Pixels:
    """Give the scene (height, width, 3) the shapes of the map; strength 0 leaves it alone, 1 lets the map rule."""
    height, width = scene.shape[:2]
    if control_map.shape != (height, width):
        control_map = resize(control_map, width, height)
    level = control_map.astype(np.float32) / 255
    if kind == "depth":
        return _sculpted(scene, level, level, strength)
    lines = np.asarray(cv2.GaussianBlur(level, (0, 0), max(min(height, width) / 900, 0.4)), np.float32)
    lines = np.clip(lines * (2.2 if kind != "soft_edge" else 1.1), 0, 1)
    drawn = _sculpted(scene, _cushions(control_map), lines, strength)
    ink = np.array((28, 24, 38), np.float32)
    share = (lines * min(1.0, 0.35 + strength))[..., None]
    return pixels(drawn + (ink - drawn) * share)


def _cushions(control_map: Pixels) -> Floats:
    """Heights that rise from the lines into the areas between them, 0 to 1."""
    away = cv2.distanceTransform(np.where(control_map > 90, 0, 255).astype(np.uint8), cv2.DIST_L2, 5)  # noqa: PLR2004
    reach = min(control_map.shape) * 0.07
    risen = np.sqrt(np.clip(np.asarray(away, np.float32) / reach, 0, 1))
    return np.asarray(cv2.GaussianBlur(risen, (0, 0), max(reach / 14, 0.5)), np.float32)


def _sculpted(scene: Pixels, heights: Floats, accent: Floats, strength: float) -> Pixels:
    """Light the heights from the upper left, and colour them from the scene: low ones darker, high ones lighter."""
    scale = max(min(heights.shape) / 512, 0.5)
    smooth = np.asarray(cv2.GaussianBlur(heights, (0, 0), 1.5 * scale), np.float32)
    across = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), np.float32)
    down = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 0, 1), np.float32)
    light = np.clip(-(across + down) * 1.4 * scale, -0.45, 0.45)
    colours = scene.reshape(-1, 3)[:: max(1, scene.size // 60_000)].astype(np.float32)
    ramp = colours[np.argsort(colours @ np.array((0.30, 0.59, 0.11)))]
    stops = np.linspace(0.06, 0.94, 12)
    anchors = np.stack([ramp[int(stop * (len(ramp) - 1))] for stop in stops])
    mapped = np.stack([np.interp(heights, stops, anchors[:, channel]) for channel in range(3)], axis=2)
    share = strength * (0.62 + 0.2 * accent[..., None])
    mixed = scene + (mapped - scene) * share
    return pixels(mixed * (1 + light[..., None] * (0.4 + strength)))
