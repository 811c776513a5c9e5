"""Telling a subject from its background, frame by frame, by colour and place."""

from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.preview.arrays import Floats, Pixels, step
from unitask.engines.preview.video.people import Face, Mask, body, faces, grabbed

_WORK_SIDE_PX: Final = 160
_BORDER: Final = 0.06
_COLOURS: Final = 4
_ALIKE: Final = 25.0
_PLAIN: Final = 0.6
_INERTIA: Final = 0.4
_LOOK_EVERY: Final = 48
_LEAST: Final = 0.01


class Key:
    """Finds the subject of frames that follow each other; what was found last counts a little, so that it is steady."""

    def __init__(self) -> None:
        self._before: Floats | None = None
        self._people: list[Face] = []
        self._seen = 0
        self._plain = False

    def subject(self, frame: Pixels) -> Floats:
        """Say how much of each pixel of (height, width, 3) is subject: float32 (height, width), 0 to 1."""
        height, width = frame.shape[:2]
        scale = min(1.0, _WORK_SIDE_PX / max(height, width))
        size = (max(2, round(width * scale)), max(2, round(height * scale)))
        small = np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8)
        lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.float32)
        backdrop, share = _backdrop(lab)
        if self._seen == 0:
            self._plain = share >= _PLAIN
        mask = _by_colour(lab, backdrop) if self._plain else self._by_place(frame, small)
        self._seen += 1
        if self._before is not None:
            mask = mask + (self._before - mask) * _INERTIA
        self._before = mask
        return _sharpened(mask, small, frame)

    def _by_place(self, frame: Pixels, small: Pixels) -> Floats:
        """Start from where a person or the last subject is, and look for the edge."""
        if self._seen % _LOOK_EVERY == 0:
            self._people = faces(frame) or self._people
        likely, sure = _places(small, self._people)
        mask = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        if self._before is not None:
            mask[self._before > 0.7] = cv2.GC_PR_FGD  # noqa: PLR2004 - rather subject than not
        mask[:2][~likely[:2]] = cv2.GC_BGD
        mask[sure] = cv2.GC_FGD
        rounds = 1 if self._seen else 3
        found = grabbed(small, mask, rounds)
        return np.asarray(_largest(found if found.mean() > _LEAST else likely.astype(np.float32)), np.float32)


def _places(small: Pixels, people: list[Face]) -> tuple[Mask, Mask]:
    """Say where the subject is likely, and where surely: round each face, else in the middle."""
    rows, columns = small.shape[:2]
    x = (np.arange(columns, dtype=np.float32)[None, :] + 0.5) / columns
    y = (np.arange(rows, dtype=np.float32)[:, None] + 0.5) / columns
    bottom = rows / columns
    if not people:
        off = np.hypot((x - 0.5) / 0.34, (y / bottom - 0.56) / 0.42)
        return off < 1, off < 0.15  # noqa: PLR2004 - the innermost of an oval
    found = [body(x, y, bottom, face) for face in people]
    return np.logical_or.reduce([likely for likely, _ in found]), np.logical_or.reduce([sure for _, sure in found])


def _backdrop(lab: Floats) -> tuple[Floats, float]:
    """Find the main colour of the border with those that are like it, (n, 3), and how much of the border they are."""
    rows, columns = lab.shape[:2]
    high, wide = max(1, round(rows * _BORDER)), max(1, round(columns * _BORDER))
    # The lower border belongs to people more often than not.
    upper = lab[: max(1, rows * 2 // 3)]
    border = np.concatenate([part.reshape(-1, 3) for part in (lab[:high], upper[:, :wide], upper[:, -wide:])])
    cv2.setRNGSeed(1)
    rule = (cv2.TERM_CRITERIA_MAX_ITER, 8, 1.0)
    count = min(_COLOURS, len(border))
    _, labels, colours = cv2.kmeans(border, count, None, rule, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    shares = np.bincount(labels.ravel(), minlength=count) / len(border)
    alike = np.linalg.norm(colours - colours[shares.argmax()], axis=1) < _ALIKE
    return np.asarray(colours[alike], np.float32), float(shares[alike].sum())


def _by_colour(lab: Floats, backdrop: Floats) -> Floats:
    """Take for subject what is unlike the backdrop."""
    away = np.min([np.linalg.norm(lab - colour, axis=2) for colour in backdrop], axis=0)
    rough: Any = step(10.0, 26.0, away.astype(np.float32))
    rough = cv2.morphologyEx(rough, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.asarray(_largest(cv2.morphologyEx(rough, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))), np.float32)


def _largest(mask: Any) -> Any:
    """Keep the largest piece and those at least a fifth as large, without holes; all of it if there is none."""
    solid = (mask > 0.4).astype(np.uint8)  # noqa: PLR2004 - rather subject than not
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(solid)
    if count < 2:  # noqa: PLR2004 - the background is a piece, too
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = np.isin(pieces, 1 + np.flatnonzero(areas >= areas.max() / 5)).astype(np.uint8)
    outlines, _ = cv2.findContours(kept, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(kept), outlines, -1, (1,), cv2.FILLED)
    return np.maximum(mask * kept, cv2.GaussianBlur(cv2.erode(filled, np.ones((3, 3))).astype(np.float32), (3, 3), 0))


def _sharpened(mask: Floats, small: Pixels, frame: Pixels) -> Floats:
    """Bring the mask to the frame's size along its edges: guided filter, He 2013, with slopes from the small copy."""
    guide = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32) / 255
    mean, target = _mean(guide), _mean(mask)
    slope = (_mean(guide * mask) - mean * target) / (_mean(guide * guide) - mean * mean + 4e-4)
    offset = target - slope * mean
    size = (frame.shape[1], frame.shape[0])
    grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.float32) / 255
    slopes: Any = cv2.resize(_mean(slope), size, interpolation=cv2.INTER_LINEAR)
    offsets: Any = cv2.resize(_mean(offset), size, interpolation=cv2.INTER_LINEAR)
    return step(0.3, 0.7, np.asarray(slopes * grey + offsets, np.float32))


def _mean(plane: Floats) -> Floats:
    return np.asarray(cv2.blur(plane, (7, 7), borderType=cv2.BORDER_REFLECT), np.float32)
