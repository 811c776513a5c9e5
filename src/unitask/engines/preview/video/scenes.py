"""A painted scene that lives: clouds drift, water ripples, figures move, the camera follows."""

from dataclasses import dataclass, replace
from math import pi, sin
from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.preview import lora, scene, styles
from unitask.engines.preview.arrays import Floats, Pixels, step
from unitask.engines.preview.chance import dice, fractal
from unitask.engines.preview.video.film import Film
from unitask.engines.preview.words import Wanted, Wish

_BY_ITSELF: Final = frozenset({"people", "animals", "wildlife"})
_ON_WHEELS: Final = frozenset({"vehicles"})
_OVERCAST: Final = {"rain": "cloudy", "storm": "cloudy", "snowfall": "cloudy"}
_INSIDE: Final = frozenset({"room", "table", "studio", "space", "underwater"})
_HORIZON: Final = 0.56


@dataclass(frozen=True, slots=True)
class _Gait:
    """How a figure moves: how far to the side over the whole video, how high it bobs, how far it sways.

    Shares of the picture's height; sway in degrees. `seconds` is the time of one bob or sway.
    """

    along: float = 0.0
    bob: float = 0.0
    sway_deg: float = 0.0
    seconds: float = 1.0


class LivingScene:
    """Paints what a wish asks for, at the film's size, and gives it as it looks at any time of the film."""

    def __init__(self, wish: Wish, inputs: Any, film: Film, seed: int) -> None:
        self._film = film
        self._light = replace(wish, weather=_OVERCAST.get(wish.weather, wish.weather))
        self._seed = seed
        self._styling = inputs if getattr(inputs, "lora_settings", None) else None
        painting = scene.paint(self._light, film.width, film.height, seed)
        bare = scene.paint(_without_figures(self._light), film.width, film.height, seed) if wish.wanted else painting
        self._bare = self._styled(bare.rgb)
        self._figures = _Figures(
            self._styled(painting.rgb), self._bare, painting.cover, wish=wish, film=film, seed=seed
        )
        inside = bool(_INSIDE & set(wish.places))
        outdoors = wish.has_scene and not inside
        self._clouds = _Clouds(self._sky(), self._bare, film, seed) if outdoors else None
        self._water = _Water(_wet(wish, film), film, seed)

    def _styled(self, picture: Pixels) -> Pixels:
        picture = styles.apply(picture, self._light.styles, self._seed)
        return lora.apply(picture, self._styling, self._seed) if self._styling else picture

    def _sky(self) -> Floats:
        """Find out where the sky is seen: wherever its colour matters. Gives (height, width), 0 to 1."""
        bare = _without_figures(self._light)
        size = self._film.size
        red, blue = (scene.paint(replace(bare, sky=sky), *size, self._seed).rgb for sky in ((1, 0, 0), (0, 0, 1)))
        change = np.abs(red.astype(np.int16) - blue).max(axis=2).astype(np.float32)
        sure: Floats = step(40.0, 90.0, change)
        sure[int(self._film.height * _HORIZON) :] = 0
        return sure

    def at(self, time_s: float) -> Pixels:
        """Give the scene at this time, (height, width, 3), before any camera."""
        picture = self._bare.copy()
        if self._clouds:
            self._clouds.drift(picture, time_s)
        self._water.ripple(picture, time_s)
        self._figures.stand(picture, time_s)
        return picture


def _nothing(_pen: Any, _look: Any) -> None:
    """Draw nothing: the place of a figure without the figure."""


def _without_figures(wish: Wish) -> Wish:
    """Keep what the figures say about the place and take themselves away."""
    return replace(wish, wanted=[replace(item, figure=replace(item.figure, draw=_nothing)) for item in wish.wanted])


def _wet(wish: Wish, film: Film) -> Floats:
    """Say how strongly each row ripples, (height,), 0 to 1."""
    rows = np.arange(film.height, dtype=np.float32) / film.height
    stances = {item.figure.stance for item in wish.wanted}
    homes = {item.figure.home for item in wish.wanted} if not wish.places else set()
    places = set(wish.places) | homes
    if not wish.has_scene or "underwater" in places:
        return np.full(film.height, 0.4, np.float32)
    if "beach" in places or ("water" in places and stances & {"ground", "back"}):
        return step(_HORIZON, 0.63, rows) * step(0.76, 0.66, rows)
    if "water" in places or "water" in stances:
        return step(_HORIZON, 1.0, rows)
    return np.zeros(film.height, np.float32)


class _Clouds:
    """A veil of thin cloud that drifts over the sky."""

    def __init__(self, sky: Floats, picture: Pixels, film: Film, seed: int) -> None:
        rows = np.flatnonzero(sky.any(axis=1))
        self._rows = int(rows[-1]) + 1 if rows.size else 0
        self._where = sky[: self._rows]
        high = picture[: max(self._rows // 2, 1)].reshape(-1, 3).astype(np.float32)
        mean = high.mean(axis=0)
        self._colour = mean + (255 - mean) * (0.75 if mean.mean() > 90 else 0.22)  # noqa: PLR2004 - day or night
        self._speed_px = film.width * 0.018
        if self._rows:
            size = (self._rows, int(film.width + self._speed_px * film.duration_s) + 2)
            noise = fractal(size, dice(seed, "veil"), octaves=5, cells=6, stretch=2.6)
            self._veil: Floats = step(0.48, 0.85, noise) * 0.6

    def drift(self, picture: Pixels, time_s: float) -> None:
        """Lay the veil over (height, width, 3), in place."""
        if not self._rows:
            return
        moved = _slid(self._veil, self._speed_px * time_s, picture.shape[1]) * self._where
        area = picture[: self._rows]
        for channel in range(3):
            part = area[..., channel].astype(np.float32)
            part += (self._colour[channel] - part) * moved
            area[..., channel] = part


class _Water:
    """Ripples: each row moves to and fro with the waves that pass over it."""

    def __init__(self, strength: Floats, film: Film, seed: int) -> None:
        wet = np.flatnonzero(strength > 0)
        self._rows = slice(int(wet[0]), int(wet[-1]) + 1) if wet.size else None
        if self._rows is None:
            return
        self._strength = strength[self._rows, None]
        size = (len(self._strength), film.width)
        self._speed_px = film.width * 0.05
        wide = (size[0], int(film.width + self._speed_px * film.duration_s) + 2)
        rng = dice(seed, "ripples")
        # A surface is broken up by small waves; what fills the whole picture flows softly.
        fine = {"octaves": 3, "cells": 14, "stretch": 5} if size[0] < film.height else {"octaves": 1, "cells": 4}
        self._waves = [fractal(wide, rng, **fine) - 0.5 for _ in range(2)]
        self._reach_px = film.height * 0.03
        down, right = np.mgrid[: size[0], : size[1]].astype(np.float32)
        self._down, self._right = down, right

    def ripple(self, picture: Pixels, time_s: float) -> None:
        """Move what is wet of (height, width, 3), in place."""
        if self._rows is None:
            return
        width = picture.shape[1]
        gone = self._speed_px * time_s
        one = _slid(self._waves[0], gone, width)
        two = _slid(self._waves[1][:, ::-1], gone, width)[:, ::-1]
        push: Floats = (one + two) * self._strength * self._reach_px
        area = picture[self._rows]
        moved: Any = cv2.remap(
            area, self._right + push * 1.6, self._down + push * 0.4, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        )
        area[:] = moved


def _slid(sheet: Floats, by_px: float, width: int) -> Floats:
    """Take `width` columns of a wider sheet, from `by_px` on; between two pixels both count."""
    left = min(int(by_px), sheet.shape[1] - width - 1)
    share = min(by_px - left, 1.0)
    result: Floats = sheet[:, left : left + width] * (1 - share) + sheet[:, left + 1 : left + width + 1] * share
    return result


class _Figures:
    """The painted figures, cut out with their shadows, that move before the backdrop."""

    def __init__(self, full: Pixels, bare: Pixels, cover: Pixels, *, wish: Wish, film: Film, seed: int) -> None:
        self._film = film
        self._gait = _gait(wish)
        self._facing = 1 if dice(seed, "facing").integers(2) else -1
        share = cover.astype(np.float32)[..., None] / 255
        # What a figure adds to its backdrop: its own colours where it covers, its shadow (below zero) beside it.
        added = full.astype(np.float32) - bare * (1 - share)
        seen = (share[..., 0] > 0) | (np.abs(added).max(axis=2) > 2)  # noqa: PLR2004 - grey levels of rounding
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        self._box: tuple[slice, slice] | None = None
        if rows.size and wish.wanted:
            reach = int(film.height * 0.12)
            self._box = (
                slice(max(int(rows[0]) - reach, 0), int(rows[-1]) + reach),
                slice(max(int(columns[0]) - reach, 0), int(columns[-1]) + reach),
            )
            self._layer = np.concatenate([added, share], axis=2)[self._box]

    def stand(self, picture: Pixels, time_s: float) -> None:
        """Draw them into (height, width, 3), in place."""
        if self._box is None:
            return
        gait, film = self._gait, self._film
        share = time_s / max(film.duration_s, 1e-6)
        turn = 2 * pi * time_s / gait.seconds
        right = self._facing * gait.along * film.height * (share - 0.5) * 2
        down = -gait.bob * film.height * (abs(sin(turn / 2)) if gait.along else sin(turn))
        high, wide = self._layer.shape[:2]
        matrix = cv2.getRotationMatrix2D((wide / 2, high * 0.75), gait.sway_deg * sin(turn), 1.0)
        matrix[:, 2] += np.array((right, down))
        moved: Any = cv2.warpAffine(self._layer, matrix, (wide, high), flags=cv2.INTER_LINEAR)
        area = picture[self._box]
        area[:] = np.clip(area * (1 - moved[..., 3:]) + moved[..., :3] + 0.5, 0, 255).astype(np.uint8)


def _gait(wish: Wish) -> _Gait:
    """Choose the movement of the figure that is named first: all of them move as one."""
    if not wish.wanted:
        return _Gait()
    first: Wanted = wish.wanted[0]
    kind = first.figure.draw.__module__.rpartition(".")[2]
    if first.figure.stance == "water":
        return _Gait(bob=0.008, sway_deg=1.6, seconds=3.0)
    if first.figure.stance in {"air", "deep"} or "space" in wish.places:
        return _Gait(bob=0.016, sway_deg=1.2, seconds=3.6)
    if kind in _BY_ITSELF:
        return _Gait(along=0.05, bob=0.012, sway_deg=0.8, seconds=1.1)
    if kind in _ON_WHEELS:
        return _Gait(along=0.07, bob=0.002, seconds=0.5)
    return _Gait(sway_deg=0.7, seconds=4.0) if kind == "plants" else _Gait()
