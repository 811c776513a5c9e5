"""Animals seen from the side: in the air, in the water and on four legs."""

from math import cos, sin, tau
from typing import Final

from unitask.engines.preview.colours import BLACK, RGB, WHITE, dim, mix
from unitask.engines.preview.figures.registry import Look, figure
from unitask.engines.preview.pen import Pen

_DARK: Final[RGB] = (0.12, 0.10, 0.10)
_BEAK: Final[RGB] = (0.96, 0.66, 0.18)


def _bright_eye(pen: Pen, x: float, y: float, size: float) -> None:
    pen.oval(x, y, size, size, WHITE, "flat")
    pen.oval(x + size * 0.12, y, size * 0.62, size * 0.62, _DARK, "flat")
    pen.oval(x - size * 0.1, y + size * 0.25, size * 0.24, size * 0.24, WHITE, "flat")


@figure("bird", "sparrow", "robin", "canary", "songbird", "finch", height=0.42, width=1.3, colours="blue coral teal")
def bird(pen: Pen, look: Look) -> None:
    """Draw a plump songbird on its feet."""
    pen.shadow(0, 0.42)
    for x in (-0.06, 0.10):
        pen.line([(x, 0.22), (x + 0.01, 0.10), (x + 0.01, 0.01)], 0.028, dim(_BEAK, 0.75))
        pen.line([(x - 0.06, 0.012), (x + 0.02, 0.02), (x + 0.10, 0.012)], 0.026, dim(_BEAK, 0.75))
    pen.blob([(-0.25, 0.42), (-0.62, 0.36), (-0.66, 0.26), (-0.30, 0.26)], look.shade(0.72))
    pen.blob(
        [(-0.34, 0.42), (-0.16, 0.66), (0.12, 0.72), (0.36, 0.52), (0.28, 0.26), (0, 0.15), (-0.25, 0.24)], look.main
    )
    pen.blob(
        [(0.16, 0.58), (0.34, 0.50), (0.27, 0.27), (0.03, 0.18), (0.06, 0.40)], look.other(mix(look.main, WHITE, 0.68))
    )
    pen.oval(0.20, 0.74, 0.235, 0.22, look.main)
    pen.blob([(0.41, 0.80), (0.58, 0.725), (0.41, 0.68)], _BEAK)
    pen.blob([(0.08, 0.56), (-0.10, 0.60), (-0.48, 0.38), (-0.20, 0.30), (0.04, 0.36)], look.shade(0.80))
    for lift in (0.0, 0.06, 0.12):
        pen.line([(-0.02, 0.40 + lift), (-0.2, 0.37 + lift), (-0.36, 0.35 + lift)], 0.014, look.shade(0.58), alpha=0.7)
    _bright_eye(pen, 0.27, 0.79, 0.052)


@figure("eagle", "seagull", "gull", "hawk", "falcon", "dove", "pigeon", "crow", "raven", "swallow", "phoenix",
        height=0.30, width=2.2, stance="air", colours="brown white grey")  # fmt: skip
def eagle(pen: Pen, look: Look) -> None:
    """Draw a bird in flight with spread wings."""
    for side, lift in ((-1, 0.02), (1, 0.0)):
        wing = [(0.05, 0.52), (0.42, 0.92 + lift), (0.80, 0.86), (1.10, 0.62), (0.82, 0.66), (0.55, 0.58), (0.22, 0.40)]
        pen.blob([(side * x, y) for x, y in wing], look.shade(0.92 if side < 0 else 1.0), "down")
        for reach in (0.45, 0.62, 0.80, 0.96):
            start, end = (side * reach, 0.76 - 0.05 * reach), (side * (reach + 0.02), 0.60 + 0.03 * reach)
            pen.line([start, end], 0.022, look.shade(0.62), end=0.008, alpha=0.7)
    pen.blob(
        [(-0.10, 0.34), (-0.16, 0.08), (0.0, 0.02), (0.16, 0.08), (0.10, 0.34)], look.other(mix(look.main, WHITE, 0.6))
    )
    pen.blob([(0, 0.70), (0.13, 0.52), (0.10, 0.28), (0, 0.18), (-0.10, 0.28), (-0.13, 0.52)], look.shade(1.05))
    pen.oval(0, 0.70, 0.095, 0.095, look.other(mix(look.main, WHITE, 0.75)))
    pen.blob([(-0.035, 0.68), (0.035, 0.68), (0, 0.57)], _BEAK)
    for side in (-1, 1):
        pen.oval(side * 0.042, 0.715, 0.016, 0.016, _DARK, "flat")


@figure("owl", height=0.46, width=0.8, colours="brown chestnut tan", home="forest")
def owl(pen: Pen, look: Look) -> None:
    """Draw an owl that faces the viewer."""
    pen.shadow(0, 0.34)
    pen.blob(
        [(0, 0.95), (0.30, 0.86), (0.36, 0.45), (0.22, 0.06), (-0.22, 0.06), (-0.36, 0.45), (-0.30, 0.86)], look.main
    )
    for side in (-1, 1):
        pen.blob([(side * 0.10, 0.92), (side * 0.30, 1.02), (side * 0.31, 0.80)], look.shade(0.8))
        pen.blob([(side * 0.27, 0.66), (side * 0.40, 0.42), (side * 0.30, 0.12), (side * 0.20, 0.36)], look.shade(0.7))
        for toe in (-0.04, 0.0, 0.04):
            pen.oval(side * 0.12 + toe, 0.025, 0.022, 0.035, _BEAK)
    belly = look.other(mix(look.main, (1.0, 0.95, 0.85), 0.65))
    pen.oval(0, 0.34, 0.21, 0.27, belly)
    for row in range(4):
        for column in range(-2 + row // 3, 3 - row // 3):
            pen.blob(_feather(column * 0.075, 0.46 - row * 0.085), look.shade(0.85), alpha=0.6)
    for side in (-1, 1):
        pen.oval(side * 0.135, 0.72, 0.145, 0.145, belly)
        pen.oval(side * 0.13, 0.72, 0.10, 0.10, (0.98, 0.78, 0.20), "ball")
        pen.oval(side * 0.13, 0.72, 0.06, 0.06, _DARK, "flat")
        pen.oval(side * 0.13 - 0.025, 0.75, 0.022, 0.022, WHITE, "flat")
    pen.blob([(-0.04, 0.68), (0.04, 0.68), (0, 0.57)], _BEAK)


def _feather(x: float, y: float) -> list[tuple[float, float]]:
    return [(x - 0.03, y), (x + 0.03, y), (x, y - 0.045)]


@figure("penguin", height=0.46, width=0.7, colours="black", home="snow")
def penguin(pen: Pen, look: Look) -> None:
    """Draw a penguin that faces the viewer."""
    pen.shadow(0, 0.34)
    for side in (-1, 1):
        pen.oval(side * 0.12, 0.03, 0.11, 0.04, _BEAK)
        pen.blob([(side * 0.24, 0.62), (side * 0.40, 0.34), (side * 0.34, 0.24), (side * 0.24, 0.40)], look.shade(0.85))
    pen.blob(
        [(0, 0.99), (0.20, 0.88), (0.27, 0.50), (0.24, 0.12), (0, 0.03), (-0.24, 0.12), (-0.27, 0.50), (-0.20, 0.88)],
        look.main,
    )
    pen.blob([(0, 0.66), (0.19, 0.52), (0.19, 0.18), (0, 0.07), (-0.19, 0.18), (-0.19, 0.52)], look.other(WHITE))
    for side in (-1, 1):
        pen.oval(side * 0.085, 0.79, 0.10, 0.105, look.other(WHITE))
        pen.oval(side * 0.08, 0.81, 0.032, 0.038, _DARK, "flat")
        pen.oval(side * 0.08 - 0.012, 0.825, 0.011, 0.011, WHITE, "flat")
    pen.blob([(-0.055, 0.745), (0.055, 0.745), (0, 0.665)], _BEAK)


@figure(
    "duck", "duckling", "swan", "goose", height=0.30, width=1.2, stance="water", colours="yellow white", home="water"
)
def duck(pen: Pen, look: Look) -> None:
    """Draw a duck on the water."""
    pen.shadow(0, 0.62, 0.3)
    pen.blob(
        [(-0.58, 0.52), (-0.50, 0.20), (-0.1, 0.02), (0.34, 0.08), (0.44, 0.34), (0.20, 0.42), (-0.2, 0.36)], look.main
    )
    pen.blob([(0.12, 0.34), (0.14, 0.62), (0.36, 0.62), (0.42, 0.32)], look.main)
    pen.oval(0.27, 0.76, 0.20, 0.20, look.main)
    pen.blob([(0.43, 0.78), (0.64, 0.74), (0.62, 0.67), (0.43, 0.67)], (0.95, 0.52, 0.14))
    pen.blob([(0.12, 0.34), (-0.14, 0.38), (-0.46, 0.40), (-0.22, 0.16), (0.06, 0.18)], look.other(look.shade(0.86)))
    pen.oval(0.33, 0.81, 0.034, 0.034, _DARK, "flat")
    pen.oval(0.32, 0.822, 0.011, 0.011, WHITE, "flat")
    pen.oval(0, 0.03, 0.60, 0.035, WHITE, "flat", alpha=0.35)


@figure("fish", "goldfish", "trout", "salmon", height=0.30, width=1.6, stance="deep", home="underwater",
        colours="orange coral yellow")  # fmt: skip
def fish(pen: Pen, look: Look) -> None:
    """Draw a round tropical fish with stripes."""
    fin = look.shade(0.82)
    pen.blob([(-0.45, 0.50), (-0.82, 0.86), (-0.74, 0.50), (-0.82, 0.14)], fin)
    pen.blob([(-0.28, 0.76), (-0.12, 1.02), (0.28, 0.92), (0.26, 0.74)], fin)
    pen.blob([(-0.12, 0.24), (-0.22, 0.04), (0.10, 0.06), (0.16, 0.24)], fin)
    body = [(-0.56, 0.50), (-0.20, 0.80), (0.24, 0.82), (0.58, 0.52), (0.24, 0.20), (-0.20, 0.22)]
    pen.blob(body, look.main)
    stripe = look.other(mix(look.main, WHITE, 0.75))
    for x, half in ((-0.30, 0.20), (0.04, 0.29)):
        pen.blob(
            [
                (x - 0.05, 0.5 - half),
                (x + 0.06, 0.5 - half),
                (x + 0.11, 0.5),
                (x + 0.06, 0.5 + half),
                (x - 0.05, 0.5 + half),
                (x, 0.5),
            ],
            stripe,
        )
    pen.blob([(0.08, 0.50), (-0.14, 0.58), (-0.16, 0.38)], fin)
    _bright_eye(pen, 0.36, 0.60, 0.068)
    pen.line([(0.55, 0.47), (0.50, 0.44), (0.45, 0.45)], 0.016, look.shade(0.5))


@figure("whale", height=0.34, width=2.0, stance="deep", home="underwater", colours="blue")
def whale(pen: Pen, look: Look) -> None:
    """Draw a friendly whale with a light belly."""
    skin = mix(look.main, (0.35, 0.45, 0.60), 0.3)
    pen.blob([(-0.72, 0.46), (-1.02, 0.98), (-0.86, 0.74), (-0.66, 0.96), (-0.56, 0.56)], dim(skin, 0.85))
    pen.blob(
        [
            (0.96, 0.44),
            (0.72, 0.80),
            (0.20, 0.90),
            (-0.34, 0.74),
            (-0.78, 0.56),
            (-0.42, 0.26),
            (0.20, 0.06),
            (0.78, 0.14),
        ],
        skin,
    )
    pen.blob(
        [(0.95, 0.36), (0.40, 0.32), (-0.30, 0.36), (-0.40, 0.27), (0.20, 0.07), (0.78, 0.15)],
        look.other(mix(skin, WHITE, 0.75)),
    )
    for x in (0.1, 0.25, 0.4, 0.55):
        pen.line([(x + 0.16, 0.28), (x, 0.16), (x - 0.12, 0.13)], 0.012, mix(skin, WHITE, 0.35), alpha=0.8)
    pen.blob([(0.18, 0.30), (-0.08, 0.02), (-0.20, 0.06), (0.0, 0.34)], dim(skin, 0.78))
    _bright_eye(pen, 0.62, 0.48, 0.045)


@figure("butterfly", "moth", height=0.36, width=1.2, stance="air", colours="orange blue magenta violet")
def butterfly(pen: Pen, look: Look) -> None:
    """Draw a butterfly with open wings."""
    inner = look.other(mix(look.main, (1.0, 0.9, 0.5), 0.6))
    for side in (-1, 1):
        upper = [(0.03, 0.56), (0.22, 0.96), (0.58, 0.98), (0.62, 0.70), (0.34, 0.50)]
        lower = [(0.03, 0.50), (0.36, 0.50), (0.50, 0.26), (0.30, 0.06), (0.08, 0.26)]
        for wing in (lower, upper):
            pen.blob([(side * x, y) for x, y in wing], dim(look.main, 0.55))
            middle = (sum(x for x, _ in wing) / 5, sum(y for _, y in wing) / 5)
            small = [(side * (middle[0] + 0.84 * (x - middle[0])), middle[1] + 0.84 * (y - middle[1])) for x, y in wing]
            pen.blob(small, look.main)
        for x, y, size in ((0.44, 0.80, 0.09), (0.26, 0.70, 0.055), (0.32, 0.28, 0.07)):
            pen.oval(side * x, y, size, size * 0.9, inner)
        pen.line([(0.0, 0.74), (side * 0.06, 0.88), (side * 0.14, 0.95)], 0.016, _DARK, end=0.01)
    pen.blob([(0, 0.78), (0.045, 0.60), (0.03, 0.28), (0, 0.18), (-0.03, 0.28), (-0.045, 0.60)], _DARK)


@figure("horse", "pony", "unicorn", "donkey", "zebra", "deer", height=0.56, width=1.2, colours="chestnut brown tan")
def horse(pen: Pen, look: Look) -> None:
    """Draw a horse that stands, seen from the side."""
    mane = look.other(mix(look.main, _DARK, 0.72))
    pen.shadow(0, 0.56)
    _legs(pen, look, (-0.28, 0.20), 0.36)
    pen.line([(-0.38, 0.56), (-0.52, 0.46), (-0.52, 0.20)], 0.09, mane, "side", end=0.03)
    pen.blob(
        [
            (-0.40, 0.60),
            (-0.20, 0.66),
            (0.14, 0.62),
            (0.34, 0.66),
            (0.33, 0.42),
            (0.10, 0.34),
            (-0.18, 0.33),
            (-0.39, 0.40),
        ],
        look.main,
    )
    pen.blob([(0.14, 0.60), (0.32, 0.86), (0.46, 0.92), (0.46, 0.74), (0.36, 0.48)], look.main)
    pen.blob([(0.36, 0.95), (0.50, 0.92), (0.66, 0.72), (0.62, 0.64), (0.54, 0.66), (0.42, 0.76)], look.main)
    pen.blob([(0.38, 0.92), (0.37, 1.02), (0.44, 0.94)], look.main)
    pen.blob([(0.40, 0.98), (0.28, 0.88), (0.12, 0.64), (0.10, 0.54), (0.22, 0.66), (0.36, 0.86)], mane)
    pen.oval(0.49, 0.845, 0.02, 0.024, _DARK, "flat")
    pen.oval(0.625, 0.70, 0.012, 0.012, _DARK, "flat")


def _legs(pen: Pen, look: Look, places: tuple[float, float], high: float) -> None:
    for x in places:
        for shift, tone in ((0.09, 0.74), (0.0, 0.94)):
            pen.line(
                [(x + shift, high + 0.06), (x + shift, high * 0.5), (x + shift, 0.03)],
                0.105,
                look.shade(tone),
                "side",
                end=0.06,
            )
            pen.box(x + shift, 0, 0.075, 0.045, mix(look.main, _DARK, 0.7), soft=0.015)


@figure("cow", "bull", "ox", height=0.50, width=1.4, colours="white")
def cow(pen: Pen, look: Look) -> None:
    """Draw a cow with spots."""
    spot = look.other(BLACK if look.main == WHITE else mix(look.main, WHITE, 0.8))
    pen.shadow(0, 0.66)
    _legs(pen, look, (-0.38, 0.22), 0.34)
    pen.line([(-0.52, 0.66), (-0.62, 0.50), (-0.60, 0.28)], 0.03, look.shade(0.85))
    pen.blob(
        [(-0.54, 0.70), (0, 0.74), (0.38, 0.72), (0.42, 0.44), (0.1, 0.32), (-0.3, 0.32), (-0.54, 0.42)], look.main
    )
    for x, y, rx, ry in ((-0.34, 0.58, 0.15, 0.10), (0.10, 0.52, 0.13, 0.13), (-0.08, 0.68, 0.07, 0.04)):
        pen.oval(x, y, rx, ry, spot, angle=20)
    pen.oval(-0.16, 0.31, 0.10, 0.055, (0.95, 0.68, 0.68))
    _cow_head(pen, look, spot)


def _cow_head(pen: Pen, look: Look, spot: RGB) -> None:
    for side in (-1, 1):
        pen.line(
            [(0.52 + side * 0.09, 0.92), (0.52 + side * 0.16, 0.97), (0.52 + side * 0.16, 1.03)],
            0.045,
            (0.90, 0.84, 0.70),
            end=0.015,
        )
        pen.oval(0.52 + side * 0.20, 0.84, 0.085, 0.042, spot, angle=side * 15)
    pen.blob([(0.40, 0.92), (0.64, 0.92), (0.66, 0.70), (0.60, 0.58), (0.44, 0.58), (0.38, 0.70)], look.main)
    pen.oval(0.52, 0.62, 0.135, 0.085, (0.95, 0.70, 0.68))
    for side in (-1, 1):
        pen.oval(0.52 + side * 0.05, 0.62, 0.018, 0.024, (0.55, 0.30, 0.30), "flat")
        pen.oval(0.52 + side * 0.075, 0.81, 0.028, 0.032, _DARK, "flat")
        pen.oval(0.51 + side * 0.075, 0.822, 0.01, 0.01, WHITE, "flat")


@figure("sheep", "lamb", "ram", height=0.42, width=1.2, colours="cream")
def sheep(pen: Pen, look: Look) -> None:
    """Draw a woolly sheep with a dark face."""
    face = look.other((0.23, 0.20, 0.20))
    pen.shadow(0, 0.58)
    for x in (-0.26, -0.10, 0.16, 0.28):
        pen.box(x, 0, 0.075, 0.34, face, soft=0.02)
    for curl in range(14):
        turn = curl / 14 * tau
        pen.oval(0.40 * cos(turn), 0.54 + 0.24 * sin(turn), 0.15, 0.14, look.shade(0.94 + 0.05 * (curl % 2)))
    pen.oval(0, 0.54, 0.43, 0.28, look.main)
    for side in (-1, 1):
        pen.oval(0.44 + side * 0.15, 0.72, 0.085, 0.042, face, angle=-side * 22)
    pen.blob([(0.34, 0.82), (0.54, 0.82), (0.56, 0.60), (0.50, 0.46), (0.39, 0.46), (0.33, 0.60)], face)
    for x in (0.34, 0.44, 0.54):
        pen.oval(x, 0.84, 0.08, 0.07, look.main)
    for side in (-1, 1):
        pen.oval(0.445 + side * 0.055, 0.68, 0.027, 0.03, WHITE, "flat")
        pen.oval(0.45 + side * 0.055, 0.678, 0.015, 0.018, BLACK, "flat")


@figure("elephant", "mammoth", height=0.60, width=1.55, colours="grey")
def elephant(pen: Pen, look: Look) -> None:
    """Draw an elephant with its trunk curled."""
    skin = mix(look.main, (0.60, 0.62, 0.68), 0.3)
    pen.shadow(0, 0.62)
    for x, tone in ((-0.24, 0.74), (0.24, 0.74), (-0.36, 0.92), (0.12, 0.92)):
        pen.box(x, 0, 0.17, 0.42, dim(skin, tone), soft=0.05)
    pen.line([(-0.50, 0.62), (-0.58, 0.48), (-0.56, 0.36)], 0.03, dim(skin, 0.8))
    pen.blob(
        [(-0.50, 0.66), (-0.26, 0.92), (0.14, 0.92), (0.36, 0.72), (0.30, 0.36), (-0.1, 0.28), (-0.46, 0.36)], skin
    )
    pen.line([(0.56, 0.62), (0.68, 0.44), (0.68, 0.24), (0.78, 0.17), (0.86, 0.25)], 0.17, skin, "side", end=0.07)
    pen.oval(0.44, 0.74, 0.23, 0.24, skin)
    pen.line([(0.56, 0.54), (0.64, 0.44), (0.74, 0.46)], 0.05, look.other((0.97, 0.94, 0.85)), end=0.018)
    pen.blob([(0.32, 0.92), (0.10, 0.96), (0.02, 0.70), (0.16, 0.50), (0.32, 0.62)], dim(skin, 0.84))
    pen.blob([(0.28, 0.86), (0.14, 0.88), (0.09, 0.70), (0.17, 0.57), (0.28, 0.66)], mix(skin, (0.93, 0.66, 0.66), 0.4))
    pen.oval(0.53, 0.79, 0.026, 0.03, _DARK, "flat")
    pen.oval(0.523, 0.80, 0.01, 0.01, WHITE, "flat")
