"""Which way the camera goes: as told by name and speed, or by the words of a prompt."""

import re
from collections.abc import Iterable
from math import exp, pi, sin, tanh
from typing import Final, NamedTuple

from unitask.engines.preview.chance import dice
from unitask.engines.preview.video.camera import View

_TURN_PER_S: Final = pi / 3
_WAY_PER_S: Final = 1.5
# A flat picture has an end: the way that a camera would go is bent so that it never gets there.
_TURN_SOFTLY: Final = 1.5
_WAY_SOFTLY: Final = 2.0
_MOST_PAN: Final = 0.16
_MOST_TILT: Final = 0.15
_MOST_ROLL: Final = 0.30
_MOST_NEARER: Final = 0.75
_MOST_FURTHER: Final = 0.45
_GENTLE_ZOOM: Final = 1.16
_GENTLE_PAN: Final = 0.06


class Way(NamedTuple):
    """How far each movement has gone: ways in units of the scene, turns in radians."""

    zoom: float = 0.0
    right: float = 0.0
    down: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0

    def __add__(self, other: object) -> "Way":
        """Add up two movements."""
        if not isinstance(other, Way):
            return NotImplemented
        return Way(*(mine + theirs for mine, theirs in zip(self, other, strict=True)))

    def times(self, factor: float) -> "Way":
        """Go so much further."""
        return Way(*(factor * part for part in self))


_PER_S: Final = {
    "zoom_in": Way(zoom=2 * _WAY_PER_S),
    "zoom_out": Way(zoom=-2 * _WAY_PER_S),
    "pan_left": Way(right=-_WAY_PER_S),
    "pan_right": Way(right=_WAY_PER_S),
    "pan_up": Way(down=-_WAY_PER_S),
    "pan_down": Way(down=_WAY_PER_S),
    "tilt_left": Way(yaw=-_TURN_PER_S),
    "tilt_right": Way(yaw=_TURN_PER_S),
    "tilt_up": Way(pitch=_TURN_PER_S),
    "tilt_down": Way(pitch=-_TURN_PER_S),
    "roll_clockwise": Way(roll=_TURN_PER_S),
    "roll_anticlockwise": Way(roll=-_TURN_PER_S),
}


def told(moves: Iterable[tuple[str, float]], seconds: float) -> View:
    """Say where a camera is after `seconds` of moves, given as (name, speed); they add up.

    At speed 1 a camera turns by a third of pi radians in a second, slides by 1.5 units and drives by 3. The picture
    shows the beginning of that truly in proportion, and the further it goes the less.
    """
    way = Way()
    for name, speed in moves:
        way += _PER_S[name].times(speed * seconds)
    forward = tanh(way.zoom / (2 * _WAY_SOFTLY))
    return View(
        right=_MOST_PAN * tanh(way.right / _WAY_SOFTLY),
        down=_MOST_PAN * tanh(way.down / _WAY_SOFTLY),
        zoom=exp(forward * (_MOST_NEARER if forward > 0 else _MOST_FURTHER)),
        yaw=_MOST_TILT * tanh(way.yaw / _TURN_SOFTLY),
        pitch=_MOST_TILT * tanh(way.pitch / _TURN_SOFTLY),
        roll=_MOST_ROLL * tanh(way.roll / _TURN_SOFTLY),
    )


_IN: Final = re.compile(
    r"\b(zoom(s|ing)?[ -]in|push(es|ing)?[ -]in|dolly[ -]in|clos(er|e[ -]up)|approach\w*|towards?)\b"
)
_OUT: Final = re.compile(r"\b(zoom(s|ing)?[ -]out|pull(s|ing)?[ -](out|back)|dolly[ -]out|backwards?|away|reveal\w*)\b")
_SIDES: Final = {"left": Way(right=-1), "right": Way(right=1), "up": Way(down=-1), "down": Way(down=1)}
_TURNS: Final = re.compile(r"\b(rotat\w*|spin\w*|roll(s|ing)?|orbit\w*|swirl\w*|danc\w*|sway\w*)\b")


class Drift:
    """A gentle movement that follows a prompt, or the seed where the prompt names none; it begins at the whole picture.

    `share` runs from 0 to 1 over the video.
    """

    def __init__(self, prompt: str, seed: int) -> None:
        text = prompt.lower()
        self._out = bool(_OUT.search(text))
        self._rolls = bool(_TURNS.search(text))
        way = Way()
        for side in re.findall(r"\b(left|right|up|down)(?:wards?)?\b", text):
            way += _SIDES[side]
        named = self._out or bool(_IN.search(text)) or any(way)
        if not named:
            rng = dice(seed, "camera")
            way = Way(right=float(rng.choice((-1, 1))) * 0.6, down=float(rng.uniform(-0.5, 0.2)))
        self._right = max(-1.0, min(1.0, way.right))
        self._down = max(-1.0, min(1.0, way.down))

    def at(self, share: float) -> View:
        """Say where the camera is."""
        gone = share * share * (3 - 2 * share)
        if self._out:
            # The picture itself comes last: nothing is known of what lies beside it.
            gone = 1 - gone
        return View(
            right=self._right * _GENTLE_PAN * gone,
            down=self._down * _GENTLE_PAN * gone,
            zoom=_GENTLE_ZOOM**gone,
            roll=0.035 * sin(2 * pi * share) if self._rolls else 0.0,
        )
