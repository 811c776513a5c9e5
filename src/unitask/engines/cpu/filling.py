"""Taking something out of a picture, and continuing a picture beyond its edges, with what the rest of it looks like."""

from math import ceil, sqrt
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unitask.engines.cpu import faces, fetch_picture, save_picture
from unitask.engines.cpu.patches import Guide, fill
from unitask.engines.cpu.subject import find_subject
from unitask.kit.errors import TaskFailure
from unitask.kit.pictures import white_region
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

Pixels = NDArray[Any]

RING_PX: Final = 2
"""Round the region lie pixels that are partly white: they are filled too."""
SEEN_PX: Final = 48
"""What the engine looks at round a region, at least."""
WORKED_PX: Final = 2_100_000
"""Larger parts are filled at a smaller size."""
GUIDE_PX: Final = 400
"""Longest side at which the subject is looked for."""
HEAD: Final = (0.8, 1.0)
"""What is not copied round a face: half axes as shares of its size."""
RGBA: Final = 4
OPAQUE: Final = 255
MOST_SHARE: Final = 0.6
NOTHING_SHARE: Final = 0.97
NO_PROMPT: Final = "the prompt was not followed: the engine cpu {does} with what the rest of the picture looks like"


def inpaint(inputs: Any, job: Job) -> Output:
    """Fill the pure white or transparent region; every pixel farther than `RING_PX` from it stays.

    Raises:
        TaskFailure: the picture has no such region, or nothing else.

    """
    job.progress(0.02, "reading the picture")
    picture = fetch_picture(inputs, "image", job)
    given = np.asarray(picture.image)
    hole = white_region(given)
    if not hole.any():
        raise TaskFailure("no region to repaint: paint it pure white in `image`")
    job.warn(NO_PROMPT.format(does="takes out what was there and fills the region"))
    if hole.mean() > MOST_SHARE:
        job.warn(f"the white region covers {hole.mean():.0%} of the picture: little is left to fill it from")
    ring = cv2.dilate(hole.astype(np.uint8), np.ones((2 * RING_PX + 1,) * 2, np.uint8)) > 0
    result = given.copy()
    result[..., :3] = _filled(np.ascontiguousarray(given[..., :3]), ring, job)
    result[..., 3:][hole] = OPAQUE
    job.progress(0.95, "saving")
    reference = save_picture(Image.fromarray(result), picture, job)
    job.progress(1.0)
    return Output(ImageResult.of(reference))


def outpaint(inputs: Any, job: Job) -> Output:
    """Continue the picture on each side; what was sent stays as it was, at its place.

    Raises:
        TaskFailure: more pixels would be added than the product allows.

    """
    job.progress(0.02, "reading the picture")
    picture = fetch_picture(inputs, "image", job)
    given = np.asarray(picture.image)
    sides = inputs.custom_settings[0]
    top, left = sides.outpaint_top, sides.outpaint_left
    high, wide = given.shape[:2]
    size = (high + top + sides.outpaint_bottom, wide + left + sides.outpaint_right)
    _check_added(size[0] * size[1] - high * wide, job)
    if inputs.prompt.strip():
        job.warn(NO_PROMPT.format(does="continues the picture"))
    place = np.s_[top : top + high, left : left + wide]
    result = np.full((*size, given.shape[2]), OPAQUE, np.uint8)
    result[place] = given
    hole = np.ones(size, bool)
    hole[place] = False if given.shape[2] < RGBA else given[..., 3] == 0
    if hole.any():
        filled = _filled(np.ascontiguousarray(result[..., :3]), hole, job)
        hole[place] = False
        result[..., :3][hole] = filled[hole]
    job.progress(0.95, "saving")
    reference = save_picture(Image.fromarray(result), picture, job)
    job.progress(1.0)
    return Output(ImageResult.of(reference))


def _check_added(added_px: int, job: Job) -> None:
    limit = job.recipe.options["limit_added_pixels"]
    if added_px > limit:
        raise TaskFailure(f"the outpaint would add {added_px} pixels to this picture, the limit is {limit}: add fewer")


def _filled(rgb: Pixels, hole: Pixels, job: Job) -> Pixels:
    """Fill the hole, looking at no more than what lies round it; at a smaller size where that is too much."""
    if hole.mean() > NOTHING_SHARE:
        raise TaskFailure("nothing is left round the region from which it could be filled: send more of the picture")
    belongs, barred = _things(rgb, hole)
    job.progress(0.15, "filling")
    window = _window(hole)
    part, gap = rgb[window], hole[window]
    scale = min(1.0, sqrt(WORKED_PX / gap.size))
    if scale < 1:
        size = ceil(part.shape[1] * scale), ceil(part.shape[0] * scale)
        small, small_gap = (
            cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in (part, gap.astype(np.float32))
        )
    else:
        small, small_gap = part, gap
    guide = Guide(
        cv2.resize(belongs[window], small.shape[1::-1], interpolation=cv2.INTER_AREA),
        cv2.resize(barred[window], small.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0,
    )
    new = fill(
        small,
        small_gap > 0,
        np.random.default_rng(job.seed),
        lambda done: job.progress(0.15 + 0.75 * done, "filling"),
        guide,
    )
    if scale < 1:
        new = cv2.resize(new, part.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    result = rgb.copy()
    result[window][gap] = np.clip(new[gap] + 0.5, 0, 255).astype(np.uint8)
    return result


def _things(rgb: Pixels, hole: Pixels) -> tuple[Pixels, Pixels]:
    """Say what belongs to the subject, float32 (h, w), and what is too near a face to be copied, uint8 (h, w).

    In the hole it belongs to the subject where the nearest place outside does.
    """
    scale = min(1.0, GUIDE_PX / max(hole.shape))
    size = max(8, round(hole.shape[1] * scale)), max(8, round(hole.shape[0] * scale))
    seen = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    gap = cv2.resize(hole.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    plain = cv2.inpaint(seen, gap, 3, cv2.INPAINT_TELEA)
    thing = find_subject(plain).astype(np.float32)
    nearest = cv2.distanceTransformWithLabels(gap, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)[1]
    known = np.zeros(int(nearest.max()) + 1, np.float32)
    known[nearest[gap == 0]] = thing[gap == 0]
    belongs = cv2.resize(known[nearest], hole.shape[::-1], interpolation=cv2.INTER_LINEAR)
    barred = np.zeros(hole.shape, np.uint8)
    for face in faces.find(rgb):
        axes = round(face.size * HEAD[0]), round(face.size * HEAD[1])
        cv2.ellipse(barred, (round(face.middle[0]), round(face.middle[1])), axes, 0, 0, 360, (1,), -1)
    return belongs, barred


def _window(hole: Pixels) -> tuple[slice, slice]:
    """Give the part of the picture round the hole, on each side half as much again as the hole is large."""
    spans = []
    for axis in (1, 0):
        found = np.flatnonzero(hole.any(axis=axis))
        low, high = int(found[0]), int(found[-1]) + 1
        more = max(SEEN_PX, 3 * (high - low) // 2)
        spans.append(slice(max(0, low - more), high + more))
    return spans[0], spans[1]
