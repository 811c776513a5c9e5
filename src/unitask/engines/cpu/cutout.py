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
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra
from skimage.segmentation import slic

from unitask.engines.cpu import fetch_picture, save_picture
from unitask.kit.errors import TaskFailure
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

Pixels = NDArray[Any]

WORK_SIDE_PX: Final = 480
"""Longest side at which the subject is looked for; GrabCut takes about a second there."""
STRIP_ROWS: Final = 256
SUPERPIXELS: Final = 350
FLAT_BORDER: Final = 0.75
"""Share of the border that must fit one smooth backdrop before we believe in it."""
NEAR_LAB: Final = 7.0
FAR_LAB: Final = 25.0
"""Distances in 8-bit Lab: surely the backdrop, and surely not."""
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
    mask = _subject(rgb, job)
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


def _subject(rgb: Pixels, job: Job) -> Pixels:
    """Find the subject: bool (h, w) at working size."""
    scale = min(1.0, WORK_SIDE_PX / max(rgb.shape[:2]))
    size = (max(1, round(rgb.shape[1] * scale)), max(1, round(rgb.shape[0] * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    seeds = _seeds(small)
    job.progress(0.25, "separating the subject")
    if not (seeds & 1).any():
        raise TaskFailure("no subject stands out from the background of this picture; send one with a clearer subject")
    mask = _cleaned(_grab_cut(small, seeds))
    job.progress(0.6, "refining the edge")
    if not mask.any():
        raise TaskFailure("no subject stands out from the background of this picture; send one with a clearer subject")
    return mask


def _seeds(rgb: Pixels) -> Pixels:
    """What GrabCut starts from: uint8 (h, w) of cv2.GC_BGD, GC_FGD, GC_PR_BGD and GC_PR_FGD."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    seeds = np.full(rgb.shape[:2], cv2.GC_PR_BGD, np.uint8)
    saliency = _saliency(lab)
    faces = _faces(rgb)
    if faces:
        body, core = _bodies(faces, rgb.shape[:2])
        prior = np.clip(0.3 * saliency + 0.7 * body, 0, 1)
        seeds[prior > 0.5] = cv2.GC_PR_FGD
        seeds[prior < 0.08] = cv2.GC_BGD
        seeds[core] = cv2.GC_FGD
    else:
        threshold = cv2.threshold((saliency * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0] / 255
        seeds[saliency > threshold] = cv2.GC_PR_FGD
        seeds[saliency > min(0.95, threshold + 0.4)] = cv2.GC_FGD
        seeds[saliency < threshold * 0.25] = cv2.GC_BGD
    backdrop = _backdrop(lab)
    if backdrop is not None:
        behind, distance = backdrop
        seeds[behind] = cv2.GC_BGD
        seeds[~behind & (distance > FAR_LAB)] = cv2.GC_PR_FGD
    rim = max(1, int(min(rgb.shape[:2]) * 0.008))
    seeds[:rim] = cv2.GC_BGD
    if not faces:
        seeds[:, :rim] = seeds[:, -rim:] = cv2.GC_BGD
    return seeds


def _border(shape: tuple[int, ...]) -> Pixels:
    """Mark a thin frame at the top and both sides: bool (h, w). The bottom is left out, portraits stand on it."""
    band = max(2, min(shape[:2]) // 60)
    frame = np.zeros(shape[:2], bool)
    frame[:band] = frame[:, :band] = frame[:, -band:] = True
    return frame


def _backdrop(lab: Pixels) -> tuple[Pixels, Pixels] | None:
    """Fit a smooth backdrop (paper, wall, sky) to the border, if most of the border is one.

    The surface is quadratic in x and y for each channel, fitted with Geman-McClure weights so that a subject at the
    border does not bend it. Returns the backdrop seen from the border, bool (h, w), and the distance of each pixel
    from the surface in Lab, float32 (h, w).
    """
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    frame = _border(lab.shape)
    surface = np.broadcast_to(np.median(lab[frame], axis=0), lab.shape)
    for _ in range(12):
        error = np.linalg.norm(lab[frame] - surface[frame], axis=1)
        weight = (1 / (1 + (error / 8) ** 2))[:, None]
        factors = np.linalg.lstsq(terms[frame] * weight, lab[frame] * weight, rcond=None)[0]
        surface = terms @ factors
    distance = np.linalg.norm(lab - surface, axis=2)
    if (distance[frame] < NEAR_LAB + 2).mean() < FLAT_BORDER:
        return None
    near = (distance < NEAR_LAB).astype(np.uint8)
    _, parts = cv2.connectedComponents(near)
    at_border = np.unique(parts[_border(lab.shape) & (near > 0)])
    return np.isin(parts, at_border) & (near > 0), distance


@dataclass(frozen=True, slots=True)
class Superpixels:
    """A picture as a graph of k patches of one colour.

    `labels` int (h, w); `colours` float (k, 3) in Lab; `centres` float (k, 2) as x and y in 0..1; `edges` int (n, 2);
    `border` int (b,): the patches at the top and the sides.
    """

    labels: Pixels
    colours: Pixels
    centres: Pixels
    edges: Pixels
    border: Pixels


def _superpixels(lab: Pixels) -> Superpixels:
    labels = slic(lab, n_segments=SUPERPIXELS, compactness=12, convert2lab=False, start_label=0, channel_axis=-1)
    flat = labels.ravel()
    sizes = np.bincount(flat).astype(float)
    y, x = np.mgrid[0 : 1 : labels.shape[0] * 1j, 0 : 1 : labels.shape[1] * 1j]
    means = [np.bincount(flat, plane.ravel()) / sizes for plane in (*np.moveaxis(lab, -1, 0), x, y)]
    beside = np.concatenate(
        [
            np.stack([labels[:, :-1].ravel(), labels[:, 1:].ravel()], axis=1),
            np.stack([labels[:-1].ravel(), labels[1:].ravel()], axis=1),
        ],
    )
    edges = np.unique(np.sort(beside[beside[:, 0] != beside[:, 1]], axis=1), axis=0)
    border = np.unique(np.concatenate([labels[0], labels[:, 0], labels[:, -1]]))
    return Superpixels(labels, np.stack(means[:3], axis=1), np.stack(means[3:], axis=1), edges, border)


def _saliency(lab: Pixels) -> Pixels:
    """How much each pixel belongs to a subject, 0 to 1: float (h, w), constant within a superpixel."""
    patches = _superpixels(lab)
    if len(patches.edges) == 0:
        return np.zeros(lab.shape[:2])
    ours = patches.colours[patches.border]
    between = np.linalg.norm(ours[:, None] - ours[None], axis=2)
    # A border patch unlike the rest of the border is probably the subject touching it: entering there costs more.
    alike = np.sort(between, axis=1)[:, 1 : max(3, len(ours) // 4)].mean(axis=1)
    odd = 1 - np.exp(-(alike**2) / (2 * 14.0**2))
    far = _stretched(_border_distance(patches, odd))
    contrast = np.min(np.linalg.norm(patches.colours[:, None] - ours[None], axis=2) + odd[None] * 25, axis=1)
    x, y = patches.centres.T
    central = np.exp(-(((x - 0.5) / 0.42) ** 2 + ((y - 0.55) / 0.5) ** 2))
    score = _stretched(0.55 * far + 0.45 * _stretched(contrast)) * (0.35 + 0.65 * central)
    found: Pixels = _stretched(score)[patches.labels]
    return found


def _border_distance(patches: Superpixels, odd: Pixels) -> Pixels:
    """Length of the cheapest walk from outside to each patch, in colour steps: float (k,)."""
    step = np.linalg.norm(patches.colours[patches.edges[:, 0]] - patches.colours[patches.edges[:, 1]], axis=1)
    # Small steps are free, or a long walk through a soft gradient would look like an edge.
    step = np.maximum(0, step - 0.4 * np.median(step)) + 1e-3
    outside = len(patches.colours)
    rows = np.concatenate([patches.edges[:, 0], np.full(len(patches.border), outside)])
    columns = np.concatenate([patches.edges[:, 1], patches.border])
    graph = coo_matrix((np.concatenate([step, odd * 30 + 1e-3]), (rows, columns)), shape=(outside + 1, outside + 1))
    distance: Pixels = dijkstra(graph.tocsr(), directed=False, indices=outside)[:outside]
    return distance


def _stretched(values: Pixels) -> Pixels:
    """Map the 5th to 97th percentile to 0..1."""
    low, high = np.percentile(values, (5, 97))
    stretched: Pixels = np.clip((values - low) / (high - low + 1e-6), 0, 1)
    return stretched


Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels."""


@cache
def _cascade(name: str) -> Any:
    return cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / f"haarcascade_{name}.xml"))


def _faces(rgb: Pixels) -> list[Box]:
    """Find frontal faces on which two of three cascades agree; one alone sees faces in clouds."""
    gray = cv2.equalizeHist(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    least = max(24, int(min(gray.shape) * 0.06))
    groups: list[dict[str, Box]] = []
    for name in ("frontalface_alt2", "frontalface_default", "frontalface_alt"):
        for box in _cascade(name).detectMultiScale(gray, 1.08, 4, minSize=(least, least)):
            group = next((group for group in groups if _overlap(next(iter(group.values())), box) > 0.5), None)
            if group is None:
                groups.append({name: box})
            else:
                group[name] = box
    return [tuple(np.median(list(group.values()), axis=0)) for group in groups if len(group) > 1]


def _overlap(one: Box, other: Box) -> float:
    """Shared area as a share of the smaller box."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height) / min(one[2] * one[3], other[2] * other[3])


def _bodies(faces: list[Box], shape: tuple[int, ...]) -> tuple[Pixels, Pixels]:
    """Draw head and shoulders below each face: where a body may be, float 0..1, and where it surely is, bool."""
    body = np.zeros(shape, np.uint8)
    core = np.zeros(shape, np.uint8)
    for left, top, width, height in faces:
        middle = left + width / 2
        for canvas, head, trunk in (
            (body, (0.45, 0.75, 0.95), ((0.45, 1.0), (1.5, 1.75), (1.9, 3.2), (1.9, 99))),
            (core, (0.5, 0.38, 0.48), ((0.25, 1.05), (0.7, 2.2), (0.8, 99))),
        ):
            centre = (int(middle), int(top + height * head[0]))
            cv2.ellipse(canvas, centre, (int(width * head[1]), int(height * head[2])), 0, 0, 360, 255, -1)
            right = [(middle + width * x, min(top + height * y, shape[0])) for x, y in trunk]
            outline = right + [(2 * middle - x, y) for x, y in reversed(right)]
            cv2.fillPoly(canvas, [np.array(outline).astype(np.int32)], 255)
    soft = cv2.GaussianBlur(body, (0, 0), max(2, shape[1] * 0.015))
    return soft.astype(np.float32) / 255, core > 0


def _grab_cut(rgb: Pixels, seeds: Pixels) -> Pixels:
    """Settle the probable pixels: bool (h, w)."""
    smooth = cv2.bilateralFilter(rgb, 7, 30, 5)
    cv2.setRNGSeed(1)
    result, _, _ = cv2.grabCut(
        smooth, seeds.copy(), None, np.zeros((1, 65)), np.zeros((1, 65)), 6, cv2.GC_INIT_WITH_MASK
    )
    return (result & 1).astype(bool)


def _cleaned(mask: Pixels) -> Pixels:
    """Drop crumbs, fill pinholes, round the outline: bool (h, w)."""
    binary = mask.astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(binary)
    areas = stats[:, cv2.CC_STAT_AREA]
    if len(areas) > 1:
        kept = [part for part in range(1, len(areas)) if areas[part] > 0.12 * areas[1:].max()]
        binary = np.isin(parts, kept).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(1 - binary)
    holes = [part for part in range(1, len(stats)) if stats[part, cv2.CC_STAT_AREA] < 0.004 * mask.size]
    binary[np.isin(parts, holes)] = 1
    return cv2.medianBlur(binary * 255, 5) > 127


def _doubts(mask: Pixels) -> Iterator[str]:
    """Say what makes a result worth a second look."""
    share = mask.mean()
    if not LEAST_SHARE <= share <= MOST_SHARE:
        yield f"the subject covers {share:.0%} of the picture: look whether the right part was kept"
    if mask[_border(mask.shape)].mean() > 0.4:
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
    edge = cv2.dilate(((hard > 0) & (hard < 1)).astype(np.uint8), np.ones((2 * radius + 1, 2 * radius + 1))) > 0
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
