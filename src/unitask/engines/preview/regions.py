"""The parts of a picture that can be selected by name: colours, the subject and its background, sky, plants, faces, ...

A mask is bool (height, width) at working size.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Final

import cv2
import numpy as np

from unitask.engines.preview import cutout, faces
from unitask.engines.preview.arrays import Floats, Pixels
from unitask.engines.preview.cutout import Mask
from unitask.engines.preview.faces import Face

_HUES: Final = {
    "red": ((0, 8), (172, 180)),
    "orange": ((5, 22),),
    "yellow": ((20, 34),),
    "green": ((35, 85),),
    "blue": ((90, 130),),
    "purple": ((125, 155),),
    "pink": ((150, 172),),
}
"""Colour -> ranges of hue, 0 to 180."""
_GREYS: Final = ("white", "grey", "black")
_BROWN_HUES: Final = (5, 22)
_WATER_HUES: Final = (85, 130)
_PLANT_HUES: Final = (32, 92)
_SKY_LAB: Final = 26.0
_GROUND_LAB: Final = 20.0
_HAIR_LAB: Final = 13.0
_SKIN_LAB: Final = 20.0


class View:
    """A picture, (height, width, 3), with what is asked of it more than once."""

    def __init__(self, rgb: Pixels) -> None:
        self.rgb = rgb
        self.height, self.width = rgb.shape[:2]

    @cached_property
    def hsv(self) -> Pixels:
        """Hue 0 to 180, saturation and value 0 to 255, smoothed without blurring edges."""
        return np.asarray(cv2.cvtColor(cv2.bilateralFilter(self.rgb, 7, 25, 5), cv2.COLOR_RGB2HSV), np.uint8)

    @cached_property
    def lab(self) -> Floats:
        """Lab with L 0 to 100."""
        soft = cv2.GaussianBlur(self.rgb, (0, 0), 1.0).astype(np.float32) / 255
        return np.asarray(cv2.cvtColor(soft, cv2.COLOR_RGB2LAB), np.float32)

    @cached_property
    def subject(self) -> Mask:
        """What stands out; nothing where nothing does."""
        found = cutout.subject(self.rgb)
        return np.zeros((self.height, self.width), bool) if found is None else np.asarray(found > 0.5, bool)  # noqa: PLR2004

    @cached_property
    def faces(self) -> list[Face]:
        """The faces seen from the front."""
        return faces.find(self.rgb)

    @cached_property
    def smooth(self) -> Mask:
        """Where the picture has no edges."""
        grey = cv2.GaussianBlur(cv2.cvtColor(self.rgb, cv2.COLOR_RGB2GRAY), (0, 0), 1.4)
        edges = cv2.dilate(cv2.Canny(grey, 25, 70), np.ones((3, 3), np.uint8))
        return np.asarray(edges == 0, bool)

    def hue_within(self, low: int, high: int, saturation: int = 80, value: int = 50) -> Mask:
        """Mark colours of these hues that are not too grey and not too dark."""
        hue, saturated, bright = cv2.split(self.hsv)
        return np.asarray((hue >= low) & (hue <= high) & (saturated > saturation) & (bright > value), bool)

    def below(self, face_sizes: float, share: float) -> Mask:
        """Mark the rows so many face sizes below the top of the faces; without faces, below a share of the subject."""
        kept = np.zeros((self.height, self.width), bool)
        rows = np.flatnonzero(self.subject.any(axis=1))
        if self.faces:
            kept[round(float(np.median([face.top + face_sizes * face.size for face in self.faces]))) :] = True
        elif len(rows):
            kept[int(rows[0] + share * (rows[-1] + 1 - rows[0])) :] = True
        return kept


def colour(view: View, name: str) -> Mask:
    """Mark what has the colour of this name."""
    _, saturated, bright = cv2.split(view.hsv)
    if name == "white":
        found = (saturated < 45) & (bright > 195)  # noqa: PLR2004
    elif name == "black":
        found = bright < 50  # noqa: PLR2004
    elif name == "grey":
        found = (saturated < 45) & (bright >= 50) & (bright <= 195)  # noqa: PLR2004
    elif name == "brown":
        found = view.hue_within(*_BROWN_HUES) & (bright < 165)  # noqa: PLR2004
    else:
        found = np.any([view.hue_within(*hues) for hues in _HUES[name]], axis=0)
    return _tidied(found)


def _tidied(mask: Mask) -> Mask:
    closed = cv2.morphologyEx(mask.astype(np.uint8) * 255, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.asarray(cv2.medianBlur(closed, 3) > 127, bool)  # noqa: PLR2004 - half


def _connected(view: View, edge: Mask, lab_distance: float) -> Mask:
    """Grow smoothly from an edge of the picture, as far as the colours stay near those at the edge."""
    _, parts = cv2.connectedComponents(view.smooth.astype(np.uint8), connectivity=4)
    touching = np.unique(parts[edge & view.smooth])
    mask = np.isin(parts, touching[touching > 0])
    if not mask.any():
        return np.zeros(mask.shape, bool)
    usual = np.median(view.lab[mask & edge], axis=0)
    mask &= np.linalg.norm((view.lab - usual) * (0.6, 1, 1), axis=2) < lab_distance
    return _tidied(mask)


def _sky(view: View) -> Mask:
    top = np.zeros((view.height, view.width), bool)
    top[: max(2, view.height // 40)] = True
    return _connected(view, top, _SKY_LAB)


def _ground(view: View) -> Mask:
    bottom = np.zeros((view.height, view.width), bool)
    bottom[-max(2, view.height // 40) :] = True
    return _connected(view, bottom & ~view.subject, _GROUND_LAB) & ~view.subject


def _plants(view: View) -> Mask:
    return _tidied(view.hue_within(*_PLANT_HUES, saturation=40, value=25))


def _water(view: View) -> Mask:
    low = np.zeros((view.height, view.width), bool)
    low[view.height // 4 :] = True
    return _tidied(view.hue_within(*_WATER_HUES, saturation=35, value=30)) & low & ~_sky(view) & ~view.subject


def _face(view: View) -> Mask:
    mask = np.zeros((view.height, view.width), bool)
    for face in view.faces:
        mask |= faces.oval(view.rgb.shape, faces.anchors(face)) > 127  # noqa: PLR2004 - half
    return mask


def _skin(view: View) -> Mask:
    ycc = cv2.cvtColor(view.rgb, cv2.COLOR_RGB2YCrCb)
    found = (ycc[..., 1] > 135) & (ycc[..., 1] < 182) & (ycc[..., 2] > 75) & (ycc[..., 2] < 130)  # noqa: PLR2004
    face = _face(view)
    if face.any():
        found &= np.linalg.norm((view.lab - np.median(view.lab[face], axis=0)) * (0.6, 1, 1), axis=2) < _SKIN_LAB
    return _tidied(found & (view.subject | face))


def _head(view: View, share: float) -> Mask:
    mask = np.zeros((view.height, view.width), np.uint8)
    for face in view.faces:
        (x, y), size = face.middle, face.size
        axes = round(size * 0.6 * share), round(size * 0.78 * share)
        cv2.ellipse(mask, (round(x), round(y - size * 0.1)), axes, 0, 0, 360, (1,), -1)
    return np.asarray(mask > 0, bool)


def _hair(view: View) -> Mask:
    """Mark what in the upper part of a head has not the colour of the face."""
    mask = np.zeros((view.height, view.width), bool)
    for face in view.faces:
        oval = faces.oval(view.rgb.shape, faces.anchors(face)) > 127  # noqa: PLR2004 - half
        usual = np.median(view.lab[oval], axis=0)
        other = np.linalg.norm(view.lab - usual, axis=2) > _HAIR_LAB
        upper = np.zeros(mask.shape, bool)
        left, right = round(face.left - 0.3 * face.size), round(face.left + 1.3 * face.size)
        upper[: round(face.top + face.size * 0.8), max(left, 0) : right] = True
        mask |= other & upper & ~oval
    return _tidied(mask & _head(view, 1.15) & view.subject)


def _eyes(view: View) -> Mask:
    mask = np.zeros((view.height, view.width), np.uint8)
    for face in view.faces:
        for x, y in face.eyes:
            cv2.ellipse(
                mask, (round(x), round(y)), (round(face.size * 0.1), round(face.size * 0.06)), 0, 0, 360, (1,), -1
            )
    return np.asarray(mask > 0, bool)


def _mouth(view: View) -> Mask:
    mask = np.zeros((view.height, view.width), np.uint8)
    for face in view.faces:
        x, y = face.mouth
        cv2.ellipse(mask, (round(x), round(y)), (round(face.size * 0.15), round(face.size * 0.07)), 0, 0, 360, (1,), -1)
    return np.asarray(mask > 0, bool)


def _clothes(view: View) -> Mask:
    body = view.subject & ~_head(view, 1.0) & ~_skin(view)
    return _tidied(body & view.below(0.9, 0.2))


def _trousers(view: View) -> Mask:
    return _clothes(view) & view.below(3.8, 0.5) & ~_shoes(view)


def _shoes(view: View) -> Mask:
    return view.subject & view.below(6.6, 0.9)


def _shirt(view: View) -> Mask:
    return _clothes(view) & ~view.below(3.8, 0.6)


def _bright(view: View) -> Mask:
    return _tidied(view.lab[..., 0] > max(60.0, float(np.percentile(view.lab[..., 0], 90))))


def _dark(view: View) -> Mask:
    return _tidied(view.lab[..., 0] < min(40.0, float(np.percentile(view.lab[..., 0], 15))))


def _window(view: View) -> Mask:
    """Mark pale, even spots inside the subject."""
    _, saturated, bright = cv2.split(view.hsv)
    inside = cv2.erode(view.subject.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return _tidied(inside & (saturated < 70) & (bright > 205))  # noqa: PLR2004


_REGIONS: Final[dict[str, tuple[Callable[[View], Mask], str]]] = {
    "subject": (
        lambda view: view.subject,
        (
            "subject foreground object thing person people man woman child boy girl body figure animal cat dog bird "
            "horse house building car vehicle boat product flower cup"
        ),
    ),
    "background": (lambda view: ~view.subject, "background backdrop surroundings"),
    "sky": (_sky, "sky cloud"),
    "ground": (_ground, "ground floor road street sand beach snow table"),
    "plants": (_plants, "plant grass tree leaf lawn meadow forest bush vegetation"),
    "water": (_water, "water sea lake river ocean pool"),
    "face": (_face, "face"),
    "head": (lambda view: _head(view, 1.05) & (view.subject | _face(view)), "head"),
    "hair": (_hair, "hair"),
    "skin": (_skin, "skin hand arm leg"),
    "eyes": (_eyes, "eye"),
    "mouth": (_mouth, "mouth lip"),
    "clothes": (_clothes, "clothes clothing dress suit outfit uniform coat jacket"),
    "shirt": (_shirt, "shirt top blouse sweater pullover"),
    "trousers": (_trousers, "trousers pants jeans skirt shorts"),
    "shoes": (_shoes, "shoes shoe boot foot feet"),
    "window": (_window, "window windows"),
    "bright": (_bright, "bright light highlight"),
    "dark": (_dark, "dark shadow"),
}
_REGION_OF: Final = {word: name for name, (_, words) in _REGIONS.items() for word in words.split()}
_COLOUR_OF: Final = {**{name: name for name in (*_HUES, *_GREYS, "brown")}, "gray": "grey", "violet": "purple"}
_PLURALS: Final = {"leaves": "leaf", "grasses": "grass", "women": "woman", "men": "man", "children": "child"}


def known() -> list[str]:
    """List every word that selects something."""
    return sorted({*_REGION_OF, *_COLOUR_OF})


def region_of(word: str) -> str:
    """Give the name of the region that a word means, in the singular or in the plural; empty for none."""
    forms = (word, _PLURALS.get(word, ""), word.removesuffix("s"), word.removesuffix("es"))
    return next((_REGION_OF[form] for form in forms if form in _REGION_OF), "")


def colour_of(word: str) -> str:
    """Give the name of the colour that a word means; empty for none."""
    return _COLOUR_OF.get(word, "")


def region(view: View, name: str) -> Mask:
    """Mark a region by its name."""
    return _REGIONS[name][0](view)
