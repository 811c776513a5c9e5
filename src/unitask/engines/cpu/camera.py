"""Where a camera stands and looks, the planes that it sees, and the way that it goes."""

from collections.abc import Iterable
from math import pi, sin, tanh
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
TURN_PER_S: Final = pi / 3
WAY_PER_S: Final = 1.5
"""At speed 1 a camera turns by so many radians in a second, or goes so many units of the scene."""
TURN_SOFTLY: Final = 1.5
WAY_SOFTLY: Final = 2.0
"""A picture has an end: a camera that would go or turn by this much gets three quarters of the way there."""
STARTING: Final = 0.18
"""Share of the time in which the camera gets up to speed, and in which it comes to rest."""
ARC_S: Final = 9.0


class View(NamedTuple):
    """A camera's place and direction; all zero is where the picture was taken.

    `right`, `down` and `forward` are shares of the width of what it sees at depth 1; `yaw` (to the right), `pitch`
    (up) and `roll` (clockwise) are radians.
    """

    right: float = 0.0
    down: float = 0.0
    forward: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def times(self, factor: float) -> "View":
        """Go so much further."""
        return View(*(factor * part for part in self))

    def and_then(self, other: "View") -> "View":
        """Add up two movements."""
        return View(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def turn(self) -> Matrix:
        """Give the directions in the scene of right, down and forward as the camera has them."""
        across, up = self.yaw, self.pitch
        to_right = np.array([[np.cos(across), 0, np.sin(across)], [0, 1, 0], [-np.sin(across), 0, np.cos(across)]])
        upwards = np.array([[1, 0, 0], [0, np.cos(up), -np.sin(up)], [0, np.sin(up), np.cos(up)]])
        cos, sine = np.cos(self.roll), np.sin(self.roll)
        roll = np.array([[cos, -sine, 0], [sine, cos, 0], [0, 0, 1]])
        turned: Matrix = to_right @ upwards @ roll
        return turned


STILL: Final = View()
PER_S: Final = {
    "zoom_in": View(forward=2 * WAY_PER_S),
    "zoom_out": View(forward=-2 * WAY_PER_S),
    "pan_left": View(right=-WAY_PER_S),
    "pan_right": View(right=WAY_PER_S),
    "pan_up": View(down=-WAY_PER_S),
    "pan_down": View(down=WAY_PER_S),
    "tilt_left": View(yaw=-TURN_PER_S),
    "tilt_right": View(yaw=TURN_PER_S),
    "tilt_up": View(pitch=TURN_PER_S),
    "tilt_down": View(pitch=-TURN_PER_S),
    "roll_clockwise": View(roll=TURN_PER_S),
    "roll_anticlockwise": View(roll=-TURN_PER_S),
}
SOFTLY: Final = View(WAY_SOFTLY, WAY_SOFTLY, 2 * WAY_SOFTLY, TURN_SOFTLY, TURN_SOFTLY, TURN_SOFTLY)
MOST: Final = View(right=0.125, down=0.1, forward=0.3, yaw=0.13, pitch=0.1, roll=0.19)
MOST_BACK: Final = 0.2
GENTLE: Final = View(right=0.035, down=0.008, forward=0.11)


class Way(NamedTuple):
    """A way through a scene: it begins at `STILL` and leads to `goal`; `arcs` is how often it swings aside and back."""

    goal: View
    arcs: float = 0.0

    def times(self, factor: float) -> "Way":
        """Go so much less far."""
        return self._replace(goal=self.goal.times(factor))

    def at(self, share: float) -> View:
        """Say where the camera is when this share of the time, 0 to 1, has gone by."""
        if not self.arcs:
            return self.goal.times(eased(share))
        swung = sin(self.arcs * pi * share)
        view = self.goal.times(eased(share))
        return view._replace(right=self.goal.right * swung, down=self.goal.down * swung * swung)


def eased(share: float) -> float:
    """Let a movement begin and end softly: 0 to 1, with steady speed in between."""
    top = 1 / (1 - STARTING)
    if share < STARTING:
        return top * share * share / (2 * STARTING)
    if share > 1 - STARTING:
        return 1 - eased(1 - share)
    return top * (share - STARTING / 2)


def told(moves: Iterable[tuple[str, float]], seconds: float) -> Way:
    """Go as told by (name, speed) for so long; several movements add up.

    The speed is true as long as the way is short; the farther it would lead, the more it is held back.
    """
    wanted = STILL
    for name, speed in moves:
        wanted = wanted.and_then(PER_S[name].times(speed * seconds))
    soft = View(*(tanh(part / softly) for part, softly in zip(wanted, SOFTLY, strict=True)))
    goal = View(*(most * part for most, part in zip(MOST, soft, strict=True)))
    return Way(goal._replace(forward=MOST_BACK * soft.forward) if soft.forward < 0 else goal)


def gentle(seconds: float, rng: Any) -> Way:
    """Come slowly nearer, in one or more arcs to the sides."""
    side = float(rng.choice((-1, 1)))
    return Way(GENTLE._replace(right=side * GENTLE.right), arcs=max(0.5, round(2 * seconds / ARC_S) / 2))
