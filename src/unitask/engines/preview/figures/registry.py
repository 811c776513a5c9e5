"""How a figure says what it is called, how large it is and where it stands."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from unitask.engines.preview.colours import NAMED, RGB, dim
from unitask.engines.preview.pen import Pen

Stance = Literal["ground", "back", "water", "air", "deep"]
"""In front on the ground, further back, on the water, in the air, or under water."""


@dataclass(frozen=True, slots=True)
class Look:
    """How this one is to look: its main colour, a second one if the prompt gives two, and its own chance."""

    main: RGB
    second: RGB | None
    rng: np.random.Generator
    dark: bool = False

    def other(self, default: RGB) -> RGB:
        """Give the second colour, or `default`."""
        return self.second or default

    def shade(self, factor: float) -> RGB:
        """Give the main colour, darker or brighter."""
        return dim(self.main, factor)


Draw = Callable[[Pen, Look], None]


@dataclass(frozen=True, slots=True)
class Figure:
    """`height` is a share of the picture's shorter side; `home` the place shown when the prompt names none.

    `width` is in units of the height. `colours` are the names from which an uncoloured one takes its colour.
    """

    name: str
    draw: Draw
    height: float
    width: float
    stance: Stance
    home: str
    colours: tuple[str, ...]

    def colour(self, rng: np.random.Generator) -> RGB:
        """Choose a colour for one whose colour the prompt leaves open."""
        return NAMED[self.colours[int(rng.integers(len(self.colours)))]]


_FIGURES: Final[dict[str, Figure]] = {}


def figure(
    *names: str,
    height: float,
    width: float = 1.0,
    stance: Stance = "ground",
    home: str = "meadow",
    colours: str,
) -> Callable[[Draw], Draw]:
    """Register the decorated function under all these names; the first is the one shown to people."""

    def register(draw: Draw) -> Draw:
        made = Figure(names[0], draw, height, width, stance, home, tuple(colours.split()))
        _FIGURES.update(dict.fromkeys(names, made))
        return draw

    return register


def find(word: str) -> Figure | None:
    """Look up the figure of this name; names are singular."""
    return _FIGURES.get(word)


def known() -> list[str]:
    """List every word that names a figure."""
    return sorted(_FIGURES)
