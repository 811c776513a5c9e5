"""People: one standing body in different clothes, and the robot that came to stay with them."""

from dataclasses import dataclass
from typing import Final, Literal

from unitask.engines.preview.colours import BLACK, NAMED, RGB, WHITE, dim, mix
from unitask.engines.preview.figures.registry import Draw, Look, figure
from unitask.engines.preview.pen import Pen

_SKINS: Final[tuple[RGB, ...]] = ((0.96, 0.80, 0.69), (0.89, 0.69, 0.54), (0.72, 0.50, 0.36), (0.50, 0.33, 0.24))
_HAIRS: Final[tuple[RGB, ...]] = ((0.16, 0.11, 0.09), (0.36, 0.22, 0.13), (0.60, 0.36, 0.17), (0.86, 0.68, 0.36))
_DARK: Final[RGB] = (0.13, 0.10, 0.11)


@dataclass(frozen=True, slots=True)
class Dress:
    """What a person wears, and how the hair falls."""

    hair: Literal["short", "long", "none"] = "short"
    skirt: bool = False
    cape: bool = False
    hat: Literal["", "crown", "pointed"] = ""
    beard: bool = False


def _person(dress: Dress) -> Draw:
    def draw(pen: Pen, look: Look) -> None:
        skin = _SKINS[int(look.rng.integers(len(_SKINS)))]
        hair = _HAIRS[int(look.rng.integers(len(_HAIRS)))]
        pen.shadow(0, 0.26)
        if dress.cape:
            cape = look.other(NAMED["red"])
            pen.blob(
                [(-0.10, 0.66), (0.10, 0.66), (0.26, 0.20), (0.32, 0.10), (0, 0.14), (-0.26, 0.08), (-0.24, 0.24)], cape
            )
        if dress.hair == "long":
            pen.blob(
                [(-0.14, 0.90), (0, 0.98), (0.14, 0.90), (0.17, 0.66), (0.10, 0.56), (-0.10, 0.56), (-0.17, 0.66)], hair
            )
        _legs(pen, look, dress, skin)
        _trunk(pen, look, dress, skin)
        _face(pen, skin, hair, dress)

    return draw


def _legs(pen: Pen, look: Look, dress: Dress, skin: RGB) -> None:
    cloth = skin if dress.skirt else look.main if dress.cape else look.other((0.24, 0.29, 0.42))
    shoe = look.other(NAMED["red"]) if dress.cape else (0.22, 0.17, 0.16)
    for side in (-1, 1):
        pen.line([(side * 0.058, 0.38), (side * 0.064, 0.2), (side * 0.066, 0.05)], 0.105, cloth, "side", end=0.085)
        if dress.cape:
            pen.line([(side * 0.065, 0.16), (side * 0.066, 0.05)], 0.095, shoe, "side")
        pen.oval(side * 0.082, 0.027, 0.072, 0.034, shoe)


def _trunk(pen: Pen, look: Look, dress: Dress, skin: RGB) -> None:
    for side in (-1, 1):
        sleeve = [(side * 0.125, 0.615), (side * 0.185, 0.52), (side * 0.205, 0.40)]
        pen.line(sleeve, 0.085, look.shade(0.88), "side", end=0.07)
        pen.oval(side * 0.207, 0.365, 0.04, 0.044, skin)
    pen.box(0, 0.62, 0.07, 0.08, dim(skin, 0.86))
    pen.blob(
        [(-0.135, 0.65), (0, 0.672), (0.135, 0.65), (0.135, 0.50), (0.12, 0.36), (-0.12, 0.36), (-0.135, 0.50)],
        look.main,
    )
    if dress.skirt:
        skirt = look.second or look.shade(0.9)
        pen.blob(
            [(-0.10, 0.46), (0.10, 0.46), (0.17, 0.30), (0.20, 0.20), (0, 0.18), (-0.20, 0.20), (-0.17, 0.30)], skirt
        )
        pen.box(0, 0.44, 0.22, 0.03, dim(skirt, 0.75), soft=0.012)
    elif dress.cape:
        pen.box(0, 0.37, 0.25, 0.035, NAMED["gold"], soft=0.01)
        pen.blob([(-0.06, 0.60), (0.06, 0.60), (0.05, 0.53), (0, 0.48), (-0.05, 0.53)], NAMED["yellow"])
        pen.blob([(-0.035, 0.585), (0.035, 0.585), (0.028, 0.54), (0, 0.51), (-0.028, 0.54)], look.other(NAMED["red"]))
    else:
        pen.line([(0, 0.66), (0, 0.52), (0, 0.38)], 0.008, look.shade(0.7), alpha=0.8)
        for y in (0.60, 0.53, 0.46):
            pen.oval(0.014, y, 0.009, 0.009, mix(look.main, WHITE, 0.6))


def _face(pen: Pen, skin: RGB, hair: RGB, dress: Dress) -> None:
    for side in (-1, 1):
        pen.oval(side * 0.132, 0.815, 0.026, 0.034, dim(skin, 0.92))
    pen.blob(
        [
            (0, 0.955),
            (0.11, 0.91),
            (0.128, 0.80),
            (0.075, 0.705),
            (0, 0.68),
            (-0.075, 0.705),
            (-0.128, 0.80),
            (-0.11, 0.91),
        ],
        skin,
    )
    for side in (-1, 1):
        pen.oval(side * 0.052, 0.81, 0.021, 0.025, WHITE, "flat")
        pen.oval(side * 0.052, 0.808, 0.015, 0.019, _DARK, "flat")
        pen.oval(side * 0.052 - 0.005, 0.816, 0.006, 0.006, WHITE, "flat")
        pen.line([(side * 0.032, 0.853), (side * 0.055, 0.862), (side * 0.078, 0.852)], 0.010, dim(hair, 0.8))
        pen.oval(side * 0.08, 0.768, 0.022, 0.014, (0.96, 0.52, 0.48), "flat", alpha=0.35)
    pen.line([(0, 0.80), (0.012, 0.772), (-0.002, 0.768)], 0.008, dim(skin, 0.72))
    pen.line([(-0.03, 0.742), (0, 0.730), (0.03, 0.742)], 0.010, (0.62, 0.22, 0.22))
    if dress.beard:
        pen.blob(
            [(-0.115, 0.77), (-0.04, 0.755), (0.04, 0.755), (0.115, 0.77), (0.06, 0.62), (0, 0.54), (-0.06, 0.62)],
            (0.90, 0.90, 0.92),
        )
        pen.line([(-0.03, 0.742), (0, 0.733), (0.03, 0.742)], 0.010, (0.62, 0.22, 0.22))
    _crown(pen, hair, dress)


def _crown(pen: Pen, hair: RGB, dress: Dress) -> None:
    if dress.hair != "none":
        fringe = [(-0.135, 0.80), (-0.145, 0.90), (-0.07, 0.985), (0.06, 0.99), (0.14, 0.91), (0.135, 0.80)]
        pen.blob([*fringe, (0.11, 0.875), (0.02, 0.90), (-0.09, 0.885)], hair)
    if dress.hat == "pointed":
        blue = (0.26, 0.24, 0.58)
        pen.blob([(-0.13, 0.91), (-0.05, 1.10), (0.03, 1.26), (0.05, 1.10), (0.13, 0.91)], blue)
        pen.oval(0, 0.915, 0.21, 0.042, dim(blue, 0.85))
        for x, y in ((-0.04, 1.0), (0.05, 1.04), (0.0, 1.12)):
            pen.oval(x, y, 0.014, 0.014, NAMED["yellow"], "flat")
    elif dress.hat == "crown":
        teeth = [(-0.11, 0.93), (-0.12, 1.04), (-0.06, 0.98), (0, 1.06), (0.06, 0.98), (0.12, 1.04), (0.11, 0.93)]
        pen.shape(teeth, NAMED["gold"], "side")
        pen.oval(0, 0.962, 0.018, 0.018, NAMED["ruby"], "ball")


def _enlist(dress: Dress, height: float, colours: str, *names: str) -> None:
    figure(*names, height=height, width=0.5, colours=colours)(_person(dress))


_enlist(
    Dress(),
    0.66,
    "teal navy maroon green",
    "man",
    "person",
    "human",
    "guy",
    "soldier",
    "farmer",
    "fisherman",
    "sailor",
    "doctor",
    "father",
)
_enlist(Dress("long", skirt=True), 0.66, "crimson violet teal coral", "woman", "lady", "mother", "dancer", "witch")
_enlist(Dress("long", skirt=True), 0.54, "pink coral yellow", "girl", "daughter")
_enlist(Dress(), 0.52, "green blue orange", "boy", "child", "kid", "son")
_enlist(Dress(cape=True), 0.68, "blue", "superhero", "superheroine", "supergirl", "hero", "heroine")
_enlist(Dress("long", skirt=True, hat="crown"), 0.64, "purple", "queen", "princess")
_enlist(Dress(hat="crown"), 0.66, "crimson", "king", "prince", "knight")
_enlist(Dress("none", hat="pointed", beard=True), 0.60, "indigo", "wizard", "mage", "sorcerer", "gnome")


@figure("astronaut", "cosmonaut", "spaceman", height=0.58, width=0.7, colours="white", home="space")
def astronaut(pen: Pen, look: Look) -> None:
    """Draw a space suit with a golden visor."""
    suit, trim = look.main, look.other(NAMED["orange"])
    pen.box(0, 0.32, 0.40, 0.36, dim(suit, 0.68), soft=0.06)
    for side in (-1, 1):
        pen.line([(side * 0.085, 0.36), (side * 0.10, 0.2), (side * 0.10, 0.07)], 0.155, suit, "side", end=0.14)
        pen.oval(side * 0.11, 0.045, 0.095, 0.048, dim(suit, 0.7))
        pen.line([(side * 0.15, 0.60), (side * 0.25, 0.50), (side * 0.30, 0.40)], 0.125, suit, "side", end=0.11)
        pen.line([(side * 0.245, 0.505), (side * 0.265, 0.475)], 0.12, trim, "side")
        pen.oval(side * 0.31, 0.365, 0.062, 0.062, dim(suit, 0.72))
    pen.blob([(-0.17, 0.64), (0.17, 0.64), (0.19, 0.48), (0.16, 0.32), (-0.16, 0.32), (-0.19, 0.48)], suit)
    pen.box(0, 0.43, 0.19, 0.13, dim(suit, 0.82), soft=0.02)
    for x, colour in ((-0.05, NAMED["red"]), (0.0, NAMED["green"]), (0.05, NAMED["azure"])):
        pen.oval(x, 0.51, 0.016, 0.016, colour, lit=True)
    pen.oval(0, 0.80, 0.21, 0.20, suit)
    pen.oval(0, 0.80, 0.155, 0.135, (0.12, 0.10, 0.16), "ball")
    pen.oval(0, 0.80, 0.142, 0.122, (0.80, 0.55, 0.20), "ball")
    pen.oval(-0.05, 0.84, 0.055, 0.028, (1.0, 0.95, 0.85), "flat", angle=25, alpha=0.75)


@figure(
    "robot", "android", "cyborg", "droid", "mech", height=0.58, width=0.8, colours="silver teal orange", home="studio"
)
def robot(pen: Pen, look: Look) -> None:
    """Draw a boxy robot with lit eyes."""
    joint, lamp = (0.28, 0.30, 0.34), look.other((0.30, 0.95, 1.0))
    pen.shadow(0, 0.34)
    for side in (-1, 1):
        pen.box(side * 0.11, 0.05, 0.075, 0.26, joint)
        pen.box(side * 0.115, 0, 0.17, 0.075, look.shade(0.85), soft=0.025)
        pen.line([(side * 0.22, 0.56), (side * 0.32, 0.44), (side * 0.31, 0.30)], 0.07, joint, "side")
        pen.oval(side * 0.235, 0.56, 0.062, 0.062, look.shade(0.92), "ball")
        pen.oval(side * 0.31, 0.26, 0.062, 0.062, look.shade(0.92), "ball")
    pen.box(0, 0.26, 0.42, 0.37, look.main, soft=0.05)
    pen.box(0, 0.36, 0.26, 0.17, look.shade(0.72), "down", soft=0.025)
    for row, colour in enumerate((NAMED["red"], NAMED["amber"], NAMED["lime"])):
        pen.oval(-0.07 + 0.07 * row, 0.48, 0.020, 0.020, colour, "ball", lit=True)
    for row in range(3):
        pen.box(0, 0.385 + 0.024 * row, 0.17, 0.010, look.shade(0.5), "flat")
    pen.box(0, 0.61, 0.11, 0.05, joint)
    pen.box(0, 0.65, 0.36, 0.26, look.main, soft=0.06)
    pen.box(0, 0.69, 0.29, 0.16, BLACK, "flat", soft=0.045)
    for side in (-1, 1):
        pen.oval(side * 0.07, 0.79, 0.037, 0.037, lamp, "flat", lit=True)
        pen.glow(side * 0.07, 0.79, 0.11, lamp, 0.6)
        pen.box(side * 0.20, 0.73, 0.045, 0.10, look.shade(0.75), soft=0.015)
    pen.line([(-0.05, 0.725), (0, 0.718), (0.05, 0.725)], 0.014, lamp, lit=True)
    pen.line([(0, 0.90), (0, 0.97)], 0.016, joint)
    pen.oval(0, 0.985, 0.028, 0.028, NAMED["red"], "ball", lit=True)
