"""The parts of people, found from their faces: a mask for each."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from unitask.engines.cpu.faces import Face, steady
from unitask.engines.cpu.view import Floats, Mask, View, filled, tidied, without_crumbs

HAIR_LAB: Final = 13.0
BARE_LAB: Final = 9.0
OTHER_LAB: Final = 30.0
"""Distances in Lab: from the face, from which on it may be hair and up to which it is none; from other hair, beyond
which it is none."""
SKIN_LAB: Final = 20.0
SMOOTH: Final = 6.0
"""How far from the colour of the face skin may be, and how much its lightness may vary, 0 to 100."""
FACE: Final = (0.95, -0.60, 0.40)
"""A face: half its width, its top from the eyes and its bottom from the mouth, in distances between the eyes."""
BELOW_THE_CHIN: Final = 0.98
WAIST: Final = 3.6
HIPS: Final = 3.9
ANKLES: Final = 6.6
"""Sizes of the face from its top down."""


def person(view: View) -> Mask:
    """Mark the subject, which is drawn round the faces if there are any."""
    if not view.faces:
        view.notes.append("no face was found, so the subject of the picture was taken for the person")
    return view.subject | face(view)


def face(view: View) -> Mask:
    """Mark all from the brows to the chin."""
    return _oval(view, view.faces)


def _oval(view: View, those: Sequence[Face]) -> Mask:
    mask = np.zeros((view.height, view.width), np.uint8)
    for one in those:
        cv2.fillPoly(mask, [np.round(_egg(one) * 16).astype(np.int32)], (1,), cv2.LINE_8, 4)
    return np.asarray(mask > 0, bool)


def _egg(one: Face) -> Floats:
    first, second, mouth = steady(one.anchors).astype(np.float64)
    across = second - first
    down = np.array((-across[1], across[0]))
    middle = (first + second) / 2
    wide, top, chin = FACE
    bottom = float((mouth - middle) @ down) / float(across @ across) + chin
    turn = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    x = wide * np.cos(turn) * (1 - 0.17 * np.maximum(np.sin(turn), 0))
    y = (top + bottom) / 2 + (bottom - top) / 2 * np.sin(turn)
    return np.asarray(middle + x[:, None] * across + y[:, None] * down)


def skin(view: View) -> Mask:
    """Mark what has the colours of skin, and of the face if there is one, within the subject."""
    ycc = cv2.cvtColor(view.rgb, cv2.COLOR_RGB2YCrCb)
    found = (ycc[..., 1] > 135) & (ycc[..., 1] < 182) & (ycc[..., 2] > 75) & (ycc[..., 2] < 130)  # noqa: PLR2004
    seen = face(view)
    if seen.any():
        found &= _unlike(view, seen, (0.6, 1, 1)) < SKIN_LAB
    found &= (view.texture < SMOOTH) | _heads(view, 1.0)
    return tidied(found & (view.subject | seen)) & ~view.once(hair)


def _unlike(view: View, area: Mask, weight: tuple[float, float, float] = (1, 1, 1)) -> Floats:
    usual = np.median(view.lab[area], axis=0)
    return np.asarray(np.linalg.norm((view.lab - usual) * weight, axis=2))


def _ellipses(view: View, places: list[tuple[float, float, float, float]]) -> Mask:
    """Draw ellipses: middle x and y, half width and half height."""
    mask = np.zeros((view.height, view.width), np.uint8)
    for x, y, wide, high in places:
        cv2.ellipse(mask, (round(x), round(y)), (max(1, round(wide)), max(1, round(high))), 0, 0, 360, (1,), -1)
    return np.asarray(mask > 0, bool)


def _heads(view: View, share: float) -> Mask:
    return _ellipses(view, [
        (one.middle[0], one.middle[1] - one.size * 0.1, one.size * 0.6 * share, one.size * 0.78 * share)
        for one in view.faces
    ])  # fmt: skip


def head(view: View) -> Mask:
    """Mark face and hair."""
    return face(view) | view.once(hair) | (_heads(view, 1.05) & view.subject & ~below(view, BELOW_THE_CHIN))


def hair(view: View) -> Mask:
    """Mark what grows from above the brows and has not the colour of the face."""
    found = view.empty()
    for one in view.faces:
        oval = _oval(view, [one])
        _, top, side = one.box
        x, y = one.middle
        other = _unlike(view, oval) > HAIR_LAB
        near = _ellipses(view, [(x, y - 0.1 * side, 0.62 * side, 0.85 * side)])
        possible = _ellipses(view, [(x, y + 0.05 * side, 0.95 * side, 1.15 * side)])
        crown = _ellipses(view, [(x, top + 0.02 * side, 0.42 * side, 0.2 * side)])
        low = np.zeros_like(oval)
        low[max(0, round(top + 0.55 * side)) :] = True
        sure = other & (near & view.subject | crown) & ~oval & ~low
        sure &= _unlike(view, other & crown & ~oval, (0.6, 1, 1)) < OTHER_LAB if (other & crown & ~oval).any() else True
        if not sure.any():
            continue
        never = oval & ~other
        never |= _unlike(view, sure, (0.6, 1, 1)) > OTHER_LAB
        never |= _unlike(view, oval, (0.35, 1, 1)) < BARE_LAB
        far = np.zeros_like(oval)
        far[max(0, round(top + 1.35 * side)) :] = True
        grown = view.grown(sure, possible & ~far, never & ~sure)
        found |= without_crumbs(grown, 0.2)
    return filled(tidied(found), 0.001) & ~eyes(view) & ~mouth(view)


def eyes(view: View) -> Mask:
    """Mark both eyes of every face."""
    return _ellipses(view, [(x, y, one.size * 0.1, one.size * 0.06) for one in view.faces for x, y in one.anchors[:2]])


def mouth(view: View) -> Mask:
    """Mark the lips of every face."""
    return _ellipses(view, [(*steady(one.anchors)[2], one.size * 0.15, one.size * 0.07) for one in view.faces])


def below(view: View, face_sizes: float, share: float = 0.0) -> Mask:
    """Mark what is so many face sizes below the top of the nearest face; without faces, a share of the subject down."""
    kept = view.empty()
    if view.faces:
        middles = np.array([one.middle[0] for one in view.faces])
        nearest = np.abs(np.arange(view.width)[:, None] - middles).argmin(axis=1)
        tops = np.array([one.box[1] + face_sizes * one.size for one in view.faces])[nearest]
        return np.asarray(np.arange(view.height)[:, None] >= tops[None, :], bool)
    rows = np.flatnonzero(view.subject.any(axis=1))
    if len(rows):
        kept[int(rows[0] + share * (rows[-1] + 1 - rows[0])) :] = True
    return kept


def clothes(view: View) -> Mask:
    """Mark what of a person is below the chin and is no skin and no hair."""
    body = view.subject & ~face(view) & ~view.once(skin)
    whole = without_crumbs(tidied(body & below(view, BELOW_THE_CHIN, 0.2)), 0.01)
    return filled(whole, 0.001) & ~view.once(hair)


def shirt(view: View) -> Mask:
    """Mark the upper part of the clothes."""
    return clothes(view) & ~below(view, WAIST, 0.6)


def trousers(view: View) -> Mask:
    """Mark the lower part of the clothes."""
    return clothes(view) & below(view, HIPS, 0.5) & ~shoes(view)


def shoes(view: View) -> Mask:
    """Mark the lowest part of a person."""
    return view.subject & below(view, ANKLES, 0.9)
