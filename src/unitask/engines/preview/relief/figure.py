"""One thing by itself, drawn from words: a figure that the preview engine knows, or a vase."""

from dataclasses import replace
from typing import Final

import numpy as np

from unitask.engines.preview import scene
from unitask.engines.preview.arrays import Floats, Pixels, pixels
from unitask.engines.preview.canvas import Canvas, Points, curved
from unitask.engines.preview.chance import dice
from unitask.engines.preview.colours import NAMED, RGB, dim, mix
from unitask.engines.preview.words import Wish

SIDE_PX: Final = 768
_LARGE: Final = 4.0
_COLOURS: Final = ("teal", "coral", "azure", "amber", "violet", "emerald", "crimson")


def drawn(wish: Wish, prompt: str, seed: int) -> tuple[Pixels, Floats]:
    """Draw the first thing of a wish, large: (height, width, 3), and where it is, (height, width), 0 to 1."""
    if not wish.wanted:
        return _vase(wish, prompt, seed)
    thing = replace(wish.wanted[0], count=1, scale=_LARGE)
    painting = scene.paint(Wish(wanted=[thing], places=["studio"]), SIDE_PX, SIDE_PX, seed)
    return painting.rgb, painting.cover.astype(np.float32) / 255


def _vase(wish: Wish, prompt: str, seed: int) -> tuple[Pixels, Floats]:
    """Turn a vase whose outline depends on the words."""
    rng = dice(seed, "vase", prompt)
    colour = wish.mood[0] if wish.mood else NAMED[_COLOURS[int(rng.integers(len(_COLOURS)))]]
    canvas = Canvas(SIDE_PX, SIDE_PX)
    canvas.rgb[:] = (0.9, 0.91, 0.92)
    radii = np.array((0.30, 0.50, 0.95, 0.85, 0.42, 0.34, 0.5)) * rng.uniform(0.8, 1.2, 7)
    levels = np.array((0.0, 0.06, 0.30, 0.52, 0.78, 0.92, 1.0))
    canvas.fill(_outline(radii, levels, 0.0, 1.0), colour, "side")
    for low in (0.24, 0.40, 0.60):
        band: RGB = mix(colour, (1.0, 0.96, 0.88), 0.55) if rng.random() < 0.7 else dim(colour, 0.6)  # noqa: PLR2004
        canvas.fill(_outline(radii, levels, low, low + float(rng.uniform(0.03, 0.08))), band, "side")
    return pixels(canvas.rgb * 255 + 0.5), canvas.cover


def _outline(radii: Points, levels: Points, low: float, high: float) -> Points:
    """Give the corners of the part of the vase between two levels, 0 at its foot to 1 at its rim."""
    profile = curved(np.stack([radii, levels], axis=1), closed=False)
    at = np.linspace(low, high, 60)
    wide = np.interp(at, profile[:, 1], profile[:, 0]) * SIDE_PX * 0.27
    up = SIDE_PX * (0.93 - 0.86 * at)
    middle = SIDE_PX / 2
    return np.concatenate([np.stack([middle + wide, up], axis=1), np.stack([middle - wide, up], axis=1)[::-1]])
