"""Upright faces seen from the front: where they are, and their eyes and mouths.

is it a face     three Haar cascades vote (Viola and Jones 2001)
its eyes         two more cascades, then the pupils, on which most gradients agree (Timm and Barth 2011)
its mouth        the darkest and reddest line in the window below the eyes
"""

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.spec.faces import numbered

Pixels = NDArray[Any]
Points = NDArray[Any]
"""Places as (x, y) in pixels: (n, 2)."""

SMALL_PX: Final = 512
LARGE_PX: Final = 1024
MOST_ENLARGED: Final = 4.0
"""Sides up to which small pictures are enlarged, and large ones reduced, before cascades look at them."""
LEAST_FACE_PX: Final = 24
LEAST_SHARE: Final = 0.05
CASCADES: Final = ("frontalface_alt2", "frontalface_default", "frontalface_alt")
EYE_CASCADES: Final = ("eye_tree_eyeglasses", "lefteye_2splits", "righteye_2splits")
VOTES: Final = 2
SURE: Final = 164.5
"""Weights of the last stages of the first and third cascade, together, from which a face is believed without eyes."""
SAME: Final = 0.5
PATCH_PX: Final = 200
EYES: Final = ((0.3, 0.385), (0.7, 0.385))
"""Where eyes usually are in the box of a face, as shares of it."""
EYE_ERROR: Final = 0.1
PUPIL_PX: Final = 40
LEAST_GRADIENTS: Final = 10
MOUTH_ROWS: Final = slice(84, 126)
MOUTH_COLUMNS: Final = slice(66, 134)
"""The window in which a mouth is looked for, on a canvas with the eyes at (80, 60) and (120, 60)."""
STRANGE_LAB: Final = np.array((12.0, 6.0, 8.0), np.float32)
MOUTH_DEPTH: Final = (0.8, 1.35)
MOUTH_ASIDE: Final = 0.12
"""How far below the eyes, and aside of their middle, a mouth can be, in distances between the eyes."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """`box`: left, top and side of the square round it, in pixels. `anchors`: left eye, right eye, mouth.

    Left and right are the viewer's.
    """

    box: tuple[float, float, float]
    anchors: Points

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of the square, x and y."""
        left, top, side = self.box
        return left + side / 2, top + side / 2

    @property
    def size(self) -> float:
        """The side of the square."""
        return self.box[2]


def find(rgb: Pixels, small_px: int = SMALL_PX, large_px: int = LARGE_PX) -> list[Face]:
    """Find the faces of a picture, uint8 (h, w, 3), numbered from 0 as `numbered` says.

    Faces of less than a twentieth of the shorter side are passed over.
    """
    longest = max(rgb.shape[:2])
    scale = min(MOST_ENLARGED, small_px / longest) if longest < small_px else min(1.0, large_px / longest)
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    seen = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    grey = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)
    found = []
    for box, sure in _boxes(cv2.equalizeHist(grey)):
        eyes, seen_eyes = _eyes(grey, box)
        if seen_eyes or sure:
            anchors = np.array([*eyes, _mouth(seen, eyes)]) / scale
            found.append(Face((box[0] / scale, box[1] / scale, box[2] / scale), anchors))
    return numbered(found)


@cache
def _cascade(name: str) -> Any:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / f"haarcascade_{name}.xml"))


def _boxes(grey: Pixels) -> list[tuple[Points, bool]]:
    """Give left, top and side of what at least two cascades take for a face, and whether all are sure of it.

    The most careful cascade looks everywhere, the others where it saw something.
    """
    least = max(LEAST_FACE_PX, int(min(grey.shape) * LEAST_SHARE))
    found: list[tuple[Points, bool]] = []
    for box, weight in sorted(_seen_by(CASCADES[0], grey, least), key=lambda one: -one[1]):
        if any(_shared(box, other) > SAME for other, _ in found):
            continue
        low = np.maximum(box[:2] - 0.3 * box[2], 0).astype(int)
        high = np.ceil(box[:2] + 1.3 * box[2]).astype(int)
        window = grey[low[1] : high[1], low[0] : high[0]]
        offset = np.array((*low, 0))
        boxes, weights = [box], [weight]
        for name in CASCADES[1:]:
            near = [
                (other + offset, how_sure)
                for other, how_sure in _seen_by(name, window, int(0.7 * box[2]), int(1.4 * box[2]))
                if _shared(other + offset, box) > SAME
            ]
            if near:
                other, how_sure = max(near, key=lambda one: one[1])
                boxes.append(other)
                weights.append(how_sure)
        if len(boxes) >= VOTES:
            sure = len(boxes) == len(CASCADES) and weights[0] + weights[2] > SURE
            found.append((np.median(boxes, axis=0), sure))
    return found


def _seen_by(name: str, grey: Pixels, least: int, most: int = 0) -> list[tuple[Points, float]]:
    """Give left, top and side of what one cascade takes for faces of `least` to `most` pixels, and how sure it is."""
    boxes, _, weights = _cascade(name).detectMultiScale3(
        grey, 1.08, 4, minSize=(least, least), maxSize=(most, most), outputRejectLevels=True
    )
    squares = np.array(boxes, np.float64).reshape(-1, 4)[:, :3]
    return list(zip(squares, np.ravel(weights).tolist(), strict=True))


def _shared(one: Points, other: Points) -> float:
    """Give the common area of two boxes as a share of the smaller one."""
    least, most = np.maximum(one[:2], other[:2]), np.minimum(one[:2] + one[2], other[:2] + other[2])
    wide, high = np.maximum(most - least, 0)
    return float(wide * high / min(one[2], other[2]) ** 2)


def _eyes(grey: Pixels, box: Points) -> tuple[Points, bool]:
    """Find the pupils in a box; says too whether the cascades saw an eye, or the pupils lie near the usual places."""
    left, top, side = box
    patch = cv2.getRectSubPix(grey, (max(1, round(side)),) * 2, (left + side / 2, top + side / 2))
    plain = cv2.resize(patch, (PATCH_PX, PATCH_PX), interpolation=cv2.INTER_CUBIC)
    pair, seen = _sockets(plain)
    face = cv2.equalizeHist(plain)
    pupils = np.array([_pupil(face, socket) for socket in pair])
    return box[:2] + pupils * side / PATCH_PX, seen


def _sockets(face: Pixels) -> tuple[Points, bool]:
    """Choose the pair of eyes that lies most like eyes do; a single one is mirrored; else the usual places."""
    usual = np.array(EYES) * PATCH_PX
    upper = face[: int(PATCH_PX * 0.6)]
    spots = [
        (x + wide / 2, y + high / 2)
        for name in EYE_CASCADES
        for x, y, wide, high in _cascade(name).detectMultiScale(upper, 1.06, 3, minSize=(24, 24), maxSize=(75, 75))
    ]
    pairs = [np.array(sorted(pair)) for pair in combinations(spots, 2)]
    pairs += [np.array(sorted((spot, (PATCH_PX - spot[0], spot[1])))) for spot in spots]
    errors = [
        float(np.abs(pair - usual).mean()) / PATCH_PX + (number >= len(pairs) - len(spots)) * EYE_ERROR / 3
        for number, pair in enumerate(pairs)
    ]
    if not errors or min(errors) > EYE_ERROR:
        return usual, False
    return pairs[int(np.argmin(errors))], True


def _pupil(face: Pixels, socket: Points) -> Points:
    """Find the place near `socket` from which most gradients point away: dark and round."""
    reach = np.array((0.1, 0.075)) * PATCH_PX
    low = np.clip(np.round(socket - reach), 0, PATCH_PX - 2).astype(int)
    high = np.clip(np.round(socket + reach), low + 2, PATCH_PX).astype(int)
    eye = cv2.GaussianBlur(face[low[1] : high[1], low[0] : high[0]], (5, 5), 0).astype(np.float32)
    across, down = cv2.Sobel(eye, cv2.CV_32F, 1, 0), cv2.Sobel(eye, cv2.CV_32F, 0, 1)
    steep = np.hypot(across, down)
    y, x = np.nonzero(steep > steep.mean() + 0.3 * steep.std())
    if len(x) < LEAST_GRADIENTS:
        return socket
    away = np.stack([across[y, x], down[y, x]]) / steep[y, x]
    rows, columns = (axis.ravel() for axis in np.indices(eye.shape))
    offset = np.stack([x - columns[:, None], y - rows[:, None]]).astype(np.float32)
    offset /= np.hypot(*offset) + 1e-6
    agree = np.maximum((offset * away[:, None]).sum(axis=0), 0)
    score = (agree**2).mean(axis=1).reshape(eye.shape) * (255 - eye)
    place = (np.indices(eye.shape) + low[::-1, None, None] - socket[::-1, None, None]) / reach[::-1, None, None]
    score *= np.exp(-1.2 * (place**2).sum(axis=0))
    row, column = np.unravel_index(int(score.argmax()), score.shape)
    pupil: Points = low + np.array((column, row), np.float64)
    return pupil


def _mouth(seen: Pixels, eyes: Points) -> Points:
    """Find the middle of the lips: by the line between them, and by all that has not the colour of the cheeks."""
    turn = cv2.getAffineTransform(upright(eyes), np.array([(80, 60), (120, 60), (100, 100)], np.float32))
    level = cv2.warpAffine(seen, turn, (200, 140), borderMode=cv2.BORDER_REPLICATE)
    lab = cv2.cvtColor(level.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    cheek = np.median(lab[72:94, [*range(76, 88), *range(112, 124)]].reshape(-1, 3), axis=0)
    window = lab[MOUTH_ROWS, MOUTH_COLUMNS]
    rows, columns = (axis.astype(np.float32) for axis in np.mgrid[MOUTH_ROWS, MOUTH_COLUMNS])
    strange = np.minimum(np.sqrt((((window - cheek) / STRANGE_LAB) ** 2).sum(axis=2)), 3)
    middle = slice(20, 48)
    light, red = window[:, middle, 0], window[:, middle, 1]
    dark = (cv2.GaussianBlur(light, (0, 0), 6) - cv2.GaussianBlur(light, (0, 0), 1.2)).mean(axis=1)
    line = dark + 0.5 * red.mean(axis=1)
    likely = np.exp(-0.5 * ((rows[:, 0] - 103) / 8.0) ** 2)
    by_line = rows[int(np.argmax((line - line.min()) * likely)), 0]
    profile = strange[:, middle].mean(axis=1)
    weight = np.maximum(profile - np.percentile(profile, 20), 0) ** 2 * likely + 1e-6
    row = (by_line + (weight * rows[:, 0]).sum() / weight.sum()) / 2
    near = np.exp(-0.5 * (((rows - row) / 5) ** 2 + ((columns - 100) / 12) ** 2))
    spots = np.maximum(strange - 1, 0) ** 2 * near
    aside = 0.8 * (spots * (columns - 100)).sum() / (spots.sum() + 1e-6)
    return np.asarray(cv2.invertAffineTransform(turn) @ np.array((100 + aside, row, 1.0)), np.float64)


def upright(eyes: Points) -> NDArray[np.float32]:
    """Give the eyes, and the point as far below their middle as they lie apart: float32 (3, 2)."""
    first, second = eyes
    across = second - first
    return np.array([first, second, (first + second) / 2 + (-across[1], across[0])], np.float32)


def steady(anchors: Points) -> NDArray[np.float32]:
    """Move a mouth that cannot be to where it can: float32 (3, 2)."""
    first, second, mouth = anchors
    middle, across = (first + second) / 2, second - first
    down = np.array((-across[1], across[0]))
    away = (mouth - middle) / float(across @ across)
    aside = float(np.clip(away @ across, -MOUTH_ASIDE, MOUTH_ASIDE))
    depth = float(np.clip(away @ down, *MOUTH_DEPTH))
    return np.array([first, second, middle + aside * across + depth * down], np.float32)
