"""Rain, snowfall, lightning and fog, laid over a painted scene."""

import cv2
import numpy as np

from unitask.engines.preview.arrays import Floats
from unitask.engines.preview.canvas import Canvas, oval
from unitask.engines.preview.chance import dice, fractal
from unitask.engines.preview.light import Light


def fall(canvas: Canvas, light: Light, weather: str, seed: int) -> None:
    """Let fall what the weather brings; fair weather brings nothing."""
    if weather in {"rain", "storm"}:
        rain(canvas, seed)
    if weather == "storm":
        lightning(canvas, seed)
    if weather == "snowfall":
        snowfall(canvas, seed)
    if weather == "fog":
        canvas.tint(light.haze, 0.16)


def rain(canvas: Canvas, seed: int) -> None:
    """Draw slanting streaks, some nearer than others."""
    rng = dice(seed, "rain")
    streaks = np.zeros((canvas.height, canvas.width), np.uint8)
    count = int(canvas.width * canvas.height / 1500)
    ends = rng.random((count, 2)) * (canvas.width * 1.2, canvas.height)
    lengths = canvas.height * rng.uniform(0.015, 0.055, count)
    for (x, y), length in zip(ends, lengths, strict=True):
        start = (int(x * 16), int(y * 16))
        end = (int((x - length * 0.22) * 16), int((y + length) * 16))
        cv2.line(streaks, start, end, (int(60 + 1600 * length / canvas.height),), 1, cv2.LINE_AA, 4)
    canvas.tint((0.86, 0.91, 0.98), streaks.astype(np.float32) / 255 * 0.85)


def lightning(canvas: Canvas, seed: int) -> None:
    """Draw one bolt and the glow round it."""
    rng = dice(seed, "lightning")
    x, y = canvas.width * float(rng.uniform(0.2, 0.8)), 0.0
    path = [(x, y)]
    while y < canvas.height * 0.56:
        x += canvas.width * float(rng.uniform(-0.045, 0.045))
        y += canvas.height * float(rng.uniform(0.035, 0.075))
        path.append((x, y))
    bolt = np.zeros((canvas.height, canvas.width), np.uint8)
    corners = np.round(np.array(path) * 16).astype(np.int32)
    thick = max(1, round(min(canvas.width, canvas.height) / 260))
    cv2.polylines(bolt, [corners], isClosed=False, color=(255,), thickness=thick, lineType=cv2.LINE_AA, shift=4)
    glow = np.asarray(cv2.GaussianBlur(bolt, (0, 0), max(canvas.width / 70, 1)), np.float32) / 255
    canvas.tint((0.75, 0.80, 1.0), np.clip(glow * 2.5, 0, 0.7))
    canvas.tint((1.0, 1.0, 1.0), bolt.astype(np.float32) / 255)


def snowfall(canvas: Canvas, seed: int) -> None:
    """Scatter flakes, near and far."""
    rng = dice(seed, "snowfall")
    cover = canvas.cover.copy()
    unit = min(canvas.width, canvas.height) / 1024
    for _ in range(420):
        depth = rng.random() ** 2.5
        radius = max((1.2 + 6.5 * depth) * unit, 0.6)
        x, y = rng.random() * canvas.width, rng.random() * canvas.height
        canvas.fill(oval(x, y, radius, radius), (1.0, 1.0, 1.0), "flat", 0.85 - 0.45 * depth)
    canvas.cover[:] = cover


def bank(canvas: Canvas, seed: int) -> Floats:
    """How thick the fog is at each pixel: thicker low down, in drifting veils."""
    veil = fractal((canvas.height, canvas.width), dice(seed, "fog"), octaves=4, cells=2.5, stretch=3)
    rows = np.linspace(0.25, 0.85, canvas.height, dtype=np.float32)[:, None]
    result: Floats = np.clip(rows * (0.55 + 0.6 * veil), 0, 0.85)
    return result
