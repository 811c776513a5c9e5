"""Selections of a picture: outlines that follow its edges, and the pictures that show them.

A mask is bool (h, w), a picture uint8 (h, w, 3). OpenCV, NumPy and Pillow are imported inside: engines only.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from unitask.kit.mattes import guided
from unitask.kit.tiles import tiles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Mask = NDArray[np.bool_]
    Pixels = NDArray[Any]

LEAST_SHARE: Final = 0.0005
"""A smaller share of the picture is no selection."""
SELECTED: Final = (60, 220, 120)
REMOVED: Final = (240, 70, 70)
TILE_PX: Final = 512
_HALF: Final = 0.5
_SHARP_EDGE: Final = 1e-4


def followed(rgb: "Pixels", mask: "Mask") -> "Mask":
    """Bring a mask to the picture's size; near its outline, follow the picture's edges (guided filter, He 2013)."""
    import cv2  # noqa: PLC0415 - only engines need OpenCV and NumPy
    import numpy as np  # noqa: PLC0415

    height, width = rgb.shape[:2]
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)
    large = np.clip(cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    radius = max(2, round(1.5 * max(height, width) / max(mask.shape)))
    result = np.empty((height, width), bool)
    for tile in tiles(height, width, TILE_PX, 6 * radius):
        rough = large[tile.seen]
        if rough.max() - rough.min() > _HALF:
            rough = guided(rgb[tile.seen].astype(np.float32) / 255, rough, 2 * radius, _SHARP_EDGE)
        result[tile.place] = rough[tile.inner] > _HALF
    return result


def grown(mask: "Mask", grow_px: int) -> "Mask":
    """Grow a mask by so many pixels, or shrink it; the picture's edge does not count as an outline."""
    import cv2  # noqa: PLC0415 - only engines need OpenCV and NumPy
    import numpy as np  # noqa: PLC0415

    if not grow_px:
        return mask
    distance = cv2.distanceTransform(
        (mask if grow_px < 0 else ~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    result: Mask = distance > -grow_px if grow_px < 0 else distance <= grow_px
    return result


def explained(rgb: "Pixels", mask: "Mask", removed: "Mask") -> "Iterator[Image]":
    """Draw the four pictures of a selection: the mask, it shown, what was taken out shown, and the mask inverted."""
    import numpy as np  # noqa: PLC0415 - only engines need NumPy and Pillow
    from PIL import Image  # noqa: PLC0415

    white = mask.astype(np.uint8) * 255
    yield Image.fromarray(white)
    for part, colour in ((mask, SELECTED), (removed, REMOVED)):
        yield Image.fromarray(_shown(rgb, part, colour))
    yield Image.fromarray(~white)


def _shown(picture: "Pixels", mask: "Mask", colour: tuple[int, int, int]) -> "Pixels":
    """Show a mask on the picture: the rest pale, the outline in colour."""
    import cv2  # noqa: PLC0415 - only engines need OpenCV and NumPy
    import numpy as np  # noqa: PLC0415

    shown = picture.copy()
    shown[~mask] = (picture[~mask] * 0.35 + 150).astype(np.uint8)
    shown[mask] = (picture[mask] * 0.75 + np.array(colour) * 0.25).astype(np.uint8)
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shown, outlines, -1, colour, max(1, round(max(mask.shape) / 400)))
    return shown
