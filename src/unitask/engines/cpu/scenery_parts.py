"""The parts of a scene: sky, ground, water, plants windows, light and shadow; a mask for each."""

from typing import Final

import cv2
import numpy as np

from unitask.engines.cpu.view import Floats, Mask, View, filled, tidied, without_crumbs

SKY_LAB: Final = 26.0
GROUND_LAB: Final = 20.0
WATER_HUES: Final = (80, 130)
HORIZON_STEP: Final = 3.0
HORIZON_SHARE: Final = 0.9
"""How much darker or lighter it must become within a hundredth of the height, 0 to 100, and along which share."""
LEAF_ANGLE: Final = (1.45, 3.1)
LEAF_CHROMA: Final = 7.0
GREEN_CHROMA: Final = 22.0
ROUGH: Final = 5.0
"""Leaves: the angle of a colour in Lab, how colourful it is at least, and from how much on it need not be rough."""


def _connected(view: View, edge: Mask, lab_distance: float) -> Mask:
    """Grow smoothly from an edge of the picture, as far as the colours stay near those at the edge."""
    _, parts = cv2.connectedComponents(view.smooth.astype(np.uint8), connectivity=4)
    touching = np.unique(parts[edge & view.smooth])
    mask = np.isin(parts, touching[touching > 0])
    if not mask.any():
        return view.empty()
    usual = np.median(view.lab[mask & edge], axis=0)
    mask &= np.linalg.norm((view.lab - usual) * (0.6, 1, 1), axis=2) < lab_distance
    return tidied(mask)


def _above(view: View) -> Mask:
    """Mark what goes on smoothly from the upper edge: sky, and water that looks like it."""
    top = view.empty()
    top[: max(2, view.height // 40)] = True
    return _connected(view, top, SKY_LAB)


def _horizon(view: View, mask: Mask) -> int | None:
    """Find the uppermost row where a smooth area becomes darker, or lighter, all along and in one step."""
    light = cv2.GaussianBlur(view.blurred_lab(0.7), (0, 0), 3, sigmaY=0.1)[..., 0]
    reach = max(2, view.height // 100)
    step = light[2 * reach :] - light[: -2 * reach]
    both = mask[2 * reach :] & mask[: -2 * reach]
    count = both.sum(axis=1)
    mean = np.abs((step * both).sum(axis=1)) / np.maximum(count, 1)
    one_way = np.abs((np.sign(step) * both).sum(axis=1)) / np.maximum(count, 1)
    found = (mean > HORIZON_STEP) & (one_way > HORIZON_SHARE) & (count > view.width // 8)
    found[: view.height // 8] = False
    if not found.any():
        return None
    first = int(np.argmax(found))
    peak = first + int(np.argmax(mean[first : first + 3 * reach]))
    return peak + reach if mean[peak] > 3 * float(np.median(mean[:first])) else None


def sky(view: View) -> Mask:
    """Mark what goes on smoothly from the upper edge, down to the horizon."""
    found = _above(view)
    row = _horizon(view, found) if found.any() else None
    if row is not None:
        found[row:] = False
    return without_crumbs(found, 0.003)


def ground(view: View) -> Mask:
    """Mark what goes on smoothly from the lower edge, without the subject."""
    bottom = view.empty()
    bottom[-max(2, view.height // 40) :] = True
    return _connected(view, bottom & ~view.subject, GROUND_LAB) & ~view.subject


def water(view: View) -> Mask:
    """Mark what is blue or like the sky, and lies below it."""
    above, over = _above(view), sky(view)
    hue, saturated, bright = cv2.split(view.hsv)
    blue = (hue >= WATER_HUES[0]) & (hue <= WATER_HUES[1]) & (saturated > 35) & (bright > 30)  # noqa: PLR2004
    low = view.empty()
    low[view.height // 4 :] = True
    found = (above & ~over) | (blue & low & ~over & ~view.subject)
    return without_crumbs(tidied(found), 0.02)


def plants(view: View) -> Mask:
    """Mark what is green, or nearly so and rough as leaves are."""
    lab = view.blurred_lab(2.0)
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    angle = np.arctan2(lab[..., 2], lab[..., 1])
    leafy = (angle > LEAF_ANGLE[0]) & (angle < LEAF_ANGLE[1]) & (lab[..., 0] < 92)  # noqa: PLR2004
    found = leafy & (chroma > LEAF_CHROMA) & ((chroma > GREEN_CHROMA) | (view.texture > ROUGH))
    found = tidied(found)
    dark = (lab[..., 0] < 35) & (chroma < 2 * LEAF_CHROMA) & (view.texture > ROUGH)  # noqa: PLR2004
    near = cv2.blur(found.astype(np.float32), (25, 25))
    found |= dark & (near > 0.3)  # noqa: PLR2004
    return filled(without_crumbs(tidied(found), 0.01), 0.002)


def window(view: View) -> Mask:
    """Mark pale, even spots inside the subject."""
    _, saturated, bright = cv2.split(view.hsv)
    inside = cv2.erode(view.subject.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return tidied(inside & (saturated < 70) & (bright > 205))  # noqa: PLR2004


def bright(view: View) -> Mask:
    """Mark the lightest tenth."""
    light: Floats = view.lab[..., 0]
    return tidied(light > max(60.0, float(np.percentile(light, 90))))


def dark(view: View) -> Mask:
    """Mark the darkest seventh."""
    light: Floats = view.lab[..., 0]
    return tidied(light < min(40.0, float(np.percentile(light, 15))))
