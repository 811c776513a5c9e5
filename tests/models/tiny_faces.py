"""Tiny insightface networks, planted: a face is a disc of skin round a green nose; who it is, is the skin's colour."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tiny_onnx import File, model, node

from support.tiny import shelve

SEEN_PX = 640
GREEN = (0, 255, 0)
NOSE_PX = 7
SKIN_PX = 64
OFFSETS = np.array([(-14, -10), (14, -10), (0, 5), (-11, 20), (11, 20)], np.float32)
"""Eyes, nose and corners of the mouth, from the middle of the green dot."""
HALF_PX = 40
GROUND = 128
RED, BLUE, YELLOW = (220, 40, 40), (40, 60, 230), (230, 220, 40)
_CHANCE = np.random.default_rng(5)
_COLOURS = np.linalg.qr(_CHANCE.normal(size=(512, 3)))[0].astype(np.float32)
MATRIX = np.linalg.qr(_CHANCE.normal(size=(512, 512)))[0].astype(np.float32)
"""What the swapper's file ends with."""


def detector() -> Any:
    """Answer as SCRFD does for 640 x 640: on the stride of 16, a face wherever a green dot is seen."""
    side = SEEN_PX // 16
    green = (np.array(GREEN, np.float32) - 127.5) / 128
    cells = {stride: 2 * (SEEN_PX // stride) ** 2 for stride in (8, 16, 32)}
    numbers: dict[str, Any] = {
        "green": green.reshape(1, 3, 1, 1),
        "axes": np.array([1], np.int64),
        "slope": np.float32(-1),
        "one": np.float32(1),
        "zero": np.float32(0),
        "column": np.array([-1, 1], np.int64),
    }
    nodes = [
        node("MaxPool", "input.1", "cells", kernel_shape=[1, 1], strides=[16, 16]),
        node("Sub", "cells green", "apart"),
        node("Abs", "apart", "distance"),
        node("ReduceSum", "distance axes", "far", keepdims=1),
        node("Mul", "far slope", "down"),
        node("Add", "down one", "near"),
        node("Clip", "near zero one", "sure"),
        node("Mul", "sure zero", "other"),
        node("Concat", "sure other", "both", axis=1),
        node("Transpose", "both", "rows", perm=[0, 2, 3, 1]),
        node("Reshape", "rows column", "score16s"),
    ]
    sides, points = np.full(4, HALF_PX / 16), (OFFSETS / 16).ravel()
    outputs: dict[str, Any] = {}
    for kind, width, value in (("score", 1, 0), ("box", 4, sides), ("points", 10, points)):
        for stride, count in cells.items():
            name = f"{kind}{stride}s"
            outputs[name] = (count, width)
            if name != "score16s":
                numbers[f"{name}_is"] = np.broadcast_to(np.float32(value), (count, width)).copy()
                nodes.append(node("Identity", f"{name}_is", name))
    assert side * 16 == SEEN_PX
    return model(nodes, {"input.1": (1, 3, "height", "width")}, outputs, numbers)


def recogniser() -> Any:
    """Say whose face 112 x 112 pixels show: a direction for each colour."""
    nodes = [
        node("ReduceMean", "input.1", "colour", axes=[2, 3], keepdims=0),
        node("MatMul", "colour directions", "683"),
    ]
    return model(nodes, {"input.1": (1, 3, 112, 112)}, {"683": (1, 512)}, {"directions": _COLOURS.T.copy()})


def swapper(matrix: NDArray[Any] = MATRIX) -> Any:
    """Paint 128 x 128 pixels in the colour of whoever is wanted."""
    numbers = {
        "back": (MATRIX.T @ _COLOURS).astype(np.float32),
        "half": np.float32(0.5),
        "zero": np.float32(0),
        "one": np.float32(1),
        "shape": np.array([1, 3, 1, 1], np.int64),
        "matrix": matrix,
    }
    nodes = [
        node("MatMul", "source back", "colour"),
        node("Mul", "colour half", "halved"),
        node("Add", "halved half", "level"),
        node("Clip", "level zero one", "clear"),
        node("Reshape", "clear shape", "painted"),
        node("Mul", "target zero", "black"),
        node("Add", "black painted", "output"),
    ]
    return model(nodes, {"target": (1, 3, 128, 128), "source": (1, 512)}, {"output": (1, 3, 128, 128)}, numbers)


def shelve_faces(models: Path) -> None:
    """Put all three on a shelf."""
    analysis = File("detection/model.onnx", detector()), File("recognition/model.onnx", recogniser())
    shelve(models, "insightface-buffalo-l", *analysis)
    shelve(models, "inswapper-128", File("inswapper_128.onnx", swapper()))


def people(*placed: tuple[tuple[int, int], tuple[int, int, int]], size: tuple[int, int] = (320, 640)) -> NDArray[Any]:
    """Paint faces: the place (x, y) of the nose, at multiples of 16, and the colour of the skin."""
    picture = np.full((*size, 3), GROUND, np.uint8)
    rows, columns = np.mgrid[: size[0], : size[1]]
    for (x, y), colour in placed:
        away = np.hypot(columns - x, rows - y)
        picture[away < SKIN_PX] = colour
        picture[away < NOSE_PX] = GREEN
    return picture


def direction(colour: Any) -> NDArray[np.float64]:
    """Say which way a colour points: what identities are made of."""
    levels = (np.asarray(colour, np.float64) - 127.5) / 127.5
    return np.asarray(levels / np.linalg.norm(levels))
