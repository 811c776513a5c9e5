"""Two people of one picture, cut out roughly, move together."""

from collections.abc import Iterator
from math import pi, radians, sin
from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.preview.arrays import Floats, Pixels, pixels
from unitask.engines.preview.sources import fetch, opaque, resize
from unitask.engines.preview.strip import Label
from unitask.engines.preview.video.camera import Scenery, View
from unitask.engines.preview.video.film import Film, film_of, shoot
from unitask.engines.preview.video.people import Face, body, faces, framed, grabbed
from unitask.spec.engine import Job, Output
from unitask.spec.product import VideoResult

WARNING: Final = "two parts of the picture slide together: no arm moves"
_WORK_ROWS: Final = 240
_TOGETHER_AT: Final = 0.6
_LEAN_DEG: Final = 5.0
_FOOT: Final = 1.05
_MOST_WAY: Final = 0.13
_MOST_UNKNOWN_WAY: Final = 0.05
_FEWEST: Final = 0.06
_MOST: Final = 0.85
_TWO: Final = 2


def hug(inputs: Any, job: Job) -> Output:
    """Let the two people of a picture lean against each other, and come nearer."""
    film = film_of(inputs, job)
    job.progress(0.02, "reading the picture")
    given = opaque(fetch(inputs, job, "image_url"))
    job.warn(WARNING)
    pair = _Pair(framed(given, *film.size))
    reference, _ = shoot(job, film, _embracing(pair, film), Label("two people hug", job.seed, [given]))
    return Output(VideoResult.of(reference))


def _embracing(pair: "_Pair", film: Film) -> Iterator[Pixels]:
    for share in film.shares:
        gone = min(share / _TOGETHER_AT, 1.0)
        near = gone * gone * (3 - 2 * gone)
        sway = max(0.0, share - _TOGETHER_AT) / (1 - _TOGETHER_AT) * sin(2 * pi * share * film.duration_s / 2.6)
        yield Scenery(pair.at(near, sway)).seen(pair.view(near))


class _Pair:
    """Both people and the blurred place behind them."""

    def __init__(self, picture: Pixels) -> None:
        self._height, self._width = picture.shape[:2]
        found = sorted(sorted(faces(picture), key=lambda face: -face.width)[:_TWO], key=lambda face: face.x)
        known = len(found) == _TWO
        if not known:
            split = _gap(picture)
            found = [Face(split / 2, 0.4, 0.2), Face((1 + split) / 2, 0.4, 0.2)]
            covers = [_half(picture, split, left=left) for left in (True, False)]
        else:
            split = (found[0].x + found[1].x) / 2
            covers = [_cover(picture, split, face, left=left) for face, left in zip(found, (True, False), strict=True)]
        self._place = _emptied(picture, np.maximum(*covers))
        self._layers = [
            np.concatenate([picture * cover[..., None], cover[..., None]], axis=2).astype(np.float32)
            for cover in covers
        ]
        self._faces = found
        self._heads = (found[0].y + found[1].y) / 2
        # Both lean over as well as they slide: then cheek is to touch cheek.
        self._lean_deg = _LEAN_DEG if known else 0.0
        leaning = (_FOOT - self._heads) * self._height / self._width * sin(radians(self._lean_deg))
        apart = found[1].x - found[0].x - 1.1 * (found[0].width + found[1].width) / 2
        self._way = min(max(0.0, apart / 2 - leaning), _MOST_WAY if known else _MOST_UNKNOWN_WAY)

    def view(self, near: float) -> View:
        """Come so near that the empty rims, from where people slid away, are out of sight."""
        zoom = 1 / (1 - 2 * self._way * near)
        return View(zoom=zoom, down=(self._heads - 0.5) * (1 - 1 / zoom) * self._height / self._width)

    def at(self, near: float, sway: float) -> Pixels:
        """Show them: `near` 0 is where they stood, 1 together; `sway` -1 to 1 leans both to one side."""
        scene = self._place.copy()
        for towards, face, layer in zip((1, -1), self._faces, self._layers, strict=True):
            foot = (face.x * self._width, self._height * _FOOT)
            matrix = cv2.getRotationMatrix2D(foot, 0.8 * sway - towards * self._lean_deg * near, 1.0)
            matrix[0, 2] += towards * self._way * near * self._width
            moved: Any = cv2.warpAffine(layer, matrix, (self._width, self._height), borderMode=cv2.BORDER_REPLICATE)
            scene += moved[..., :3] - scene * moved[..., 3:]
        return pixels(scene + 0.5)


def _gap(picture: Pixels) -> float:
    """Find the column between two people, near the middle, where least happens; a share of the width."""
    small = resize(picture, 96, 64).astype(np.float32)
    change = np.abs(np.diff(small, axis=0)).sum(axis=(0, 2))
    calm = np.convolve(change, np.ones(5) / 5, "same")[36:60]
    columns = np.arange(36, 60)
    return float(columns[np.argmin(calm * (1 + np.abs(columns - 48) / 24))]) / 96


def _half(picture: Pixels, split: float, *, left: bool) -> Floats:
    """Take one side of the picture with a soft edge: (height, width), 0 to 1."""
    height, width = picture.shape[:2]
    x = np.arange(width, dtype=np.float32)[None, :] / width
    edge = (split - x if left else x - split) / 0.1 + 0.5
    result: Floats = np.clip(edge, 0, 1) * np.ones((height, 1), np.float32)
    return result


def _cover(picture: Pixels, split: float, face: Face, *, left: bool) -> Floats:
    """Cut the person with this face out: (height, width), 0 to 1. Where that fails, it is the whole side."""
    height, width = picture.shape[:2]
    columns = max(16, round(_WORK_ROWS * width / height))
    small = resize(picture, columns, _WORK_ROWS)
    x = np.arange(columns, dtype=np.float32)[None, :] / columns
    y = np.arange(_WORK_ROWS, dtype=np.float32)[:, None] / _WORK_ROWS
    half = (x < split if left else x >= split) & (y >= 0)
    likely, sure = body(x, y * height / width, height / width, face)
    mask = np.full(half.shape, cv2.GC_BGD, np.uint8)
    mask[half] = cv2.GC_PR_BGD
    mask[half & likely] = cv2.GC_PR_FGD
    mask[half & sure] = cv2.GC_FGD
    found = grabbed(small, mask, 4)
    if not _FEWEST < found.sum() / max(half.sum(), 1) < _MOST:
        return _half(picture, split, left=left)
    tidy: Any = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    soft: Any = cv2.GaussianBlur(cv2.resize(tidy, (width, height)), (0, 0), max(height / 300, 0.5))
    return np.asarray(soft, np.float32)


def _emptied(picture: Pixels, cover: Floats) -> Floats:
    """Blur the place behind the people without their colours: float32 (height, width, 3), 0 to 255."""
    height, width = picture.shape[:2]
    free = (1 - cover)[..., None] + 1e-3
    small: Any = cv2.resize(np.concatenate([picture * free, free], axis=2), (width // 4 + 1, height // 4 + 1))
    blurred: Any = cv2.GaussianBlur(small, (0, 0), max(height / 60, 1))
    wide: Any = cv2.GaussianBlur(small, (0, 0), max(height / 12, 1))
    mixed = blurred + 0.03 * wide
    place: Any = cv2.resize(mixed[..., :3] / mixed[..., 3:], (width, height))
    return np.asarray(place, np.float32)
