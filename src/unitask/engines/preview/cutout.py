"""Which part of a picture is its subject, found in the simplest way that gives something to show.

The file's own transparency counts first. Else what differs from the colours at the border, a body below each face, and
the middle of the picture give GrabCut (Rother 2004) something to begin with.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.preview import faces
from unitask.engines.preview.arrays import Floats, Pixels
from unitask.engines.preview.faces import Face
from unitask.engines.preview.sources import opaque, resize

Mask = NDArray[np.bool_]

_WORK_PX: Final = 320
_LEAST_SHARE: Final = 0.01
_MOST_SHARE: Final = 0.97
_FRAGMENT_SHARE: Final = 0.13
_LEAST_COMPACT: Final = 0.45
"""Less than this, in pieces or before a busy border, is probably a part of the subject only."""
_BORDER_COLOURS: Final = 4
_APART_LAB: Final = 11.0
_FLAT_LAB: Final = 5.0
"""A picture in which nothing is further than this from its border has no subject."""
_PLAIN_BORDER: Final = 0.85
_CRUMB: Final = 0.1
_HOLE: Final = 0.01


def alpha_of(picture: Pixels) -> Floats | None:
    """Give the transparency of (height, width, 4), 0 to 1, if it sets a subject apart; else None."""
    if picture.shape[2] < 4:  # noqa: PLR2004 - channels
        return None
    share = float((picture[..., 3] > 127).mean())  # noqa: PLR2004 - half
    alpha: Floats = picture[..., 3].astype(np.float32) / 255
    return alpha if _LEAST_SHARE < share < 1 - _LEAST_SHARE else None


def subject(picture: Pixels) -> Floats | None:
    """Give how much each pixel of (height, width, 3 or 4) is the subject, 0 to 1; None if nothing stands out."""
    alpha = alpha_of(picture)
    if alpha is not None:
        return alpha
    rgb = opaque(picture)
    height, width = rgb.shape[:2]
    scale = min(1.0, _WORK_PX / max(height, width))
    small = resize(rgb, max(8, round(width * scale)), max(8, round(height * scale)))
    if float(np.percentile(_away_from_border(small)[0], 99)) < _FLAT_LAB:
        return None
    mask = _cleaned(_grown(small, _seeds(small, faces.find(small))))
    if not _convincing(mask, small):
        mask = _cleaned(_grown(small, _middle_seeds(small)))
    if not _LEAST_SHARE < mask.mean() < _MOST_SHARE:
        return None
    return enlarged(mask, width, height)


def enlarged(mask: Mask, width: int, height: int) -> Floats:
    """Scale a mask up with a smooth outline: float (height, width), 0 to 1."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)
    large = cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC)
    steep = max(1.0, width / mask.shape[1] * 0.75)
    result: Floats = np.clip((large - 0.5) * steep + 0.5, 0, 1).astype(np.float32)
    return result


def _seeds(rgb: Pixels, people: Sequence[Face]) -> Pixels:
    """Draw what GrabCut begins with: uint8 (height, width) of cv2.GC_BGD, GC_FGD, GC_PR_BGD and GC_PR_FGD."""
    height, width = rgb.shape[:2]
    away, plain = _away_from_border(rgb)
    seeds = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    across = np.linspace(-1, 1, width)[None, :]
    down = np.linspace(-1, 1, height)[:, None]
    central = 1 - np.clip(np.hypot(across, down * 0.9), 0, 1) * (0.45 if plain else 0.75)
    standing = away * central
    threshold = max(_APART_LAB * 0.9, _otsu(standing) * (0.8 if plain else 1.0))
    seeds[standing > threshold] = cv2.GC_PR_FGD
    seeds[standing > 2 * threshold] = cv2.GC_FGD
    if plain:
        seeds[away < _APART_LAB * 0.45] = cv2.GC_BGD
    for person in people:
        _body(seeds, person)
    rim = max(1, min(height, width) // 100)
    seeds[:rim] = seeds[:, :rim] = seeds[:, -rim:] = cv2.GC_BGD
    return seeds


def _middle_seeds(rgb: Pixels) -> Pixels:
    """Take the middle for the subject: for pictures whose border tells nothing."""
    height, width = rgb.shape[:2]
    seeds = np.full((height, width), cv2.GC_BGD, np.uint8)
    for value, share in ((cv2.GC_PR_BGD, 0.49), (cv2.GC_PR_FGD, 0.42), (cv2.GC_FGD, 0.2)):
        axes = max(2, round(width * share)), max(2, round(height * share))
        cv2.ellipse(seeds, (width // 2, round(height * 0.52)), axes, 0, 0, 360, (value,), -1)
    return seeds


def _convincing(mask: Mask, rgb: Pixels) -> bool:
    """Tell a whole thing from a part of one, and from a picture that is all subject."""
    if mask.mean() >= _FRAGMENT_SHARE:
        return bool(mask.mean() < _MOST_SHARE)
    return _compactness(mask) > _LEAST_COMPACT and _away_from_border(rgb)[1]


def _compactness(mask: Mask) -> float:
    """Give the mask's share of its convex hull: low for a thing that fell to pieces."""
    if not mask.any():
        return 0.0
    points = cv2.findNonZero(mask.astype(np.uint8))
    return float(mask.sum()) / max(float(cv2.contourArea(cv2.convexHull(points))), 1.0)


def _away_from_border(rgb: Pixels) -> tuple[Floats, bool]:
    """Measure how unlike the border each pixel is, in Lab; and tell whether the border has few colours only."""
    height, width = rgb.shape[:2]
    soft = cv2.GaussianBlur(rgb, (0, 0), 0.8).astype(np.float32) / 255
    lab = np.asarray(cv2.cvtColor(soft, cv2.COLOR_RGB2LAB), np.float32)
    frame = np.zeros((height, width), bool)
    band = max(2, min(height, width) // 50)
    frame[:band] = frame[:, :band] = frame[:, -band:] = True
    # Portraits stand on the lower edge; its corners are ground all the same.
    frame[-band:, : width // 8] = frame[-band:, -width // 8 :] = True
    away = _distance(lab, lab[frame])
    return away, float((away[frame] < _APART_LAB).mean()) > _PLAIN_BORDER


def _distance(lab: Floats, border: Floats) -> Floats:
    """Measure how far each pixel is from the nearest of the border's few colours: float (height, width), in Lab."""
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    labels = np.zeros((len(border), 1), np.int32)
    _, found, centres = cv2.kmeans(border, _BORDER_COLOURS, labels, stop, 2, cv2.KMEANS_PP_CENTERS)
    sizes = np.bincount(found.ravel(), minlength=_BORDER_COLOURS) / len(border)
    kept = centres[sizes > 0.06]  # noqa: PLR2004 - less may be the subject that touches the border
    distances = [np.linalg.norm((lab - centre) * (0.8, 1, 1), axis=2) for centre in kept]
    result: Floats = np.min(distances, axis=0).astype(np.float32)
    return result


def _otsu(values: Floats) -> float:
    top = max(float(values.max()), 1e-6)
    return float(cv2.threshold((values / top * 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)[0]) / 255 * top


def _body(seeds: Pixels, face: Face) -> None:
    """Draw head and shoulders below a face."""
    (x, y), size = face.middle, face.size
    height = seeds.shape[0]
    for value, wide, fill in ((cv2.GC_PR_FGD, 1.0, 1.55), (cv2.GC_FGD, 0.5, 0.75)):
        cv2.ellipse(seeds, (round(x), round(y - size * 0.05)), (round(size * 0.62 * wide), round(size * 0.8 * wide)),
                    0, 0, 360, (value,), -1)  # fmt: skip
        outline = [(x - size * 0.3 * wide, y + size * 0.5), (x + size * 0.3 * wide, y + size * 0.5),
                   (x + size * fill, min(y + size * 1.9, height)), (x + size * fill, height),
                   (x - size * fill, height), (x - size * fill, min(y + size * 1.9, height))]  # fmt: skip
        cv2.fillPoly(seeds, [np.round(np.array(outline)).astype(np.int32)], (value,))


def _grown(rgb: Pixels, seeds: Pixels) -> Mask:
    """Let GrabCut settle what is only probable."""
    if not ((seeds == cv2.GC_FGD) | (seeds == cv2.GC_PR_FGD)).any():
        return np.zeros(seeds.shape, bool)
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    settled, _, _ = cv2.grabCut(rgb.copy(), seeds.copy(), (0, 0, 1, 1), *models, 4, cv2.GC_INIT_WITH_MASK)
    return np.asarray(np.asarray(settled) % 2 == 1, bool)


def _cleaned(mask: Mask) -> Mask:
    """Drop crumbs and fill small holes."""
    binary = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, parts, stats, _ = cv2.connectedComponentsWithStats(binary)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if not len(areas):
        return np.zeros(mask.shape, bool)
    kept = np.isin(parts, 1 + np.flatnonzero(areas > _CRUMB * areas.max()))
    _, parts, stats, _ = cv2.connectedComponentsWithStats((~kept).astype(np.uint8), connectivity=4)
    holes = [part for part in range(1, len(stats)) if stats[part, cv2.CC_STAT_AREA] < _HOLE * mask.size]
    return np.asarray(kept | np.isin(parts, holes), bool)
