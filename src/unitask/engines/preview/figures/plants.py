"""Trees, flowers and what else grows."""

from math import cos, pi, sin, tau
from typing import Final

from unitask.engines.preview.colours import NAMED, RGB, WHITE, dim, mix
from unitask.engines.preview.figures.registry import Draw, Look, figure
from unitask.engines.preview.pen import Pen

_BARK: Final[RGB] = (0.42, 0.29, 0.19)
_LEAF: Final[RGB] = (0.30, 0.58, 0.26)


@figure("tree", "oak", "maple", "bonsai", "willow", height=0.68, width=0.8, stance="back", colours="green")
def tree(pen: Pen, look: Look) -> None:
    """Draw a leafy tree: a trunk with branches under a crown of many leafy balls."""
    pen.shadow(0, 0.42)
    pen.blob(
        [(-0.055, 0.02), (-0.03, 0.25), (-0.045, 0.48), (0.045, 0.48), (0.03, 0.25), (0.06, 0.02), (0, 0.0)],
        _BARK,
        "side",
    )
    for side in (-1, 1):
        pen.line([(0, 0.30), (side * 0.07, 0.40), (side * 0.16, 0.52)], 0.05, _BARK, "side", end=0.02)
    low, high = dim(look.main, 0.62), mix(look.main, (0.90, 0.95, 0.45), 0.22)
    pen.oval(0, 0.68, 0.30, 0.22, mix(low, high, 0.4), "ball")
    for rank, (count, reach) in enumerate(((13, 0.29), (11, 0.21), (8, 0.12))):
        for ball in range(count):
            turn = ball / count * tau + float(look.rng.uniform(0, 0.5))
            x = reach * cos(turn) * 1.12 - 0.03 * rank
            y = 0.67 + reach * sin(turn) * 0.82 + 0.035 * rank
            size = 0.115 - 0.012 * rank + float(look.rng.uniform(-0.015, 0.015))
            pen.oval(
                x, y, size, size * 0.9, mix(low, high, min(max(0.5 + 1.3 * (y - 0.67) + 0.12 * rank, 0), 1)), "ball"
            )
    if look.second:
        for fruit in range(12):
            turn = fruit * 2.4
            pen.oval(0.27 * cos(turn) * (fruit % 3 + 1) / 3, 0.68 + 0.22 * sin(turn), 0.022, 0.022, look.second, "ball")


@figure("pine", "fir", "spruce", "conifer", height=0.66, width=0.6, stance="back", home="snow", colours="green")
def pine(pen: Pen, look: Look) -> None:
    """Draw a conifer in five tiers."""
    needles = mix(look.main, (0.10, 0.30, 0.20), 0.55)
    pen.shadow(0, 0.30)
    pen.box(0, 0, 0.075, 0.18, _BARK)
    for tier in range(5):
        low, half = 0.12 + 0.155 * tier, 0.29 - 0.048 * tier
        tips = [(half * (step / 3), low + 0.03 * (step % 2)) for step in range(-3, 4)]
        pen.shape([*tips, (0.0, low + 0.29)], mix(needles, WHITE, 0.03 * tier), "side")
        pen.shape([*tips[:4], (0.0, low + 0.29)], dim(needles, 1.25), "flat", alpha=0.25)
    if look.second:
        for bauble in range(14):
            tier = bauble % 5
            x = (0.22 - 0.042 * tier) * (((bauble * 7) % 9) / 4 - 1)
            pen.oval(x, 0.19 + 0.155 * tier, 0.018, 0.018, look.second, "ball")


@figure("palm", "coconut", height=0.70, width=0.8, stance="back", home="beach", colours="green")
def palm(pen: Pen, look: Look) -> None:
    """Draw a palm that leans a little."""
    pen.shadow(0, 0.26)
    pen.line([(0, 0), (0.02, 0.25), (0.09, 0.52), (0.19, 0.76)], 0.075, (0.60, 0.46, 0.31), "side", end=0.04)
    for ring in range(9):
        share = ring / 9
        pen.line(
            [(-0.03 + 0.19 * share**1.6, 0.76 * share + 0.02), (0.035 + 0.19 * share**1.6, 0.76 * share + 0.03)],
            0.008,
            (0.42, 0.31, 0.2),
            alpha=0.7,
        )
    for frond, angle in enumerate((-0.4, 0.25, 0.8, 1.35, 1.9, 2.45, 3.0, 3.55)):
        reach, tone = 0.40, 0.72 + 0.09 * (frond % 4)
        tip = (0.19 + reach * cos(angle), 0.76 + reach * 0.55 * sin(angle) - 0.12)
        arch = (0.19 + reach * 0.55 * cos(angle), 0.80 + reach * 0.5 * max(sin(angle), 0.15))
        sag = (arch[0] * 0.9 + tip[0] * 0.1, arch[1] - 0.075)
        pen.blob([(0.19, 0.77), arch, tip, sag], mix(look.shade(tone), (0.25, 0.55, 0.2), 0.3))
    for x, y in ((0.16, 0.74), (0.22, 0.735), (0.19, 0.715)):
        pen.oval(x, y, 0.03, 0.032, (0.45, 0.30, 0.17), "ball")


@figure("cactus", "cacti", height=0.50, width=0.6, home="desert", colours="green")
def cactus(pen: Pen, look: Look) -> None:
    """Draw a cactus with two arms and a flower."""
    skin = mix(look.main, (0.25, 0.55, 0.38), 0.35)
    pen.shadow(0, 0.28)
    for side, low, high in ((-1, 0.36, 0.66), (1, 0.28, 0.74)):
        pen.line(
            [(0, low), (side * 0.17, low + 0.01), (side * 0.22, low + 0.10), (side * 0.22, high)],
            0.115,
            dim(skin, 0.9),
            "side",
        )
    pen.line([(0, 0.02), (0, 0.4), (0, 0.90)], 0.19, skin, "side")
    for x in (-0.055, 0.0, 0.055):
        pen.line([(x, 0.04), (x, 0.4), (x * 0.8, 0.92)], 0.010, dim(skin, 0.72), alpha=0.7)
    for petal in range(6):
        turn = petal / 6 * tau
        pen.oval(0.045 * cos(turn), 0.99 + 0.03 * sin(turn), 0.032, 0.024, look.other(NAMED["pink"]))
    pen.oval(0, 0.99, 0.02, 0.018, NAMED["yellow"])


@figure("mushroom", "toadstool", "fungus", height=0.44, width=1.0, home="forest", colours="red")
def mushroom(pen: Pen, look: Look) -> None:
    """Draw a toadstool with white dots."""
    pen.shadow(0, 0.34)
    pen.blob(
        [(-0.13, 0.0), (0.13, 0.0), (0.09, 0.3), (0.10, 0.52), (-0.10, 0.52), (-0.09, 0.3)], (0.95, 0.91, 0.82), "side"
    )
    pen.oval(0, 0.50, 0.40, 0.075, (0.88, 0.80, 0.68))
    pen.blob([(-0.46, 0.50), (-0.36, 0.80), (0, 0.99), (0.36, 0.80), (0.46, 0.50), (0, 0.555)], look.main)
    for x, y, size in (
        (-0.2, 0.76, 0.062),
        (0.06, 0.87, 0.055),
        (0.24, 0.68, 0.066),
        (-0.04, 0.66, 0.05),
        (-0.35, 0.6, 0.04),
    ):
        pen.oval(x, y, size, size * 0.82, look.other(WHITE))


def _flower(petals: int, long: float, heart: RGB) -> Draw:
    def draw(pen: Pen, look: Look) -> None:
        pen.shadow(0, 0.20, 0.25)
        pen.line([(0, 0), (0.03, 0.3), (0, 0.70)], 0.035, _LEAF, "side", end=0.026)
        for side, low in ((-1, 0.16), (1, 0.26)):
            leaf = [(0.01, low), (side * 0.14, low + 0.14), (side * 0.27, low + 0.14), (side * 0.16, low + 0.02)]
            pen.blob(leaf, dim(_LEAF, 0.9 if side < 0 else 1.06))
        for ring, tone in ((1.0, 0.84), (0.78, 1.0)):
            for petal in range(petals):
                turn = (petal + (ring < 1) * 0.5) / petals * tau
                reach = long * 0.58 * ring
                x, y, wide = reach * cos(turn), 0.74 + reach * sin(turn), 1.3 * long * ring * pi / petals
                pen.oval(x, y, long * 0.5 * ring, wide, look.shade(tone), angle=turn * 180 / pi)
        core = look.other(heart)
        pen.oval(0, 0.74, long * 0.36, long * 0.36, core, "ball")
        for seed in range(16):
            turn, reach = seed * 2.4, long * 0.3 * (seed / 16) ** 0.5
            pen.oval(reach * cos(turn), 0.74 + reach * sin(turn), 0.009, 0.009, dim(core, 0.66), "flat")

    return draw


for _names, _petals, _long, _heart, _colours in (
    (("flower", "daisy", "blossom", "bloom"), 9, 0.26, NAMED["yellow"], "pink white violet coral"),
    (("sunflower",), 15, 0.27, (0.36, 0.22, 0.12), "yellow"),
    (("lotus", "lily", "orchid", "poppy"), 6, 0.27, NAMED["lemon"], "pink lavender"),
):
    figure(*_names, height=0.60, width=0.6, colours=_colours)(_flower(_petals, _long, _heart))


@figure("tulip", height=0.54, width=0.5, colours="red yellow magenta")
def tulip(pen: Pen, look: Look) -> None:
    """Draw a tulip."""
    pen.shadow(0, 0.18, 0.25)
    pen.line([(0, 0), (0.02, 0.35), (0, 0.64)], 0.034, _LEAF, "side")
    for side in (-1, 1):
        pen.blob([(0, 0.03), (side * 0.12, 0.22), (side * 0.20, 0.54), (side * 0.05, 0.28)], dim(_LEAF, 0.94))
        pen.blob(
            [(0, 0.60), (side * 0.17, 0.66), (side * 0.20, 0.84), (side * 0.16, 1.0), (side * 0.04, 0.84)],
            look.shade(0.86),
        )
    pen.blob([(0, 0.59), (0.12, 0.68), (0.11, 0.84), (0, 0.98), (-0.11, 0.84), (-0.12, 0.68)], look.main)


@figure("rose", "peony", height=0.58, width=0.5, colours="red pink")
def rose(pen: Pen, look: Look) -> None:
    """Draw a rose: rings of petals round a dark heart."""
    pen.shadow(0, 0.18, 0.25)
    pen.line([(0, 0), (0.02, 0.35), (0, 0.66)], 0.03, dim(_LEAF, 0.85), "side")
    for side, low in ((-1, 0.24), (1, 0.36)):
        pen.blob([(0, low), (side * 0.10, low + 0.13), (side * 0.22, low + 0.12), (side * 0.13, low)], dim(_LEAF, 0.88))
    for ring, (count, reach, size) in enumerate(((6, 0.125, 0.105), (5, 0.085, 0.085), (4, 0.045, 0.062))):
        for petal in range(count):
            turn = petal / count * tau + ring
            tone = 0.80 + 0.09 * ring + 0.10 * (petal % 2)
            pen.oval(
                reach * cos(turn),
                0.80 + reach * sin(turn) * 0.9,
                size,
                size * 0.86,
                look.shade(tone),
                "ball",
                angle=turn * 57,
            )
    pen.blob([(-0.02, 0.80), (0.02, 0.83), (0.03, 0.79), (-0.005, 0.77)], look.shade(0.55))
