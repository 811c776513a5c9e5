"""Subjects cut out: their colour at the edge, and videos on green. OpenCV and NumPy are imported inside: engines only.

A matte says how much of each pixel is subject: float32 (h, w), 0 to 1.
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Frame = NDArray[np.uint8]

_RGBA: Final = 4
_WITHIN_REACH: Final = 1e-4
GREEN: Final = (0, 177, 64)
ON_GREEN: Final = "the subject stands on green, because MP4 has no transparency"
HOLE_GREEN: Final = "the place of the subject is green, because MP4 has no transparency"
UNSEEN: Final = (
    "in {count} of {frames} frames no subject stands out from the background: they were taken for background"
)
NO_SUBJECT: Final = "no subject stands out from the background of this {}; send one with a clearer subject"


def foreground(colour: "NDArray[Any]", matte: "NDArray[Any]", radius: int) -> "NDArray[Any]":
    """Take the background's tint out of half-transparent pixels (h, w, 3) of 0 to 1: blur fusion, Forte 2021.

    Two passes, coarse then fine; pixels out of reach of the subject become black.
    """
    import numpy as np  # noqa: PLC0415 - only engines need NumPy

    share = matte[..., None]
    front = back = colour
    for reach in (3 * radius, max(1, radius // 2)):
        weight = box_mean(matte, reach)[..., None]
        near = box_mean(front * share, reach) / (weight + 1e-5)
        behind = box_mean(back * (1 - share), reach) / (1 - weight + 1e-5)
        back = behind
        front = np.clip(near + share * (colour - share * near - (1 - share) * behind), 0, 1)
    return front


def bled(picture: "NDArray[Any]") -> "NDArray[Any]":
    """Let colours run into fully transparent pixels (h, w, 3 or 4), whose own would else shine through at the edge."""
    import cv2  # noqa: PLC0415 - only engines need OpenCV and NumPy
    import numpy as np  # noqa: PLC0415

    if picture.shape[2] < _RGBA or picture[..., 3].all():
        return picture
    visible = (picture[..., 3:] > 0).astype(np.float32)
    weight = cv2.GaussianBlur(visible, (0, 0), 3)[..., None]
    around = cv2.GaussianBlur(picture[..., :3] * visible, (0, 0), 3) / np.maximum(weight, 1e-6)
    filled = np.where((visible == 0) & (weight > _WITHIN_REACH), around, picture[..., :3])
    return np.dstack([filled.round().astype(np.uint8), picture[..., 3]])


def guided(guide: "NDArray[Any]", plane: "NDArray[Any]", radius: int, epsilon: float) -> "NDArray[Any]":
    """Make `plane`, float32 (h, w), follow the edges of the colours of `guide`, float32 (h, w, 3); all in 0..1."""
    import numpy as np  # noqa: PLC0415 - only engines need NumPy

    mean, target = box_mean(guide, radius), box_mean(plane, radius)
    shared = box_mean(guide * plane[..., None], radius) - mean * target[..., None]
    spread = box_mean(guide[..., (0, 0, 0, 1, 1, 2)] * guide[..., (0, 1, 2, 1, 2, 2)], radius)
    spread -= mean[..., (0, 0, 0, 1, 1, 2)] * mean[..., (0, 1, 2, 1, 2, 2)]
    spread[..., (0, 3, 5)] += epsilon
    # The covariance matrix of each window is symmetric; cross products of its rows give its inverse.
    one, two, three = spread[..., (0, 1, 2)], spread[..., (1, 3, 4)], spread[..., (2, 4, 5)]
    across = np.cross(two, three)
    slope = shared[..., :1] * across + shared[..., 1:2] * np.cross(three, one) + shared[..., 2:] * np.cross(one, two)
    slope /= (one * across).sum(axis=-1, keepdims=True)
    offset = target - (slope * mean).sum(axis=-1)
    result: NDArray[Any] = (box_mean(slope, radius) * guide).sum(axis=-1) + box_mean(offset, radius)
    return result


def on_green(frame: "Frame", matte: "Floats") -> "Frame":
    """Lay a frame (h, w, 3) on green, as much of each pixel as the matte says."""
    import cv2  # noqa: PLC0415 - only engines need OpenCV and NumPy
    import numpy as np  # noqa: PLC0415

    green = np.empty_like(frame)
    green[:] = GREEN
    return np.asarray(cv2.blendLinear(frame, green, matte, 1 - matte), np.uint8)


def box_mean(plane: "NDArray[Any]", radius: int) -> "NDArray[Any]":
    """Mean over a square of side 2 * radius + 1."""
    import cv2  # noqa: PLC0415 - only engines need OpenCV

    mean: NDArray[Any] = cv2.boxFilter(plane, -1, (2 * radius + 1,) * 2, borderType=cv2.BORDER_REFLECT)
    return mean
