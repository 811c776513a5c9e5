"""Painting what a prompt asks for: sky, ground, weather and figures, from back to front."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from unitask.engines.preview import abstract, land, sky, town, weather
from unitask.engines.preview.arrays import Pixels, pixels
from unitask.engines.preview.canvas import Canvas
from unitask.engines.preview.chance import dice
from unitask.engines.preview.colours import RGB, mix
from unitask.engines.preview.figures.registry import Look
from unitask.engines.preview.layout import Spot, Stage, arrange
from unitask.engines.preview.light import Light, light_of
from unitask.engines.preview.pen import Pen
from unitask.engines.preview.sources import resize, roomy
from unitask.engines.preview.words import Wanted, Wish

Ground = Callable[[Canvas, Light, int, int, RGB | None], None]

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
_FLOATING: Final = ("space", "underwater")
_HIDES_THE_SUN: Final = frozenset({"rain", "storm", "fog", "cloudy", "snowfall"})


@dataclass(frozen=True, slots=True)
class Painting:
    """`rgb` is (height, width, 3); `cover` (height, width), 0 to 255: where a figure hides the backdrop."""

    rgb: Pixels
    cover: Pixels


def paint(wish: Wish, width: int, height: int, seed: int) -> Painting:
    """Paint the wish at exactly width x height pixels. The same wish, size and seed give the same picture."""
    canvas = Canvas(*roomy(width, height))
    if wish.has_scene:
        _Scene(wish, canvas, seed).paint()
    else:
        abstract.compose(canvas, wish, seed)
    _finish(canvas, seed)
    rgb = pixels(canvas.rgb * 255 + 0.5)
    cover = pixels(canvas.cover * 255 + 0.5)
    return Painting(resize(rgb, width, height), resize(cover, width, height))


def _finish(canvas: Canvas, seed: int) -> None:
    """Darken the corners a little and add grain, which also hides the bands of 8-bit gradients."""
    across = np.linspace(-1, 1, canvas.width, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, canvas.height, dtype=np.float32)[:, None]
    canvas.rgb *= (1.02 - 0.07 * (across**2 + down**2) ** 1.5)[..., None]
    grain = dice(seed, "grain").standard_normal((canvas.height, canvas.width), np.float32)
    canvas.rgb += grain[..., None] * 0.008


class _Scene:
    def __init__(self, wish: Wish, canvas: Canvas, seed: int) -> None:
        self._wish = wish
        self._canvas = canvas
        self._seed = seed
        self._places, self._ground = _setting(wish)
        self._light = _coloured(light_of(wish.hour or "day", wish.weather or "clear"), wish)
        self._inside = self._ground in _INSIDE
        self._horizon = self._horizon_px()

    def _horizon_px(self) -> int:
        if self._ground == "sky":
            return self._canvas.height
        level = 0.70 if self._inside else 0.56 if self._ground in {"water", "beach"} else 0.60
        return int(self._canvas.height * (level + dice(self._seed, "horizon").uniform(-0.03, 0.03)))

    def paint(self) -> None:
        self._backdrop()
        floating = self._ground in {*_FLOATING, "sky"}
        stage = Stage(self._canvas.width, self._canvas.height, self._horizon, self._ground, floating)
        for spot in arrange(self._wish.wanted, stage, self._seed):
            self._stand(spot)
        if not self._inside:
            weather.fall(self._canvas, self._light, self._wish.weather, self._seed)

    def _backdrop(self) -> None:
        canvas, seed, colour = self._canvas, self._seed, self._wish.land
        mood = self._wish.mood[0] if self._wish.mood else None
        if self._ground == "space":
            sky.paint_space(canvas, seed, colour or mood)
        elif self._ground == "underwater":
            land.underwater(canvas, seed, colour or mood)
        elif self._inside:
            _INSIDE[self._ground](canvas, self._light, seed, self._horizon, colour or mood)
        else:
            self._outdoors(colour)
        canvas.cover[:] = 0

    def _outdoors(self, colour: RGB | None) -> None:
        canvas, light, seed, horizon = self._canvas, self._light, self._seed, self._horizon
        self._heaven()
        behind = [name for name in _BEHIND if name in self._places]
        for name in behind:
            _BEHIND[name](canvas, light, seed, horizon, colour if len(self._places) == 1 else None)
        if "rainbow" in self._wish.extras:
            sky.rainbow(canvas, horizon)
        if self._ground in _GROUNDS:
            _GROUNDS[self._ground](canvas, light, seed, horizon, None if behind else colour)
        if "forest" in self._places:
            town.forest(canvas, light, seed, horizon, colour)
        if self._wish.weather == "fog":
            canvas.tint(light.haze, weather.bank(canvas, seed))

    def _heaven(self) -> None:
        canvas, light, seed, horizon = self._canvas, self._light, self._seed, self._horizon
        sky.gradient(canvas, light.sky, horizon)
        if light.dark:
            sky.stars(canvas, seed, horizon, density=0.0006)
        if "aurora" in self._wish.extras:
            sky.aurora(canvas, seed, horizon)
        if self._wish.weather not in _HIDES_THE_SUN or {"sun", "moon"} & set(self._wish.extras):
            self._sun()
        sky.clouds(canvas, light, seed, horizon)

    def _sun(self) -> None:
        canvas, light = self._canvas, self._light
        rng = dice(self._seed, "sun")
        low = self._wish.hour in {"sunset", "dawn"}
        x = rng.choice((rng.uniform(0.14, 0.32), rng.uniform(0.68, 0.86))) * canvas.width
        y = (rng.uniform(0.66, 0.86) if low else rng.uniform(0.22, 0.38)) * self._horizon
        size = 0.075 if light.dark or low else 0.055
        sky.sun(canvas, light, float(x), float(y), min(canvas.width, canvas.height) * size)

    def _stand(self, spot: Spot) -> None:
        rng = dice(self._seed, spot.figure.name, spot.index)
        main = spot.colours[0] if spot.colours else spot.figure.colour(rng)
        second = spot.colours[1] if len(spot.colours) > 1 else None
        ambient = mix(self._light.ambient, (1.0, 0.95, 0.88), 0.8 if self._inside else 0.18)
        if self._ground == "space":
            ambient = (0.92, 0.92, 1.0)
        flip = bool(rng.integers(2))
        pen = Pen(self._canvas, foot=(spot.x, spot.foot), height_px=spot.height_px, ambient=ambient, flip=flip)
        spot.figure.draw(pen, Look(main, second, rng, dark=self._light.dark and not self._inside))


def _setting(wish: Wish) -> tuple[list[str], str]:
    """Choose the places to show and the ground among them; what the prompt leaves open, the first figure decides."""
    places = list(wish.places)
    homes = [item.figure.home for item in wish.wanted]
    if not places and homes:
        places = [homes[0]]
    if any(item.figure.stance == "water" for item in wish.wanted) and not set(places) & {"water", "beach"}:
        places.append("water")
    grounds = (*_FLOATING, *_INSIDE, *_GROUNDS)
    ground = next((name for name in grounds if name in places), "")
    if ground == "water" and any(_wants_land(item) for item in wish.wanted):
        ground = "beach"
    return places, ground or _open_ground(wish, places, homes)


def _wants_land(item: Wanted) -> bool:
    return item.figure.stance in {"ground", "back"} and item.figure.home != "water"


def _open_ground(wish: Wish, places: list[str], homes: list[str]) -> str:
    stances = {item.figure.stance for item in wish.wanted}
    if "sky" in places and not set(places) & {*_BEHIND, "forest"} and stances <= {"air"}:
        return "sky"
    if homes and homes[0] in _GROUNDS:
        return homes[0]
    return "road" if "city" in places and not wish.wanted else "meadow"


def _coloured(light: Light, wish: Wish) -> Light:
    """Colour the sky as asked; a colour that belongs to nothing tints the whole scene a little."""
    top, middle, horizon = light.sky
    if wish.sky:
        hue, shares = wish.sky, (0.8, 0.65, 0.35)
    elif wish.mood:
        hue, shares = wish.mood[0], (0.45, 0.40, 0.30)
        light = replace(light, ambient=mix(light.ambient, hue, 0.15), haze=mix(light.haze, hue, 0.30))
    else:
        return light
    return replace(light, sky=(mix(top, hue, shares[0]), mix(middle, hue, shares[1]), mix(horizon, hue, shares[2])))
