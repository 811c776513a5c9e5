"""The client's pictures on their way in, and ours on their way out. RGB pictures of Pillow, sizes (width, height)."""

from math import ceil, isqrt, sqrt
from typing import Any, Final

from PIL import Image, ImageOps

from unitask.kit.errors import MediaFailure, TaskFailure
from unitask.kit.pictures import PHRASE, png, read_image
from unitask.spec.engine import Job
from unitask.spec.media import media_values

GRID_PX: Final = 16
"""Sides of what these models make are multiples of it."""


def fetch_picture(inputs: Any, field: str, job: Job) -> Image.Image:
    """Fetch and decode the picture of a field, within the limits written there: RGB or RGBA.

    Raises:
        MediaFailure: unreachable, not a picture, damaged or too large.

    """
    value = next((value for value in media_values(inputs) if value.path == f"input.{field}"), None)
    if value is None:
        raise MediaFailure(f"{PHRASE}: input.{field} is empty")
    limits = value.media
    path = job.fetch(value.source, limits)
    return read_image(path, limit_side_px=limits.limit_side_px, limit_pixels=limits.limit_pixels)


def opaque(picture: Image.Image) -> Image.Image:
    """Lay a transparent picture on white."""
    if picture.mode != "RGBA":
        return picture
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A"))
    return ground


def on_grid(size: tuple[int, int], grid_px: int = GRID_PX) -> tuple[int, int]:
    """Give the next larger size that the models can make."""
    return ceil(size[0] / grid_px) * grid_px, ceil(size[1] / grid_px) * grid_px


def within(size: tuple[int, int], pixels: int, least: int = 0) -> tuple[int, int]:
    """Bring a size to at most so many pixels and at least `least`, in proportion; what lies between stays."""
    own = size[0] * size[1]
    scale = sqrt(max(min(own, pixels), least) / own)
    return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))


def enlarged_size(size: tuple[int, int], scale: int, limit_pixels: int) -> tuple[int, int]:
    """Give the size of a picture `scale` times as large.

    Raises:
        TaskFailure: it would have too many pixels; says which scale would fit.

    """
    width, height = size[0] * scale, size[1] * scale
    if width * height <= limit_pixels:
        return width, height
    fits = isqrt(limit_pixels // (size[0] * size[1]))
    advice = f"scale {fits} would fit" if fits > 1 else "send a smaller picture"
    raise TaskFailure(f"the result would have {width}x{height} pixels, the limit is {limit_pixels} in all; {advice}")


def covering(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale until the size is covered, and cut the middle out."""
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def middle(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Cut the middle out of what was made on the grid."""
    left, top = (picture.width - size[0]) // 2, (picture.height - size[1]) // 2
    return picture.crop((left, top, left + size[0], top + size[1]))


def labels(job: Job, seed: int) -> dict[str, str]:
    """Say in a file what made it."""
    return {
        "Software": "unitask",
        "unitask:engine": job.recipe.engine,
        "unitask:level": job.recipe.level,
        "unitask:weights": " ".join(job.recipe.weights),
        "unitask:seed": str(seed),
    }


def save(picture: Image.Image, job: Job, seed: int) -> str:
    """Store a picture as PNG with its labels; returns its reference for the output."""
    return job.save(png(picture, labels(job, seed)), "png")
