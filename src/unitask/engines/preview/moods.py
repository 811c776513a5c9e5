"""Changing the hour, the weather and the colours of a picture that exists already."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from unitask.engines.preview import weather
from unitask.engines.preview.arrays import Floats, Pixels, pixels, step
from unitask.engines.preview.canvas import Canvas
from unitask.engines.preview.colours import RGB, luma, times
from unitask.engines.preview.light import Light, light_of
from unitask.engines.preview.words import Wish

_LUMA: Final = np.array((0.30, 0.59, 0.11), np.float32)


def change(picture: Pixels, wish: Wish, seed: int) -> Pixels:
    """Bring the picture to the hour, weather, season and colours of the wish; what it does not name stays."""
    colour: Floats = picture.astype(np.float32) / 255
    if wish.hour:
        colour = _HOURS[wish.hour](colour)
    if "snow" in wish.places or wish.weather == "snowfall":
        colour = _wintry(colour)
    for tint in tints(wish)[:1]:
        colour = tinted(colour, tint)
    if wish.weather or "snow" in wish.places:
        colour = _weathered(colour, wish, seed)
    return pixels(colour * 255 + 0.5)


def tints(wish: Wish) -> list[RGB]:
    """Every colour that the wish names, whatever for."""
    named = [colour for item in wish.wanted for colour in item.colours]
    return [*wish.mood, *(colour for colour in (wish.land, wish.sky) if colour), *named]


def changes(wish: Wish) -> bool:
    """Whether `change` would do anything."""
    return bool(wish.hour or wish.weather or "snow" in wish.places or tints(wish))


def tinted(colour: Floats, tint: RGB, share: float = 0.62) -> Floats:
    """Give the picture this colour and keep its light and shade."""
    level = (colour @ _LUMA)[..., None]
    bright = luma(tint)
    pure = np.array(tint, np.float32) / max(bright, 0.16)
    lift = 0.35 * max(bright - 0.6, 0)  # white and yellow also brighten
    aim = np.clip(level * pure * (0.72 + 0.42 * bright) + lift, 0, 1)
    result: Floats = colour + (aim - colour) * share
    return result


def _day(colour: Floats) -> Floats:
    result: Floats = np.clip(colour**0.82 * np.array((1.02, 1.02, 1.0), np.float32), 0, 1)
    return result


def _dawn(colour: Floats) -> Floats:
    result: Floats = np.clip(
        colour * np.array((1.06, 0.92, 0.94), np.float32) + _fall(colour, (0.16, 0.07, 0.08)), 0, 1
    )
    return result


def _sunset(colour: Floats) -> Floats:
    result: Floats = np.clip(colour * np.array((1.10, 0.80, 0.58), np.float32) + _fall(colour, (0.20, 0.06, 0.0)), 0, 1)
    return result


def _fall(colour: Floats, light: RGB) -> Floats:
    rows = np.linspace(1, 0.15, colour.shape[0], dtype=np.float32)[:, None, None]
    result: Floats = rows * np.array(light, np.float32)
    return result


def _night(colour: Floats) -> Floats:
    level = (colour @ _LUMA)[..., None]
    dark = (level + (colour - level) * 0.55) ** 1.35 * np.array((0.30, 0.38, 0.62), np.float32)
    lamps = step(0.80, 0.98, level[..., 0].astype(np.float32))
    glow = np.asarray(cv2.GaussianBlur(lamps, (0, 0), max(min(lamps.shape) / 90, 0.5)), np.float32)[..., None]
    result: Floats = np.clip(dark + glow * np.array((0.38, 0.30, 0.16), np.float32), 0, 1)
    return result


_HOURS: Final[dict[str, Callable[[Floats], Floats]]] = {"day": _day, "dawn": _dawn, "sunset": _sunset, "night": _night}


def _wintry(colour: Floats) -> Floats:
    """Snow lies on what is light or faces upwards."""
    level = (colour @ _LUMA).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(level, (0, 0), max(min(level.shape) / 200, 0.5)), np.float32)
    upwards = np.maximum(np.asarray(cv2.Sobel(soft, cv2.CV_32F, 0, 1), np.float32), 0)
    cap = np.clip(step(0.35, 0.85, soft) * 0.55 + np.minimum(upwards * 6, 0.75), 0, 0.85)[..., None]
    cold = level[..., None] + (colour - level[..., None]) * 0.45
    cold = cold * np.array((0.92, 0.98, 1.08), np.float32)
    result: Floats = cold + (np.array((0.94, 0.97, 1.0), np.float32) - cold) * cap
    return result


def _weathered(colour: Floats, wish: Wish, seed: int) -> Floats:
    height, width = colour.shape[:2]
    canvas = Canvas(width, height)
    kind = wish.weather or "snowfall"
    light: Light = light_of("day", kind)
    level = (colour @ _LUMA)[..., None]
    canvas.rgb[:] = (level + (colour - level) * 0.6) * np.array(times(light.ambient, (0.98, 0.98, 1.0)), np.float32)
    if kind == "fog":
        canvas.tint(light.haze, weather.bank(canvas, seed) * 0.9)
    weather.fall(canvas, light, kind, seed)
    return canvas.rgb


def like(picture: Pixels, reference: Pixels, share: float) -> Pixels:
    """Give the picture the palette of the reference: the mean and spread of each Lab channel."""
    lab = np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    small = reference[:: max(1, reference.shape[0] // 256), :: max(1, reference.shape[1] // 256)]
    aim = np.asarray(cv2.cvtColor(np.ascontiguousarray(small, np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    mean, spread = lab.mean(axis=(0, 1)), lab.std(axis=(0, 1)) + 1e-3
    scale = np.clip(aim.std(axis=(0, 1)) / spread, 0.4, 2.2)
    moved = (lab - mean) * scale + aim.mean(axis=(0, 1))
    lab += (moved - lab) * share
    rgb = np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.float32)
    return pixels(rgb * 255 + 0.5)
