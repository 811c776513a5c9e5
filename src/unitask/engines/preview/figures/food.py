"""Food on a table."""

from math import cos, sin, tau
from typing import Final

from unitask.engines.preview.colours import RGB, WHITE, mix
from unitask.engines.preview.figures.registry import Look, figure
from unitask.engines.preview.pen import Pen

_CRUST: Final[RGB] = (0.80, 0.56, 0.30)
_CHEESE: Final[RGB] = (0.97, 0.82, 0.42)
_SALAMI: Final[RGB] = (0.76, 0.20, 0.15)
_HERB: Final[RGB] = (0.25, 0.55, 0.22)


@figure("pizza", "margherita", "calzone", height=0.30, width=2.0, home="table", colours="white cream")
def pizza(pen: Pen, look: Look) -> None:
    """Draw a pizza on a plate, seen from the side of the table."""
    pen.shadow(0, 1.0, 0.45)
    pen.oval(0, 0.30, 1.0, 0.30, look.main)
    pen.oval(0, 0.36, 0.88, 0.30, _CRUST, "round")
    pen.oval(0, 0.40, 0.76, 0.24, _CHEESE, "flat")
    for rank in range(9):
        turn = rank / 8 * tau
        reach = 0.52 if rank else 0.0
        x, y = reach * cos(turn), 0.40 + 0.30 * reach * sin(turn)
        pen.oval(x, y, 0.13, 0.045, _SALAMI, "round")
        pen.oval(x + 0.17, y + 0.02, 0.06, 0.022, _HERB, "flat", angle=25)


@figure("bowl", "ramen", "soup", "noodle", "salad", "rice", "pasta", "spaghetti", height=0.42, width=1.2, home="table",
        colours="blue red teal")  # fmt: skip
def bowl(pen: Pen, look: Look) -> None:
    """Draw a steaming bowl with chopsticks."""
    pen.shadow(0, 0.6, 0.45)
    pen.blob([(-0.56, 0.60), (0.56, 0.60), (0.46, 0.26), (0.20, 0.05), (-0.20, 0.05), (-0.46, 0.26)], look.main, "side")
    pen.oval(0, 0.60, 0.56, 0.12, mix(look.main, WHITE, 0.5))
    pen.oval(0, 0.60, 0.49, 0.095, (0.80, 0.55, 0.28), "round")
    for x in (-0.30, -0.18, -0.06, 0.06, 0.18):
        pen.line([(x, 0.58), (x + 0.08, 0.64), (x + 0.16, 0.59)], 0.03, _CHEESE)
    pen.oval(0.26, 0.63, 0.12, 0.05, WHITE, "flat")
    pen.oval(0.26, 0.635, 0.055, 0.026, (0.98, 0.70, 0.20), "round")
    pen.oval(-0.22, 0.645, 0.10, 0.028, _HERB, "flat", angle=15)
    for shift in (0.0, 0.07):
        pen.line([(-0.05 + shift, 0.62), (0.55 + shift, 0.95)], 0.03, (0.45, 0.28, 0.16))
    for x in (-0.20, -0.02):
        pen.line([(x, 0.70), (x + 0.05, 0.80), (x - 0.03, 0.90), (x + 0.03, 1.0)], 0.05, WHITE, end=0.02, alpha=0.28)
