"""Background removal on the client's own picture, by classical algorithms.

    where is the subject     `subject.find_subject`, on a copy of at most `WORK_SIDE_PX` a side
    how much at the edge     guided filter with a colour guide (He 2013)
    its colour at the edge   fast foreground estimation by blur fusion (Forte 2021)

The last two work at full size, tile by tile.
"""

from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from unitask.engines.cpu import fetch_picture, save_picture
from unitask.engines.cpu.subject import border, find_subject
from unitask.engines.cpu.tiles import Tile, tiles
from unitask.kit.errors import TaskFailure
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

Pixels = NDArray[Any]

WORK_SIDE_PX: Final = 480
"""Longest side at which the subject is looked for; GrabCut takes about a second there."""
TILE_PX: Final = 512
LEAST_SHARE: Final = 0.02
MOST_SHARE: Final = 0.95
FILLED_BORDER: Final = 0.35
VAGUE_OUTLINE: Final = 0.2
"""Beyond these shares the client is told to look."""
ALIKE_LAB: Final = 8.0
HALF_ALPHA: Final = 128
FULL_ALPHA: Final = 255
CUT_OUT_BORDER: Final = 0.75
"""Share of the border that is transparent in a picture whose background somebody removed before."""


def remove_background(inputs: Any, job: Job) -> Output:
    """Make the background transparent: an RGBA picture of the same size.

    Raises:
        TaskFailure: no subject stands out.

    """
    picture = fetch_picture(inputs, "image", job)
    job.warn(
        f"rmbg_model {inputs.rmbg_model} was not used: the classical algorithm of the engine cpu made this cut-out",
    )
    job.progress(0.05, "looking for the subject")
    rgb, given = flattened(picture.image)
    if given is not None and (given[border(given.shape)] < HALF_ALPHA).mean() > CUT_OUT_BORDER:
        job.warn("the background of this picture is transparent already: nothing was removed")
        return Output(ImageResult.of(save_picture(picture.image, picture, job)))
    small = _reduced(rgb)
    mask = find_subject(small)
    if not mask.any():
        raise TaskFailure("no subject stands out from the background of this picture; send one with a clearer subject")
    for sentence in doubts(small, mask):
        job.warn(sentence)
    job.progress(0.6, "refining the edge")
    rgba = np.empty((*rgb.shape[:2], 4), np.uint8)
    for tile, pixels in _matted_tiles(rgb, mask):
        rgba[tile.place] = pixels
        job.progress(0.6 + 0.35 * tile.done, "refining the edge")
    if given is not None:
        _keep_transparency(rgba, np.asarray(picture.image))
    return Output(ImageResult.of(save_picture(Image.fromarray(rgba), picture, job)))


def flattened(image: Image.Image) -> tuple[Pixels, Pixels | None]:
    """RGB, uint8 (h, w, 3), and the alpha that the picture came with; what was transparent is laid on white."""
    if image.mode == "RGB":
        return np.asarray(image), None
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return np.asarray(white.convert("RGB")), np.asarray(image.getchannel("A"))


def _keep_transparency(rgba: Pixels, original: Pixels) -> None:
    """Let nothing become more opaque than it came; half-transparent pixels keep their colour, free of our white."""
    given = original[..., 3]
    half = (given > 0) & (given < FULL_ALPHA)
    rgba[half, :3] = original[half, :3]
    np.minimum(rgba[..., 3], given, out=rgba[..., 3])


def _reduced(rgb: Pixels) -> Pixels:
    """Shrink to at most `WORK_SIDE_PX` a side."""
    scale = min(1.0, WORK_SIDE_PX / max(rgb.shape[:2]))
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    reduced: Pixels = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return reduced


def doubts(rgb: Pixels, mask: Pixels) -> Iterator[str]:
    """Say what makes a result worth a second look; both arguments at working size."""
    share = mask.mean()
    if not LEAST_SHARE <= share <= MOST_SHARE:
        yield f"the subject covers {share:.0%} of the picture: look whether the right part was kept"
    if mask[border(mask.shape)].mean() > FILLED_BORDER:
        yield "the subject fills the frame: look whether parts of it were taken for background"
    elif vague(rgb, mask) > VAGUE_OUTLINE:
        yield "the outline runs where both sides look alike, as if the subject filled the frame: look at it"


def vague(rgb: Pixels, mask: Pixels) -> float:
    """Share of the outline along which both sides look alike."""
    outline, alike = outlined(rgb, mask)
    return float(alike.sum() / max(1, outline.sum()))


def outlined(rgb: Pixels, mask: Pixels) -> tuple[Pixels, Pixels]:
    """Mark the outline, and its parts along which the near inside and the near outside have one colour: bool (h, w)."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    inside = mask.astype(np.float32)
    near = []
    for side in (inside, 1 - inside):
        weight = _box(side, 6)[..., None]
        near.append(_box(lab * side[..., None], 6) / (weight + 1e-6))
    outline = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    return outline, outline & (np.linalg.norm(near[0] - near[1], axis=2) < ALIKE_LAB)


def _matted_tiles(rgb: Pixels, mask: Pixels) -> Iterator[tuple[Tile, Pixels]]:
    """Refine the mask at full size: yields each tile and its RGBA, uint8."""
    height, width = rgb.shape[:2]
    radius = max(2, round(max(height, width) * 0.006))
    full = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    # The filters look 7.5 radii far, one after the other.
    for tile in tiles(height, width, TILE_PX, 8 * radius):
        yield tile, matted(rgb[tile.seen], full[tile.seen], radius)[tile.inner]


def matted(rgb: Pixels, mask: Pixels, radius: int) -> Pixels:
    """Refine the edge of a rough mask of 0 and 255, uint8 (h, w): RGBA, uint8 (h, w, 4)."""
    if mask.min() == mask.max():
        return np.dstack([rgb & mask[..., None], mask])
    colour = rgb.astype(np.float32) / 255
    hard = mask.astype(np.float32) / 255
    soft = np.clip((guided(colour, hard, 2 * radius, 1e-4) - 0.1) / 0.8, 0, 1)
    kernel = np.ones((4 * radius + 1, 4 * radius + 1), np.uint8)
    alpha = np.where(cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, kernel) > 0, soft, hard)
    clean = _foreground(colour, alpha, radius)
    refined: Pixels = (np.dstack([clean, alpha]) * 255 + 0.5).astype(np.uint8)
    return refined


def _box(plane: Pixels, radius: int) -> Pixels:
    """Mean over a square of side 2 * radius + 1."""
    mean: Pixels = cv2.boxFilter(plane, -1, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)
    return mean


def guided(guide: Pixels, plane: Pixels, radius: int, epsilon: float) -> Pixels:
    """Make `plane`, float32 (h, w), follow the edges of the colours of `guide`, float32 (h, w, 3); all in 0..1."""
    mean, target = _box(guide, radius), _box(plane, radius)
    shared = _box(guide * plane[..., None], radius) - mean * target[..., None]
    spread = _box(guide[..., (0, 0, 0, 1, 1, 2)] * guide[..., (0, 1, 2, 1, 2, 2)], radius)
    spread -= mean[..., (0, 0, 0, 1, 1, 2)] * mean[..., (0, 1, 2, 1, 2, 2)]
    spread[..., (0, 3, 5)] += epsilon
    # The covariance matrix of each window is symmetric; cross products of its rows give its inverse.
    one, two, three = spread[..., (0, 1, 2)], spread[..., (1, 3, 4)], spread[..., (2, 4, 5)]
    across = np.cross(two, three)
    slope = shared[..., :1] * across + shared[..., 1:2] * np.cross(three, one) + shared[..., 2:] * np.cross(one, two)
    slope /= (one * across).sum(axis=-1, keepdims=True)
    offset = target - (slope * mean).sum(axis=-1)
    result: Pixels = (_box(slope, radius) * guide).sum(axis=-1) + _box(offset, radius)
    return result


def _foreground(colour: Pixels, alpha: Pixels, radius: int) -> Pixels:
    """Take the background's tint out of half-transparent pixels: float32 (h, w, 3) in 0..1.

    Two passes of blur fusion, coarse then fine; pixels out of reach of the subject become black.
    """
    share = alpha[..., None]
    front = back = colour
    for reach in (3 * radius, max(1, radius // 2)):
        weight = _box(alpha, reach)[..., None]
        near = _box(front * share, reach) / (weight + 1e-5)
        behind = _box(back * (1 - share), reach) / (1 - weight + 1e-5)
        back = behind
        front = np.clip(near + share * (colour - share * near - (1 - share) * behind), 0, 1)
    return front
