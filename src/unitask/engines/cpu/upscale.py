"""Enlarging a picture: learned filters, then iterative back-projection (Irani and Peleg 1991), without ringing.

The light is doubled by filters that were learned (see `learned`), colours follow by Lanczos. Back-projection shrinks
the result again and adds back what the original has and the result lost. Each value is held within what the
neighbouring pixels of the original show, which takes away the halos along edges. A lossy file has filters of its own,
and less or no back-projection, which would bring its artefacts back.
"""

from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from unitask.engines.cpu import fetch_picture, save_picture
from unitask.engines.cpu.learned import Kind, doubled, enlarged
from unitask.kit.mattes import bled
from unitask.kit.pictures import FORMATS
from unitask.kit.tiles import scaled, tiles
from unitask.runtime.pictures import enlarged_size
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

Pixels = NDArray[Any]
Size = tuple[int, int]
"""Width and height in pixels."""

TILE_PX: Final = 1024
"""Side of a tile of the result."""
HALO_PX: Final = 8
"""Pixels of the original beyond a tile that still have a say in it."""
CLEAN_PASSES: Final = 3
LOSSY_PASSES: Final = 1
COARSE_LOSS: Final = 5.0
"""From here on back-projection brings back more of a JPEG's blocks than of its picture."""
LIGHT: Final = np.array([0.299, 0.587, 0.114], np.float32)
"""How much red, green and blue add to the light."""
USUAL_LOSS: Final = 4.0
"""For lossy files that do not say how lossy."""


def upscale(inputs: Any, job: Job) -> Output:
    """Enlarge a picture `inputs.scale` times in both directions; transparency stays.

    Raises:
        TaskFailure: the result would pass the recipe's `limit_output_pixels`.

    """
    picture = fetch_picture(inputs, "image", job)
    size = enlarged_size(picture.image.size, inputs.scale, job.recipe.options["limit_output_pixels"])
    if inputs.face_enhance:
        job.warn("face_enhance was ignored: the engine cpu enlarges faces like the rest of the picture")
    loss = _loss(picture.path)
    pixels = bled(np.asarray(picture.image))
    result = Image.new(picture.image.mode, size)
    height, width = pixels.shape[:2]
    for tile in tiles(height, width, max(1, TILE_PX // inputs.scale), HALO_PX):
        enlarged = _enlarged(pixels[tile.seen], inputs.scale, loss)
        rows, columns = scaled(tile.place, inputs.scale)
        piece = Image.fromarray(enlarged[scaled(tile.inner, inputs.scale)])
        result.paste(piece, (columns.start, rows.start))
        job.progress(0.9 * tile.done, "enlarging")
    megapixels = size[0] * size[1] / 1e6
    return Output(ImageResult.of(save_picture(result, picture, job)), {"output megapixel": megapixels})


def _loss(path: Path) -> float:
    """Tell how coarsely a file was compressed, in grey levels; 0 for a lossless one."""
    with Image.open(path, formats=FORMATS) as image:
        if isinstance(image, JpegImageFile):
            luma = next(iter(image.quantization.values()), [4 * USUAL_LOSS])
            return float(np.clip(np.mean(luma) / 4, 1, 12))
        if image.format == "WEBP":
            with path.open("rb") as file:
                return 0.0 if file.read(16).endswith(b"VP8L") else USUAL_LOSS
        return USUAL_LOSS if image.info.get("compression") == "jpeg" else 0.0


def _enlarged(pixels: Pixels, scale: int, loss: float) -> Pixels:
    """Enlarge a uint8 picture: uint8 (h * scale, w * scale, channels). What was learned is about light alone."""
    planes = np.moveaxis(pixels, -1, 0).astype(np.float32)
    light = np.tensordot(LIGHT, planes[:3], 1).astype(np.float32)
    gained = _learned(light, scale, "lossy" if loss > 0 else "clean") - enlarged(light, scale)
    passes = CLEAN_PASSES if loss == 0 else LOSSY_PASSES if loss < COARSE_LOSS else 0
    # Alpha is often a hard mask, whose staircase back-projection would bring out.
    care = [(gained, passes)] * 3 + [(np.float32(0), 0)]
    with ThreadPoolExecutor(len(planes)) as threads:
        return np.dstack(list(threads.map(_enlarged_plane, planes, repeat(scale), care[: len(planes)])))


def _learned(light: Pixels, scale: int, kind: Kind) -> Pixels:
    """Double as often as it fits, and go the rest of the way by Lanczos."""
    large = light
    while 2 * large.shape[1] <= light.shape[1] * scale:
        large = doubled(large, kind)
    return _resized(large, (light.shape[1] * scale, light.shape[0] * scale), Image.Resampling.LANCZOS)


def _enlarged_plane(plane: Pixels, scale: int, care: tuple[Pixels, int]) -> Pixels:
    """Enlarge one channel, float32 (h, w) in 0..255, adding what light gained, with so many passes: uint8."""
    gained, passes = care
    small = plane.shape[1], plane.shape[0]
    large = small[0] * scale, small[1] * scale
    around = np.ones((3, 3), np.uint8)
    lowest = _resized(cv2.erode(plane, around), large, Image.Resampling.NEAREST)
    highest = _resized(cv2.dilate(plane, around), large, Image.Resampling.NEAREST)
    result = np.clip(enlarged(plane, scale) + gained, lowest, highest)
    for _ in range(passes):
        lost = plane - _resized(result, small, Image.Resampling.BICUBIC)
        result += _resized(lost, large, Image.Resampling.BICUBIC)
        np.clip(result, lowest, highest, out=result)
    return (result + 0.5).astype(np.uint8)


def _resized(plane: Pixels, size: Size, kernel: Image.Resampling) -> Pixels:
    """Resize float32 (h, w), with the kernel widened when it shrinks, as Pillow does."""
    return np.asarray(Image.fromarray(plane).resize(size, kernel))
