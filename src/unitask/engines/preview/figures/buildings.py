"""Houses, towers and other things that stay where they are."""

from typing import Final

from unitask.engines.preview.colours import NAMED, RGB, WHITE, dim, mix
from unitask.engines.preview.figures.registry import Look, figure
from unitask.engines.preview.pen import Pen

_LAMP: Final[RGB] = (1.0, 0.84, 0.48)
_GLASS: Final[RGB] = (0.62, 0.80, 0.90)
_WOOD: Final[RGB] = (0.48, 0.31, 0.19)


def _window(pen: Pen, look: Look, x: float, y: float, size: tuple[float, float]) -> None:
    width, height = size
    pen.box(x, y - 0.012, width + 0.03, height + 0.026, (0.95, 0.93, 0.88))
    pen.box(x, y, width, height, _LAMP if look.dark else _GLASS, "down", lit=look.dark)
    pen.box(x, y, 0.012, height, (0.95, 0.93, 0.88), "flat")
    pen.box(x, y + height * 0.48, width, 0.012, (0.95, 0.93, 0.88), "flat")
    if look.dark:
        pen.glow(x, y + height / 2, width * 2.2, _LAMP, 0.45)


@figure("house", "home", "cottage", "cabin", "hut", "villa", "barn", "mansion", height=0.54, width=1.2, stance="back",
        colours="cream coral beige")  # fmt: skip
def house(pen: Pen, look: Look) -> None:
    """Draw a house with a door, two windows and a chimney."""
    roof = look.other(NAMED["maroon"] if look.main != NAMED["red"] else (0.34, 0.30, 0.32))
    pen.shadow(0, 0.66)
    pen.box(0.27, 0.62, 0.10, 0.33, (0.62, 0.36, 0.29))
    pen.box(0.27, 0.93, 0.13, 0.035, (0.50, 0.29, 0.24))
    for puff in range(3):
        pen.oval(
            0.30 + 0.05 * puff,
            1.0 + 0.075 * puff,
            0.045 + 0.018 * puff,
            0.038 + 0.014 * puff,
            WHITE,
            alpha=0.4 - 0.1 * puff,
        )
    pen.box(0, 0, 0.92, 0.54, look.main)
    pen.shape([(-0.46, 0.54), (0.46, 0.54), (0, 0.86)], look.shade(0.96), "side")
    pen.shape([(-0.56, 0.50), (0, 0.92), (0.56, 0.50), (0.56, 0.57), (0, 1.0), (-0.56, 0.57)], roof, "down")
    pen.box(0, 0, 0.18, 0.32, _WOOD, soft=0.012)
    pen.oval(0.055, 0.15, 0.014, 0.014, NAMED["gold"], "ball")
    for side in (-1, 1):
        _window(pen, look, side * 0.28, 0.20, (0.17, 0.19))
    pen.oval(0, 0.66, 0.075, 0.075, (0.95, 0.93, 0.88))
    pen.oval(0, 0.66, 0.055, 0.055, _LAMP if look.dark else _GLASS, lit=look.dark)
    pen.box(0, 0, 0.26, 0.025, (0.72, 0.70, 0.68))


@figure("castle", "fortress", "palace", "citadel", height=0.66, width=1.2, stance="back", colours="grey beige")
def castle(pen: Pen, look: Look) -> None:
    """Draw a castle with three towers and flags."""
    stone, roof = mix(look.main, (0.80, 0.78, 0.75), 0.35), look.other(NAMED["indigo"])
    pen.shadow(0, 0.66)
    for x, top, width in ((-0.42, 0.58, 0.20), (0.42, 0.58, 0.20), (0, 0.74, 0.24)):
        _tower(pen, look, (x, top, width), stone, roof)
    pen.box(0, 0, 0.80, 0.38, dim(stone, 0.95))
    for tooth in range(9):
        pen.box(-0.36 + 0.09 * tooth, 0.37, 0.05, 0.055, dim(stone, 0.95))
    pen.box(0, 0, 0.22, 0.20, _WOOD)
    pen.oval(0, 0.20, 0.11, 0.09, _WOOD)
    for bar in (-0.06, 0.0, 0.06):
        pen.box(bar, 0, 0.008, 0.27, dim(_WOOD, 0.6), "flat")
    for x in (-0.24, 0.24):
        _slit(pen, look, x, 0.20)


def _tower(pen: Pen, look: Look, place: tuple[float, float, float], stone: RGB, roof: RGB) -> None:
    x, top, width = place
    pen.box(x, 0, width, top, stone)
    pen.box(x, top - 0.02, width * 1.18, 0.045, dim(stone, 0.88))
    pen.shape([(x - width * 0.62, top + 0.02), (x + width * 0.62, top + 0.02), (x, top + 0.20)], roof, "side")
    pen.line([(x, top + 0.19), (x, top + 0.28)], 0.010, _WOOD)
    pen.shape([(x, top + 0.28), (x + 0.085, top + 0.255), (x, top + 0.23)], NAMED["red"], "flat")
    _slit(pen, look, x, top - 0.16)


def _slit(pen: Pen, look: Look, x: float, y: float) -> None:
    pen.box(x, y, 0.045, 0.085, _LAMP if look.dark else (0.25, 0.25, 0.32), "flat", soft=0.022, lit=look.dark)
    if look.dark:
        pen.glow(x, y + 0.04, 0.12, _LAMP, 0.4)


@figure("lighthouse", "beacon", height=0.70, width=0.5, stance="back", home="water", colours="red")
def lighthouse(pen: Pen, look: Look) -> None:
    """Draw a striped lighthouse on a rock."""
    pen.blob([(-0.34, 0.0), (-0.24, 0.12), (0.0, 0.15), (0.26, 0.11), (0.36, 0.0), (0, -0.03)], (0.42, 0.40, 0.40))
    for band in range(5):
        low, high = 0.10 + 0.12 * band, 0.22 + 0.12 * band
        half = [0.145 - 0.012 * (band + end) for end in (0, 1)]
        stripe = look.main if band % 2 == 0 else look.other(WHITE)
        pen.shape([(-half[0], low), (half[0], low), (half[1], high), (-half[1], high)], stripe, "side")
    pen.box(0, 0.70, 0.22, 0.025, (0.25, 0.25, 0.28))
    pen.box(0, 0.725, 0.12, 0.11, (1.0, 0.92, 0.62), "side", lit=True)
    pen.glow(0, 0.78, 0.55 if look.dark else 0.22, (1.0, 0.90, 0.60), 0.85)
    for x in (-0.06, 0.0, 0.06):
        pen.box(x, 0.725, 0.010, 0.11, (0.25, 0.25, 0.28), "flat")
    pen.shape([(-0.085, 0.835), (0.085, 0.835), (0.03, 0.93), (-0.03, 0.93)], look.shade(0.8), "side")
    pen.line([(0, 0.93), (0, 0.99)], 0.012, (0.25, 0.25, 0.28))
    pen.box(0, 0.11, 0.07, 0.11, _WOOD, soft=0.03)


@figure("windmill", "mill", height=0.64, width=0.8, stance="back", colours="cream")
def windmill(pen: Pen, look: Look) -> None:
    """Draw a windmill with four sails."""
    pen.shadow(0, 0.34)
    pen.shape([(-0.20, 0), (0.20, 0), (0.12, 0.58), (-0.12, 0.58)], look.main, "side")
    pen.blob([(-0.14, 0.56), (-0.10, 0.70), (0, 0.75), (0.10, 0.70), (0.14, 0.56)], look.other(NAMED["maroon"]))
    pen.box(0, 0, 0.10, 0.17, _WOOD, soft=0.03)
    _window(pen, look, 0, 0.32, (0.08, 0.09))
    for dx, dy in ((0.26, 0.22), (-0.22, 0.26), (-0.26, -0.22), (0.22, -0.26)):
        tip = (dx * 1.25, 0.63 + dy * 1.25)
        pen.line([(0, 0.63), tip], 0.020, _WOOD)
        side = (-dy * 0.33, dx * 0.33)
        sail = [(dx * 0.3, 0.63 + dy * 0.3), (dx * 1.2, 0.63 + dy * 1.2)]
        pen.shape(
            [*sail, (sail[1][0] + side[0], sail[1][1] + side[1]), (sail[0][0] + side[0], sail[0][1] + side[1])],
            WHITE,
            alpha=0.92,
        )
    pen.oval(0, 0.63, 0.03, 0.03, dim(_WOOD, 0.8), "ball")


@figure("tent", "tepee", "camp", height=0.34, width=1.4, stance="back", colours="orange amber")
def tent(pen: Pen, look: Look) -> None:
    """Draw a tent with an open flap."""
    pen.shadow(0, 0.8)
    pen.shape([(-0.66, 0), (-0.06, 1.0), (0.24, 0.94), (0.72, 0.03)], look.shade(0.78), "side")
    pen.shape([(-0.66, 0), (-0.06, 1.0), (0.44, 0)], look.main, "down")
    inside = _LAMP if look.dark else (0.22, 0.17, 0.15)
    pen.shape([(-0.26, 0), (-0.06, 0.74), (0.14, 0)], inside, "down", lit=look.dark)
    if look.dark:
        pen.glow(-0.06, 0.3, 1.0, _LAMP, 0.6)
    pen.shape([(-0.26, 0), (-0.06, 0.74), (-0.30, 0.30)], look.shade(1.12), "flat")


@figure("pagoda", "temple", "shrine", height=0.68, width=0.6, stance="back", colours="maroon")
def pagoda(pen: Pen, look: Look) -> None:
    """Draw a tower of five roofs."""
    pen.shadow(0, 0.34)
    pen.box(0, 0, 0.46, 0.05, (0.66, 0.64, 0.62))
    wall = look.other((0.93, 0.86, 0.74))
    for floor in range(5):
        low, half = 0.05 + 0.165 * floor, 0.17 - 0.022 * floor
        pen.box(0, low, half * 2, 0.12, wall)
        for x in (-0.55, 0.0, 0.55):
            pen.box(x * half, low + 0.02, half * 0.30, 0.07, _LAMP if look.dark else (0.35, 0.22, 0.18), lit=look.dark)
        eave = low + 0.11
        knots = [
            (-half - 0.12, eave + 0.045),
            (-half, eave),
            (half, eave),
            (half + 0.12, eave + 0.045),
            (half * 0.6, eave + 0.075),
        ]
        pen.blob([*knots, (-half * 0.6, eave + 0.075)], look.main, "down")
    pen.line([(0, 0.90), (0, 1.0)], 0.02, NAMED["gold"], end=0.006)


@figure(
    "tower", "skyscraper", "office", "hotel", height=0.72, width=0.5, stance="back", home="city", colours="azure silver"
)
def tower(pen: Pen, look: Look) -> None:
    """Draw a tower of glass with a mast."""
    frame = look.other(mix(look.main, (0.25, 0.30, 0.40), 0.55))
    pen.shadow(0, 0.28)
    pen.line([(0, 0.86), (0, 1.0)], 0.018, frame, end=0.006)
    for half, low, high in ((0.19, 0.0, 0.60), (0.145, 0.58, 0.78), (0.09, 0.76, 0.88)):
        pen.box(0, low, half * 2, high - low, frame)
        floors, columns = round((high - low) / 0.042), round(half * 2 / 0.075)
        for floor in range(floors):
            for column in range(columns):
                lit = look.dark and bool(look.rng.integers(2))
                glass = _LAMP if lit else mix(look.shade(0.75 + 0.5 * ((floor + 2 * column) % 5) / 4), _GLASS, 0.35)
                x = (column + 0.5) / columns * half * 1.84 - half * 0.92
                pen.box(x, low + 0.008 + 0.042 * floor, half * 1.62 / columns, 0.031, glass, "flat", lit=lit)
    pen.shape([(-0.19, 0.60), (-0.05, 0.60), (-0.19, 0.22)], (1.0, 1.0, 1.0), "flat", alpha=0.13)
    pen.box(0, 0, 0.10, 0.05, _LAMP if look.dark else dim(_GLASS, 0.6), lit=look.dark)


@figure("church", "cathedral", "chapel", height=0.64, width=0.9, stance="back", colours="cream beige")
def church(pen: Pen, look: Look) -> None:
    """Draw a church with a steeple."""
    roof = look.other((0.38, 0.36, 0.42))
    pen.shadow(0, 0.5)
    pen.box(0.14, 0, 0.58, 0.36, look.main)
    pen.shape([(-0.20, 0.34), (0.48, 0.34), (0.40, 0.56), (-0.16, 0.56)], roof, "down")
    pen.box(-0.24, 0, 0.25, 0.58, look.shade(1.02))
    pen.shape([(-0.39, 0.57), (-0.09, 0.57), (-0.24, 0.92)], roof, "side")
    pen.line([(-0.24, 0.91), (-0.24, 1.0)], 0.014, NAMED["gold"])
    pen.line([(-0.275, 0.965), (-0.205, 0.965)], 0.014, NAMED["gold"])
    pen.box(-0.24, 0, 0.11, 0.18, _WOOD, soft=0.05)
    pen.oval(-0.24, 0.46, 0.045, 0.045, (0.96, 0.95, 0.90))
    for x in (0.02, 0.17, 0.32):
        pen.box(x, 0.10, 0.065, 0.17, _LAMP if look.dark else (0.30, 0.42, 0.62), "down", soft=0.032, lit=look.dark)


@figure("door", "gate", "portal", height=0.60, width=0.5, home="room", colours="wooden teal")
def door(pen: Pen, look: Look) -> None:
    """Draw a panelled door in its frame."""
    pen.box(0, 0, 0.50, 1.0, look.other((0.93, 0.91, 0.86)), soft=0.01)
    pen.box(0, 0, 0.42, 0.95, look.main, soft=0.005)
    for x in (-0.095, 0.095):
        for low, high in ((0.08, 0.40), (0.48, 0.88)):
            pen.box(x, low, 0.145, high - low, look.shade(0.78), "down")
            pen.box(x, low + 0.018, 0.11, high - low - 0.036, look.shade(1.08), "down")
    pen.oval(0.165, 0.44, 0.022, 0.022, NAMED["gold"], "ball")
