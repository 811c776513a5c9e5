"""What the demo model learns: one shape of one colour at one place on a plain background, and how people say that."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import cos, pi, sin
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

SIDE_PX: Final = 64
COLOURS: Final = {
    "red": (220, 40, 40),
    "orange": (245, 140, 30),
    "yellow": (245, 220, 50),
    "green": (40, 160, 70),
    "blue": (45, 80, 220),
    "purple": (140, 60, 180),
    "white": (245, 245, 245),
    "black": (25, 25, 25),
}
_NEAR, _MIDDLE, _FAR = 0.25, 0.5, 0.75
PLACES: Final = {
    "top left": (_NEAR, _NEAR),
    "top": (_MIDDLE, _NEAR),
    "top right": (_FAR, _NEAR),
    "left": (_NEAR, _MIDDLE),
    "center": (_MIDDLE, _MIDDLE),
    "right": (_FAR, _MIDDLE),
    "bottom left": (_NEAR, _FAR),
    "bottom": (_MIDDLE, _FAR),
    "bottom right": (_FAR, _FAR),
}
"""Where the middle of a shape lies, as shares of the side from the left and from the top."""
_STAR: Final = tuple(
    (radius * sin(pi * corner / 5), -radius * cos(pi * corner / 5))
    for corner, radius in ((corner, 0.48 if corner % 2 else 1.15) for corner in range(10))
)
_ARM: Final = 0.34
_CROSS: Final = tuple(
    (across * turn[0] - along * turn[1], across * turn[1] + along * turn[0])
    for turn in ((1, 0), (0, 1), (-1, 0), (0, -1))
    for across, along in ((_ARM, -_ARM), (1, -_ARM), (1, _ARM))
)
OUTLINES: Final[dict[str, tuple[tuple[float, float], ...]]] = {
    "circle": tuple((cos(2 * pi * part / 90), sin(2 * pi * part / 90)) for part in range(90)),
    "square": ((-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)),
    "triangle": ((0, -1.05), (1.1, 0.85), (-1.1, 0.85)),
    "star": _STAR,
    "cross": _CROSS,
}
"""Corners of each shape round its middle; 1 is its radius, and down is positive."""
_RADIUS: Final = (0.175, 0.205)
"""The least and the largest radius, as shares of the side."""
_SWAY: Final = 0.012
_SHADE: Final = 6
_FINER: Final = 4
_SPOKEN: Final = {
    "top": ("at the top",),
    "bottom": ("at the bottom",),
    "left": ("on the left", "at the left", "on the left side"),
    "right": ("on the right", "at the right", "on the right side"),
    "center": ("in the center", "in the centre", "in the middle"),
}
_FORMS: Final = (
    "{thing} {where} of {ground} background",
    "{thing} {where} on {ground} background",
    "{thing} on {ground} background, {where}",
    "{thing} on {ground} background, {place}",
    "{ground} background with {thing} {where}",
    "{colour} {shape}, {place}, {background} background",
)
_OPEN_FORM: Final = "{thing} on {ground} background"
"""Says no place: the center is meant."""
_KEPT_BACK: Final = 5
"""One in so many combinations of colour, shape and place is never trained."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What a picture shows, in the words of `COLOURS`, `OUTLINES` and `PLACES`."""

    colour: str
    shape: str
    place: str
    background: str

    @property
    def held_out(self) -> bool:
        """Tell whether this colour, shape and place together are kept back to measure with; any two are trained."""
        colour, shape, place = list(COLOURS), list(OUTLINES), list(PLACES)
        number = colour.index(self.colour) + 2 * shape.index(self.shape) + 3 * place.index(self.place)
        return number % _KEPT_BACK == 0


def scenes() -> Iterator[Scene]:
    """Give every scene there is: a thing is never on its own colour."""
    for colour, shape, place, background in product(COLOURS, OUTLINES, PLACES, COLOURS):
        if colour != background:
            yield Scene(colour, shape, place, background)


def drawn(scene: Scene, chance: np.random.Generator) -> Any:
    """Draw a scene with a little chance in size, place and shade: RGB of 8 bits, (64, 64, 3)."""
    side = SIDE_PX * _FINER
    ground, paint = (
        tuple(int(value) for value in np.clip(chance.integers(-_SHADE, _SHADE + 1, 3) + COLOURS[name], 0, 255))
        for name in (scene.background, scene.colour)
    )
    middle = np.asarray(PLACES[scene.place]) + chance.uniform(-_SWAY, _SWAY, 2)
    corners = (middle + np.asarray(OUTLINES[scene.shape]) * chance.uniform(*_RADIUS)) * side
    picture = Image.new("RGB", (side, side), ground)
    ImageDraw.Draw(picture).polygon([(float(x), float(y)) for x, y in corners], fill=paint)
    return np.asarray(picture.reduce(_FINER))


def caption(scene: Scene, chance: np.random.Generator) -> str:
    """Say what a scene shows, in one of the ways that people do."""
    forms = (*_FORMS, _OPEN_FORM) if scene.place == "center" else _FORMS
    corner = f"at the {scene.place}", f"in the {scene.place}", f"in the {scene.place} corner"
    said = str(chance.choice(forms)).format(
        thing=_with_article(f"{scene.colour} {scene.shape}"),
        ground=_with_article(scene.background),
        where=chance.choice(_SPOKEN.get(scene.place, corner)),
        place=scene.place,
        colour=scene.colour,
        shape=scene.shape,
        background=scene.background,
    )
    return said.capitalize() if chance.random() < 1 / 8 else said


def vocabulary() -> list[str]:
    """List the words of all captions, in lower case."""
    chance = np.random.default_rng(0)
    said = " ".join(caption(scene, chance).lower().replace(",", "") for scene in scenes())
    return sorted(set(said.split()))


def _with_article(words: str) -> str:
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"
