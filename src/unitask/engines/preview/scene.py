"""Painting what a prompt asks for: sky, ground, weather and figures, from back to front."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.preview import abstract, land, sky, town, weather
from unitask.engines.preview.canvas import Canvas
from unitask.engines.preview.chance import Floats, dice
from unitask.engines.preview.colours import RGB, mix
from unitask.engines.preview.figures.registry import Figure, Look
from unitask.engines.preview.light import Light, light_of
from unitask.engines.preview.pen import Pen
from unitask.engines.preview.words import Wanted, Wish

Pixels = NDArray[np.uint8]
Ground = Callable[[Canvas, Light, int, int, RGB | None], None]

LARGEST_PX: Final = 2_400_000
"""A picture with more pixels than this is painted smaller and enlarged: memory stays modest."""

_BEHIND: Final[dict[str, Ground]] = {"mountains": land.mountains, "city": town.city}
_GROUNDS: Final[dict[str, Ground]] = {
    "beach": land.beach,
    "water": land.water,
    "road": town.road,
    "desert": land.desert,
    "snow": land.snow,
    "meadow": land.meadow,
}
_INSIDE: Final[dict[str, Ground]] = {"table": town.table, "room": town.room, "studio": town.studio}
_FULL: Final = ("space", "underwater")


@dataclass(frozen=True, slots=True)
class Painting:
    """`rgb` is (height, width, 3); `cover` (height, width), 0 to 255: where a figure hides the backdrop."""

    rgb: Pixels
    cover: Pixels


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one figure stands: foot in pixels, height in pixels."""

    figure: Figure
    x: float
    foot: float
    height_px: float
    colours: tuple[RGB, ...]
    index: int


def paint(wish: Wish, width: int, height: int, seed: int) -> Painting:
    """Paint the wish at exactly width x height pixels. The same wish, size and seed give the same picture."""
    shrink = min(1.0, (LARGEST_PX / (width * height)) ** 0.5)
    canvas = Canvas(max(1, round(width * shrink)), max(1, round(height * shrink)))
    if wish.has_scene:
        _Scene(wish, canvas, seed).paint()
    else:
        abstract.compose(canvas, wish, seed)
    _finish(canvas, seed)
    rgb = (np.clip(canvas.rgb, 0, 1) * 255 + 0.5).astype(np.uint8)
    cover = (np.clip(canvas.cover, 0, 1) * 255 + 0.5).astype(np.uint8)
    if shrink < 1:
        rgb = np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
        cover = np.asarray(cv2.resize(cover, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    return Painting(rgb, cover)


def _finish(canvas: Canvas, seed: int) -> None:
    """Darken the corners a little and add grain, which also hides the bands of 8-bit gradients."""
    across = np.linspace(-1, 1, canvas.width, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, canvas.height, dtype=np.float32)[:, None]
    canvas.rgb *= (1.02 - 0.11 * (across**2 + down**2) ** 1.5 / 1.6)[..., None]
    grain = dice(seed, "grain").standard_normal((canvas.height, canvas.width), np.float32)
    canvas.rgb += grain[..., None] * 0.008


class _Scene:
    def __init__(self, wish: Wish, canvas: Canvas, seed: int) -> None:
        self._wish = wish
        self._canvas = canvas
        self._seed = seed
        self._places = _places(wish)
        self._light = _coloured(light_of(wish.hour or "day", wish.weather or "clear"), wish)
        self._ground = next((name for name in (*_FULL, *_INSIDE, *_GROUNDS) if name in self._places), "meadow")
        inside = self._ground in _INSIDE
        level = 0.70 if inside else 0.56 if self._ground in {"water", "beach"} else 0.60
        self._horizon = int(canvas.height * (level + dice(seed, "horizon").uniform(-0.03, 0.03)))

    def paint(self) -> None:
        self._backdrop()
        for spot in self._spots():
            self._stand(spot)
        weather.fall(self._canvas, self._light, self._wish.weather, self._seed)

    def _backdrop(self) -> None:
        canvas, seed, land_colour = self._canvas, self._seed, self._wish.land
        mood = self._wish.mood[0] if self._wish.mood else None
        if self._ground == "space":
            sky.paint_space(canvas, seed, land_colour or mood)
        elif self._ground == "underwater":
            land.underwater(canvas, seed, land_colour or mood)
        elif self._ground in _INSIDE:
            _INSIDE[self._ground](canvas, self._light, seed, self._horizon, land_colour or mood)
        else:
            self._outdoors(land_colour)
        canvas.cover[:] = 0

    def _outdoors(self, colour: RGB | None) -> None:
        canvas, light, seed, horizon = self._canvas, self._light, self._seed, self._horizon
        sky.paint_sky(canvas, light, seed, horizon)
        self._lamp_of_heaven()
        behind = [name for name in _BEHIND if name in self._places]
        for name in behind:
            _BEHIND[name](canvas, light, seed, horizon, colour if len(self._places) == 1 else None)
        if "rainbow" in self._wish.extras:
            sky.rainbow(canvas, horizon)
        _GROUNDS[self._ground](canvas, light, seed, horizon, None if behind else colour)
        if "forest" in self._places:
            town.forest(canvas, light, seed, horizon, colour)
        if self._wish.weather == "fog":
            canvas.tint(light.haze, weather.bank(canvas, seed))

    def _lamp_of_heaven(self) -> None:
        canvas, light = self._canvas, self._light
        if "aurora" in self._wish.extras:
            sky.aurora(canvas, self._seed, self._horizon)
        hidden = self._wish.weather in {"rain", "storm", "fog", "cloudy", "snowfall"}
        if hidden and not {"sun", "moon"} & set(self._wish.extras):
            return
        rng = dice(self._seed, "sun")
        low = self._wish.hour in {"sunset", "dawn"}
        x = rng.choice((rng.uniform(0.14, 0.32), rng.uniform(0.68, 0.86))) * canvas.width
        y = (rng.uniform(0.66, 0.86) if low else rng.uniform(0.22, 0.38)) * self._horizon
        size = 0.075 if light.dark or low else 0.055
        sky.sun(canvas, light, float(x), float(y), min(canvas.width, canvas.height) * size)

    def _spots(self) -> list[Spot]:
        items = [item for item in self._wish.wanted for _ in range(min(item.count, 6))][:8]
        spots = [self._spot(item, index, len(items)) for index, item in enumerate(items)]
        return sorted(spots, key=lambda spot: spot.foot)

    def _spot(self, item: Wanted, index: int, total: int) -> Spot:
        canvas, figure = self._canvas, item.figure
        rng = dice(self._seed, "spot", figure.name, index)
        crowd = 1 / (1 + 0.20 * (total - 1))
        height_px = figure.height * item.scale * crowd * min(canvas.width, canvas.height)
        height_px = min(height_px, 0.94 * canvas.width * max(crowd, 0.3) / figure.width)
        x = _lane(index, total) + float(rng.uniform(-0.03, 0.03))
        foot = self._level(figure, total, float(rng.uniform(-0.5, 0.5)), height_px)
        return Spot(figure, x * canvas.width, foot, height_px, item.colours, index)

    def _level(self, figure: Figure, total: int, chance: float, height_px: float) -> float:
        height, room = self._canvas.height, self._canvas.height - self._horizon
        if self._ground in _FULL or figure.stance == "deep":
            return height * (0.47 + 0.16 * chance * (total > 1)) + height_px * 0.5
        if figure.stance == "air":
            return max(height * (0.40 + 0.20 * chance) + height_px * 0.5, height_px * 1.06)
        if figure.stance == "water" and self._ground in {"water", "beach"}:
            return self._horizon + room * (0.42 + 0.2 * chance)
        share = 0.34 if figure.stance == "back" and total > 1 else 0.50 if figure.stance == "back" else 0.66
        return self._horizon + room * (share + 0.12 * chance)

    def _stand(self, spot: Spot) -> None:
        rng = dice(self._seed, spot.figure.name, spot.index)
        main = spot.colours[0] if spot.colours else spot.figure.colour(rng)
        second = spot.colours[1] if len(spot.colours) > 1 else None
        light = self._light
        inside = self._ground in _INSIDE
        ambient = mix(light.ambient, (1.0, 0.95, 0.88), 0.8 if inside else 0.18)
        if self._ground == "space":
            ambient = (0.92, 0.92, 1.0)
        flip = bool(rng.random() < 0.5)  # noqa: PLR2004 - either way
        pen = Pen(self._canvas, foot=(spot.x, spot.foot), height_px=spot.height_px, ambient=ambient, flip=flip)
        spot.figure.draw(pen, Look(main, second, rng, dark=light.dark))


def _lane(index: int, total: int) -> float:
    """Spread `total` figures over the width; the first one stands nearest to the middle."""
    if total == 1:
        return 0.5
    slots = sorted(((slot + 0.5) / total for slot in range(total)), key=lambda x: (abs(x - 0.5), x))
    return slots[index]


def _places(wish: Wish) -> list[str]:
    places = list(wish.places)
    homes = [item.figure.home for item in wish.wanted]
    if not places and homes:
        places = [homes[0]]
    if any(item.figure.stance == "water" for item in wish.wanted) and not set(places) & {"water", "beach"}:
        places.append("water")
    return places


def _coloured(light: Light, wish: Wish) -> Light:
    top, middle, horizon = light.sky
    if wish.sky:
        sky_colour = wish.sky
        light = replace(light, sky=(mix(top, sky_colour, 0.8), mix(middle, sky_colour, 0.65), mix(horizon, sky_colour, 0.35)))
    elif wish.mood:
        hue = wish.mood[0]
        light = replace(
            light,
            sky=(mix(top, hue, 0.45), mix(middle, hue, 0.40), mix(horizon, hue, 0.30)),
            ambient=mix(light.ambient, hue, 0.15),
            haze=mix(light.haze, hue, 0.30),
        )
    return light


def as_floats(pixels: Pixels) -> Floats:
    """Turn 0..255 into 0..1."""
    return pixels.astype(np.float32) / 255
