"""Which way the camera goes by the words of a prompt."""

import re
from math import pi, sin
from typing import Final

from unitask.engines.preview.chance import dice
from unitask.engines.preview.video.camera import View

_GENTLE_ZOOM: Final = 1.16
_GENTLE_PAN: Final = 0.06
_IN: Final = re.compile(
    r"\b(zoom(s|ing)?[ -]in|push(es|ing)?[ -]in|dolly[ -]in|clos(er|e[ -]up)|approach\w*|towards?)\b"
)
_OUT: Final = re.compile(r"\b(zoom(s|ing)?[ -]out|pull(s|ing)?[ -](out|back)|dolly[ -]out|backwards?|away|reveal\w*)\b")
_SIDES: Final = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
_TURNS: Final = re.compile(r"\b(rotat\w*|spin\w*|roll(s|ing)?|orbit\w*|swirl\w*|danc\w*|sway\w*)\b")


class Drift:
    """A gentle movement that follows a prompt, or the seed where the prompt names none; it begins at the whole picture.

    `share` runs from 0 to 1 over the video.
    """

    def __init__(self, prompt: str, seed: int) -> None:
        text = prompt.lower()
        self._out = bool(_OUT.search(text))
        self._rolls = bool(_TURNS.search(text))
        sides = [_SIDES[side] for side in re.findall(r"\b(left|right|up|down)(?:wards?)?\b", text)]
        right, down = (float(sum(side[axis] for side in sides)) for axis in (0, 1))
        if not (self._out or _IN.search(text) or right or down):
            rng = dice(seed, "camera")
            right, down = float(rng.choice((-1, 1))) * 0.6, float(rng.uniform(-0.5, 0.2))
        self._right = max(-1.0, min(1.0, right))
        self._down = max(-1.0, min(1.0, down))

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
