"""An engine that makes a coloured box, as a GLB file. Processes under test get it as a plug-in.

`support.plugin` installs a copy of this file, so it imports nothing of the tests.
"""

import json
import struct
from itertools import product as pairs
from typing import Any, Final

from pydantic import BaseModel

from unitask.spec.engine import Job, Output
from unitask.spec.price import Price
from unitask.spec.product import Example, Input, Product, Recipe

CORNERS: Final = list(pairs((-0.5, 0.5), repeat=3))
SIDES: Final = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
FLOAT, SHORT = 5126, 5123


class Wish(Input):
    """What is asked for."""

    prompt: str = "a box"


class Box(BaseModel):
    """What is made."""

    model_file: str


def box() -> bytes:
    """Write the box: eight corners, a colour for each, twelve triangles, no normals."""
    positions = b"".join(struct.pack("<3f", *corner) for corner in CORNERS)
    colours = b"".join(struct.pack("<3f", *(0.1 + 0.9 * (axis > 0) for axis in corner)) for corner in CORNERS)
    triangles = [(a, b, c) for side in SIDES for a, b, c in (side[:3], (side[0], *side[2:]))]
    indices = b"".join(struct.pack("<3H", *one) for one in triangles)
    views, at = [], 0
    for part in (positions, colours, indices):
        views.append({"buffer": 0, "byteOffset": at, "byteLength": len(part)})
        at += len(part)
    tree = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "COLOR_0": 1}, "indices": 2}]}],
        "accessors": [
            {"bufferView": 0, "componentType": FLOAT, "type": "VEC3", "count": 8},
            {"bufferView": 1, "componentType": FLOAT, "type": "VEC3", "count": 8},
            {"bufferView": 2, "componentType": SHORT, "type": "SCALAR", "count": 3 * len(triangles)},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": at}],
    }
    return _glb(json.dumps(tree).encode(), positions + colours + indices)


def _glb(text: bytes, binary: bytes) -> bytes:
    text += b" " * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    head = struct.pack("<4sII", b"glTF", 2, 12 + 8 + len(text) + 8 + len(binary))
    return head + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(binary), b"BIN\0") + binary


class BoxEngine:
    """Satisfies `unitask.spec.engine.Engine`."""

    name = "boxes"

    def missing(self) -> str | None:
        """Need nothing."""
        return None

    def run(self, product: Product, inputs: Any, job: Job) -> Output:
        """Make the box."""
        del product, inputs
        return Output({"model_file": job.save(box(), "glb")})


ENGINE = BoxEngine()
PRODUCTS = (
    Product(
        model="boxes",
        task_type="box",
        family="boxes",
        title="A box",
        summary="A coloured box.",
        input=Wish,
        output=Box,
        price=Price(1000),
        recipes=(Recipe("boxes", "basic", "box"),),
        examples=(Example("A box", {"prompt": "a box"}),),
        expected_s=0.1,
        limit_s=60,
    ),
)
