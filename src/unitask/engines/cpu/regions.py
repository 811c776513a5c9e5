"""Which words select which part of a picture; and colours."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from unitask.engines.cpu import person_parts, scenery_parts
from unitask.engines.cpu.view import Mask, View, dilated, filled, tidied, without_crumbs

HUES: Final = {
    "red": ((0, 7), (171, 180)),
    "orange": ((7, 21),),
    "yellow": ((21, 34),),
    "green": ((35, 85),),
    "blue": ((90, 130),),
    "purple": ((125, 155),),
    "pink": ((150, 172),),
}
"""Colour -> ranges of hue, 0 to 180."""
GREYS: Final = ("white", "grey", "black")
BROWN_HUES: Final = (4, 22)
DARK: Final = 165
"""The value below which orange is brown."""
LEAST_SPOT: Final = 0.003
"""Spots of a colour smaller than this share of the largest one are noise."""


def _hue_within(view: View, low: int, high: int, saturation: int, value: int) -> Mask:
    hue, saturated, bright = cv2.split(view.hsv)
    return np.asarray((hue >= low) & (hue <= high) & (saturated > saturation) & (bright > value), bool)


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
        found = _hue_within(view, *BROWN_HUES, 60, 35) & (bright < DARK)
    else:
        found = np.any([_hue_within(view, *hues, 80, 50) for hues in HUES[name]], axis=0)
    return without_crumbs(tidied(found), LEAST_SPOT)


def coloured(view: View, where: Mask, names: tuple[str, ...]) -> Mask:
    """Mark what of a region has one of the colours, with its folds and shadows: as far as GrabCut takes it on."""
    core = np.any([colour(view, name) for name in names], axis=0) & where
    if not core.any():
        return view.empty()
    grown = view.grown(core, where) & (dilated(core, 6) | filled(core, 0.01))
    return filled(without_crumbs(tidied(grown), 0.02), 0.0015) & where


def _kind(view: View) -> Mask:
    view.notes.append("the engine cpu cannot tell one kind of thing from another: it took the subject of the picture")
    return view.subject


_REGIONS: Final[dict[str, tuple[Callable[[View], Mask], str]]] = {
    "subject": (lambda view: view.subject, "subject foreground object thing"),
    "kind": (
        _kind,
        "animal cat kitten dog bird horse house building car vehicle boat product flower cup",
    ),
    "person": (person_parts.person, "person people man woman child boy girl body figure"),
    "background": (lambda view: ~view.subject, "background backdrop surroundings"),
    "sky": (scenery_parts.sky, "sky cloud"),
    "ground": (scenery_parts.ground, "ground floor road street sand beach snow table"),
    "plants": (scenery_parts.plants, "plant grass tree leaf lawn meadow forest bush vegetation"),
    "water": (scenery_parts.water, "water sea lake river ocean pool"),
    "face": (person_parts.face, "face"),
    "head": (person_parts.head, "head"),
    "hair": (person_parts.hair, "hair"),
    "skin": (person_parts.skin, "skin hand arm leg"),
    "eyes": (person_parts.eyes, "eye"),
    "mouth": (person_parts.mouth, "mouth lip"),
    "clothes": (person_parts.clothes, "clothes clothing dress suit outfit uniform coat jacket"),
    "shirt": (person_parts.shirt, "shirt top blouse sweater pullover"),
    "trousers": (person_parts.trousers, "trousers pants jeans skirt shorts"),
    "shoes": (person_parts.shoes, "shoes shoe boot foot feet"),
    "window": (scenery_parts.window, "window windows"),
    "bright": (scenery_parts.bright, "bright light highlight"),
    "dark": (scenery_parts.dark, "dark shadow"),
}
_REGION_OF: Final = {word: name for name, (_, words) in _REGIONS.items() for word in words.split()}
_COLOUR_OF: Final = {**{name: name for name in (*HUES, *GREYS, "brown")}, "gray": "grey", "violet": "purple"}
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
    return view.once(_REGIONS[name][0])
