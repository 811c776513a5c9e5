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
from unitask.kit.errors import TaskFailure
from unitask.kit.mattes import NO_SUBJECT, box_mean, foreground, guided
from unitask.kit.tiles import Tile, tiles
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
        raise TaskFailure(NO_SUBJECT.format("picture"))
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
        weight = box_mean(side, 6)[..., None]
        near.append(box_mean(lab * side[..., None], 6) / (weight + 1e-6))
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
    clean = foreground(colour, alpha, radius)
    refined: Pixels = (np.dstack([clean, alpha]) * 255 + 0.5).astype(np.uint8)
    return refined
