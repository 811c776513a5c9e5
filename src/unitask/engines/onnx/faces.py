"""Faces by insightface's networks: where they are (SCRFD), who they are (ArcFace), and another's in place (inswapper).

Pictures are RGB, uint8 (h, w, 3). Points are (x, y) in pixels: eyes, nose, corners of the mouth, the viewer's left
first. An identity is a unit vector of 512 numbers; that of the same person points nearly the same way.
"""

from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.onnx.initializers import last_initializer
from unitask.runtime.parts import damaged
from unitask.runtime.runtime import Runtime
from unitask.runtime.sessions import Session, session_part
from unitask.spec.faces import numbered

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
ANALYSIS: Final = "insightface-buffalo-l"
SWAPPER: Final = "inswapper-128"
MOST_FACES: Final = 64
SEEN_PX: Final = 640
"""What the detector sees, where its file leaves it open."""
_STRIDES: Final = (8, 16, 32)
_ANCHORS: Final = 2
_CERTAIN: Final = 0.5
_SAME_BOX: Final = 0.4
_KNOWN_PX: Final = 112
_MADE_PX: Final = 128
_WHERE: Final = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)], np.float32
)
"""Where the points lie on the 112 x 112 pixels with which these networks were trained."""
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


@dataclass(frozen=True, slots=True)
class Networks:
    """The three networks, and the matrix that takes an identity to what the swapper wants."""

    detector: Session
    recogniser: Session
    swapper: Session
    matrix: Floats

    @classmethod
    def ready(cls, runtime: Runtime) -> "Networks":
        """Have all three on the device together.

        Raises:
            EngineFailure: the weights are missing, damaged, or do not fit.

        """
        parts = {
            "detector": session_part(runtime, ANALYSIS, "detection/model.onnx"),
            "recogniser": session_part(runtime, ANALYSIS, "recognition/model.onnx"),
            "swapper": session_part(runtime, SWAPPER),
        }
        swapper = parts["swapper"]
        work_bytes = sum(card.memory_bytes for card in {part.card.id: part.card for part in parts.values()}.values())
        opened: dict[str, Any] = runtime.networks(parts, work_bytes=work_bytes)
        try:
            matrix = last_initializer(swapper.path, swapper.digest)
        except (OSError, ValueError) as error:
            raise damaged(swapper.card, swapper.name, error) from error
        return cls(matrix=matrix, **opened)

    def find(self, rgb: Pixels) -> list[Face]:
        """Find faces, numbered from 0 as `spec.faces.numbered` says; of a crowd, those that are seen most clearly."""
        high, wide = (
            side if isinstance(side, int) else SEEN_PX for side in next(iter(self.detector.inputs.values()))[2:]
        )
        scale = min(wide / rgb.shape[1], high / rgb.shape[0])
        size = max(1, int(rgb.shape[1] * scale)), max(1, int(rgb.shape[0] * scale))
        canvas = np.zeros((high, wide, 3), np.float32)
        canvas[: size[1], : size[0]] = cv2.resize(
            rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        )
        made = self.detector((canvas.transpose(2, 0, 1)[None] - 127.5) / 128)
        certain, boxes, points = decoded(made, (high, wide))
        kept = apart(boxes, certain)[:MOST_FACES]
        return numbered([Face(boxes[one] / scale, points[one] / scale) for one in kept])

    def identity(self, rgb: Pixels, face: Face) -> Floats:
        """Tell whose face it is: (512,), of length 1."""
        cut = cut_out(rgb, placing(face.points, _KNOWN_PX), _KNOWN_PX)
        found = self.recogniser((cut.transpose(2, 0, 1)[None] - 127.5) / 127.5)[0].ravel()
        return np.asarray(found / max(float(np.linalg.norm(found)), 1e-6), np.float32)

    def swap(self, rgb: Pixels, points: Floats, identity: Floats) -> None:
        """Give the face with these points another identity, in the picture itself; away from it nothing changes."""
        turn = placing(points, _MADE_PX)
        wanted = identity @ self.matrix
        wanted = wanted / max(float(np.linalg.norm(wanted)), 1e-6)
        cut = cut_out(rgb, turn, _MADE_PX)
        made = self.swapper(cut.transpose(2, 0, 1)[None] / 255, wanted[None])[0][0]
        lay_back(rgb, np.clip(made.transpose(1, 2, 0) * 255, 0, 255), turn)


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


def placing(points: Floats, side: int) -> Floats:
    """Find shift, turn and scale that take points to where the networks want them, by least squares (Umeyama): (2, 3).

    On 128 pixels the face is as large as on 112, eight pixels to the right.
    """
    goal = _WHERE * (side / _KNOWN_PX) if side % _KNOWN_PX == 0 else _WHERE * (side / _MADE_PX) + (side / 16, 0)
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
