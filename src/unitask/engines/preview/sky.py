"""The sky: its gradient, sun or moon, stars, clouds, aurora and rainbow; and outer space."""

import cv2
import numpy as np

from unitask.engines.preview.arrays import Floats, moved, step
from unitask.engines.preview.canvas import Canvas, oval
from unitask.engines.preview.chance import dice, fractal
from unitask.engines.preview.colours import RGB, dim, mix
from unitask.engines.preview.light import Light


def gradient(canvas: Canvas, stops: tuple[RGB, RGB, RGB], horizon_px: int) -> None:
    """Run through the three colours from the top to the horizon; below it the last one stays."""
    share = np.clip(np.arange(canvas.height) / max(horizon_px, 1), 0, 1)
    columns = [np.interp(share, (0, 0.55, 1), [stop[channel] for stop in stops]) for channel in range(3)]
    canvas.rgb[:] = np.stack(columns, axis=1).astype(np.float32)[:, None, :]


def clouds(canvas: Canvas, light: Light, seed: int, horizon_px: int) -> None:
    """Lay clouds over the sky: brighter towards the sun, flatter and paler towards the horizon."""
    height = max(horizon_px, 2)
    rng = dice(seed, "clouds")
    noise = fractal((height, canvas.width), rng, octaves=6, cells=3.2, stretch=2.2)
    edge = 0.86 - 0.62 * light.clouds
    body = step(edge - 0.12, edge + 0.20, noise)
    reach = max(2, canvas.width // 90)
    towards_sun = moved(noise, reach, reach)
    lit = np.clip(0.62 + (noise - towards_sun) * 3.0, 0, 1)
    bright, shaded = mix(light.sun, light.ambient, 0.6), mix(light.haze, light.sky[1], 0.35)
    if light.dark:
        bright = dim(light.haze, 1.9)
    low = np.linspace(1.0, 0.35, height, dtype=np.float32)[:, None]
    opacity = body * low * 0.92
    area = canvas.rgb[:height]
    for channel in range(3):
        tone = shaded[channel] + (bright[channel] - shaded[channel]) * lit
        area[..., channel] += (tone - area[..., channel]) * opacity


def stars(canvas: Canvas, seed: int, horizon_px: int, *, density: float) -> None:
    """Scatter stars of different size and brightness above the horizon."""
    rng = dice(seed, "stars")
    count = int(density * canvas.width * horizon_px) + 12
    unit = max(min(canvas.width, canvas.height) / 1024, 0.35)
    for x, y, strength in zip(rng.random(count), rng.random(count), rng.random(count) ** 3, strict=True):
        radius = (0.7 + 1.3 * strength) * unit
        tone = mix((0.75, 0.83, 1.0), (1.0, 0.95, 0.85), float(rng.random()))
        centre = (float(x) * canvas.width, float(y) * horizon_px)
        canvas.fill(oval(*centre, radius, radius), tone, "flat", 0.35 + 0.65 * float(strength))
        if strength > 0.8:  # noqa: PLR2004 - the few brightest
            canvas.glow(*centre, 11 * unit, tone, 0.75)
    canvas.cover[:] = 0


def sun(canvas: Canvas, light: Light, x: float, y: float, radius: float) -> None:
    """Paint the sun, or by night the moon with its seas; centre and radius in pixels."""
    canvas.glow(x, y, radius * 8, light.sun, 0.6)
    canvas.glow(x, y, radius * 3.2, light.sun, 0.85)
    if light.dark:
        _moon(canvas, x, y, radius)
    else:
        canvas.fill(oval(x, y, radius, radius), mix(light.sun, (1.0, 1.0, 0.95), 0.6))
        canvas.glow(x, y, radius * 1.5, (1.0, 1.0, 0.96), 0.9)
    canvas.cover[:] = 0


def _moon(canvas: Canvas, x: float, y: float, radius: float) -> None:
    pale = (0.95, 0.95, 0.90)
    canvas.fill(oval(x, y, radius, radius), pale, "round")
    for across, down, size in ((-0.3, -0.25, 0.24), (0.25, 0.1, 0.30), (-0.1, 0.5, 0.17), (0.4, -0.45, 0.13)):
        spot = oval(x + across * radius, y + down * radius, size * radius, size * radius * 0.9)
        canvas.fill(spot, dim(pale, 0.85), "flat", 0.7)


def aurora(canvas: Canvas, seed: int, horizon_px: int) -> None:
    """Hang up green and violet curtains of light."""
    rng = dice(seed, "aurora")
    height, width = max(horizon_px, 2), canvas.width
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    for base, colour in ((0.62, (0.25, 0.95, 0.60)), (0.45, (0.55, 0.40, 0.95)), (0.72, (0.20, 0.85, 0.75))):
        foot = base + 0.22 * (fractal((2, width), rng, octaves=4, cells=3)[:1] - 0.5)
        rays = 0.45 + 0.55 * fractal((2, width), rng, octaves=5, cells=14)[:1]
        above = foot - rows
        light = np.where(above > 0, np.exp(-above * 6.0), np.exp(above * 40.0)) * rays * 0.6
        for channel in range(3):
            area = canvas.rgb[:height, :, channel]
            area += (1 - area) * light * colour[channel]


def rainbow(canvas: Canvas, horizon_px: int) -> None:
    """Paint an arc of six colours over the horizon."""
    yy, xx = np.ogrid[: canvas.height, : canvas.width]
    radius = np.hypot(xx - canvas.width * 0.5, (yy - horizon_px * 1.05) * 1.0)
    outer = min(canvas.width * 0.52, horizon_px * 0.95)
    share = ((outer - radius) / (outer * 0.13)).astype(np.float32)
    bands = (
        (0.92, 0.2, 0.2),
        (0.97, 0.6, 0.2),
        (0.97, 0.92, 0.3),
        (0.3, 0.8, 0.4),
        (0.25, 0.5, 0.95),
        (0.55, 0.3, 0.8),
    )
    inside = step(0.0, 0.12, share) * step(1.0, 0.88, share) * 0.5
    inside *= yy < horizon_px
    stops = np.linspace(0.08, 0.92, len(bands))
    for channel in range(3):
        tone = np.interp(share, stops, [band[channel] for band in bands]).astype(np.float32)
        part = canvas.rgb[..., channel]
        part += (tone - part) * inside


def paint_space(canvas: Canvas, seed: int, hue: RGB | None) -> None:
    """Paint outer space: two nebulae, many stars, no ground. `hue` colours the nebula."""
    rng = dice(seed, "space")
    gradient(canvas, ((0.02, 0.02, 0.07), (0.04, 0.03, 0.11), (0.03, 0.04, 0.12)), canvas.height)
    size = (canvas.height, canvas.width)
    first = hue or (0.55, 0.22, 0.78)
    second = (0.12, 0.50, 0.82) if hue is None else mix(hue, (0.15, 0.25, 0.75), 0.45)
    band = _band(size, rng)
    for colour, cells in ((first, 2.2), (second, 3.1), (mix(first, (1.0, 0.75, 0.6), 0.6), 4.0)):
        veil = step(0.38, 0.95, fractal(size, rng, octaves=6, cells=cells)) * (0.25 + 0.95 * band)
        for channel in range(3):
            part = canvas.rgb[..., channel]
            part += (1 - part) * veil * colour[channel] * 0.85
    dust = step(0.52, 0.85, fractal(size, rng, octaves=6, cells=4)) * band * 0.55
    canvas.tint((0.03, 0.02, 0.06), dust)
    stars(canvas, seed, canvas.height, density=0.0011)


def _band(size: tuple[int, int], rng: np.random.Generator) -> Floats:
    height, width = size
    angle = rng.uniform(-0.7, 0.7)
    yy, xx = np.mgrid[:height, :width].astype(np.float32)
    across = (yy - height * rng.uniform(0.4, 0.6)) - np.tan(angle) * (xx - width / 2)
    band = np.exp(-((across / (0.26 * min(size))) ** 2))
    wobble = fractal(size, rng, octaves=3, cells=3)
    result: Floats = np.asarray(cv2.GaussianBlur((band * (0.4 + wobble)).astype(np.float32), (0, 0), 2))
    return result
