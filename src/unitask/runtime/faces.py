"""Faces by insightface's detector (SCRFD), and squares cut out of a picture round them and laid back.

Pictures are RGB, uint8 (h, w, 3). Points are (x, y) in pixels: eyes, nose, corners of the mouth, the viewer's left
first.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.runtime.runtime import Runtime
from unitask.runtime.sessions import Session, SessionPart, session_part
from unitask.spec.faces import numbered

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
ANALYSIS: Final = "insightface-buffalo-l"
MOST_FACES: Final = 64
SEEN_PX: Final = 640
"""What the detector sees, where its file leaves it open."""
_STRIDES: Final = (8, 16, 32)
_ANCHORS: Final = 2
_CERTAIN: Final = 0.5
_SAME_BOX: Final = 0.4
_TOO_FINE: Final = 2.0
"""A square with so many pixels for one of the picture is reduced before it is laid back, or it would flicker."""
_MARGIN: Final = 0.1
_SOFT: Final = 0.05
"""How far from the rim of the square the new face begins, and how softly, in shares of its side."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """`box`: left, top, right, bottom in pixels; `points`: (5, 2)."""

    box: Floats
    points: Floats

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of the box, x and y."""
        left, top, right, bottom = map(float, self.box)
        return (left + right) / 2, (top + bottom) / 2

    @property
    def size(self) -> float:
        """The longer side of the box."""
        return float((self.box[2:] - self.box[:2]).max())


def detector_part(runtime: Runtime) -> SessionPart:
    """Describe the detector.

    Raises:
        EngineFailure: the weights are not here, or have no such file.

    """
    return session_part(runtime, ANALYSIS, "detection/model.onnx")


def find_faces(detector: Session, rgb: Pixels) -> list[Face]:
    """Find faces, numbered from 0 as `spec.faces.numbered` says; of a crowd, those that are seen most clearly."""
    high, wide = (side if isinstance(side, int) else SEEN_PX for side in next(iter(detector.inputs.values()))[2:])
    scale = min(wide / rgb.shape[1], high / rgb.shape[0])
    size = max(1, int(rgb.shape[1] * scale)), max(1, int(rgb.shape[0] * scale))
    canvas = np.zeros((high, wide, 3), np.float32)
    canvas[: size[1], : size[0]] = cv2.resize(
        rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    made = detector((canvas.transpose(2, 0, 1)[None] - 127.5) / 128)
    certain, boxes, points = decoded(made, (high, wide))
    kept = apart(boxes, certain)[:MOST_FACES]
    return numbered([Face(boxes[one] / scale, points[one] / scale) for one in kept])


def decoded(made: list[Floats], size: tuple[int, int]) -> tuple[Floats, Floats, Floats]:
    """Read what SCRFD says of a picture of this (height, width): certainties (n,), boxes (n, 4), points (n, 5, 2).

    For each stride come certainties, then distances to the sides of boxes, then those to points, in strides.
    """
    certain, boxes, points = [], [], []
    for level, stride in enumerate(_STRIDES):
        sure = made[level].ravel()
        rows, columns = np.mgrid[: size[0] // stride, : size[1] // stride]
        places = np.stack([columns, rows], axis=2).reshape(-1, 2).repeat(_ANCHORS, axis=0) * np.float32(stride)
        good = sure > _CERTAIN
        sides = made[level + 3].reshape(-1, 4)[good] * stride
        certain.append(sure[good])
        boxes.append(np.hstack([places[good] - sides[:, :2], places[good] + sides[:, 2:]]))
        points.append(places[good][:, None] + made[level + 6].reshape(-1, 5, 2)[good] * stride)
    return np.concatenate(certain), np.concatenate(boxes).astype(np.float32), np.concatenate(points).astype(np.float32)


def apart(boxes: Floats, certain: Floats) -> list[int]:
    """Choose the surest of boxes (n, 4) that cover each other, the surest first."""
    kept: list[int] = []
    for one in np.argsort(-certain, kind="stable"):
        if all(_shared(boxes[one], boxes[other]) < _SAME_BOX for other in kept):
            kept.append(int(one))
    return kept


def _shared(one: Floats, other: Floats) -> float:
    """Give the share of what two boxes cover together in what any covers."""
    inner = np.clip(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0, None).prod()
    whole = (one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - inner
    return float(inner / max(float(whole), 1e-6))


def placing(points: Floats, goal: Floats) -> Floats:
    """Find shift, turn and scale that take points (5, 2) nearest to where they are wanted (Umeyama): (2, 3)."""
    (x, y), (goal_x, goal_y) = (points - points.mean(axis=0)).T, (goal - goal.mean(axis=0)).T
    whole = max(float((x**2 + y**2).sum()), 1e-6)
    cosine, sine = (x * goal_x + y * goal_y).sum() / whole, (x * goal_y - y * goal_x).sum() / whole
    turn = np.array([(cosine, -sine), (sine, cosine)])
    return np.column_stack([turn, goal.mean(axis=0) - turn @ points.mean(axis=0)]).astype(np.float32)


def cut_out(rgb: Pixels, turn: Floats, side: int) -> Floats:
    """Cut a square out of a picture, turned upright: float32 (side, side, 3) of 0 to 255."""
    return np.asarray(cv2.warpAffine(rgb, turn, (side, side), flags=cv2.INTER_LINEAR), np.float32)


def lay_back(rgb: Pixels, made: Floats, turn: Floats) -> None:
    """Lay a square where `turn` took it from, softly at its rim; only what lies under it is touched."""
    finer = float(np.hypot(*turn[:, 0]))
    if finer > _TOO_FINE:
        share = max(1, round(made.shape[0] / finer)) / made.shape[0]
        made = np.asarray(cv2.resize(made, None, fx=share, fy=share, interpolation=cv2.INTER_AREA))
        turn = turn * share
        turn[:, 2] += (share - 1) / 2
    side = made.shape[0]
    back = cv2.invertAffineTransform(turn)
    corners = np.array([(0, 0), (side, 0), (0, side), (side, side)]) @ back[:, :2].T + back[:, 2]
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, rgb.shape[1::-1])
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, 0, rgb.shape[1::-1])
    if (high <= low).any():
        return
    moved = back.copy()
    moved[:, 2] -= low
    size = int(high[0] - low[0]), int(high[1] - low[1])
    share = cv2.warpAffine(_soft_square(side), moved, size, flags=cv2.INTER_LINEAR)[..., None]
    face = cv2.warpAffine(made, moved, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    region = rgb[low[1] : high[1], low[0] : high[0]]
    region[:] = np.round(region + (face - region) * share)


def _soft_square(side: int) -> Floats:
    """Draw how much of the new face is taken: 1 within, 0 at the rim: (side, side)."""
    mask = np.zeros((side, side), np.float32)
    edge = round(side * _MARGIN)
    mask[edge:-edge, edge:-edge] = 1
    soft = cv2.GaussianBlur(mask, (0, 0), side * _SOFT)
    soft = np.clip((soft - 0.05) / 0.9, 0, 1)
    soft[[0, -1]] = 0
    soft[:, [0, -1]] = 0
    return np.asarray(soft, np.float32)
