"""Ground and horizon: mountains, hills, meadow, desert, snow, water, beach, and what lies under water."""

import cv2
import numpy as np

from unitask.engines.preview.arrays import Floats, moved, step
from unitask.engines.preview.canvas import Canvas, curved, oval
from unitask.engines.preview.chance import dice, fractal, profile
from unitask.engines.preview.colours import RGB, dim, mix, times
from unitask.engines.preview.light import Light


def below(canvas: Canvas, line: Floats, colour: RGB, tone: Floats | float = 1.0) -> None:
    """Paint everything under the line (one y per column, pixels) with an antialiased edge."""
    top = max(int(line.min()) - 1, 0)
    depth = np.arange(top, canvas.height, dtype=np.float32)[:, None] - line[None, :]
    opacity = np.clip(depth + 0.5, 0, 1)
    shade = tone[top:] if isinstance(tone, np.ndarray) else tone
    for channel in range(3):
        part = canvas.rgb[top:, :, channel]
        part += (colour[channel] * shade - part) * opacity


def mountains(canvas: Canvas, light: Light, seed: int, horizon_px: int, colour: RGB | None = None) -> None:
    """Paint three ranges, paler with distance; the far ones carry snow."""
    rng = dice(seed, "mountains")
    rock = colour or (0.36, 0.40, 0.47)
    for rank, (reach, haze) in enumerate(((0.42, 0.52), (0.29, 0.30), (0.15, 0.12))):
        tone = mix(times(rock, light.ambient), light.haze, haze)
        base = horizon_px + canvas.height * 0.02 * rank
        shape = profile(canvas.width, rng, bumps=3 + 2 * rank, octaves=7)
        line = base - canvas.height * reach * (0.18 + 0.82 * shape)
        snow = (0.0 if rank > 1 else 0.16) * canvas.height
        _range(canvas, light, rng, line=line.astype(np.float32), colour=tone, snow_px=snow)
        canvas.tint(light.haze, _mist(canvas, base, 0.10))


def _range(
    canvas: Canvas, light: Light, rng: np.random.Generator, *, line: Floats, colour: RGB, snow_px: float
) -> None:
    size = (canvas.height, canvas.width)
    rough = fractal(size, rng, octaves=6, cells=6)
    # The slope of the noise stands in for the slope of the rock: the sides that face the light are brighter.
    slope = rough - moved(rough, -canvas.width // 120 - 1, -canvas.width // 160 - 1)
    face = 0.96 + np.clip(slope * 2.6, -0.26, 0.28)
    below(canvas, line, colour, face)
    if snow_px:
        depth = np.arange(canvas.height, dtype=np.float32)[:, None] - line[None, :]
        height_left = line.min() + snow_px * 1.7 - np.arange(canvas.height, dtype=np.float32)[:, None]
        cap = step(-0.1, 0.25, height_left / snow_px + slope * 5 - 0.15) * np.clip(depth + 0.5, 0, 1)
        white = times((0.97, 0.98, 1.0), mix(light.ambient, light.sun, 0.25))
        for channel in range(3):
            part = canvas.rgb[..., channel]
            part += (np.minimum(white[channel] * (face * 0.75 + 0.27), 1) - part) * cap * 0.95


def _mist(canvas: Canvas, base_px: float, thickness: float) -> Floats:
    rows = np.arange(canvas.height, dtype=np.float32)[:, None]
    result: Floats = (np.exp(-(((rows - base_px) / (canvas.height * thickness)) ** 2)) * 0.45).astype(np.float32)
    return result


def meadow(canvas: Canvas, light: Light, seed: int, horizon_px: int, colour: RGB | None = None) -> None:
    """Paint rolling hills that come nearer, then grass with a few flowers."""
    rng = dice(seed, "meadow")
    green = colour or (0.42, 0.66, 0.27)
    far = mix(green, (0.35, 0.55, 0.45), 0.5)
    step_px = (canvas.height - horizon_px) * 0.2
    for rank in range(3):
        tone = mix(mix(far, green, rank / 2), light.haze, 0.34 - 0.15 * rank)
        shape = profile(canvas.width, rng, bumps=2, octaves=2, smooth=True)
        line = horizon_px + rank * step_px - canvas.height * (0.06 - 0.012 * rank) * (shape - 0.35)
        below(canvas, line.astype(np.float32), times(tone, light.ambient), _ground_tone(canvas, rng, line))
    _grass(canvas, light, rng, horizon_px, green)


def _ground_tone(canvas: Canvas, rng: np.random.Generator, line: Floats, *, depth: float = 0.28) -> Floats:
    texture = fractal((canvas.height, canvas.width), rng, octaves=5, cells=9, stretch=2.5)
    rows = np.arange(canvas.height, dtype=np.float32)[:, None]
    fall = np.clip((rows - float(line.min())) / max(canvas.height - float(line.min()), 1), 0, 1)
    result: Floats = (1.10 - depth * fall + (texture - 0.5) * 0.16).astype(np.float32)
    return result


def _grass(canvas: Canvas, light: Light, rng: np.random.Generator, horizon_px: int, green: RGB) -> None:
    room = canvas.height - horizon_px
    blades = np.sort(rng.random(130)) ** 0.8
    for near in blades:
        y = horizon_px + room * (0.42 + 0.58 * near)
        x, tall = rng.random() * canvas.width, room * (0.035 + 0.07 * near)
        shade = times(dim(green, rng.uniform(0.72, 1.22)), light.ambient)
        for lean in (-0.35, 0.05, 0.4):
            foot = tall * 0.10
            tip = (x + lean * tall, y - tall * rng.uniform(0.7, 1.0))
            canvas.fill(np.array([(x - foot, y), (x + foot, y), tip]), shade, "flat", 0.75)
        if rng.random() < 0.22:  # noqa: PLR2004 - one tuft in five carries a flower
            petal = ((1.0, 0.98, 0.94), (0.98, 0.83, 0.30), (0.93, 0.50, 0.60), (0.70, 0.60, 0.95))[rng.integers(4)]
            radius = max(tall * 0.17, 0.8)
            canvas.fill(oval(x, y - tall, radius, radius * 0.85), times(petal, light.ambient), "round")


def desert(canvas: Canvas, light: Light, seed: int, horizon_px: int, colour: RGB | None = None) -> None:
    """Paint dunes with a lit and a shaded side."""
    rng = dice(seed, "desert")
    sand = colour or (0.91, 0.71, 0.44)
    room = canvas.height - horizon_px
    for rank in range(4):
        tone = mix(times(sand, light.ambient), light.haze, 0.38 - 0.12 * rank)
        shape = profile(canvas.width, rng, bumps=2 + (rank < 2), octaves=2, smooth=True)  # noqa: PLR2004
        line = (horizon_px + room * (0.20 * rank) - canvas.height * (0.05 + 0.03 * rank) * (shape - 0.3)).astype(
            np.float32
        )
        below(canvas, line, tone, _dune_tone(canvas, rng, line))


def _dune_tone(canvas: Canvas, rng: np.random.Generator, line: Floats) -> Floats:
    rows = np.arange(canvas.height, dtype=np.float32)[:, None]
    depth = (rows - line[None, :]) / canvas.height
    steep = np.gradient(cv2.GaussianBlur(line[None, :], (0, 0), max(canvas.width / 60, 1))[0])
    side = np.clip(steep * 0.9, -0.24, 0.16)[None, :] * np.exp(-np.maximum(depth, 0) * 7)
    ripples = np.sin(depth * 260 + fractal((canvas.height, canvas.width), rng, octaves=3, cells=4) * 22) * 0.018
    result: Floats = (1.04 - side - np.clip(depth, 0, 1) * 0.35 + ripples).astype(np.float32)
    return result


def snow(canvas: Canvas, light: Light, seed: int, horizon_px: int, colour: RGB | None = None) -> None:
    """Paint snowy hills, bluish in their hollows."""
    rng = dice(seed, "snow")
    white = colour or (0.93, 0.96, 1.0)
    room = canvas.height - horizon_px
    for rank in range(3):
        tone = mix(times(white, light.ambient), light.haze, 0.36 - 0.17 * rank)
        shape = profile(canvas.width, rng, bumps=2, octaves=2, smooth=True)
        line = (horizon_px + room * 0.24 * rank - canvas.height * 0.07 * (shape - 0.3)).astype(np.float32)
        below(canvas, line, tone, _ground_tone(canvas, rng, line, depth=0.14))


def water(canvas: Canvas, light: Light, seed: int, horizon_px: int, colour: RGB | None = None) -> None:
    """Mirror what stands above the horizon, in waves that grow as they come nearer."""
    height = canvas.height - horizon_px
    if height < 2 or horizon_px < 2:  # noqa: PLR2004 - no room for a mirror image
        return
    rng = dice(seed, "water")
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    waves = fractal((height, canvas.width), rng, octaves=5, cells=5, stretch=7) - 0.5
    columns = np.arange(canvas.width, dtype=np.float32)[None, :] + waves * rows * canvas.width * 0.09
    source = horizon_px - 1 - rows * min(horizon_px - 1, height * 1.1) + waves * rows * canvas.height * 0.16
    mirror = cv2.remap(
        canvas.rgb[:horizon_px],
        np.ascontiguousarray(columns),
        np.ascontiguousarray(source),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    deep = times(colour or (0.10, 0.36, 0.52), light.ambient)
    share = (0.38 if colour is None else 0.55) + 0.22 * rows + waves * 0.35
    shine = np.clip(waves - 0.12, 0, 1) * (0.35 + 0.5 * rows)
    area = canvas.rgb[horizon_px:]
    for channel in range(3):
        part = mirror[..., channel] * (1 - share) + deep[channel] * share
        area[..., channel] = part + (light.sun[channel] * 0.95 - part) * shine


def beach(canvas: Canvas, light: Light, seed: int, horizon_px: int, colour: RGB | None = None) -> None:
    """Paint sea, a line of foam, and sand in front."""
    water(canvas, light, seed, horizon_px, colour)
    rng = dice(seed, "beach")
    room = canvas.height - horizon_px
    shape = profile(canvas.width, rng, bumps=2, octaves=2, smooth=True)
    line = (horizon_px + room * 0.40 + room * 0.16 * (shape - 0.5)).astype(np.float32)
    foam = mix(times((1.0, 1.0, 1.0), light.ambient), light.sun, 0.2)
    below(canvas, line - room * 0.035, foam)
    wet = times((0.66, 0.54, 0.38), light.ambient)
    below(canvas, line, wet)
    sand = times((0.93, 0.82, 0.60), light.ambient)
    below(canvas, line + room * 0.06, sand, _ground_tone(canvas, rng, line, depth=0.18))


def underwater(canvas: Canvas, seed: int, colour: RGB | None = None) -> None:
    """Paint a blue depth with rays from above, weeds, bubbles and a sandy floor."""
    rng = dice(seed, "underwater")
    hue = colour or (0.05, 0.45, 0.68)
    rows = np.linspace(0, 1, canvas.height, dtype=np.float32)[:, None]
    top, bottom = mix(hue, (0.65, 0.95, 0.95), 0.45), dim(hue, 0.38)
    for channel in range(3):
        canvas.rgb[..., channel] = top[channel] + (bottom[channel] - top[channel]) * rows**0.8
    _rays(canvas, rng)
    floor = profile(canvas.width, rng, bumps=3, octaves=3, smooth=True)
    line = (canvas.height * (0.84 - 0.06 * floor)).astype(np.float32)
    below(canvas, line, mix((0.78, 0.70, 0.48), hue, 0.45), _ground_tone(canvas, rng, line))
    for _ in range(16):
        _weed(canvas, rng, hue)
    for _ in range(34):
        radius = canvas.height * rng.uniform(0.003, 0.013)
        x, y = rng.random() * canvas.width, rng.random() * canvas.height * 0.8
        canvas.fill(oval(x, y, radius, radius), (0.80, 0.96, 1.0), "flat", 0.25)
        canvas.fill(
            oval(x - radius * 0.3, y - radius * 0.3, radius * 0.35, radius * 0.35), (1.0, 1.0, 1.0), "flat", 0.6
        )
    canvas.cover[:] = 0


def _rays(canvas: Canvas, rng: np.random.Generator) -> None:
    beams = fractal((2, canvas.width * 2), rng, octaves=4, cells=10)[:1]
    rows = np.arange(canvas.height, dtype=np.float32)[:, None]
    columns = np.arange(canvas.width, dtype=np.float32)[None, :] + rows * 0.45
    picked = np.take(beams[0], np.clip(columns.astype(np.int32), 0, canvas.width * 2 - 1))
    light = step(0.5, 0.95, picked) * np.exp(-rows / canvas.height * 2.2) * 0.5
    canvas.tint((0.85, 1.0, 0.95), light)


def _weed(canvas: Canvas, rng: np.random.Generator, hue: RGB) -> None:
    x, tall = rng.random() * canvas.width, canvas.height * rng.uniform(0.08, 0.26)
    foot = canvas.height * rng.uniform(0.88, 1.0)
    sway = tall * rng.uniform(0.08, 0.18)
    colour = mix(((0.16, 0.55, 0.30), (0.85, 0.36, 0.38), (0.92, 0.62, 0.28))[rng.integers(3)], hue, 0.35)
    spine = curved(
        [(x, foot), (x + sway, foot - tall * 0.35), (x - sway, foot - tall * 0.7), (x, foot - tall)], closed=False
    )
    width = np.linspace(tall * 0.07, tall * 0.01, len(spine))[:, None] * np.array([[1.0, 0.0]])
    canvas.fill(np.concatenate([spine - width, (spine + width)[::-1]]), colour, "side")
