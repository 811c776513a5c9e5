"""What is shown when the prompt names nothing that can be drawn: its colours, glass balls, and its own words."""

import colorsys
from typing import Final

import cv2
import numpy as np

from unitask.engines.preview import lettering
from unitask.engines.preview.canvas import Canvas, oval
from unitask.engines.preview.chance import dice
from unitask.engines.preview.colours import RGB, WHITE, dim, mix
from unitask.engines.preview.words import Wish

_WORDS_SHOWN: Final = 6


def compose(canvas: Canvas, wish: Wish, seed: int) -> None:
    """Flowing colours, a few balls of glass, and the words that were not understood as a title."""
    rng = dice(seed, *wish.unknown, *wish.mood)
    hues = _hues(wish, rng)
    _flow(canvas, hues, rng)
    _balls(canvas, hues, rng)
    words = lettering.drawable(" ".join(wish.unknown[:_WORDS_SHOWN]))
    if any(sign.isalnum() for sign in words):
        _title(canvas, words)
    canvas.cover[:] = 0


def _hues(wish: Wish, rng: np.random.Generator) -> list[RGB]:
    if wish.mood:
        first = wish.mood[0]
        rest = wish.mood[1:] or [mix(first, WHITE, 0.45), dim(first, 0.6)]
        return [first, *rest, mix(first, rest[-1], 0.5)]
    start = float(rng.random())
    shifts = (0.0, 0.07, 0.16, float(rng.choice((0.45, 0.52, 0.60))))
    return [colorsys.hsv_to_rgb((start + shift) % 1, 0.55, 0.90) for shift in shifts]


def _flow(canvas: Canvas, hues: list[RGB], rng: np.random.Generator) -> None:
    grid = np.array([[hues[int(rng.integers(len(hues)))] for _ in range(4)] for _ in range(4)], np.float32)
    grid *= rng.uniform(0.75, 1.12, (4, 4, 1)).astype(np.float32)
    wide = cv2.resize(grid, (canvas.width, canvas.height), interpolation=cv2.INTER_CUBIC)
    canvas.rgb[:] = np.clip(wide, 0, 1)
    across = np.linspace(0, 6.3, canvas.width, dtype=np.float32)[None, :]
    down = np.linspace(0, 1, canvas.height, dtype=np.float32)[:, None]
    for rank in range(4):
        phase, swing = rng.uniform(0, 6.3), rng.uniform(0.05, 0.12)
        crest = 0.22 + 0.2 * rank + swing * np.sin(across * rng.uniform(0.5, 1.1) + phase)
        depth = down - crest
        band = np.clip(depth * canvas.height, 0, 1) * np.exp(-np.maximum(depth, 0) * 5)
        canvas.tint(mix(hues[rank % len(hues)], WHITE, 0.25), (band * 0.42).astype(np.float32))


def _balls(canvas: Canvas, hues: list[RGB], rng: np.random.Generator) -> None:
    short = min(canvas.width, canvas.height)
    for rank in range(6):
        radius = short * rng.uniform(0.03, 0.13)
        x, y = rng.uniform(0.06, 0.94) * canvas.width, rng.uniform(0.08, 0.86) * canvas.height
        canvas.shadow(x + radius * 0.35, y + radius * 1.18, radius * 1.3, 0.25)
        canvas.fill(oval(x, y, radius, radius), hues[rank % len(hues)], "ball", 0.92)
        canvas.fill(oval(x - radius * 0.35, y - radius * 0.42, radius * 0.26, radius * 0.16, -35), WHITE, "flat", 0.75)


def _title(canvas: Canvas, words: str) -> None:
    mask = lettering.block(words, round(canvas.width * 0.84), round(canvas.height * 0.46))
    height, width = mask.shape
    if not height or not width:
        return
    top, left = round(canvas.height * 0.45 - height / 2), round((canvas.width - width) / 2)
    top, left = max(top, 0), max(left, 0)
    letters = np.zeros((canvas.height, canvas.width), np.float32)
    letters[top : top + height, left : left + width] = mask[: canvas.height - top, : canvas.width - left]
    shade = cv2.GaussianBlur(letters, (0, 0), max(height / 22, 1))
    canvas.tint((0.05, 0.05, 0.10), np.asarray(shade, np.float32) * 0.55)
    canvas.tint((1.0, 1.0, 1.0), letters * 0.97)
