"""Things on a table, in a garden, in the sky."""

from math import cos, pi, sin, tau
from typing import Final

from unitask.engines.preview.colours import BLACK, NAMED, RGB, WHITE, dim, mix
from unitask.engines.preview.figures.registry import Look, figure
from unitask.engines.preview.pen import Pen

_WOOD: Final[RGB] = (0.50, 0.33, 0.20)
_STEM: Final[RGB] = (0.36, 0.25, 0.15)


@figure("cup", "coffee", "tea", "mug", "teacup", "latte", "cappuccino", height=0.40, width=1.2, home="table",
        colours="white teal coral")  # fmt: skip
def cup(pen: Pen, look: Look) -> None:
    """Draw a steaming cup on a saucer."""
    pen.shadow(0, 0.62, 0.45)
    pen.oval(0, 0.05, 0.54, 0.075, look.other(look.shade(0.93)))
    pen.oval(0, 0.062, 0.40, 0.05, look.shade(0.80))
    ring = [(0.33 + 0.15 * cos(k / 12 * pi - pi / 2), 0.36 + 0.13 * sin(k / 12 * pi - pi / 2)) for k in range(13)]
    pen.line(ring, 0.062, look.shade(0.9), "side")
    pen.blob([(-0.38, 0.60), (0.38, 0.60), (0.34, 0.30), (0.20, 0.08), (-0.20, 0.08), (-0.34, 0.30)], look.main, "side")
    pen.oval(0, 0.60, 0.385, 0.085, look.shade(1.04))
    pen.oval(0, 0.592, 0.345, 0.068, (0.33, 0.19, 0.11), "round")
    pen.oval(-0.04, 0.598, 0.15, 0.028, (0.62, 0.42, 0.27), "flat", alpha=0.8)
    for x in (-0.14, 0.02, 0.17):
        path = [(x, 0.68), (x + 0.05, 0.78), (x - 0.03, 0.88), (x + 0.03, 1.0)]
        pen.line(path, 0.05, WHITE, end=0.02, alpha=0.28)


@figure(
    "apple",
    "fruit",
    "peach",
    "tomato",
    "cherry",
    height=0.36,
    width=1.0,
    home="table",
    colours="red green",
)
def apple(pen: Pen, look: Look) -> None:
    """Draw an apple with a leaf."""
    pen.shadow(0, 0.42, 0.45)
    knots = [(0, 0.80), (0.22, 0.88), (0.42, 0.72), (0.42, 0.40), (0.22, 0.05), (0.06, 0.02), (0, 0.05)]
    pen.blob([*knots, *((-x, y) for x, y in knots[-2:0:-1])], look.main, "ball")
    pen.oval(0, 0.80, 0.13, 0.035, look.shade(0.55), "flat", alpha=0.6)
    pen.line([(0, 0.78), (0.01, 0.9), (0.06, 1.0)], 0.035, _STEM)
    pen.blob([(0.05, 0.90), (0.16, 1.02), (0.34, 1.0), (0.20, 0.89)], look.other((0.36, 0.64, 0.24)))
    pen.oval(-0.19, 0.66, 0.07, 0.12, WHITE, "flat", angle=-28, alpha=0.45)


@figure("cake", "cupcake", "dessert", "pie", "muffin", height=0.46, width=1.0, home="table", colours="pink cream")
def cake(pen: Pen, look: Look) -> None:
    """Draw a birthday cake with candles."""
    icing, crumb = mix(look.main, WHITE, 0.25), (0.72, 0.48, 0.29)
    pen.shadow(0, 0.60, 0.45)
    pen.oval(0, 0.05, 0.58, 0.06, (0.92, 0.93, 0.95))
    for x, low, high, half in ((0, 0.05, 0.38, 0.46), (0, 0.36, 0.62, 0.32)):
        pen.box(x, low, half * 2, high - low, crumb)
        pen.box(x, (low + high) / 2 - 0.02, half * 2, 0.035, icing)
        pen.oval(x, low, half, half * 0.12, dim(crumb, 0.9))
        pen.box(x, high - 0.09, half * 2, 0.09, icing)
        pen.oval(x, high, half, half * 0.13, mix(icing, WHITE, 0.35))
        for drip in range(7):
            pen.oval(
                x - half + half * 2 * (drip + 0.5) / 7, high - 0.09, half / 7, 0.035 + 0.02 * (drip % 3), icing, "flat"
            )
    for candle, colour in zip((-0.18, -0.06, 0.06, 0.18), ("azure", "lemon", "mint", "coral"), strict=True):
        pen.box(candle, 0.62, 0.034, 0.19, look.other(NAMED[colour]))
        pen.glow(candle, 0.86, 0.11, (1.0, 0.80, 0.35), 0.8)
        pen.blob(
            [(candle - 0.018, 0.84), (candle, 0.92), (candle + 0.018, 0.84), (candle, 0.82)],
            (1.0, 0.80, 0.30),
            "flat",
            lit=True,
        )


@figure("book", "notebook", "bible", height=0.30, width=1.5, home="table", colours="navy maroon emerald")
def book(pen: Pen, look: Look) -> None:
    """Draw an open book."""
    pen.shadow(0, 0.85, 0.45)
    pen.shape([(-0.78, 0.06), (0.78, 0.06), (0.66, 0.74), (-0.66, 0.74)], look.main, "down")
    for side in (-1, 1):
        page = [(0, 0.10), (0.30, 0.20), (0.72, 0.12), (0.61, 0.78), (0.28, 0.86), (0, 0.78)]
        pen.blob([(side * x, y) for x, y in page], (0.97, 0.95, 0.88), "side")
        for row in range(6):
            y = 0.30 + 0.08 * row
            pen.line(
                [(side * 0.08, y - 0.03), (side * 0.3, y + 0.02), (side * 0.58, y - 0.02)],
                0.014,
                (0.35, 0.35, 0.40),
                alpha=0.7,
            )
    pen.line([(0, 0.10), (0, 0.78)], 0.02, (0.70, 0.66, 0.58))
    pen.line([(0.03, 0.78), (0.05, 0.3), (0.10, 0.02)], 0.035, look.other(NAMED["red"]))


@figure("ball", "sphere", "orb", "bubble", height=0.40, width=1.0, home="studio", colours="red blue yellow")
def ball(pen: Pen, look: Look) -> None:
    """Draw a glossy ball."""
    pen.shadow(0.06, 0.56, 0.5)
    pen.oval(0, 0.5, 0.5, 0.5, look.main, "ball")
    if look.second:
        pen.blob([(-0.47, 0.58), (0, 0.72), (0.47, 0.58), (0.47, 0.42), (0, 0.56), (-0.47, 0.42)], look.second)
    pen.oval(-0.18, 0.74, 0.13, 0.085, WHITE, "flat", angle=32, alpha=0.75)
    pen.oval(0.12, 0.08, 0.24, 0.04, mix(look.main, WHITE, 0.5), "flat", alpha=0.35)


@figure(
    "cube",
    "box",
    "gift",
    "present",
    "package",
    "crate",
    height=0.42,
    width=1.0,
    home="studio",
    colours="red teal violet",
)
def cube(pen: Pen, look: Look) -> None:
    """Draw a gift box with a ribbon."""
    ribbon = look.other(NAMED["gold"])
    pen.shadow(0, 0.60, 0.45)
    pen.shape([(-0.46, 0.12), (0, 0.0), (0, 0.56), (-0.46, 0.66)], look.main, "down")
    pen.shape([(0.46, 0.12), (0, 0.0), (0, 0.56), (0.46, 0.66)], look.shade(0.72), "down")
    pen.shape([(-0.46, 0.66), (0, 0.56), (0.46, 0.66), (0, 0.77)], look.shade(1.12), "flat")
    for side, tone in ((-1, 1.0), (1, 0.78)):
        pen.shape(
            [(side * 0.28, 0.075), (side * 0.18, 0.05), (side * 0.18, 0.60), (side * 0.28, 0.62)],
            dim(ribbon, tone),
            "down",
        )
        pen.shape(
            [(side * 0.28, 0.62), (side * 0.18, 0.60), (-side * 0.28, 0.71), (-side * 0.18, 0.73)],
            dim(ribbon, 1.05),
            "flat",
        )
        pen.blob([(0, 0.68), (side * 0.12, 0.90), (side * 0.28, 0.90), (side * 0.24, 0.72)], dim(ribbon, tone))
    pen.oval(0, 0.70, 0.055, 0.05, ribbon, "ball")


@figure("snowman", height=0.60, width=0.7, home="snow", colours="white")
def snowman(pen: Pen, look: Look) -> None:
    """Draw a snowman with a hat and a scarf."""
    scarf = look.other(NAMED["red"])
    pen.shadow(0, 0.36)
    for side in (-1, 1):
        pen.line([(side * 0.17, 0.46), (side * 0.33, 0.56), (side * 0.44, 0.60)], 0.022, _STEM, end=0.014)
        pen.line([(side * 0.35, 0.565), (side * 0.41, 0.52)], 0.014, _STEM)
    for y, size in ((0.20, 0.25), (0.48, 0.19), (0.72, 0.145)):
        pen.oval(0, y, size, size * 0.94, look.main, "ball")
    for y in (0.40, 0.48, 0.55):
        pen.oval(0, y, 0.017, 0.017, BLACK, "ball")
    pen.box(0, 0.585, 0.27, 0.055, scarf, soft=0.025)
    pen.box(0.09, 0.42, 0.07, 0.18, dim(scarf, 0.88), soft=0.02)
    for side in (-1, 1):
        pen.oval(side * 0.052, 0.755, 0.018, 0.021, BLACK, "flat")
    pen.blob([(0, 0.735), (0.13, 0.705), (0, 0.69)], NAMED["orange"])
    for dot in range(5):
        x = -0.055 + 0.0275 * dot
        pen.oval(x, 0.652 + 6 * x * x, 0.009, 0.009, BLACK, "flat")
    pen.box(0, 0.83, 0.31, 0.032, BLACK, soft=0.012)
    pen.box(0, 0.85, 0.20, 0.17, BLACK, soft=0.012)
    pen.box(0, 0.86, 0.20, 0.035, scarf)


@figure("heart", "love", "valentine", height=0.44, width=1.1, stance="air", home="studio", colours="red")
def heart(pen: Pen, look: Look) -> None:
    """Draw a glossy heart."""
    knots = [(0, 0.74), (0.14, 0.92), (0.34, 0.98), (0.52, 0.80), (0.46, 0.50), (0.24, 0.22)]
    outline = [*knots, (0.0, 0.02), *((-x, y) for x, y in reversed(knots[1:]))]
    pen.blob(outline, look.main, "ball")
    pen.oval(-0.27, 0.78, 0.10, 0.06, WHITE, "flat", angle=35, alpha=0.7)
    if look.second:
        pen.blob([(0.55 * x, 0.28 + 0.55 * (y - 0.1)) for x, y in outline], look.second, "ball")


@figure("star", height=0.36, width=1.0, stance="air", home="space", colours="yellow")
def star(pen: Pen, look: Look) -> None:
    """Draw a five-pointed star that shines."""
    pen.glow(0, 0.5, 0.95, look.main, 0.6)
    corners = []
    for point in range(10):
        turn, reach = point / 10 * tau + pi / 2, 0.52 if point % 2 == 0 else 0.23
        corners.append((reach * cos(turn), 0.5 + reach * sin(turn)))
    pen.shape(corners, look.main, "round", lit=True)
    for point in range(0, 10, 2):
        pen.shape([corners[point], corners[(point + 1) % 10], (0.0, 0.5)], look.shade(0.82), "flat", lit=True)


@figure("planet", "saturn", "mars", "jupiter", "earth", "globe", height=0.52, width=1.7, stance="air", home="space",
        colours="orange violet azure")  # fmt: skip
def planet(pen: Pen, look: Look) -> None:
    """Draw a banded planet with a ring."""
    ring = look.other(mix(look.main, (0.95, 0.88, 0.70), 0.65))
    pen.glow(0, 0.5, 0.95, look.main, 0.35)
    orbit = [(0.82 * cos(k / 40 * tau), 0.5 + 0.16 * sin(k / 40 * tau) + 0.16 * cos(k / 40 * tau)) for k in range(41)]
    pen.line(orbit[:21], 0.07, dim(ring, 0.75), alpha=0.9)
    pen.oval(0, 0.5, 0.44, 0.44, look.main, "ball")
    for lift, half, tone in ((0.22, 0.36, 1.15), (0.06, 0.42, 0.86), (-0.12, 0.41, 1.1), (-0.26, 0.33, 0.8)):
        pen.oval(0, 0.5 + lift, half, 0.042, look.shade(tone), "side", angle=8, alpha=0.45)
    pen.oval(0.16, 0.40, 0.08, 0.045, look.shade(0.7), "flat", angle=8, alpha=0.6)
    pen.line(orbit[20:], 0.07, ring, alpha=0.95)


@figure("lamp", "lantern", "candle", "streetlight", height=0.52, width=0.6, home="room", colours="amber")
def lamp(pen: Pen, look: Look) -> None:
    """Draw a table lamp that is lit."""
    pen.shadow(0, 0.26)
    pen.oval(0, 0.03, 0.15, 0.035, _WOOD)
    pen.blob(
        [
            (-0.03, 0.04),
            (0.03, 0.04),
            (0.06, 0.22),
            (0.02, 0.40),
            (0.02, 0.56),
            (-0.02, 0.56),
            (-0.02, 0.40),
            (-0.06, 0.22),
        ],
        look.other(_WOOD),
        "side",
    )
    pen.shape(
        [(-0.27, 0.52), (0.27, 0.52), (0.16, 0.92), (-0.16, 0.92)],
        mix(look.main, (1.0, 0.95, 0.8), 0.45),
        "side",
        lit=True,
    )
    pen.oval(0, 0.52, 0.27, 0.045, (1.0, 0.96, 0.84), "flat", lit=True)
    pen.glow(0, 0.66, 0.72, (1.0, 0.86, 0.55), 0.6)


@figure("chair", "armchair", "throne", "stool", height=0.54, width=0.8, home="room", colours="teal amber coral")
def chair(pen: Pen, look: Look) -> None:
    """Draw an armchair."""
    pen.shadow(0, 0.48)
    for side in (-1, 1):
        pen.box(side * 0.28, 0, 0.05, 0.14, look.other(_WOOD))
    pen.box(0, 0.34, 0.62, 0.64, look.main, soft=0.15)
    pen.box(0, 0.42, 0.48, 0.48, look.shade(1.08), "down", soft=0.10)
    for x in (-0.12, 0.12):
        for y in (0.62, 0.76):
            pen.oval(x, y, 0.014, 0.014, look.shade(0.6), "flat")
    pen.box(0, 0.12, 0.66, 0.26, look.shade(0.86), soft=0.06)
    pen.box(0, 0.30, 0.50, 0.13, look.shade(1.05), "down", soft=0.06)
    for side in (-1, 1):
        pen.box(side * 0.35, 0.12, 0.14, 0.42, look.shade(0.94), soft=0.07)


@figure("guitar", "violin", "ukulele", height=0.62, width=0.5, home="studio", colours="amber brown")
def guitar(pen: Pen, look: Look) -> None:
    """Draw an acoustic guitar that stands."""
    pen.shadow(0, 0.30)
    knots = [(0, 0.02), (0.18, 0.06), (0.22, 0.18), (0.14, 0.30), (0.16, 0.42), (0.08, 0.50), (0, 0.51)]
    pen.blob([*knots, *((-x, y) for x, y in knots[-2:0:-1])], look.shade(0.6))
    inner = [(x * 0.93, 0.265 + 0.95 * (y - 0.265)) for x, y in knots]
    pen.blob([*inner, *((-x, y) for x, y in inner[-2:0:-1])], look.main)
    pen.oval(0, 0.34, 0.066, 0.066, look.other(_WOOD))
    pen.oval(0, 0.34, 0.05, 0.05, BLACK, "flat")
    pen.box(0, 0.38, 0.05, 0.48, (0.32, 0.20, 0.13))
    for fret in range(8):
        pen.box(0, 0.50 + 0.042 * fret, 0.05, 0.005, (0.85, 0.82, 0.72), "flat")
    pen.box(0, 0.86, 0.075, 0.13, (0.36, 0.23, 0.14), soft=0.015)
    for side in (-1, 1):
        for peg in range(3):
            pen.oval(side * 0.05, 0.885 + 0.035 * peg, 0.014, 0.011, (0.92, 0.90, 0.84), "ball")
    for string in (-0.014, -0.005, 0.005, 0.014):
        pen.line([(string, 0.16), (string, 0.88)], 0.003, (0.95, 0.93, 0.88), alpha=0.8)
    pen.box(0, 0.15, 0.13, 0.02, (0.30, 0.19, 0.12))


@figure("umbrella", "parasol", height=0.56, width=1.0, home="beach", colours="red azure violet")
def umbrella(pen: Pen, look: Look) -> None:
    """Draw an open umbrella."""
    stripe = look.other(mix(look.main, WHITE, 0.75))
    pen.shadow(0, 0.40)
    pen.line([(0, 0.04), (0, 0.95)], 0.022, _WOOD)
    for outer, colour in ((0.48, look.main), (0.30, stripe), (0.12, look.main)):
        pen.blob(
            [(0, 0.96), (outer * 0.75, 0.86), (outer, 0.60), (0, 0.66), (-outer, 0.60), (-outer * 0.75, 0.86)], colour
        )
    pen.line([(0, 0.94), (0, 1.0)], 0.018, _WOOD)


@figure("clock", "watch", height=0.44, width=1.0, home="studio", colours="maroon teal")
def clock(pen: Pen, look: Look) -> None:
    """Draw a round clock at ten past ten."""
    pen.shadow(0, 0.40)
    pen.oval(0, 0.5, 0.50, 0.50, look.main)
    pen.oval(0, 0.5, 0.42, 0.42, look.other((0.98, 0.97, 0.93)))
    for hour in range(12):
        turn = hour / 12 * tau
        pen.oval(0.35 * cos(turn), 0.5 + 0.35 * sin(turn), 0.022, 0.022, (0.2, 0.2, 0.25), "flat")
    pen.line([(0, 0.5), (-0.17, 0.62)], 0.035, BLACK)
    pen.line([(0, 0.5), (0.23, 0.68)], 0.022, BLACK)
    pen.oval(0, 0.5, 0.03, 0.03, NAMED["red"], "ball")


@figure("crystal", "diamond", "gem", "jewel", height=0.42, width=1.0, home="studio", colours="azure violet")
def crystal(pen: Pen, look: Look) -> None:
    """Draw a cut gem."""
    pen.shadow(0, 0.44)
    pen.glow(0, 0.55, 0.9, look.main, 0.35)
    top, belt, tip = (
        [(-0.28, 0.94), (0.0, 0.94), (0.28, 0.94)],
        [(-0.48, 0.66), (-0.18, 0.66), (0.18, 0.66), (0.48, 0.66)],
        (0.0, 0.04),
    )
    faces = (
        ((belt[0], belt[1], tip), 0.80), ((belt[1], belt[2], tip), 1.15), ((belt[2], belt[3], tip), 0.62),
        ((top[0], belt[0], belt[1]), 1.25), ((top[0], top[1], belt[1]), 0.95), ((top[1], belt[1], belt[2]), 1.35),
        ((top[1], top[2], belt[2]), 1.05), ((top[2], belt[2], belt[3]), 0.75),
    )  # fmt: skip
    for corners, tone in faces:
        pen.shape(list(corners), mix(look.shade(tone), WHITE, max(tone - 0.85, 0) * 0.8), "down")
    pen.oval(-0.16, 0.84, 0.045, 0.02, WHITE, "flat", angle=20, alpha=0.9)
