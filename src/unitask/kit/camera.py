"""Where a camera stands and looks, and the twelve movements that clients name. NumPy is imported inside."""

from math import pi
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TURN: Final = pi / 3
WAY: Final = 1.5
"""At speed 1 a camera turns by so many radians in a unit of time, or goes so many units of the scene."""


class Pose(NamedTuple):
    """A camera's place and direction, seen from where it began.

    `right`, `down` and `forward` are units of the scene: the width of what it sees at depth 1. `yaw` (to the right),
    `pitch` (up) and `roll` (clockwise) are radians.
    """

    right: float = 0.0
    down: float = 0.0
    forward: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def times(self, factor: float) -> "Pose":
        """Go so much further."""
        return Pose(*(factor * part for part in self))

    def and_then(self, other: "Pose") -> "Pose":
        """Add up two movements."""
        return Pose(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def turn(self) -> "NDArray[np.float64]":
        """Give the matrix (3, 3) from directions of the camera (right, down, forward) to those where it began."""
        import numpy as np  # noqa: PLC0415 - engines only

        across, up = self.yaw, self.pitch
        to_right = np.array([[np.cos(across), 0, np.sin(across)], [0, 1, 0], [-np.sin(across), 0, np.cos(across)]])
        upwards = np.array([[1, 0, 0], [0, np.cos(up), -np.sin(up)], [0, np.sin(up), np.cos(up)]])
        cos, sine = np.cos(self.roll), np.sin(self.roll)
        roll = np.array([[cos, -sine, 0], [sine, cos, 0], [0, 0, 1]])
        turned: NDArray[np.float64] = to_right @ upwards @ roll
        return turned


STILL: Final = Pose()
MOVES: Final = {
    "zoom_in": Pose(forward=2 * WAY),
    "zoom_out": Pose(forward=-2 * WAY),
    "pan_left": Pose(right=-WAY),
    "pan_right": Pose(right=WAY),
    "pan_up": Pose(down=-WAY),
    "pan_down": Pose(down=WAY),
    "tilt_left": Pose(yaw=-TURN),
    "tilt_right": Pose(yaw=TURN),
    "tilt_up": Pose(pitch=TURN),
    "tilt_down": Pose(pitch=-TURN),
    "roll_clockwise": Pose(roll=TURN),
    "roll_anticlockwise": Pose(roll=-TURN),
}
"""How far each movement leads at speed 1 in a unit of time."""
