"""From a cut-out to a closed, textured body: its outline is blown up, its picture lies on the front.

The height over the outline solves Poisson's equation with a constant load, as a soap film under pressure does (compare
Repoussé, Joshi and Carr 2008); the surface is found by marching cubes.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt, map_coordinates
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve
from skimage.measure import marching_cubes

from unitask.engines.preview.arrays import Floats, Pixels
from unitask.engines.preview.sources import resize
from unitask.runtime.turntable import Body, Indices

_CELLS: Final = 76
"""Cells along the longer side of the outline."""
_PAD: Final = 4
_ROUNDNESS: Final = 0.85
"""Half of the thickness, as a share of the largest circle that fits into the outline."""
_DEEPEST: Final = 0.3
_KEPT: Final = 0.6
_PIECE: Final = 0.25
"""Pieces smaller than this share of the largest are left out."""
_BACK: Final = 0.8
_DETAIL: Final = 0.9
_SEEN_FROM_FRONT: Final = -0.08
_SHADE: Final = 0.93
_SEAM: Final = 0.05
_FILL_STEPS: Final = (3.0, 12.0, 48.0)
_MAP_COLUMNS: Final = 4096


@dataclass(frozen=True, slots=True)
class Solid:
    """A textured body that fits a cube of side 1 round the origin: x right, y up, z to the viewer.

    `vertices` (n, 3), `normals` (n, 3), `uv` (n, 2) with v upwards, `faces` (m, 3) counterclockwise from outside,
    `texture` (height, width, 3): the front on the left, the back on the right.
    """

    vertices: Floats
    normals: Floats
    uv: Floats
    faces: Indices
    texture: Pixels

    @property
    def body(self) -> Body:
        """What a turntable needs to know."""
        return Body(self.vertices, self.normals, self.faces, self._painted)

    def _painted(self, corners: Indices, shares: Floats) -> Floats:
        mixed = sum(self.uv[corners[:, index]] * shares[:, index : index + 1] for index in range(3))
        return _sampled(self.texture, np.asarray(mixed, np.float32).reshape(-1, 2))


def build(rgb: Pixels, alpha: Floats, texture_px: int, depth: float = 1.0) -> Solid:
    """Blow up the part of (height, width, 3) where alpha (height, width), 0 to 1, is high; `depth` scales its belly."""
    alpha = _main_pieces(alpha)
    rows, columns = (np.flatnonzero((alpha > 0.5).any(axis=axis)) for axis in (1, 0))  # noqa: PLR2004 - half
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    rgb, alpha = rgb[top:bottom, left:right], alpha[top:bottom, left:right]
    scale = _CELLS / max(alpha.shape)
    high, wide = (max(6, round(side * scale)) for side in alpha.shape)
    outline = np.pad(_coarse(alpha, (wide, high)), _PAD)
    film = _film(outline)
    roundest = float(distance_transform_edt(outline > 0.5).max())  # noqa: PLR2004 - half
    belly = max(3.0, min(_ROUNDNESS * roundest, _DEEPEST * _CELLS) * depth)
    corners, faces = _surface(film, belly)
    corners[:, 2] += _detail(rgb, (wide, high), film, corners)
    return _textured(corners, faces, (wide, high), _texture(rgb, alpha, texture_px))


def _main_pieces(alpha: Floats) -> Floats:
    """Clear what hangs on to nothing."""
    _, parts, stats, _ = cv2.connectedComponentsWithStats((alpha > 0.5).astype(np.uint8))  # noqa: PLR2004 - half
    areas = stats[1:, cv2.CC_STAT_AREA]
    dropped = 1 + np.flatnonzero(areas < _PIECE * areas.max(initial=0))
    return np.asarray(np.where(np.isin(parts, dropped), 0, alpha), np.float32)


def _coarse(alpha: Floats, size: tuple[int, int]) -> Floats:
    """Scale an outline down; strokes thinner than a cell, which would vanish, are made thicker before."""
    small = np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)
    if (small > 0.5).mean() > _KEPT * (alpha > 0.5).mean():  # noqa: PLR2004 - half
        return small
    wide = max(2, round(1.6 * max(alpha.shape) / max(size)))
    thick = cv2.dilate(alpha, np.ones((wide, wide), np.uint8))
    return np.asarray(cv2.resize(thick, size, interpolation=cv2.INTER_AREA), np.float32)


def _film(outline: Floats) -> Floats:
    """Give the square of the height at each cell, 1 at the highest; falling below 0 outside the outline."""
    inside = outline > 0.5  # noqa: PLR2004 - half
    number = np.full(inside.shape, -1)
    number[inside] = np.arange(inside.sum())
    own = number[inside]
    at = [own]
    to = [own]
    values = [np.full(len(own), 4.0)]
    for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
        neighbour = np.roll(number, shift, axis)[inside]
        linked = neighbour >= 0
        at.append(own[linked])
        to.append(neighbour[linked])
        values.append(np.full(int(linked.sum()), -1.0))
    system = coo_matrix((np.concatenate(values), (np.concatenate(at), np.concatenate(to))))
    height = np.zeros(inside.shape)
    height[inside] = spsolve(system.tocsc(), np.ones(len(own)))
    near, far = distance_transform_edt(inside), distance_transform_edt(~inside)
    slope = float(np.median(height[(near > 0) & (near <= 1)]))
    height = np.where(inside, height, -slope * far)
    rim = (near <= 1) & (far <= 1)
    height[rim] = slope * (2 * outline[rim] - 1)
    smooth = cv2.GaussianBlur((height / height.max()).astype(np.float32), (0, 0), 0.9)
    result: Floats = smooth / smooth.max()
    return result


def _surface(film: Floats, belly: float) -> tuple[Floats, Indices]:
    """Find the surface: corners (n, 3) as x, y downwards and z, in cells; faces (m, 3)."""
    reach = int(belly) + 3
    depth = np.arange(-reach, reach + 1, dtype=np.float32)
    halves = np.where(depth < 0, belly * _BACK, belly).astype(np.float32)
    volume = film[None] - ((depth / halves) ** 2)[:, None, None]
    found: Any = marching_cubes
    corners, faces, _, _ = found(volume, 0.0, gradient_direction="ascent")
    return np.stack([corners[:, 2], corners[:, 1], corners[:, 0] - reach], axis=1).astype(np.float32), faces.astype(
        np.int64
    )


def _detail(rgb: Pixels, size: tuple[int, int], film: Floats, corners: Floats) -> Floats:
    """Let what is light in the picture stand out a little on the front, in cells."""
    grey = cv2.cvtColor(resize(rgb, *size), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    fine = cv2.GaussianBlur(grey, (0, 0), 0.9) - cv2.GaussianBlur(grey, (0, 0), 5)
    height = np.pad(fine, _PAD) * np.clip(film / 0.25, 0, 1) * _DETAIL * 4
    moved = map_coordinates(height, corners[:, 1::-1].T, order=1, mode="nearest")
    result: Floats = (moved * np.clip(corners[:, 2], 0, 1)).astype(np.float32)
    return result


def _texture(rgb: Pixels, alpha: Floats, texture_px: int) -> Pixels:
    """Lay the picture, its colours drawn out over the outline, beside a blurred one for the back."""
    high, wide = alpha.shape
    scale = min(texture_px / 2 / wide, texture_px / high)
    size = max(2, int(wide * scale)), max(2, int(high * scale))
    front = resize(_drawn_out(rgb, alpha), *size)
    blurred = cv2.GaussianBlur(front, (0, 0), max(size) / 28).astype(np.float32) * _SHADE
    inner = cv2.resize((alpha > 0.5).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)  # noqa: PLR2004 - half
    away = cv2.distanceTransform(np.pad(np.asarray(inner, np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    # At the seam both sides show the same colours.
    reach = np.clip(away / (_SEAM * max(size)), 0, 1)[..., None]
    back = front + (blurred - front) * reach
    result: Pixels = np.hstack([front, back.astype(np.uint8)])
    return result


def _drawn_out(rgb: Pixels, alpha: Floats) -> Pixels:
    """Replace the background by the colours of the subject's edge."""
    weight = (alpha > 0.9).astype(np.float32)  # noqa: PLR2004 - half-transparent pixels hold the background's colour
    filled = rgb.astype(np.float32) * weight[..., None]
    share = weight.copy()
    for spread in (step * max(rgb.shape) / 512 for step in _FILL_STEPS):
        near = cv2.GaussianBlur(filled * 1.0, (0, 0), spread)
        amount = cv2.GaussianBlur(share, (0, 0), spread)
        missing = (share < 0.5) & (amount > 1e-3)  # noqa: PLR2004
        filled[missing] = near[missing] / amount[missing][:, None]
        share[missing] = 1
    rest = share < 0.5  # noqa: PLR2004
    if rest.any():
        filled[rest] = filled[~rest].mean(axis=0) if (~rest).any() else rgb.mean(axis=(0, 1))
    painted: Pixels = np.clip(filled, 0, 255).astype(np.uint8)
    return painted


def _textured(corners: Floats, faces: Indices, size: tuple[int, int], texture: Pixels) -> Solid:
    """Bring it to size, and give corners at the seam twice: once for the front's picture, once for the back's."""
    wide, high = size
    longest = float(np.ptp(corners, axis=0).max())
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    across = (corners[:, 0] - _PAD + 0.5) / wide
    down = (corners[:, 1] - _PAD + 0.5) / high
    placed = (corners - middle) / longest * np.array((1, -1, 1), np.float32)
    faces = _outwards(placed, faces)
    normals = _normals(placed, faces)
    facing = np.cross(placed[faces[:, 1]] - placed[faces[:, 0]], placed[faces[:, 2]] - placed[faces[:, 0]])
    tilt = facing[:, 2] / np.maximum(np.linalg.norm(facing, axis=1), 1e-12)
    parts = []
    for shift, chosen in ((0.0, faces[tilt >= _SEEN_FROM_FRONT]), (0.5, faces[tilt < _SEEN_FROM_FRONT])):
        used, new = np.unique(chosen, return_inverse=True)
        margin = 1.5 / texture.shape[1]
        u = np.clip(across[used], 2 * margin, 1 - 2 * margin) / 2 + shift
        uv = np.stack([u, 1 - np.clip(down[used], 0, 1)], axis=1)
        parts.append((placed[used], normals[used], uv, new.reshape(-1, 3)))
    count = len(parts[0][0])
    return Solid(
        np.concatenate([part[0] for part in parts]).astype(np.float32),
        np.concatenate([part[1] for part in parts]).astype(np.float32),
        np.concatenate([part[2] for part in parts]).astype(np.float32),
        np.concatenate([parts[0][3], parts[1][3] + count]).astype(np.int64),
        texture,
    )


def _outwards(corners: Floats, faces: Indices) -> Indices:
    """Turn all faces round if they look inwards, which a negative volume shows."""
    first, second, third = (corners[faces[:, index]] for index in range(3))
    volume = float(np.einsum("ij,ij->i", first, np.cross(second, third)).sum())
    return faces if volume > 0 else np.ascontiguousarray(faces[:, ::-1])


def _normals(corners: Floats, faces: Indices) -> Floats:
    """Average the directions of the faces round each corner."""
    first, second, third = (corners[faces[:, index]] for index in range(3))
    facing = np.cross(second - first, third - first)
    sums = np.zeros_like(corners)
    for index in range(3):
        for axis in range(3):
            sums[:, axis] += np.bincount(faces[:, index], facing[:, axis], len(corners)).astype(np.float32)
    result: Floats = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    return result


def _sampled(texture: Pixels, uv: Floats) -> Floats:
    high, wide = texture.shape[:2]
    x = (uv[:, 0] * wide - 0.5).astype(np.float32)[None]
    y = ((1 - uv[:, 1]) * high - 0.5).astype(np.float32)[None]
    # OpenCV takes maps of at most 32767 columns.
    lines = -(-x.shape[1] // _MAP_COLUMNS)
    if not lines:
        return np.zeros((0, 3), np.float32)
    maps = [np.resize(part, (lines, _MAP_COLUMNS)) for part in (x, y)]
    found = cv2.remap(texture, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).reshape(-1, 3)[: x.shape[1]]
