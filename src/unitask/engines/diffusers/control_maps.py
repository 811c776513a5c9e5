"""Control maps: what a ControlNet follows, read from a picture. RGB pictures of Pillow, a map as large as its picture.

Edges are computed, depth and joints are found by networks. A map of depth is bright where things are near.
"""

from collections.abc import Callable
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from unitask.engines.diffusers.poses import DETECTOR, ESTIMATOR, read_poses
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job

DEPTH_ESTIMATOR: Final = "depth-anything-small"
WEIGHTS: Final = {"depth": (DEPTH_ESTIMATOR,), "openpose": (DETECTOR, ESTIMATOR)}
"""The cards that a control type needs; a type that is not named here needs none."""
_CANNY_LOW: Final = 100
_CANNY_HIGH: Final = 200
"""The thresholds with which the public ControlNets for Canny were trained."""
_SCALES_PX: Final = (1.0, 2.0, 4.0)
_SCALED_FOR_PX: Final = 512
_STRONG: Final = 99.0
_FAINT: Final = 0.08
_LEAST_STEEP: Final = 24.0
_NO_EDGE: Final = "control_image has no clear edge: the map is black, and nothing holds the result"
_NOT_LEARNED: Final = (
    "soft_edge is computed from steps in brightness and colour: it marks textures, too, that the network of that name "
    "(HED) would leave out"
)


def read_map(control_type: str, picture: Image.Image, job: Job, runtime: Runtime) -> Image.Image:
    """Read the map of a control type of the wire (`canny`, `soft_edge`, `depth`, `openpose`) from an RGB picture.

    Raises:
        MediaFailure: `openpose` finds no person in it.
        EngineFailure: the weights that it needs are missing, damaged, or do not fit.

    """
    return _READERS[control_type](picture, job, runtime)


def canny(picture: Image.Image) -> Image.Image:
    """Draw edges as white lines one pixel wide; a step in colour is an edge, too."""
    return _grey(cv2.Canny(np.asarray(picture), _CANNY_LOW, _CANNY_HIGH))


def soft_edge(picture: Image.Image) -> Image.Image:
    """Draw edges as soft white lines, the broader and brighter the more scales they are seen at."""
    pixels = np.asarray(picture, np.float32)
    unit = max(min(picture.size) / _SCALED_FOR_PX, 1)
    seen = np.mean([_slope(pixels, scale * unit) for scale in _SCALES_PX], axis=0)
    clear = np.clip((seen - _FAINT) / (1 - _FAINT), 0, 1)
    return _grey(np.round(clear * 255).astype(np.uint8))


def depth(picture: Image.Image, runtime: Runtime) -> Image.Image:
    """Estimate how near everything is: the nearest is white, the farthest black.

    Raises:
        EngineFailure: the weights are missing, damaged, or do not fit.

    """
    model = runtime.model(DEPTH_ESTIMATOR)
    asked = model.small("image_processor")(images=picture, return_tensors="pt")["pixel_values"]
    part = {"depth_estimator": model.parts["depth_estimator"]}
    network = runtime.networks(part, work_bytes=model.card.memory_bytes)["depth_estimator"]
    with torch.no_grad():
        found = network(asked.to(runtime.device, network.dtype)).predicted_depth[:, None]
    size = picture.height, picture.width
    near = torch.nn.functional.interpolate(found.float(), size, mode="bicubic", align_corners=False)[0, 0]
    low, high = near.amin(), near.amax()
    scaled = (near - low) / (high - low).clamp(min=1e-6)
    return _grey((scaled * 255).round().byte().cpu().numpy())


def _slope(pixels: NDArray[np.float32], blur_px: float) -> NDArray[np.float32]:
    """Measure how steeply brightness or colour changes: 0 to 1, where 1 is as steep as the steepest hundredth."""
    soft = cv2.GaussianBlur(pixels, (0, 0), blur_px)
    steep = np.hypot(cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)).max(axis=2)
    # Where nothing is steep, faint noise must not be blown up to edges.
    strong = max(float(np.percentile(steep, _STRONG)), _LEAST_STEEP / blur_px)
    return np.asarray(np.minimum(steep / np.float32(strong), 1), np.float32)


def _grey(levels: Any) -> Image.Image:
    return Image.fromarray(levels).convert("RGB")


def _read_canny(picture: Image.Image, job: Job, _: Runtime) -> Image.Image:
    edges = canny(picture)
    if not edges.getbbox():
        job.warn(_NO_EDGE)
    return edges


def _read_soft_edge(picture: Image.Image, job: Job, _: Runtime) -> Image.Image:
    job.warn(_NOT_LEARNED)
    edges = soft_edge(picture)
    if not edges.getbbox():
        job.warn(_NO_EDGE)
    return edges


def _read_depth(picture: Image.Image, _: Job, runtime: Runtime) -> Image.Image:
    return depth(picture, runtime)


_READERS: Final[dict[str, Callable[[Image.Image, Job, Runtime], Image.Image]]] = {
    "canny": _read_canny,
    "soft_edge": _read_soft_edge,
    "depth": _read_depth,
    "openpose": read_poses,
}
