"""Poses: where people are in a picture, where their joints are, and the stick figures that ControlNets follow.

Found by RT-DETR (people) and ViTPose (joints), drawn as OpenPose draws them. Boxes are (left, top, right, bottom) in
pixels; joints are (x, y, certainty), in COCO's order of 17 as they are found, in OpenPose's order of 18 as drawn.
"""

from colorsys import hsv_to_rgb
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from unitask.kit.errors import MediaFailure
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job

Floats = NDArray[np.float32]

DETECTOR: Final = "person-detector"
ESTIMATOR: Final = "vitpose-base-simple"
MOST_PEOPLE: Final = 16
_CERTAIN_PERSON: Final = 0.5
_CERTAIN_JOINT: Final = 0.3
_MARGIN: Final = 1.25
"""How much of the surroundings the estimator sees: it was trained with a quarter more than the box."""
_COCO_SHOULDERS: Final = (5, 6)
_FROM_COCO: Final = (0, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""OpenPose's joints in its order, less the neck, by their numbers in COCO."""
_NECK: Final = 1
_LIMBS: Final = (
    (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10),
    (1, 11), (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17),
)  # fmt: skip
_COLOURS: Final = [tuple(round(255 * level) for level in hsv_to_rgb(number / 18, 1, 1)) for number in range(18)]
"""One for each joint, and for each limb in turn: the rainbow in eighteen steps."""
_LIMB_SHADE: Final = 0.6
_STICK_PX: Final = 4
_DRAWN_FOR_PX: Final = 512
_NOBODY: Final = "failed to get valid image: openpose finds no person in control_image; send one of a person"


def read_poses(picture: Image.Image, job: Job, runtime: Runtime) -> Image.Image:
    """Draw the stick figures of the people in an RGB picture.

    Raises:
        MediaFailure: there is no person whose joints can be seen.
        EngineFailure: the weights are missing, damaged, or do not fit.

    """
    boxes = found_people(picture, runtime)
    if len(boxes) > MOST_PEOPLE:
        job.warn(f"openpose follows the {MOST_PEOPLE} people that are seen most clearly, of {len(boxes)}")
    poses = found_joints(picture, boxes[:MOST_PEOPLE], runtime) if len(boxes) else np.zeros((0, 18, 3), np.float32)
    figures = drawn(poses, picture.size)
    if not figures.getbbox():
        raise MediaFailure(_NOBODY)
    return figures


def found_people(picture: Image.Image, runtime: Runtime) -> Floats:
    """Find people, the clearest first: boxes (people, 4).

    Raises:
        EngineFailure: the weights are missing, damaged, or do not fit.

    """
    network, asked = _ready(DETECTOR, "person_detector", runtime)
    pixels = asked(images=picture, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        found = network(pixels.to(runtime.device, network.dtype))
    person = next(number for number, name in network.config.id2label.items() if name == "person")
    certain = found.logits[0, :, person].float().sigmoid()
    order = certain.argsort(descending=True, stable=True)
    order = order[certain[order] > _CERTAIN_PERSON]
    middle, half = found.pred_boxes[0, order].float().cpu().split(2, dim=1)
    corners = torch.cat([middle - half / 2, middle + half / 2], dim=1).clamp(0, 1).numpy()
    return np.asarray(corners * np.array([*picture.size, *picture.size]), np.float32)


def found_joints(picture: Image.Image, boxes: Floats, runtime: Runtime) -> Floats:
    """Find the joints of the people in boxes, of whom there is at least one: (people, 18, 3) in OpenPose's order.

    Raises:
        EngineFailure: the weights are missing, damaged, or do not fit.

    """
    network, asked = _ready(ESTIMATOR, "pose_estimator", runtime)
    size = asked.size["width"], asked.size["height"]
    frames = framed(boxes, size)
    cut = np.stack([_cut(np.asarray(picture), frame, size) for frame in frames])
    pixels = (torch.from_numpy(cut) / 255 - torch.tensor(asked.image_mean)) / torch.tensor(asked.image_std)
    with torch.no_grad():
        heat = network(pixels.permute(0, 3, 1, 2).to(runtime.device, network.dtype)).heatmaps
    return as_openpose(joints(heat.float().cpu().numpy(), frames))


def framed(boxes: Floats, size: tuple[int, int]) -> Floats:
    """Widen boxes to the shape that the estimator sees, with a margin: (people, 4) as middle and size, in pixels."""
    extent = boxes[:, 2:] - boxes[:, :2]
    ratio = size[0] / size[1]
    width = np.maximum(np.maximum(extent[:, 0], extent[:, 1] * ratio), 1)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    return np.asarray(np.column_stack([middle, width * _MARGIN, width / ratio * _MARGIN]), np.float32)


def joints(heat: Floats, frames: Floats) -> Floats:
    """Find the hottest place of each map (people, joints, height, width): (people, joints, 3) in the picture's pixels.

    The corners of a map are the corners of its frame; a quarter of a step goes towards the hotter neighbour.
    """
    height, width = heat.shape[2:]
    flat = heat.reshape(*heat.shape[:2], -1)
    rows, columns = np.divmod(flat.argmax(axis=2), width)
    padded = np.pad(heat, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    one, two = np.ogrid[: heat.shape[0], : heat.shape[1]]
    towards_x = np.sign(padded[one, two, rows + 1, columns + 2] - padded[one, two, rows + 1, columns])
    towards_y = np.sign(padded[one, two, rows + 2, columns + 1] - padded[one, two, rows, columns + 1])
    across = np.clip(columns + towards_x / 4, 0, width - 1) / (width - 1) - 0.5
    down = np.clip(rows + towards_y / 4, 0, height - 1) / (height - 1) - 0.5
    x, y, wide, high = (frames[:, None, number] for number in range(4))
    return np.asarray(np.stack([x + across * wide, y + down * high, flat.max(axis=2)], axis=2), np.float32)


def as_openpose(found: Floats) -> Floats:
    """Bring joints (people, 17, 3) of COCO into OpenPose's order, which has a neck: (people, 18, 3)."""
    left, right = (found[:, number] for number in _COCO_SHOULDERS)
    neck = np.column_stack([(left[:, :2] + right[:, :2]) / 2, np.minimum(left[:, 2], right[:, 2])])
    return np.asarray(np.insert(found[:, _FROM_COCO], _NECK, neck, axis=1), np.float32)


def drawn(poses: Floats, size: tuple[int, int]) -> Image.Image:
    """Draw joints (people, 18, 3) as stick figures on black: every joint and limb in its colour, doubtful ones not."""
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    stick_px = max(1, round(_STICK_PX * min(size) / _DRAWN_FOR_PX))
    for pose in poses:
        for number, ends in enumerate(_LIMBS):
            if (pose[list(ends), 2] > _CERTAIN_JOINT).all():
                shade = tuple(int(level * _LIMB_SHADE) for level in _COLOURS[number])
                cv2.fillConvexPoly(canvas, _stick(pose[ends[0], :2], pose[ends[1], :2], stick_px), shade)
        for joint, colour in zip(pose, _COLOURS, strict=True):
            if joint[2] > _CERTAIN_JOINT:
                cv2.circle(canvas, _pixel(joint), stick_px, colour, thickness=-1)
    return Image.fromarray(canvas)


def _ready(card_id: str, part: str, runtime: Runtime) -> tuple[Any, Any]:
    """Give a network on the device, and what says how it wants its pictures."""
    model = runtime.model(card_id)
    networks = runtime.networks({part: model.parts[part]}, work_bytes=model.card.memory_bytes)
    return networks[part], model.small("image_processor")


def _cut(pixels: NDArray[np.uint8], frame: Floats, size: tuple[int, int]) -> Floats:
    """Cut a frame out, corner to corner; black where it goes beyond the picture."""
    x, y, wide, high = map(float, frame)
    across, down = (size[0] - 1) / wide, (size[1] - 1) / high
    matrix = np.array([[across, 0, across * (wide / 2 - x)], [0, down, down * (high / 2 - y)]])
    return np.asarray(cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR), np.float32)


def _stick(one: Floats, other: Floats, width_px: int) -> NDArray[np.int32]:
    """Give the outline of a limb: an ellipse from joint to joint."""
    middle, half = (one + other) / 2, (other - one) / 2
    angle = int(np.degrees(np.arctan2(half[1], half[0])))
    axes = int(np.hypot(*half)), width_px
    return np.asarray(cv2.ellipse2Poly(_pixel(middle), axes, angle, 0, 360, 1), np.int32)


def _pixel(place: NDArray[Any]) -> tuple[int, int]:
    return round(float(place[0])), round(float(place[1]))
