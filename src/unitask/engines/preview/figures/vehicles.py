"""What moves on roads, on the water and in the air."""

from math import cos, sin, tau
from typing import Final

from unitask.engines.preview.colours import BLACK, NAMED, RGB, WHITE, dim, mix
from unitask.engines.preview.figures.registry import Look, figure
from unitask.engines.preview.pen import Pen

_GLASS: Final[RGB] = (0.66, 0.84, 0.93)
_TYRE: Final[RGB] = (0.13, 0.13, 0.15)
_LAMP: Final[RGB] = (1.0, 0.95, 0.72)
_HULL: Final[RGB] = (0.50, 0.33, 0.21)


def _wheel(pen: Pen, x: float, y: float, radius: float) -> None:
    pen.oval(x, y, radius, radius, _TYRE, "round")
    pen.oval(x, y, radius * 0.60, radius * 0.60, (0.80, 0.82, 0.85), "ball")
    for spoke in range(5):
        turn = spoke / 5 * tau + 0.3
        end = (x + radius * 0.48 * cos(turn), y + radius * 0.48 * sin(turn))
        pen.line([(x, y), end], radius * 0.12, (0.45, 0.47, 0.5))
    pen.oval(x, y, radius * 0.16, radius * 0.16, (0.35, 0.36, 0.4), "ball")


@figure("car", "automobile", "taxi", "ferrari", "porsche", "vehicle", "convertible", height=0.27, width=2.4,
        home="road", colours="red azure teal")  # fmt: skip
def car(pen: Pen, look: Look) -> None:
    """Draw a car from the side."""
    pen.shadow(0, 1.35, 0.5)
    pen.blob(
        [(-0.62, 0.56), (-0.44, 0.94), (-0.1, 1.0), (0.26, 0.94), (0.62, 0.58), (0.3, 0.5), (-0.4, 0.5)], look.main
    )
    for pane in (
        [(-0.48, 0.60), (-0.36, 0.86), (-0.06, 0.90), (-0.05, 0.60)],
        [(0.02, 0.60), (0.02, 0.90), (0.22, 0.86), (0.46, 0.60)],
    ):
        pen.shape(pane, _GLASS, "down")
        pen.shape([pane[0], pane[1], ((pane[1][0] + pane[2][0]) / 2, pane[1][1])], WHITE, "flat", alpha=0.3)
    body = [
        (-1.10, 0.22),
        (-1.13, 0.46),
        (-1.02, 0.60),
        (-0.5, 0.62),
        (0.55, 0.62),
        (0.96, 0.54),
        (1.13, 0.40),
        (1.10, 0.22),
    ]
    pen.blob([*body, (0.5, 0.17), (-0.5, 0.17)], look.main, "down")
    pen.line([(-1.05, 0.50), (0, 0.55), (1.02, 0.47)], 0.025, mix(look.main, WHITE, 0.5), alpha=0.6)
    pen.box(0, 0.17, 2.0, 0.07, look.other(look.shade(0.6)), "down", soft=0.03)
    pen.line([(-0.02, 0.56), (-0.03, 0.24)], 0.012, look.shade(0.6))
    pen.box(-0.20, 0.47, 0.13, 0.03, look.shade(0.55), soft=0.012)
    for x in (-0.66, 0.66):
        pen.oval(x, 0.21, 0.27, 0.27, look.shade(0.35), "flat")
        _wheel(pen, x, 0.20, 0.215)
    pen.oval(1.04, 0.44, 0.055, 0.065, _LAMP, "ball", lit=True)
    pen.oval(-1.08, 0.45, 0.035, 0.07, (0.85, 0.10, 0.10), "ball", lit=True)
    if look.dark:
        pen.glow(1.08, 0.44, 0.75, _LAMP, 0.85)


@figure(
    "bus", "truck", "van", "lorry", "ambulance", "tram", height=0.36, width=1.9, home="road", colours="yellow red blue"
)
def bus(pen: Pen, look: Look) -> None:
    """Draw a bus from the side."""
    pen.shadow(0, 1.1, 0.5)
    pen.box(0, 0.14, 1.84, 0.80, look.main, "down", soft=0.11)
    pen.box(0, 0.40, 1.84, 0.05, look.other(look.shade(0.62)), "flat")
    pen.box(0, 0.93, 1.5, 0.05, look.shade(0.8), soft=0.02)
    for pane in range(5):
        pen.box(-0.68 + 0.30 * pane, 0.52, 0.25, 0.27, _LAMP if look.dark else _GLASS, "down", soft=0.03, lit=look.dark)
    pen.box(0.80, 0.50, 0.16, 0.30, _GLASS, "down", soft=0.03)
    pen.box(0.53, 0.17, 0.22, 0.64, look.shade(0.75), soft=0.02)
    pen.box(0.53, 0.22, 0.17, 0.55, _GLASS, "down", soft=0.02)
    for x in (-0.55, 0.36):
        _wheel(pen, x, 0.16, 0.165)
    pen.oval(0.90, 0.27, 0.035, 0.045, _LAMP, "ball", lit=True)


@figure("train", "locomotive", "tramway", height=0.36, width=2.0, home="meadow", colours="green red")
def train(pen: Pen, look: Look) -> None:
    """Draw a steam locomotive."""
    pen.shadow(0, 1.1, 0.45)
    pen.box(0, -0.01, 2.2, 0.035, (0.40, 0.36, 0.34))
    for puff in range(5):
        pen.oval(
            0.62 - 0.22 * puff,
            1.05 + 0.09 * puff,
            0.13 + 0.035 * puff,
            0.11 + 0.03 * puff,
            WHITE,
            alpha=0.75 - 0.11 * puff,
        )
    pen.box(0.62, 0.62, 0.13, 0.34, BLACK)
    pen.box(0.62, 0.92, 0.20, 0.06, BLACK, soft=0.02)
    pen.box(0.28, 0.34, 1.16, 0.36, look.main, "down", soft=0.16)
    for band in (0.0, 0.3, 0.6):
        pen.box(band, 0.335, 0.03, 0.37, look.other(NAMED["gold"]), "down")
    pen.oval(0.20, 0.72, 0.10, 0.10, look.other(NAMED["gold"]), "ball")
    pen.box(-0.56, 0.30, 0.62, 0.66, look.shade(0.9))
    pen.box(-0.56, 0.94, 0.74, 0.06, BLACK, soft=0.02)
    pen.box(-0.56, 0.60, 0.34, 0.24, _LAMP if look.dark else _GLASS, "down", lit=look.dark)
    pen.box(0, 0.24, 1.84, 0.10, NAMED["maroon"])
    for x, radius in ((-0.62, 0.20), (-0.18, 0.20), (0.32, 0.14), (0.66, 0.14)):
        _wheel(pen, x, radius, radius)
    pen.shape([(0.90, 0.02), (1.12, 0.02), (0.92, 0.26)], (0.30, 0.30, 0.33), "down")
    pen.oval(0.88, 0.54, 0.05, 0.06, _LAMP, "ball", lit=True)


@figure(
    "bicycle", "bike", "motorcycle", "motorbike", "scooter", height=0.34, width=1.6, home="road", colours="red teal"
)
def bicycle(pen: Pen, look: Look) -> None:
    """Draw a bicycle from the side."""
    pen.shadow(0, 0.8, 0.35)
    for x in (-0.48, 0.48):
        for radius, colour in ((0.33, _TYRE), (0.285, (0.85, 0.86, 0.88))):
            ring = [(x + radius * cos(k / 24 * tau), 0.34 + radius * sin(k / 24 * tau)) for k in range(25)]
            pen.line(ring, 0.045 if radius > 0.3 else 0.014, colour)  # noqa: PLR2004 - tyre or rim
        for spoke in range(10):
            turn = spoke / 10 * tau
            pen.line([(x, 0.34), (x + 0.29 * cos(turn), 0.34 + 0.29 * sin(turn))], 0.007, (0.72, 0.74, 0.77))
    back, front, seat, head, crank = (-0.48, 0.34), (0.48, 0.34), (-0.16, 0.78), (0.36, 0.80), (-0.02, 0.34)
    for bar in ((back, seat), (seat, head), (crank, head), (seat, crank), (back, crank), (front, (0.34, 0.92))):
        pen.line(bar, 0.045, look.main, "side")
    pen.line([(-0.17, 0.80), (-0.19, 0.90)], 0.03, (0.6, 0.62, 0.65))
    pen.blob([(-0.34, 0.93), (-0.06, 0.91), (-0.18, 0.87)], look.other((0.24, 0.17, 0.14)))
    pen.line([(0.34, 0.92), (0.42, 0.98), (0.52, 0.94)], 0.035, (0.24, 0.17, 0.14))
    pen.oval(-0.02, 0.34, 0.07, 0.07, (0.55, 0.57, 0.6), "ball")


@figure("boat", "sailboat", "yacht", "dinghy", "canoe", height=0.48, width=0.9, stance="water", home="water",
        colours="red navy teal")  # fmt: skip
def boat(pen: Pen, look: Look) -> None:
    """Draw a sailing boat."""
    sail = look.other(WHITE)
    pen.oval(0, 0.015, 0.52, 0.03, (0.05, 0.12, 0.18), "flat", alpha=0.35)
    pen.line([(0.02, 0.14), (0.02, 0.98)], 0.022, _HULL)
    pen.blob([(0.05, 0.24), (0.05, 0.96), (0.26, 0.60), (0.42, 0.25)], sail, "side")
    pen.blob([(-0.02, 0.26), (-0.02, 0.88), (-0.20, 0.54), (-0.36, 0.27)], dim(sail, 0.90), "side")
    for y in (0.42, 0.58, 0.74):
        pen.line([(0.06, y), (0.36 - 0.30 * (y - 0.3) / 0.6, y)], 0.006, dim(sail, 0.75), alpha=0.6)
    pen.shape([(0.02, 0.98), (0.16, 0.945), (0.02, 0.91)], look.main, "flat")
    pen.blob([(-0.46, 0.20), (0.52, 0.22), (0.40, 0.06), (0.25, 0.01), (-0.25, 0.01), (-0.40, 0.06)], look.main, "down")
    pen.line([(-0.45, 0.195), (0, 0.175), (0.50, 0.215)], 0.022, mix(look.main, WHITE, 0.75))
    for x in (-0.40, 0.38):
        pen.oval(x, 0.02, 0.10, 0.016, WHITE, "flat", alpha=0.6)


@figure(
    "ship",
    "steamer",
    "ferry",
    "liner",
    "submarine",
    height=0.40,
    width=1.6,
    stance="water",
    home="water",
    colours="navy red",
)
def ship(pen: Pen, look: Look) -> None:
    """Draw a steamer with two funnels."""
    pen.oval(0, 0.02, 0.86, 0.04, (0.05, 0.12, 0.18), "flat", alpha=0.35)
    for x in (-0.16, 0.14):
        for puff in range(3):
            pen.oval(
                x - 0.12 * puff - 0.05,
                0.98 + 0.07 * puff,
                0.07 + 0.03 * puff,
                0.055 + 0.02 * puff,
                WHITE,
                alpha=0.5 - 0.12 * puff,
            )
        pen.box(x, 0.58, 0.13, 0.34, look.other(NAMED["red"]))
        pen.box(x, 0.84, 0.13, 0.09, BLACK)
    pen.box(-0.02, 0.46, 0.74, 0.16, WHITE, soft=0.02)
    pen.box(-0.04, 0.32, 1.08, 0.16, dim(WHITE, 0.94), soft=0.02)
    for pane in range(8):
        pen.oval(
            -0.46 + 0.12 * pane, 0.40, 0.026, 0.026, _LAMP if look.dark else (0.25, 0.36, 0.48), "flat", lit=look.dark
        )
    for pane in range(5):
        pen.box(-0.28 + 0.13 * pane, 0.51, 0.07, 0.06, _LAMP if look.dark else _GLASS, lit=look.dark)
    pen.blob(
        [(-0.80, 0.34), (0, 0.31), (0.90, 0.42), (0.72, 0.10), (0.55, 0.01), (-0.60, 0.01), (-0.74, 0.10)],
        look.main,
        "down",
    )
    pen.line([(-0.74, 0.10), (0, 0.085), (0.72, 0.11)], 0.035, NAMED["crimson"])
    for x in (-0.7, 0.66):
        pen.oval(x, 0.02, 0.16, 0.022, WHITE, "flat", alpha=0.6)


@figure(
    "plane", "airplane", "aeroplane", "aircraft", "jet", height=0.24, width=2.4, stance="air", colours="white red azure"
)
def plane(pen: Pen, look: Look) -> None:
    """Draw an airliner from the side."""
    trim = look.other(NAMED["azure"] if look.main == WHITE else WHITE)
    pen.blob([(-0.15, 0.56), (-0.55, 0.86), (-0.70, 0.86), (-0.50, 0.54)], look.shade(0.72))
    pen.blob(
        [(1.10, 0.50), (0.85, 0.66), (0.2, 0.70), (-0.7, 0.66), (-1.15, 0.72), (-0.8, 0.44), (0.2, 0.32), (0.85, 0.36)],
        look.main,
        "down",
    )
    pen.shape([(-0.86, 0.62), (-1.22, 1.08), (-1.02, 1.08), (-0.62, 0.64)], trim, "side")
    pen.blob([(-0.85, 0.62), (-1.24, 0.70), (-1.22, 0.76), (-0.80, 0.68)], dim(trim, 0.8))
    pen.line([(-0.95, 0.56), (0, 0.50), (1.0, 0.47)], 0.05, trim)
    for pane in range(11):
        pen.oval(-0.62 + 0.13 * pane, 0.585, 0.028, 0.036, (0.20, 0.30, 0.42), "flat")
    pen.blob([(0.86, 0.645), (0.94, 0.52), (1.03, 0.555)], (0.20, 0.30, 0.42))
    pen.blob([(0.25, 0.46), (-0.55, -0.02), (-0.75, 0.0), (-0.25, 0.44)], look.shade(0.88))
    pen.oval(-0.12, 0.20, 0.15, 0.075, look.shade(0.7))


@figure("rocket", "spaceship", "missile", "spacecraft", "starship", height=0.62, width=0.6, stance="air", home="space",
        colours="white")  # fmt: skip
def rocket(pen: Pen, look: Look) -> None:
    """Draw a rocket on its flame."""
    trim = look.other(NAMED["red"] if look.main == WHITE else WHITE)
    pen.glow(0, 0.12, 0.34, (1.0, 0.62, 0.22), 0.9)
    for colour, half, low in (
        ((0.98, 0.45, 0.12), 0.11, -0.06),
        ((1.0, 0.75, 0.25), 0.075, 0.01),
        ((1.0, 0.96, 0.80), 0.04, 0.09),
    ):
        pen.blob(
            [(-half, 0.22), (half, 0.22), (half * 0.6, 0.12), (0, low), (-half * 0.6, 0.12)], colour, "flat", lit=True
        )
    for side in (-1, 1):
        pen.blob([(side * 0.12, 0.46), (side * 0.27, 0.26), (side * 0.26, 0.13), (side * 0.11, 0.24)], trim)
    pen.blob(
        [(0, 1.0), (0.10, 0.86), (0.155, 0.58), (0.12, 0.24), (-0.12, 0.24), (-0.155, 0.58), (-0.10, 0.86)],
        look.main,
        "side",
    )
    pen.blob([(0, 1.01), (0.075, 0.90), (0.10, 0.84), (0, 0.82), (-0.10, 0.84), (-0.075, 0.90)], trim, "side")
    pen.oval(0, 0.65, 0.075, 0.075, (0.42, 0.45, 0.50), "ball")
    pen.oval(0, 0.65, 0.055, 0.055, (0.45, 0.75, 0.92), "ball")
    pen.oval(-0.018, 0.672, 0.016, 0.012, WHITE, "flat")
    pen.box(0, 0.35, 0.27, 0.035, trim)
    pen.blob([(0, 0.44), (0.028, 0.30), (0, 0.14), (-0.028, 0.30)], trim)


@figure("balloon", "airship", "zeppelin", height=0.50, width=0.8, stance="air", colours="red orange violet")
def balloon(pen: Pen, look: Look) -> None:
    """Draw a hot-air balloon."""
    stripe = look.other(mix(look.main, (1.0, 0.95, 0.80), 0.8))
    for x in (-0.11, -0.04, 0.04, 0.11):
        pen.line([(x * 1.5, 0.36), (x * 0.8, 0.14)], 0.008, _HULL)
    for panel, (outer, colour) in enumerate(((0.38, look.main), (0.27, stripe), (0.155, look.main), (0.05, stripe))):
        waist = outer * 0.42
        knots = [(0, 1.0), (outer * 0.75, 0.92), (outer, 0.70), (outer * 0.80, 0.48), (waist, 0.33)]
        pen.blob([*knots, *((-x, y) for x, y in knots[:0:-1])], dim(colour, 0.94 + 0.03 * panel), "round")
    pen.oval(0, 0.335, 0.155, 0.022, look.shade(0.6))
    pen.box(0, 0.0, 0.18, 0.15, (0.58, 0.40, 0.24), "side", soft=0.025)
    pen.box(0, 0.13, 0.20, 0.025, (0.45, 0.30, 0.18), soft=0.01)
    if look.dark:
        pen.glow(0, 0.45, 0.45, (1.0, 0.75, 0.35), 0.6)


@figure("ufo", "saucer", "alien", height=0.26, width=2.0, stance="air", colours="silver")
def ufo(pen: Pen, look: Look) -> None:
    """Draw a flying saucer with its beam."""
    pen.shape(
        [(-0.30, 0.20), (0.30, 0.20), (0.70, -0.95), (-0.70, -0.95)], (0.65, 1.0, 0.75), "flat", alpha=0.22, lit=True
    )
    pen.blob(
        [(-0.36, 0.52), (-0.30, 0.84), (0, 1.0), (0.30, 0.84), (0.36, 0.52)], (0.60, 0.90, 0.86), "ball", alpha=0.85
    )
    pen.oval(0, 0.66, 0.12, 0.16, (0.36, 0.66, 0.30), "ball")
    for side in (-1, 1):
        pen.oval(side * 0.045, 0.70, 0.032, 0.045, BLACK, "flat", angle=side * 20)
    pen.oval(0, 0.36, 0.95, 0.20, look.main)
    pen.oval(0, 0.30, 0.62, 0.13, look.shade(0.62))
    for lamp in range(7):
        x = -0.72 + 0.24 * lamp
        pen.oval(x, 0.38 - 0.10 * (1 - x * x), 0.05, 0.04, look.other(NAMED["lime"]), "flat", lit=True)
        pen.glow(x, 0.38 - 0.10 * (1 - x * x), 0.14, NAMED["lime"], 0.5)
