"""Named filters: pencil, watercolour, oil, cartoon and the like. Each takes and gives (height, width, 3)."""

from collections.abc import Callable, Iterable
from typing import Final

import cv2
import numpy as np

from unitask.engines.preview.arrays import Floats, Pixels, moved, pixels
from unitask.engines.preview.chance import dice, fractal
from unitask.engines.preview.sources import resize

_WORKING_SIDE_PX: Final = 720


def apply(picture: Pixels, names: Iterable[str], seed: int) -> Pixels:
    """Run the named filters one after the other; two at most, more would leave mud."""
    for name in list(names)[:2]:
        picture = FILTERS[name](picture, seed)
    return picture


def _smaller(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    scale = min(1.0, _WORKING_SIDE_PX / max(height, width))
    return resize(picture, max(1, round(width * scale)), max(1, round(height * scale)))


def _back(small: Pixels, like: Pixels) -> Pixels:
    return resize(small, like.shape[1], like.shape[0])


def _grey(picture: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def _coloured(grey: Pixels, colour: tuple[float, float, float] = (1, 1, 1)) -> Pixels:
    return pixels(grey[..., None] * np.array(colour))


def _paper(picture: Pixels, seed: int, depth: float) -> Pixels:
    noise = fractal((picture.shape[0], picture.shape[1]), dice(seed, "paper"), octaves=3, cells=190)
    return pixels(picture * (1 + depth * (noise[..., None] - 0.5)))


def _unit(picture: Pixels) -> float:
    """Choose the size of one stroke in pixels, in proportion to the picture."""
    return max(float(min(picture.shape[:2])) / 512, 0.5)


def pencil(picture: Pixels, seed: int) -> Pixels:
    """Draw with graphite on paper."""
    grey = _grey(picture)
    blurred = np.asarray(cv2.GaussianBlur(255 - grey, (0, 0), 7 * _unit(picture)), np.uint8)
    lines = np.asarray(cv2.divide(grey, 255 - blurred, scale=250), np.uint8)
    shaded = np.minimum(lines.astype(np.float32), 150 + 0.42 * grey)
    dark = 255 - (255 - shaded) * 1.25
    return _paper(_coloured(pixels(dark), (1.0, 0.99, 0.95)), seed, 0.12)


def ink(picture: Pixels, seed: int) -> Pixels:
    """Draw black lines and hatching on cream."""
    grey = np.asarray(cv2.bilateralFilter(_grey(picture), 7, 40, 5), np.float32)
    yy, xx = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float32)
    pitch = 6.5 * _unit(picture)
    drawn = np.full(grey.shape, 255, np.float32)
    for limit, across, down in ((150, 1.0, 1.0), (95, 1.0, -1.0), (55, 0.0, 1.4)):
        wave = np.sin((xx * across + yy * down) * 2 * np.pi / pitch)
        drawn = np.where((grey < limit) & (wave > 0.35), 40, drawn)  # noqa: PLR2004 - a third of the pitch is ink
    edges = np.asarray(cv2.GaussianBlur(_outline(picture), (0, 0), 0.6 * _unit(picture)), np.float32)
    return _paper(_coloured(pixels(np.maximum(drawn - edges * 1.3, 20)), (1.0, 0.98, 0.92)), seed, 0.06)


def _outline(picture: Pixels) -> Pixels:
    smooth = cv2.GaussianBlur(_grey(picture), (0, 0), 1.1 * _unit(picture))
    edges = cv2.Canny(smooth, 40, 110)
    thick = max(1, round(1.3 * _unit(picture)))
    return np.asarray(cv2.dilate(edges, np.ones((thick, thick), np.uint8)), np.uint8)


def watercolour(picture: Pixels, seed: int) -> Pixels:
    """Lay washes of colour with darker rims, on rough paper."""
    small = _smaller(picture)
    size = (small.shape[0], small.shape[1])
    drift = (fractal(size, dice(seed, "wash"), octaves=4, cells=22) - 0.5) * 11
    yy, xx = np.mgrid[: size[0], : size[1]].astype(np.float32)
    small = np.asarray(
        cv2.remap(small, xx + drift, yy - drift, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.uint8
    )
    wash = np.asarray(cv2.edgePreservingFilter(small, flags=1, sigma_s=40, sigma_r=0.42), np.float32)
    rim = cv2.morphologyEx(wash, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2, keepdims=True)
    pools = 0.84 + 0.30 * fractal(size, dice(seed, "pools"), octaves=4, cells=5)[..., None]
    light = 255 - (255 - wash) * 0.86 * pools - np.minimum(rim, 70) * 0.55
    return _paper(_back(pixels(light), picture), seed, 0.16)


def oil(picture: Pixels, seed: int) -> Pixels:
    """Paint thick strokes: each pixel takes the mean of the most common brightness around it."""
    small = _smaller(picture)
    level = _grey(small).astype(np.int32) * 10 // 256
    most, painted = np.full(level.shape, -1, np.float32), np.zeros(small.shape, np.float32)
    for step in range(10):
        mask = (level == step).astype(np.float32)
        count = np.asarray(cv2.boxFilter(mask, -1, (9, 9), normalize=False), np.float32)
        total = np.asarray(cv2.boxFilter(small * mask[..., None], -1, (9, 9), normalize=False), np.float32)
        wins = count > most
        most[wins] = count[wins]
        painted[wins] = (total / (count[..., None] + 1e-6))[wins]
    painted = np.asarray(cv2.medianBlur(pixels(painted), 5), np.float32)
    bristle = fractal((small.shape[0], small.shape[1]), dice(seed, "bristle"), octaves=2, cells=120, stretch=0.28) - 0.5
    relief = bristle - moved(bristle, 1, 1)
    return _back(pixels(painted * 1.04 + relief[..., None] * 60 + bristle[..., None] * 18), picture)


def cartoon(picture: Pixels, seed: int) -> Pixels:
    """Draw flat, bright areas inside dark outlines."""
    del seed
    flat = _smaller(picture)
    for _ in range(3):
        flat = np.asarray(cv2.bilateralFilter(flat, 9, 34, 7), np.uint8)
    flat = _back(flat, picture)
    hsv = np.asarray(cv2.cvtColor(flat, cv2.COLOR_RGB2HSV), np.float32)
    hsv[..., 1] = np.clip(hsv[..., 1] * 1.35 + 6, 0, 255)
    hsv[..., 2] = np.clip((np.floor(hsv[..., 2] / 30) * 30 + 20) * 1.04, 0, 255)
    bright = np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB), np.float32)
    lines = np.asarray(cv2.GaussianBlur(_outline(picture), (0, 0), 0.5 * _unit(picture)), np.float32) / 255
    return pixels(bright * (1 - 0.88 * lines[..., None]))


def pixel(picture: Pixels, seed: int) -> Pixels:
    """Set large square pixels in few colours."""
    del seed
    height, width = picture.shape[:2]
    block = max(2, round(max(height, width) / 104))
    small = resize(picture, max(1, width // block), max(1, height // block))
    few = pixels((small.astype(np.int32) + 14) // 28 * 28)
    return np.asarray(cv2.resize(few, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def popart(picture: Pixels, seed: int) -> Pixels:
    """Print loud flat colours under a screen of dots."""
    hsv = np.asarray(cv2.cvtColor(_back(_smaller(picture), picture), cv2.COLOR_RGB2HSV), np.float32)
    turn = float(dice(seed, "popart").uniform(0, 40))
    hsv[..., 0] = (np.round(hsv[..., 0] / 30) * 30 + turn) % 180
    hsv[..., 1] = np.clip(hsv[..., 1] * 1.5 + 70, 0, 255)
    hsv[..., 2] = np.clip(np.round(hsv[..., 2] / 64) * 64 + 20, 0, 255)
    loud = np.asarray(cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB), np.float32)
    dots = _dot_screen(_grey(picture), 7 * _unit(picture))
    return pixels(loud * (1 - 0.55 * dots[..., None]))


def _dot_screen(grey: Pixels, pitch: float) -> Floats:
    """Dots at 45 degrees, larger where the picture is darker; (height, width), 0 to 1."""
    yy, xx = np.mgrid[: grey.shape[0], : grey.shape[1]].astype(np.float32)
    wave = np.cos((xx + yy) * np.pi / pitch) * np.cos((xx - yy) * np.pi / pitch)
    result: Floats = np.clip((wave * 0.5 + 0.5 - grey / 255.0 * 0.95) * 6, 0, 1).astype(np.float32)
    return result


def mosaic(picture: Pixels, seed: int) -> Pixels:
    """Set stained glass: irregular panes of one colour each, with lead between them."""
    small = _smaller(picture)
    height, width = small.shape[:2]
    rng = dice(seed, "mosaic")
    count = 1100
    seeds = np.full((height, width), 255, np.uint8)
    seeds[rng.integers(0, height, count), rng.integers(0, width, count)] = 0
    distance, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    flat = np.asarray(labels).ravel()
    sizes = np.maximum(np.bincount(flat), 1)
    means = np.stack([np.bincount(flat, small[..., channel].ravel()) / sizes for channel in range(3)], axis=1)
    panes = means[flat].reshape(small.shape) * (1.10 - 0.012 * np.asarray(distance)[..., None])
    same = np.asarray(labels, np.float32)
    lead = cv2.morphologyEx(same, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
    panes[lead] *= 0.28
    return _back(pixels(panes), picture)


def sepia(picture: Pixels, seed: int) -> Pixels:
    """Print in faded brown."""
    grey = _grey(picture).astype(np.float32) / 255
    tone = np.stack([0.96 * grey**0.82, 0.80 * grey**0.95, 0.60 * grey**1.12], axis=2)
    return _paper(pixels((tone * 0.94 + 0.045) * 255), seed, 0.10)


def mono(picture: Pixels, seed: int) -> Pixels:
    """Turn to black and white with some contrast and grain."""
    grey = _grey(picture).astype(np.float32) / 255
    curve = grey + 0.55 * (grey - 0.5) * grey * (1 - grey) * 4
    return _paper(_coloured(pixels(curve * 255)), seed, 0.10)


def neon(picture: Pixels, seed: int) -> Pixels:
    """Darken, and let the outlines glow in pink and cyan."""
    del seed
    edges = _outline(picture).astype(np.float32) / 255
    glow = np.asarray(cv2.GaussianBlur(edges, (0, 0), 5 * _unit(picture)), np.float32)
    share = np.linspace(0, 1, picture.shape[1], dtype=np.float32)[None, :, None]
    hue = np.array((255.0, 60.0, 190.0)) * (1 - share) + np.array((40.0, 220.0, 255.0)) * share
    dark = picture * np.array((0.46, 0.34, 0.62))
    return pixels(dark + hue * (edges * 0.75 + np.minimum(glow * 1.6, 0.8))[..., None])


def dream(picture: Pixels, seed: int) -> Pixels:
    """Let soft light spill over the edges."""
    del seed
    soft = np.asarray(cv2.GaussianBlur(picture, (0, 0), 9 * _unit(picture)), np.float32) / 255
    sharp = picture.astype(np.float32) / 255
    screen = 1 - (1 - sharp * 0.86) * (1 - soft * 0.55)
    return pixels((screen * np.array((1.02, 0.98, 1.03))) * 255)


def emboss(picture: Pixels, seed: int) -> Pixels:
    """Cut a relief into pale stone, lit from the upper left."""
    grey = np.asarray(cv2.GaussianBlur(_grey(picture), (0, 0), 1.2 * _unit(picture)), np.float32)
    slope = cv2.Sobel(grey, cv2.CV_32F, 1, 0) + cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    tone = 168 + np.clip(slope * 0.55, -110, 80) + (grey - 128) * 0.18
    return _paper(_coloured(pixels(tone), (1.0, 0.97, 0.92)), seed, 0.14)


FILTERS: Final[dict[str, Callable[[Pixels, int], Pixels]]] = {
    "pencil": pencil,
    "ink": ink,
    "watercolour": watercolour,
    "oil": oil,
    "cartoon": cartoon,
    "pixel": pixel,
    "popart": popart,
    "mosaic": mosaic,
    "sepia": sepia,
    "mono": mono,
    "neon": neon,
    "dream": dream,
    "emboss": emboss,
}
"""By the names that `words` gives to styles."""
