"""Reading pictures that a stranger sent and writing those that we made. Pillow is imported inside: engines only."""

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from unitask.kit.errors import MediaFailure
from unitask.kit.media import DECODING_BYTES
from unitask.kit.process import spare_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

PHRASE: Final = "failed to get valid image"
LIMIT_SCANS: Final = 100
"""A progressive JPEG has about ten; each is a pass over all pixels, however few bytes it takes."""
_SCAN: Final = b"\xff\xda"
# What decoders raise at a file that is not what it says.
_DAMAGED: Final = (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, EOFError, TypeError, MemoryError)
_WHITE_FROM: Final = 250
_SPECK_PX: Final = 16
_SPECK_SHARE: Final = 0.0002
_LEAST_SIDE_PX: Final = 16
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def read_image(path: Path, *, limit_side_px: int, limit_pixels: int) -> "Image":
    """Decode the first frame, upright, as RGB or RGBA (where the file has transparency).

    The size is checked from the header before a pixel is decoded, so that a decompression bomb costs nothing.

    Raises:
        MediaFailure: not a picture, damaged, or larger than the limits.

    """
    from PIL import Image, ImageOps, UnidentifiedImageError  # noqa: PLC0415 - only engines need Pillow

    try:
        with warnings.catch_warnings(), spare_memory(DECODING_BYTES):
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as opened:
                _check(opened, path, limit_side_px, limit_pixels)
                image: Image.Image = ImageOps.exif_transpose(opened)
            transparent = image.mode in {"RGBA", "LA", "PA"} or "transparency" in image.info
            return image.convert("RGBA" if transparent else "RGB")
    except Image.DecompressionBombError as error:
        raise MediaFailure(
            f"{PHRASE}: it has far too many pixels; send a smaller one", raw_message=str(error)
        ) from error
    except (UnidentifiedImageError, *_DAMAGED) as error:
        raise MediaFailure(
            f"{PHRASE}: the file cannot be decoded as JPEG, PNG, WebP, GIF, BMP or TIFF",
            raw_message=f"{type(error).__name__}: {error}",
        ) from error


def _check(opened: "Image", path: Path, limit_side_px: int, limit_pixels: int) -> None:
    width, height = opened.size
    if max(width, height) > limit_side_px or width * height > limit_pixels:
        raise MediaFailure(
            f"{PHRASE}: it has {width}x{height} pixels, the limit is {limit_side_px} a side "
            f"and {limit_pixels} in all; send a smaller one",
        )
    if opened.format == "JPEG" and path.read_bytes().count(_SCAN) > LIMIT_SCANS:
        raise MediaFailure(f"{PHRASE}: its pixels come in more than {LIMIT_SCANS} scans; save it anew")


def png(image: "Image", text: Mapping[str, str]) -> bytes:
    """Encode as PNG with `text` as its tEXt or iTXt entries."""
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415 - only engines need Pillow

    info = PngInfo()
    for key, value in text.items():
        info.add_itxt(key, value)
    stream = io.BytesIO()
    image.save(stream, "PNG", pnginfo=info, compress_level=3)
    return stream.getvalue()


def with_profile(image: "Image", source: "Image") -> "Image":
    """Give a picture the colour profile of the one that it was made from, and return it.

    The pixels were never converted, and without it the saturated colours of a telephone's camera would turn pale.
    """
    profile = source.info.get("icc_profile")
    if image.mode.startswith("RGB") and isinstance(profile, bytes) and profile[16:20] == b"RGB ":
        image.info["icc_profile"] = profile
    return image


def white_region(picture: "NDArray[Any]") -> "NDArray[Any]":
    """Mark what is to be painted anew in (h, w, 3 or 4): fully transparent, or pure white give or take 5. bool (h, w).

    Specks do not count: they are part of the picture.
    """
    import cv2  # noqa: PLC0415 - only engines need OpenCV and NumPy
    import numpy as np  # noqa: PLC0415

    mask = picture[..., :3].min(axis=2) >= _WHITE_FROM
    if picture.shape[2] == 4:  # noqa: PLR2004 - channels
        mask |= picture[..., 3] == 0
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    kept = stats[:, cv2.CC_STAT_AREA] >= max(_SPECK_PX, int(mask.size * _SPECK_SHARE))
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)


def even_size(size: tuple[int, int], limit_side_px: int) -> tuple[int, int]:
    """Shrink a size in proportion until its longer side is within the limit; sides are even, as videos want them."""
    scale = min(1.0, limit_side_px / max(size))
    width, height = (max(_LEAST_SIDE_PX, round(side * scale / 2) * 2) for side in size)
    return width, height
