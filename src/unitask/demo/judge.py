"""Looks at a picture as one who was never told what it should show: what thing, of which colour, where, on what.

Nothing here was learned. The background is the colour of the edge, the thing is what differs from it; its shape is told
by how often its outline comes near its middle and goes away again on the way round, and by whether it has a hole.
"""

from typing import Any, Final

import cv2
import numpy as np

from unitask.demo.scenes import COLOURS, OUTLINES, PLACES, Scene

_EDGE_PX: Final = 2
_LEAST, _MOST = 0.015, 0.25
"""What share of the picture a thing may cover."""
_CONTRAST: Final = 60.0
"""The least distance in RGB between a thing and its background."""
_WHOLE: Final = 0.9
"""The least share of all that differs which is one piece."""
_NEAR_SHAPE: Final = 0.13
_NEAR_COLOUR: Final = 75.0
_REACH: Final = 0.125
"""How far from a place the middle of a thing may be in each direction, as a share of the side: half way to the next."""
_CANVAS: Final = 400
_RAYS: Final = 120
_FINER: Final = 4
"""Steps for each pixel along a ray."""


def sight(picture: Any) -> Scene | None:
    """Say what a picture (RGB of 8 bits, (height, width, 3)) shows; None if it is no single clear thing."""
    pixels = np.asarray(picture).astype(np.float64)
    edge = np.ones(pixels.shape[:2], bool)
    edge[_EDGE_PX:-_EDGE_PX, _EDGE_PX:-_EDGE_PX] = False
    ground = np.median(pixels[edge], axis=0)
    away = np.linalg.norm(pixels - ground, axis=2)
    if away.max() < _CONTRAST:
        return None
    mask = _largest(away > away.max() / 2)
    if mask is None or not _LEAST <= mask.mean() <= _MOST:
        return None
    inner = cv2.erode(mask, np.ones((3, 3), np.uint8)).astype(bool)
    paint = np.median(pixels[inner if inner.any() else mask.astype(bool)], axis=0)
    names = _colour(paint), _shape(mask), _place(mask), _colour(ground)
    if None in names:
        return None
    colour, shape, place, background = map(str, names)
    return Scene(colour, shape, place, background)


def _largest(differs: Any) -> Any | None:
    """Give the largest piece of a mask if it is nearly all of it."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(differs.astype(np.uint8))
    if count < 2:  # noqa: PLR2004 - the first piece is what lies outside
        return None
    sizes = stats[1:, cv2.CC_STAT_AREA]
    if sizes.max() < _WHOLE * sizes.sum():
        return None
    return (pieces == 1 + int(sizes.argmax())).astype(np.uint8)


def _form(mask: Any) -> Any:
    """Measure the outline of a piece: how its distance from the middle swings as one goes round, 2 to 6 times a turn.

    The swings are complex numbers, so a square on its corner is none; the last number is the share without holes.
    """
    moments = cv2.moments(mask, binaryImage=True)
    middle = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    reach = float(np.hypot(*mask.shape))
    rays = cv2.warpPolar(
        mask * 255, (round(reach * _FINER), _RAYS), middle, reach, cv2.INTER_LINEAR | cv2.WARP_FILL_OUTLIERS
    )
    lengths = rays.mean(axis=1)
    swings = np.fft.rfft(lengths / lengths.mean())[2:7] * 2 / _RAYS
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = cv2.drawContours(np.zeros_like(mask), outlines, -1, 1, cv2.FILLED)
    return np.array([*swings, mask.sum() / filled.sum()])


def _known_forms() -> dict[str, Any]:
    """Measure the perfect shapes."""
    found = {}
    for shape, outline in OUTLINES.items():
        mask = np.zeros((_CANVAS, _CANVAS), np.uint8)
        corners = (np.asarray(outline) / 3 + 0.5) * _CANVAS
        cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
        found[shape] = _form(mask)
    return found


_FORMS: Final = _known_forms()


def _shape(mask: Any) -> str | None:
    form = _form(mask)
    away = {shape: float(np.linalg.norm(form - known)) for shape, known in _FORMS.items()}
    nearest = min(away, key=lambda shape: away[shape])
    return nearest if away[nearest] < _NEAR_SHAPE else None


def _colour(value: Any) -> str | None:
    away = {name: float(np.linalg.norm(value - np.asarray(known))) for name, known in COLOURS.items()}
    nearest = min(away, key=lambda name: away[name])
    return nearest if away[nearest] < _NEAR_COLOUR else None


def _place(mask: Any) -> str | None:
    """Name the place that the middle of the mask's box is nearest to."""
    rows, columns = np.nonzero(mask)
    height, width = mask.shape
    middle = np.array([(columns.min() + columns.max() + 1) / 2 / width, (rows.min() + rows.max() + 1) / 2 / height])
    for place, known in PLACES.items():
        if np.abs(middle - known).max() <= _REACH:
            return place
    return None
