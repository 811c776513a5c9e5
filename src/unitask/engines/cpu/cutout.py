"""Background removal on the client's own picture, by classical algorithms.

    where is the subject     a smooth backdrop fitted to the border, if there is one; else how far each superpixel is
                             from the border in colour steps (SLIC, Achanta 2012; geodesic saliency, Wei 2012; boundary
                             connectivity, Zhu 2014); and a body below each face (Haar cascades, Viola and Jones 2001)
    where does it end        GrabCut (Rother 2004)
    how much at the edge     guided filter (He 2013)
    its colour at the edge   fast multi-level foreground estimation by blur (Forte 2021)

The first two work on a picture of at most `WORK_SIDE_PX`, the last two at full size, strip by strip.
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
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

Pixels = NDArray[Any]

WORK_SIDE_PX: Final = 480
"""Longest side at which the subject is looked for; GrabCut takes about a second there."""
STRIP_ROWS: Final = 256
LEAST_SHARE: Final = 0.02
MOST_SHARE: Final = 0.95


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
    rgb, given = _flat(picture.image)
    mask = _subject(rgb)
    job.progress(0.6, "refining the edge")
    for sentence in _doubts(mask):
        job.warn(sentence)
    rgba = np.empty((*rgb.shape[:2], 4), np.uint8)
    for rows, strip in _matted_strips(rgb, mask):
        rgba[rows] = strip
        job.progress(0.6 + 0.35 * rows.stop / len(rgb), "refining the edge")
    if given is not None:
        rgba[..., 3] = np.minimum(rgba[..., 3], given)
    return Output(ImageResult.of(save_picture(Image.fromarray(rgba), picture, job)))


def _flat(image: Image.Image) -> tuple[Pixels, Pixels | None]:
    """RGB, uint8 (h, w, 3), and the alpha that the picture came with; what was transparent is laid on white."""
    if image.mode == "RGB":
        return np.asarray(image), None
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return np.asarray(white.convert("RGB")), np.asarray(image.getchannel("A"))


def _subject(rgb: Pixels) -> Pixels:
    """Find the subject on a smaller copy: bool (h, w) at working size."""
    scale = min(1.0, WORK_SIDE_PX / max(rgb.shape[:2]))
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    mask = find_subject(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
    if not mask.any():
        raise TaskFailure("no subject stands out from the background of this picture; send one with a clearer subject")
    return mask


def _doubts(mask: Pixels) -> Iterator[str]:
    """Say what makes a result worth a second look."""
    share = mask.mean()
    if not LEAST_SHARE <= share <= MOST_SHARE:
        yield f"the subject covers {share:.0%} of the picture: look whether the right part was kept"
    if mask[border(mask.shape)].mean() > 0.4:
        yield "the subject fills the frame: look whether parts of it were taken for background"


def _matted_strips(rgb: Pixels, mask: Pixels) -> Iterator[tuple[slice, Pixels]]:
    """Refine the mask at full size, some rows at a time to bound memory: yields rows and their RGBA, uint8."""
    height, width = rgb.shape[:2]
    radius = max(2, round(max(height, width) * 0.006))
    halo = 8 * radius
    # uint8, so that the full-size mask costs a byte a pixel.
    full = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    for top in range(0, height, STRIP_ROWS):
        rows = slice(top, min(height, top + STRIP_ROWS))
        seen = slice(max(0, rows.start - halo), rows.stop + halo)
        inner = slice(rows.start - seen.start, rows.stop - seen.start)
        yield rows, _matted(rgb[seen], full[seen], radius)[inner]


def _matted(rgb: Pixels, mask: Pixels, radius: int) -> Pixels:
    colour = rgb.astype(np.float32) / 255
    hard = mask.astype(np.float32) / 255
    soft = _guided(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY), hard, radius, 1e-4)
    edge = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)) > 0
    alpha = np.where(edge, np.clip((soft - 0.1) / 0.8, 0, 1), hard)
    clean = _foreground(colour, alpha, radius)
    return (np.dstack([clean, alpha]) * 255 + 0.5).astype(np.uint8)


def _box(plane: Pixels, radius: int) -> Pixels:
    """Mean over a square of side 2 * radius + 1."""
    mean: Pixels = cv2.boxFilter(plane, -1, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REFLECT)
    return mean


def _guided(guide: Pixels, plane: Pixels, radius: int, epsilon: float) -> Pixels:
    """Make `plane` follow the edges of `guide`; both float32 (h, w) in 0..1."""
    mean, target = _box(guide, radius), _box(plane, radius)
    slope = (_box(guide * plane, radius) - mean * target) / (_box(guide * guide, radius) - mean * mean + epsilon)
    offset = target - slope * mean
    result: Pixels = _box(slope, radius) * guide + _box(offset, radius)
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
