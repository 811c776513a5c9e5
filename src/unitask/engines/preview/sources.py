"""The client's pictures as arrays: fetched under the field's limits, decoded, brought to a size."""

from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.preview.arrays import Floats, Pixels
from unitask.kit.errors import TaskFailure
from unitask.kit.pictures import read_image
from unitask.spec.engine import Job
from unitask.spec.media import media_values
from unitask.spec.product import Input

DEFAULT_PX: Final = 1024
LARGEST_PX: Final = 2_400_000
"""A picture with more pixels than this is painted smaller and enlarged: memory stays modest."""
SHORTEST_SIDE_PX: Final = 48
_BAND_ROWS: Final = 256


def fetch(inputs: Input, job: Job, path: str) -> Pixels:
    """Read the picture of the media field at `path` (`image`, `control_net_settings[0].control_image`).

    Gives (height, width, 3), or (height, width, 4) where the file has transparency.

    Raises:
        MediaFailure: unreachable, not a picture, or larger than the field allows.
        TaskFailure: the field is empty.

    """
    value = next((item for item in media_values(inputs) if item.path == f"input.{path}"), None)
    if value is None:
        raise TaskFailure(f"`{path}` is empty: give a URL or a base64 picture")
    media = value.media
    file = job.fetch(value.source, media)
    image = read_image(file, limit_side_px=media.limit_side_px, limit_pixels=media.limit_pixels)
    return np.asarray(image, np.uint8)


def opaque(picture: Pixels) -> Pixels:
    """Lay a transparent picture on white; gives (height, width, 3)."""
    if picture.shape[2] == 3:  # noqa: PLR2004 - the number of channels
        return picture
    alpha = picture[..., 3:].astype(np.uint16)
    return ((picture[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)


def cover(picture: Pixels, width: int, height: int) -> Pixels:
    """Scale until width x height is covered, and cut the middle out."""
    rows, columns = picture.shape[:2]
    if (columns, rows) == (width, height):
        return picture.copy()
    scale = max(width / columns, height / rows)
    wide, high = max(width, round(columns * scale)), max(height, round(rows * scale))
    scaled = resize(picture, wide, high)
    left, top = (wide - width) // 2, (high - height) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


def resize(picture: Pixels, width: int, height: int) -> Pixels:
    """Scale to exactly this size, whatever that does to the proportions."""
    if (width, height) == (picture.shape[1], picture.shape[0]):
        return picture
    smaller = width * height < picture.shape[0] * picture.shape[1]
    kind = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=kind), np.uint8)


def blend(first: Pixels, second: Pixels, share: Floats | float) -> Pixels:
    """Go from `first` (share 0) to `second` (share 1); `share` is one number or (height, width)."""
    if not isinstance(share, np.ndarray):
        return np.asarray(cv2.addWeighted(first, 1 - share, second, share, 0), np.uint8)
    mixed = np.empty_like(first)
    for top in range(
        0, len(first), _BAND_ROWS
    ):  # a band at a time: as floats a whole picture takes four times the room
        band = np.s_[top : top + _BAND_ROWS]
        low, high = first[band].astype(np.float32), second[band].astype(np.float32)
        mixed[band] = (low + (high - low) * share[band][..., None] + 0.5).astype(np.uint8)
    return mixed


def asked_size(inputs: Any, default: tuple[int, int]) -> tuple[int, int]:
    """Take the input's width and height if it gives both, else `default` (width, height)."""
    width, height = inputs.width, inputs.height
    return (width, height) if width and height else default


def roomy(width: int, height: int, largest_px: int = LARGEST_PX) -> tuple[int, int]:
    """Choose the size to work at: at most so many pixels, and no side too short to draw on."""
    scale = min(1.0, (largest_px / (width * height)) ** 0.5)
    return max(SHORTEST_SIDE_PX, int(width * scale)), max(SHORTEST_SIDE_PX, int(height * scale))


def workable(picture: Pixels, largest_px: int = LARGEST_PX) -> Pixels:
    """Give the picture itself, or a copy of the size to work at; whoever calls brings the result back."""
    size = roomy(picture.shape[1], picture.shape[0], largest_px)
    return picture if size == (picture.shape[1], picture.shape[0]) else resize(picture, *size)
