"""Painting a region anew, and continuing a picture beyond its edges."""

from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.preview import moods
from unitask.engines.preview.arrays import Floats, Pixels, pixels, step
from unitask.engines.preview.from_text import painted
from unitask.engines.preview.result import store
from unitask.engines.preview.sources import blend, fetch, opaque, resize, roomy, workable
from unitask.engines.preview.strip import Label
from unitask.kit.errors import TaskFailure
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

WHITE_FROM: Final = 250
_SMALLEST_SHARE: Final = 0.0002
_SMALLEST_PX: Final = 16
_WORKING_PX: Final = 120_000
_SCENES_PAINTED: Final = 3


def inpaint(inputs: Any, job: Job) -> Output:
    """Paint the pure white or transparent region from the prompt; every other pixel above the strip stays.

    Raises:
        TaskFailure: the picture has no such region.

    """
    job.progress(0.05, "reading the picture")
    given = fetch(inputs, job, "image")
    mask = region(given)
    if not mask.any():
        raise TaskFailure("no region to repaint: paint it pure white in `image`")
    job.progress(0.3, "painting the region")
    picture = given.copy()
    _fill(picture, mask, inputs, job.seed)
    job.progress(0.9, "saving")
    reference = store(job, picture, Label(inputs.prompt, job.seed, [given]))
    job.progress(1.0)
    return Output(ImageResult.of(reference))


def region(picture: Pixels) -> Pixels:
    """Where to repaint, 1 or 0: fully transparent, or pure white give or take 5; specks do not count."""
    mask = (picture[..., :3].min(axis=2) >= WHITE_FROM).astype(np.uint8)
    if picture.shape[2] > 3:  # noqa: PLR2004 - the number of channels
        mask |= (picture[..., 3] == 0).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    smallest = max(_SMALLEST_PX, int(mask.size * _SMALLEST_SHARE))
    kept = stats[:, cv2.CC_STAT_AREA] >= smallest
    kept[0] = False
    return np.asarray(kept[labels], np.uint8)


def _fill(picture: Pixels, mask: Pixels, inputs: Any, seed: int) -> None:
    """Run the surroundings into the region, then paint the scene into each of its largest parts; in place."""
    whole = opaque(picture)
    filled = _smeared(whole, mask)
    around = whole[mask == 0]
    sample = np.ascontiguousarray(around[:: max(1, len(around) // 20_000)][None])
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    largest = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA])[:_SCENES_PAINTED]
    for part in largest:
        left, top, width, height = (int(value) for value in stats[part][:4])
        box = np.s_[top : top + height, left : left + width]
        new = painted(inputs, *roomy(width, height), seed)
        if sample.size:
            new = moods.like(new, sample, 0.25)
        new = resize(new, width, height)
        inside = np.pad((labels[box] == part).astype(np.uint8), 1)
        away = np.asarray(cv2.distanceTransform(inside, cv2.DIST_L2, 5), np.float32)[1:-1, 1:-1]
        rim = max(min(width, height) * 0.07, 2.0)
        filled[box] = blend(filled[box], new, step(0.0, rim, away))
    inside_all = mask.astype(bool)
    picture[..., :3][inside_all] = filled[inside_all]
    picture[..., 3:][inside_all] = 255


def _smeared(picture: Pixels, mask: Pixels) -> Pixels:
    """Let the colours round the region run into it."""
    small = workable(picture, _WORKING_PX).astype(np.float32)
    height, width = small.shape[:2]
    # A pixel that is partly white would run in as white: the hole is taken a little larger.
    hole = cv2.dilate(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA), np.ones((5, 5), np.uint8))
    known = 1 - np.asarray(hole, np.float32)
    total, weight = np.zeros_like(small), np.full(known.shape, 1e-6, np.float32)
    for spread in (2.0, 8.0, 32.0, 128.0):
        share = np.asarray(cv2.GaussianBlur(known, (0, 0), spread), np.float32) / spread**2
        colours = np.asarray(cv2.GaussianBlur(small * known[..., None], (0, 0), spread), np.float32) / spread**2
        total, weight = total + colours, weight + share
    smooth = pixels(total / weight[..., None])
    return resize(smooth, picture.shape[1], picture.shape[0])


def outpaint(inputs: Any, job: Job) -> Output:
    """Continue the picture on each side: its mirror image, which turns into the prompt's scene further out.

    Raises:
        TaskFailure: more pixels would be added than the product allows.

    """
    job.progress(0.05, "reading the picture")
    given = fetch(inputs, job, "image")
    sides = inputs.custom_settings[0]
    top, left = sides.outpaint_top, sides.outpaint_left
    height = given.shape[0] + top + sides.outpaint_bottom
    width = given.shape[1] + left + sides.outpaint_right
    _check_added(width * height - given.shape[0] * given.shape[1], job)
    job.progress(0.2, "painting beyond the edges")
    place = (left, top, given.shape[1], given.shape[0])
    picture = _continued(opaque(given), place, (width, height), inputs, job.seed)
    picture[top : top + given.shape[0], left : left + given.shape[1]] = opaque(given)
    job.progress(0.9, "saving")
    reference = store(job, picture, Label(inputs.prompt, job.seed, [given]))
    job.progress(1.0)
    return Output(ImageResult.of(reference))


def _check_added(added_px: int, job: Job) -> None:
    limit = job.recipe.options.get("limit_added_pixels")
    if limit is not None and added_px > limit:
        raise TaskFailure(f"the outpaint would add {added_px} pixels to this picture, the limit is {limit}: add fewer")


def _continued(
    picture: Pixels,
    place: tuple[int, int, int, int],
    size: tuple[int, int],
    inputs: Any,
    seed: int,
) -> Pixels:
    left, top, wide, high = place
    width, height = size
    mirror = cv2.copyMakeBorder(
        picture,
        top,
        height - top - high,
        left,
        width - left - wide,
        cv2.BORDER_REFLECT_101 if min(wide, high) > 1 else cv2.BORDER_REPLICATE,
    )
    small = workable(np.asarray(mirror, np.uint8))
    wider, higher = small.shape[1] / width, small.shape[0] / height
    away = _distance((small.shape[1], small.shape[0]), [left * wider, top * higher, wide * wider, high * higher])
    reach = max(min(wide * wider, high * higher) * 0.55, 4.0)
    softly = blend(small, _blurred(small), step(0.0, reach * 0.5, away))
    new = moods.like(painted(inputs, small.shape[1], small.shape[0], seed), picture, 0.45)
    return resize(blend(softly, new, step(reach * 0.12, reach, away) * 0.85), width, height)


def _blurred(picture: Pixels) -> Pixels:
    spread = max(min(picture.shape[:2]) / 45, 1.0)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), spread), np.uint8)


def _distance(size: tuple[int, int], place: list[float]) -> Floats:
    """How far each pixel lies outside the rectangle (left, top, width, height), in pixels."""
    left, top, wide, high = place
    x = np.arange(size[0], dtype=np.float32)[None, :]
    y = np.arange(size[1], dtype=np.float32)[:, None]
    across = np.maximum(np.maximum(left - x, x - (left + wide - 1)), 0)
    down = np.maximum(np.maximum(top - y, y - (top + high - 1)), 0)
    result: Floats = np.hypot(across, down)
    return result
