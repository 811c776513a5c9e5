"""Animals that sit and look at you: one body, many faces."""

from dataclasses import dataclass, replace
from math import cos, degrees, sin, tau
from typing import Final, Literal

from unitask.engines.preview.colours import BLACK, RGB, WHITE, dim, mix
from unitask.engines.preview.figures.registry import Draw, Look, figure
from unitask.engines.preview.pen import Pen

_PINK: Final[RGB] = (0.93, 0.60, 0.60)
_DARK: Final[RGB] = (0.13, 0.10, 0.10)


@dataclass(frozen=True, slots=True)
class Beast:
    """What tells one sitting animal from another."""

    ears: Literal["point", "round", "long", "flop"]
    tail: Literal["long", "bushy", "stub"]
    snout: float = 0.0
    eyes: RGB = (0.32, 0.20, 0.12)
    slit: bool = False
    stripes: bool = False
    whiskers: bool = False
    mane: bool = False
    patches: bool = False
    belly: RGB | None = None


CAT: Final = Beast("point", "long", eyes=(0.45, 0.72, 0.30), slit=True, stripes=True, whiskers=True)
DOG: Final = Beast("flop", "stub", snout=0.6)
BEAR: Final = Beast("round", "stub", snout=0.45)
PANDA: Final = replace(BEAR, patches=True, belly=WHITE)
RABBIT: Final = Beast("long", "stub", whiskers=True, eyes=(0.30, 0.16, 0.14))
FOX: Final = Beast("point", "bushy", snout=0.35, eyes=(0.75, 0.50, 0.15), belly=WHITE)
WOLF: Final = replace(FOX, eyes=(0.85, 0.70, 0.25), snout=0.45)
LION: Final = Beast("round", "long", snout=0.3, mane=True, eyes=(0.70, 0.48, 0.15))
TIGER: Final = replace(CAT, ears="round", eyes=(0.80, 0.62, 0.18), slit=False, snout=0.25, belly=WHITE)
MOUSE: Final = Beast("round", "long", whiskers=True, eyes=(0.10, 0.08, 0.08))


def _draw(beast: Beast) -> Draw:
    def draw(pen: Pen, look: Look) -> None:
        belly = beast.belly or look.other(mix(look.main, (1.0, 0.95, 0.88), 0.55))
        limbs = BLACK if beast.patches else look.main
        coat = replace(look, main=WHITE) if beast.patches else look
        pen.shadow(0.03, 0.42)
        _tail(pen, coat, beast, belly)
        _torso(pen, coat, limbs, belly, stripes=beast.stripes)
        if beast.mane:
            _mane(pen, coat)
        _ears(pen, coat, beast, limbs)
        _head(pen, coat, beast, belly)

    return draw


def _tail(pen: Pen, look: Look, beast: Beast, belly: RGB) -> None:
    if beast.tail == "long":
        path = [(0.16, 0.06), (0.34, 0.05), (0.42, 0.20), (0.36, 0.36), (0.43, 0.46)]
        pen.line(path, 0.085, look.shade(0.86), "side", end=0.06)
        if beast.stripes:
            for x, y, angle in ((0.40, 0.13, 35.0), (0.405, 0.25, -15.0), (0.37, 0.34, -5.0)):
                pen.oval(x, y, 0.042, 0.014, look.shade(0.55), "flat", angle=angle, alpha=0.8)
    elif beast.tail == "bushy":
        pen.blob([(0.12, 0.04), (0.34, 0.02), (0.48, 0.20), (0.47, 0.46), (0.36, 0.30), (0.22, 0.16)], look.main)
        pen.blob([(0.42, 0.30), (0.485, 0.30), (0.47, 0.47), (0.40, 0.37)], belly)
    else:
        pen.oval(0.24, 0.12, 0.07, 0.07, mix(look.main, WHITE, 0.25))


def _torso(pen: Pen, look: Look, limbs: RGB, belly: RGB, *, stripes: bool) -> None:
    for side in (-1, 1):
        pen.oval(side * 0.19, 0.13, 0.14, 0.135, dim(limbs, 0.92))
        pen.oval(side * 0.23, 0.03, 0.10, 0.042, dim(limbs, 1.02))
    outline = [(-0.13, 0.56), (0.13, 0.56), (0.21, 0.34), (0.23, 0.13), (0.12, 0.02), (-0.12, 0.02)]
    pen.blob([*outline, (-0.23, 0.13), (-0.21, 0.34)], look.main)
    pen.blob([(0, 0.54), (0.10, 0.42), (0.10, 0.24), (0, 0.14), (-0.10, 0.24), (-0.10, 0.42)], belly, alpha=0.9)
    if stripes:
        for side in (-1, 1):
            for y in (0.24, 0.32, 0.40):
                path = [(side * 0.215, y + 0.01), (side * 0.17, y - 0.01), (side * 0.13, y + 0.015)]
                pen.line(path, 0.026, look.shade(0.58), end=0.004, alpha=0.75)
    for side in (-1, 1):
        path = [(side * 0.085, 0.34), (side * 0.085, 0.2), (side * 0.08, 0.06)]
        pen.line(path, 0.10, limbs, "side", end=0.085)
        pen.oval(side * 0.085, 0.035, 0.068, 0.04, mix(limbs, belly, 0.35))


def _mane(pen: Pen, look: Look) -> None:
    colour = mix(look.main, (0.45, 0.20, 0.06), 0.62)
    for lock in range(15):
        turn = lock / 15 * tau
        shade = dim(colour, 0.9 + 0.2 * (lock % 2))
        pen.oval(0.25 * cos(turn), 0.70 + 0.24 * sin(turn), 0.12, 0.085, shade, angle=degrees(turn))
    pen.oval(0, 0.70, 0.27, 0.25, dim(colour, 0.85))


def _ears(pen: Pen, look: Look, beast: Beast, limbs: RGB) -> None:
    inner = mix(look.main, _PINK, 0.7)
    for side in (-1, 1):
        if beast.ears == "point":
            pen.blob([(side * 0.07, 0.86), (side * 0.215, 1.0), (side * 0.255, 0.74), (side * 0.15, 0.70)], look.main)
            pen.blob([(side * 0.12, 0.85), (side * 0.20, 0.95), (side * 0.22, 0.78), (side * 0.16, 0.76)], inner)
        elif beast.ears == "round":
            pen.oval(side * 0.19, 0.885, 0.095, 0.095, dim(limbs, 0.95))
            pen.oval(side * 0.19, 0.88, 0.055, 0.055, mix(limbs, _PINK, 0.35))
        elif beast.ears == "long":
            pen.oval(side * 0.10, 0.95, 0.065, 0.20, look.main, angle=-side * 12)
            pen.oval(side * 0.10, 0.95, 0.034, 0.15, inner, angle=-side * 12)


def _head(pen: Pen, look: Look, beast: Beast, belly: RGB) -> None:
    cheeks = [(0, 0.915), (0.17, 0.87), (0.265, 0.70), (0.19, 0.545), (0, 0.50)]
    pen.blob([*cheeks, *((-x, y) for x, y in cheeks[3:0:-1])], look.main)
    if beast.stripes:
        _forehead(pen, look)
    for side in (-1, 1):
        if beast.ears == "flop":
            knots = [(0.13, 0.90), (0.25, 0.86), (0.315, 0.66), (0.25, 0.54), (0.19, 0.70)]
            pen.blob([(side * x, y) for x, y in knots], look.shade(0.72))
        if beast.patches:
            pen.oval(side * 0.115, 0.715, 0.062, 0.078, BLACK, "flat", angle=side * 25)
        if beast.belly and not beast.patches:
            pen.blob([(side * 0.02, 0.60), (side * 0.12, 0.67), (side * 0.235, 0.62), (side * 0.13, 0.53)], belly)
        _eye(pen, side * 0.115, 0.72, beast)
    _muzzle(pen, look, beast, belly)


def _forehead(pen: Pen, look: Look) -> None:
    for x in (-0.06, 0.0, 0.06):
        pen.line([(x, 0.905), (x * 0.9, 0.86), (x * 0.7, 0.82)], 0.028, look.shade(0.58), end=0.006, alpha=0.8)
    for side in (-1, 1):
        for y in (0.66, 0.61):
            pen.line([(side * 0.25, y), (side * 0.2, y)], 0.022, look.shade(0.58), end=0.004, alpha=0.7)


def _eye(pen: Pen, x: float, y: float, beast: Beast) -> None:
    size = 0.046
    pen.oval(x, y, size * 1.12, size * 1.18, _DARK, "flat")
    pen.oval(x, y, size, size * 1.08, beast.eyes, "down")
    pen.oval(x, y, size * (0.34 if beast.slit else 0.62), size * (0.9 if beast.slit else 0.68), _DARK, "flat")
    pen.oval(x - 0.014, y + 0.018, size * 0.28, size * 0.28, (1.0, 1.0, 1.0), "flat")


def _muzzle(pen: Pen, look: Look, beast: Beast, belly: RGB) -> None:
    reach = beast.snout
    puff = mix(belly, WHITE, 0.25)
    for side in (-1, 1):
        pen.oval(side * 0.045, 0.605, 0.062 + 0.03 * reach, 0.048 + 0.03 * reach, puff)
    if reach:
        pen.oval(0, 0.62, 0.07 + 0.03 * reach, 0.06 + 0.03 * reach, puff)
    nose = _DARK if reach else _PINK
    wide = 0.03 + 0.028 * reach
    pen.blob([(-wide, 0.655), (0, 0.662), (wide, 0.655), (0, 0.655 - wide * 1.1)], nose, "ball")
    low = 0.655 - wide
    for side in (-1, 1):
        pen.line([(0, low), (side * 0.02, low - 0.036), (side * 0.062, low - 0.022)], 0.010, _DARK, end=0.006)
        if beast.whiskers:
            for lift in (-0.025, 0.005, 0.035):
                path = [(side * 0.08, 0.605 + lift * 0.4), (side * 0.2, 0.61 + lift), (side * 0.31, 0.59 + lift * 1.8)]
                pen.line(path, 0.006, mix(WHITE, look.main, 0.15), end=0.002, alpha=0.9)
    if beast.ears == "flop":
        pen.blob([(-0.022, low - 0.04), (0.022, low - 0.04), (0.018, low - 0.09), (-0.018, low - 0.09)], _PINK)


def _enlist(beast: Beast, height: float, colours: str, *names: str) -> None:
    figure(*names, height=height, width=0.95, colours=colours)(_draw(beast))


_enlist(CAT, 0.50, "ginger grey tan ginger", "cat", "kitten", "kitty", "pussycat")
_enlist(DOG, 0.52, "tan chestnut brown", "dog", "puppy", "hound", "doggy")
_enlist(BEAR, 0.58, "brown", "bear", "teddy")
_enlist(PANDA, 0.56, "white", "panda")
_enlist(RABBIT, 0.44, "beige tan grey", "rabbit", "bunny", "hare")
_enlist(FOX, 0.46, "orange", "fox")
_enlist(WOLF, 0.54, "grey", "wolf", "husky")
_enlist(LION, 0.58, "ginger", "lion")
_enlist(TIGER, 0.58, "orange", "tiger", "leopard")
_enlist(MOUSE, 0.30, "grey", "mouse", "rat", "hamster")
