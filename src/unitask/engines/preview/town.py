"""Places made by people and trees: city, road, forest, room, and the plain backdrop of a studio."""

from typing import Final

import numpy as np

from unitask.engines.preview.canvas import Canvas, Points, oval
from unitask.engines.preview.chance import dice, fractal
from unitask.engines.preview.colours import RGB, dim, mix, times
from unitask.engines.preview.land import below
from unitask.engines.preview.light import Light

_LAMP: Final[RGB] = (1.0, 0.84, 0.50)
_NEAREST: Final = 2
_NEON: Final[tuple[RGB, ...]] = ((0.98, 0.25, 0.65), (0.20, 0.85, 0.95), (0.65, 0.35, 1.0), (1.0, 0.70, 0.25))


def city(canvas: Canvas, light: Light, seed: int, horizon_px: int, colour: RGB | None = None) -> None:
    """Build two rows of towers, paler behind; by night their windows and signs are lit."""
    rng = dice(seed, "city")
    stone = colour or (0.50, 0.53, 0.60)
    for reach, haze in ((0.46, 0.55), (0.34, 0.16)):
        x = -canvas.width * 0.02
        while x < canvas.width:
            width = canvas.width * rng.uniform(0.055, 0.115)
            height = canvas.height * reach * rng.uniform(0.40, 1.0)
            tone = mix(times(dim(stone, rng.uniform(0.72, 1.1)), light.ambient), light.haze, haze)
            _tower(canvas, light, rng, place=(x, horizon_px, width, height), tone=tone, haze=haze)
            x += width + canvas.width * rng.uniform(0, 0.012)
    canvas.cover[:] = 0


def _tower(
    canvas: Canvas,
    light: Light,
    rng: np.random.Generator,
    *,
    place: tuple[float, float, float, float],
    tone: RGB,
    haze: float,
) -> None:
    x, foot, width, height = place
    top = foot - height
    canvas.fill(_rectangle(x, top, width, height + canvas.height * 0.02), tone, "side")
    if rng.random() < 0.4:  # noqa: PLR2004 - some towers step back at the top
        canvas.fill(_rectangle(x + width * 0.25, top - height * 0.08, width * 0.5, height * 0.09), tone, "side")
    columns = int(rng.integers(3, 6))
    cell = width / (columns + 0.6)
    rows = min(int(height / (cell * 1.25)), 40)
    share = 0.55 if light.dark else 0.9
    glass = mix(tone, light.sky[1], 0.55) if not light.dark else _LAMP
    glass = mix(glass, light.haze, haze * 0.7)
    lit = rng.random((rows, columns)) < share
    warm = rng.uniform(0.75, 1.05, (rows, columns))
    for row, column in np.argwhere(lit):
        left = x + cell * (0.45 + column)
        window = _rectangle(left, top + cell * (0.5 + 1.25 * row), cell * 0.58, cell * 0.72)
        canvas.fill(window, dim(glass, float(warm[row, column])), "flat", 0.9)
    if light.dark and haze < 0.3 and rng.random() < 0.55:  # noqa: PLR2004 - signs hang in the front row only
        sign = _NEON[int(rng.integers(len(_NEON)))]
        tall = min(height * 0.4, canvas.height * 0.12)
        canvas.fill(_rectangle(x + width * 0.78, foot - height * 0.75, width * 0.14, tall), sign)
        canvas.glow(x + width * 0.85, foot - height * 0.75 + tall / 2, tall * 0.95, sign, 0.6)


def _rectangle(x: float, y: float, width: float, height: float) -> Points:
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])


def road(canvas: Canvas, light: Light, seed: int, horizon_px: int, colour: RGB | None = None) -> None:
    """Lay asphalt that runs to the horizon, with a broken line and a kerb."""
    rng = dice(seed, "road")
    asphalt = times(colour or (0.34, 0.35, 0.39), light.ambient)
    side = times((0.46, 0.62, 0.32), light.ambient)
    line = np.full(canvas.width, horizon_px, np.float32)
    below(canvas, line, side, 0.9 + 0.2 * fractal((canvas.height, canvas.width), rng, cells=30, octaves=3))
    bottom = float(canvas.height)
    _lane(canvas, (horizon_px, bottom), (0.05, 0.66), times((0.80, 0.80, 0.78), light.ambient))
    _lane(canvas, (horizon_px, bottom), (0.047, 0.63), asphalt)
    for start, end in ((0.06, 0.12), (0.18, 0.28), (0.38, 0.55), (0.70, 0.98)):
        near, far = horizon_px + (bottom - horizon_px) * end, horizon_px + (bottom - horizon_px) * start
        thick = (0.002 + 0.016 * start, 0.002 + 0.016 * end)
        _lane(canvas, (far, near), thick, times((0.95, 0.90, 0.70), light.ambient))
    canvas.cover[:] = 0


def _lane(canvas: Canvas, rows: tuple[float, float], widths: tuple[float, float], colour: RGB) -> None:
    x, (top, bottom) = canvas.width / 2, rows
    far, near = widths[0] * canvas.width / 2, widths[1] * canvas.width / 2
    corners = np.array([(x - far, top), (x + far, top), (x + near, bottom), (x - near, bottom)])
    canvas.fill(corners, colour, "down")


def forest(canvas: Canvas, light: Light, seed: int, horizon_px: int, colour: RGB | None = None) -> None:
    """Plant rows of firs, misty behind and dark in front; the middle stays open."""
    rng = dice(seed, "forest")
    green = colour or (0.16, 0.40, 0.24)
    room = canvas.height - horizon_px
    for rank, count in enumerate((34, 24, 12)):
        foot = horizon_px + room * (0.03 + 0.16 * rank)
        for x in np.sort(rng.random(count)):
            place = _beside(float(x)) if rank == _NEAREST else float(x)
            tone = mix(times(dim(green, rng.uniform(0.75, 1.2)), light.ambient), light.haze, 0.46 - 0.2 * rank)
            tall = canvas.height * (0.20 + 0.11 * rank) * rng.uniform(0.75, 1.15)
            fir(canvas, place * canvas.width, foot + rng.uniform(-0.02, 0.03) * canvas.height, tall, tone)
    canvas.cover[:] = 0


def _beside(place: float) -> float:
    """Send the nearest trees to the sides, so that whatever the prompt asks for can be seen between them."""
    left = place < 0.5  # noqa: PLR2004 - the middle
    return place * 0.48 if left else 0.52 + place * 0.48


def fir(canvas: Canvas, x: float, foot: float, tall: float, colour: RGB) -> None:
    """Draw a fir: a trunk and four skirts of branches; `tall` in pixels."""
    trunk = np.array([(-0.025, 0.0), (0.025, 0.0), (0.02, -0.2), (-0.02, -0.2)])
    canvas.fill(trunk * tall + np.array((x, foot)), mix(colour, (0.25, 0.16, 0.10), 0.6))
    for low, high, half in ((0.10, 0.46, 0.21), (0.27, 0.64, 0.17), (0.46, 0.82, 0.125), (0.64, 1.0, 0.08)):
        skirt = [
            (-half, -low),
            (-half * 0.45, -low - 0.02),
            (0.0, -low + 0.03),
            (half * 0.45, -low - 0.02),
            (half, -low),
        ]
        corners = np.array([*skirt, (0.0, -high)]) * tall + np.array((x, foot))
        canvas.fill(corners, colour, "side")


def room(canvas: Canvas, light: Light, seed: int, horizon_px: int, colour: RGB | None = None) -> None:
    """Build a wall with a window and a wooden floor."""
    rng = dice(seed, "room")
    warm = mix(light.ambient, (1.0, 0.86, 0.66), 0.75) if light.dark else light.ambient
    wall = times(colour or (0.86, 0.80, 0.70), warm)
    below(canvas, np.zeros(canvas.width, np.float32), wall)
    canvas.rgb *= np.linspace(1.03, 0.88, canvas.height, dtype=np.float32)[:, None, None]
    _window(canvas, light, canvas.width * rng.uniform(0.16, 0.24), horizon_px)
    plank = times((0.62, 0.43, 0.27), warm)
    grain = 0.86 + 0.28 * fractal((canvas.height, canvas.width), rng, octaves=4, cells=4, stretch=14)
    below(canvas, np.full(canvas.width, horizon_px, np.float32), plank, grain)
    for rank in range(7):
        y = horizon_px + (canvas.height - horizon_px) * (rank / 7) ** 1.5
        thick = 1 + canvas.height * 0.0012 * rank
        canvas.fill(_rectangle(0, y, canvas.width, thick), dim(plank, 0.68), "flat", 0.6)
    skirting = _rectangle(0, horizon_px - canvas.height * 0.022, canvas.width, canvas.height * 0.024)
    canvas.fill(skirting, times((0.95, 0.93, 0.88), warm))
    canvas.cover[:] = 0


def _window(canvas: Canvas, light: Light, x: float, horizon_px: int) -> None:
    side = min(canvas.width * 0.34, horizon_px * 0.62)
    top = horizon_px * 0.14
    frame = times((0.97, 0.95, 0.92), light.ambient)
    canvas.fill(_rectangle(x - side * 0.5, top, side, side), frame)
    pane = side * 0.43
    for column in (-0.46, 0.03):
        for row in (0.04, 0.53):
            glass = _rectangle(x + column * side, top + row * side, pane, pane)
            canvas.fill(glass, mix(light.sky[0], light.sky[2], 0.35 + 0.4 * row), "down")
    canvas.glow(x, top + side / 2, side * 1.3, light.sky[2], 0.0 if light.dark else 0.25)


def studio(canvas: Canvas, light: Light, seed: int, horizon_px: int, colour: RGB | None = None) -> None:
    """Hang a seamless backdrop with a soft pool of light."""
    rng = dice(seed, "studio")
    hues: tuple[RGB, ...] = ((0.80, 0.86, 0.90), (0.92, 0.84, 0.78), (0.84, 0.88, 0.80), (0.87, 0.83, 0.91))
    base = times(colour or hues[int(rng.integers(len(hues)))], light.ambient)
    rows = np.linspace(0, 1, canvas.height, dtype=np.float32)[:, None]
    bend = 1.0 - 0.16 * np.exp(-(((rows * canvas.height - horizon_px) / (canvas.height * 0.09)) ** 2))
    below(canvas, np.zeros(canvas.width, np.float32), base, (bend - 0.10 * rows + 0 * canvas.cover).astype(np.float32))
    canvas.glow(canvas.width * 0.45, canvas.height * 0.36, max(canvas.width, canvas.height) * 0.6, light.sun, 0.35)


def table(canvas: Canvas, light: Light, seed: int, horizon_px: int, colour: RGB | None = None) -> None:
    """Set a table top in front of a soft, blurred room."""
    rng = dice(seed, "table")
    wall = times(colour or (0.55, 0.62, 0.60), mix(light.ambient, (1.0, 0.9, 0.75), 0.4))
    below(canvas, np.zeros(canvas.width, np.float32), wall)
    canvas.rgb *= np.linspace(0.92, 1.06, canvas.height, dtype=np.float32)[:, None, None]
    short = min(canvas.width, canvas.height)
    for _ in range(12):
        x, y = rng.random() * canvas.width, rng.random() * horizon_px
        radius = short * rng.uniform(0.03, 0.09)
        canvas.fill(oval(x, y, radius, radius), mix(wall, _LAMP, rng.uniform(0.25, 0.7)), "flat", 0.32)
    wood = times((0.60, 0.40, 0.25), mix(light.ambient, (1.0, 0.9, 0.75), 0.4))
    grain = 0.84 + 0.30 * fractal((canvas.height, canvas.width), rng, octaves=5, cells=3, stretch=16)
    below(canvas, np.full(canvas.width, horizon_px, np.float32), wood, grain)
    edge = _rectangle(0, horizon_px, canvas.width, max(1.0, canvas.height * 0.006))
    canvas.fill(edge, dim(wood, 1.35), "flat", 0.7)
    canvas.cover[:] = 0
