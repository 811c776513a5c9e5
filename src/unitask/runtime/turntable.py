"""A body turning before a plain wall: triangles drawn back to front, with colours, light and a shadow."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Pixels = NDArray[np.uint8]
Indices = NDArray[np.int64]
Paint = Callable[[Indices, Floats], Floats]
"""Gives the colours (n, 3), 0 to 255, of points on faces: the three corners' numbers and their shares, (n, 3) each."""

_DISTANCE: Final = 3.2
_ELEVATION_DEG: Final = 14.0
_FILLS: Final = 0.8
_LIGHT: Final = np.array((-0.45, 0.6, 0.66), np.float32)
_AMBIENT: Final = 0.52
_SHINE: Final = 26.0
_SHADOW: Final = 0.3
_WALL: Final = ((236, 238, 242), (198, 202, 210))
_LEAST_AREA: Final = 1e-6
_CRACK: Final = 1e-4
"""By this share a face reaches over its edge, so that no pixel falls between two."""


@dataclass(frozen=True, slots=True)
class Body:
    """What turns; it fits a cube of side 1 round the origin: x right, y up, z to the viewer.

    `vertices` (n, 3), `normals` (n, 3), `faces` (m, 3) counterclockwise from outside.
    """

    vertices: Floats
    normals: Floats
    faces: Indices
    paint: Paint


def turning(body: Body, count: int, size: tuple[int, int], start_deg: float = 0.0) -> Iterator[Pixels]:
    """Draw one whole turn in `count` frames of `size` (width, height), beginning at its front."""
    wall = _wall(*size)
    for number in range(count):
        yield _drawn(body, 2 * np.pi * number / count + np.radians(start_deg), wall)


def portrait(body: Body, size: tuple[int, int]) -> Pixels:
    """Draw its front alone, (height, width, 4): transparent where it is not."""
    width, height = size
    pixels, colour, opacity = _shown(body, 0.0, size)
    frame = np.zeros((height * width, 4), np.uint8)
    frame[pixels] = np.clip(np.column_stack([colour, opacity * 255]) + 0.5, 0, 255).astype(np.uint8)
    return frame.reshape(height, width, 4)


def _wall(width: int, height: int) -> Pixels:
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    wall = np.array(_WALL[0], np.float32) * (1 - down) + np.array(_WALL[1], np.float32) * down
    return np.broadcast_to(wall, (height, width, 3)).astype(np.uint8)


def _turned(angle: float) -> Floats:
    """Give the rotation about the upright axis, then the view from above."""
    cos, sin = np.cos(angle), np.sin(angle)
    up, over = np.cos(np.radians(_ELEVATION_DEG)), np.sin(np.radians(_ELEVATION_DEG))
    spin = np.array([(cos, 0, sin), (0, 1, 0), (-sin, 0, cos)])
    tilt = np.array([(1, 0, 0), (0, up, -over), (0, over, up)])
    return np.asarray(tilt @ spin, np.float32)


def _projected(points: Floats, size: tuple[int, int]) -> Floats:
    """Bring (n, 3) in the viewer's space onto the frame: x and y in pixels, and the depth towards the viewer."""
    width, height = size
    near = _DISTANCE / (_DISTANCE - points[:, 2])
    scale = _FILLS * min(width, height)
    x = width / 2 + points[:, 0] * near * scale
    y = height * 0.48 - points[:, 1] * near * scale
    return np.stack([x, y, points[:, 2]], axis=1).astype(np.float32)


def _drawn(body: Body, angle: float, wall: Pixels) -> Pixels:
    height, width = wall.shape[:2]
    frame = wall.copy()
    _cast_shadow(frame, body, angle)
    pixels, colour, opacity = _shown(body, angle, (width, height))
    flat = frame.reshape(-1, 3)
    flat[pixels] = np.clip(flat[pixels] * (1 - opacity) + colour * opacity + 0.5, 0, 255).astype(np.uint8)
    return frame


def _shown(body: Body, angle: float, size: tuple[int, int]) -> tuple[Indices, Floats, Floats]:
    """Find which pixels show the body (counted row by row), their colours (n, 3) and opacities (n, 1)."""
    width, height = size
    turn = _turned(angle)
    pixels, shown, shares = _filled(_projected(body.vertices @ turn.T, size), body.faces, size)
    normals = body.normals @ turn.T
    light = np.column_stack([_lit(normals), _glint(normals)])
    corners = body.faces[shown]
    mixed = sum(light[corners[:, index]] * shares[:, index : index + 1] for index in range(3))
    values = np.asarray(mixed, np.float32).reshape(-1, 2)
    colour = body.paint(corners, shares) * values[:, :1] + values[:, 1:]
    mask = np.zeros(height * width, np.uint8)
    mask[pixels] = 1
    return pixels, colour, _opacity(mask.reshape(height, width)).ravel()[pixels, None]


def _filled(seen: Floats, faces: Indices, size: tuple[int, int]) -> tuple[Indices, Indices, Floats]:
    """Find which pixels show the body (counted row by row), which face each shows, and its corners' shares (n, 3)."""
    width, height = size
    first, second, third = (seen[faces[:, index]] for index in range(3))
    area = (second[:, 0] - first[:, 0]) * (third[:, 1] - first[:, 1])
    area -= (third[:, 0] - first[:, 0]) * (second[:, 1] - first[:, 1])
    # Rows count downwards, so that what is counterclockwise from outside has a negative area when it is seen.
    chosen = np.flatnonzero(area < -_LEAST_AREA)
    depth = (first[chosen, 2] + second[chosen, 2] + third[chosen, 2]) / 3
    chosen = chosen[np.argsort(depth, kind="stable")]
    corners = np.stack([first[chosen], second[chosen], third[chosen]], axis=1)[..., :2]
    low = np.clip(np.floor(corners.min(axis=1)), 0, (width, height)).astype(np.int64)
    high = np.clip(np.ceil(corners.max(axis=1)) + 1, 0, (width, height)).astype(np.int64)
    wide, tall = (high - low).T
    counts = np.maximum(wide, 0) * np.maximum(tall, 0)
    which = np.repeat(np.arange(len(chosen)), counts)
    place = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    down = place // wide[which]
    x = low[which, 0] + place - down * wide[which]
    y = low[which, 1] + down
    second_share, third_share = (
        _share(corners[:, before], corners[:, after], area[chosen], which, (x, y)) for before, after in ((2, 0), (0, 1))
    )
    within = np.flatnonzero(
        (second_share >= -_CRACK) & (third_share >= -_CRACK) & (second_share + third_share <= 1 + _CRACK)
    )
    owner = np.full(height * width, -1, np.int64)
    at = y[within] * width + x[within]
    # Where several fall on one pixel the last assignment stands: that of the nearest face.
    owner[at] = within
    pixels = np.flatnonzero(owner >= 0)
    fragments = owner[pixels]
    shares = np.stack([second_share[fragments], third_share[fragments]], axis=1)
    return pixels, chosen[which[fragments]], np.concatenate([1 - shares.sum(axis=1, keepdims=True), shares], axis=1)


def _share(before: Floats, after: Floats, area: Floats, which: Indices, at: tuple[Indices, Indices]) -> Floats:
    """Give the weight of one corner, the others being `before` and `after`: linear in x and y, three numbers a face."""
    x, y = at
    across = (before[:, 1] - after[:, 1]) / area
    down = (after[:, 0] - before[:, 0]) / area
    still = -(across * before[:, 0] + down * before[:, 1])
    result: Floats = across[which] * x.astype(np.float32) + down[which] * y.astype(np.float32) + still[which]
    return result


def _lit(normals: Floats) -> Floats:
    light = _LIGHT / np.linalg.norm(_LIGHT)
    result: Floats = _AMBIENT + (1.06 - _AMBIENT) * np.clip(normals @ light, 0, 1)
    return result


def _glint(normals: Floats) -> Floats:
    half = _LIGHT / np.linalg.norm(_LIGHT) + np.array((0, 0, 1), np.float32)
    result: Floats = _SHINE * np.clip(normals @ (half / np.linalg.norm(half)), 0, 1) ** 24
    return result


def _cast_shadow(frame: Pixels, body: Body, angle: float) -> None:
    """Darken the floor under the body, in place."""
    height, width = frame.shape[:2]
    x, z = body.vertices[:, 0], body.vertices[:, 2]
    half = max(float(np.abs(x * np.cos(angle) + z * np.sin(angle)).max()), 0.05)
    floor = np.array([(0, float(body.vertices[:, 1].min()) - 0.01, 0)], np.float32)
    centre = _projected(floor @ _turned(0.0).T, (width, height))[0]
    scale = _FILLS * min(width, height)
    reach = max(2, round(half * 0.3 * scale))
    blur = min(width, height) / 40
    top = max(0, round(float(centre[1]) - reach - 3 * blur))
    bottom = min(height, round(float(centre[1]) + reach + 3 * blur) + 1)
    if bottom <= top:
        return
    mask = np.zeros((bottom - top, width), np.float32)
    place = round(float(centre[0])), round(float(centre[1])) - top
    cv2.ellipse(mask, place, (max(2, round(half * 1.05 * scale)), reach), 0, 0, 360, (1.0,), -1)
    part = frame[top:bottom]
    part[:] = (part * (1 - _SHADOW * cv2.GaussianBlur(mask, (0, 0), blur))[..., None]).astype(np.uint8)


def _opacity(mask: Pixels) -> Floats:
    """Let the outline fade over its last pixel, so that it has no steps: (height, width), 0 to 1."""
    soft = np.clip(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8) * 2 - 1, 0, 1)
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8))
    return np.asarray(np.where(inner > 0, 1, soft**0.7), np.float32)
