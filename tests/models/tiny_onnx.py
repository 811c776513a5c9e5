"""Tiny ONNX files with the inputs and outputs of the real ones, planted so that what they answer is known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from support.tiny import shelve

SUBJECT = (200, 60, 40)
GROUND = (30, 90, 160)
"""The colours that mattings take for the subject, and for the ground; what is mixed of both is so much subject."""
SEEN_PX = 256
Shape = Sequence[int | str]


@dataclass(frozen=True)
class File:
    """An ONNX file by its path in the repository: what `shelve` can save."""

    path: str
    model: Any

    def save_pretrained(self, folder: Path) -> None:
        """Write it."""
        target = folder / self.path
        target.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(self.model, target)


def node(kind: str, given: str, made: str, **attributes: Any) -> Any:
    """Write a step: the names of what goes in, with blanks between them, and of what comes out."""
    return helper.make_node(kind, given.split(), made.split(), **attributes)


def model(nodes: list[Any], given: Mapping[str, Shape], made: Mapping[str, Shape], numbers: dict[str, Any]) -> Any:
    """Build a network that was checked; an output whose name ends with `16` holds half numbers."""
    halves = {True: TensorProto.FLOAT16, False: TensorProto.FLOAT}
    inputs, outputs = (
        [helper.make_tensor_value_info(name, halves[name.endswith("16")], list(shape)) for name, shape in some.items()]
        for some in (given, made)
    )
    kept = [numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, kept)
    built = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    built.ir_version = 10
    onnx.checker.check_model(built)
    return built


def matting(
    mean: Sequence[float],
    deviation: Sequence[float],
    *,
    logits: bool = False,
    low: float = 0.0,
    high: float = 1.0,
    side: int | str = SEEN_PX,
) -> Any:
    """Answer `high` for the subject's colour as it goes in with this mean and deviation, and `low` for the ground's.

    With `logits`, 5 and -5.
    """
    subject, ground = ((np.array(colour) / 255 - mean) / deviation for colour in (SUBJECT, GROUND))
    numbers = {
        "colour": subject.astype(np.float32).reshape(1, 3, 1, 1),
        "slope": np.float32(-1 / np.abs(subject - ground).sum()),
        "one": np.float32(1),
        "zero": np.float32(0),
        "range": np.float32(10 if logits else high - low),
        "low": np.float32(-5 if logits else low),
    }
    nodes = [
        node("Sub", "input colour", "apart"),
        node("Abs", "apart", "distance"),
        node("ReduceSum", "distance axes", "far", keepdims=1),
        node("Mul", "far slope", "down"),
        node("Add", "down one", "near"),
        node("Clip", "near zero one", "alike"),
        node("Mul", "alike range", "ranged"),
        node("Add", "ranged low", "sized"),
        node("Cast", "sized", "out16", to=TensorProto.FLOAT16) if high < 1 else node("Identity", "sized", "out"),
    ]
    shape = (1, 3, side, side)
    out = {"out16" if high < 1 else "out": (1, 1, side, side)}
    return model(nodes, {"input": shape}, out, {**numbers, "axes": np.array([1], np.int64)})


IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MATTINGS = {
    "birefnet-general": File("onnx/model.onnx", matting(*IMAGENET, logits=True)),
    "rmbg-1.4": File("onnx/model.onnx", matting((0.5, 0.5, 0.5), (1, 1, 1), low=0.2)),
    "rmbg-2.0": File("onnx/model.onnx", matting(*IMAGENET, side="side")),
    "ben2": File("BEN2_Base.onnx", matting((0, 0, 0), (1, 1, 1), low=0.1, high=0.7)),
}


def shelve_mattings(models: Path, *card_ids: str) -> None:
    """Put networks that find subjects on a shelf: all, or those that are named."""
    for card_id in card_ids or MATTINGS:
        shelve(models, card_id, MATTINGS[card_id])
