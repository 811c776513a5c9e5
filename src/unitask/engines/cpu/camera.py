"""The way that a camera goes through a picture, which has an end."""

from collections.abc import Iterable
from math import pi, sin, tanh
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unitask.kit.camera import MOVES, STILL, Pose

Matrix = NDArray[np.float64]
TURN_SOFTLY: Final = 1.5
WAY_SOFTLY: Final = 2.0
"""A picture has an end: a camera that would go or turn by this much gets three quarters of the way there."""
STARTING: Final = 0.18
"""Share of the time in which the camera gets up to speed, and in which it comes to rest."""
ARC_S: Final = 9.0
SOFTLY: Final = Pose(WAY_SOFTLY, WAY_SOFTLY, 2 * WAY_SOFTLY, TURN_SOFTLY, TURN_SOFTLY, TURN_SOFTLY)
MOST: Final = Pose(right=0.125, down=0.1, forward=0.3, yaw=0.13, pitch=0.1, roll=0.19)
MOST_BACK: Final = 0.2
GENTLE: Final = Pose(right=0.035, down=0.008, forward=0.11)


class Way(NamedTuple):
    """A way through a scene: it begins at `STILL` and leads to `goal`; `arcs` is how often it swings aside and back."""

    goal: Pose
    arcs: float = 0.0

    def times(self, factor: float) -> "Way":
        """Go so much less far."""
        return self._replace(goal=self.goal.times(factor))

    def at(self, share: float) -> Pose:
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
        wanted = wanted.and_then(MOVES[name].times(speed * seconds))
    soft = Pose(*(tanh(part / softly) for part, softly in zip(wanted, SOFTLY, strict=True)))
    goal = Pose(*(most * part for most, part in zip(MOST, soft, strict=True)))
    return Way(goal._replace(forward=MOST_BACK * soft.forward) if soft.forward < 0 else goal)


def gentle(seconds: float, rng: Any) -> Way:
    """Come slowly nearer, in one or more arcs to the sides."""
    side = float(rng.choice((-1, 1)))
    return Way(GENTLE._replace(right=side * GENTLE.right), arcs=max(0.5, round(2 * seconds / ARC_S) / 2))
