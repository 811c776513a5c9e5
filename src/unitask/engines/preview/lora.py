"""A look for every LoRA name: which one is chance, but always the same. It shows that name and strength arrived."""

import colorsys
from typing import Any, Final

import numpy as np

from unitask.engines.preview import styles, words
from unitask.engines.preview.arrays import Floats, Pixels, pixels
from unitask.engines.preview.chance import dice, fractal
from unitask.engines.preview.sources import blend

_TEXTURES: Final = ("dots", "hatching", "weave", "scanlines", "paper", "rings")


def apply(picture: Pixels, inputs: Any, seed: int) -> Pixels:
    """Style the picture by the input's first LoRA, if it has one."""
    for setting in (inputs.lora_settings or [])[:1]:
        picture = grade(picture, setting.lora_type, setting.lora_strength, seed)
    return picture


def grade(picture: Pixels, name: str, strength: float, seed: int) -> Pixels:
    """Change colours and surface as this name does; strength 0 leaves the picture alone, 1 is the full effect."""
    styled = styles.apply(picture, words.read(name).styles, seed)
    styled = _textured(_split_toned(styled, name), name)
    return blend(picture, styled, float(np.clip(strength, 0, 1)))


def _split_toned(picture: Pixels, name: str) -> Pixels:
    """One hue into the shadows, another into the lights, and a contrast of its own."""
    rng = dice("grade", name)
    hue = float(rng.random())
    shadow = np.array(colorsys.hsv_to_rgb(hue, 0.75, 0.34), np.float32)
    light = np.array(colorsys.hsv_to_rgb((hue + float(rng.uniform(0.3, 0.55))) % 1, 0.38, 1.0), np.float32)
    colour = picture.astype(np.float32) / 255
    level = (colour @ np.array((0.30, 0.59, 0.11), np.float32))[..., None]
    saturation = float(rng.uniform(0.55, 1.35))
    colour = level + (colour - level) * saturation
    toned = shadow + (light - shadow) * level
    mixed = colour * 0.55 + toned * 0.45
    contrast = float(rng.uniform(1.0, 1.3))
    return pixels(((mixed - 0.5) * contrast + 0.5) * 255)


def _textured(picture: Pixels, name: str) -> Pixels:
    rng = dice("texture", name)
    kind = _TEXTURES[int(rng.integers(len(_TEXTURES)))]
    pitch = float(rng.uniform(5, 11)) * max(min(picture.shape[:2]) / 768, 0.5)
    surface = _surface(kind, (picture.shape[0], picture.shape[1]), pitch, rng)
    return pixels(picture * (1 - 0.20 * surface[..., None]))


def _surface(kind: str, size: tuple[int, int], pitch: float, rng: np.random.Generator) -> Floats:
    yy, xx = np.mgrid[: size[0], : size[1]].astype(np.float32)
    if kind == "dots":
        wave = np.cos((xx + yy) * np.pi / pitch) * np.cos((xx - yy) * np.pi / pitch)
    elif kind == "hatching":
        wave = np.sin((xx + yy * float(rng.uniform(0.6, 1.8))) * 2 * np.pi / pitch)
    elif kind == "weave":
        wave = np.sin(xx * 2 * np.pi / pitch) * np.sin(yy * 2 * np.pi / pitch)
    elif kind == "scanlines":
        wave = np.sin(yy * 2 * np.pi / pitch)
    elif kind == "rings":
        wave = np.sin(np.hypot(xx - size[1] * 0.5, yy - size[0] * 0.4) * 2 * np.pi / (pitch * 1.6))
    else:
        wave = fractal(size, rng, octaves=2, cells=min(size) / pitch * 2.5) * 2.4 - 1.2
    result: Floats = np.clip(wave * 0.8 + 0.2, 0, 1).astype(np.float32)
    return result
