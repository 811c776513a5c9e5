"""Numbers out of an ONNX file that its graph does not use, and which onnxruntime therefore drops.

The file is a Protocol Buffers message: fields, each a key, then its content. Only what leads to the numbers is read.
"""

import io
from collections.abc import Iterator
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_GRAPH: Final = 7
_INITIALIZER: Final = 5
_DIMENSIONS, _KIND, _FLOATS, _RAW = 1, 2, 4, 9
_STORED: Final[dict[int, np.dtype[Any]]] = {1: np.dtype("<f4"), 10: np.dtype("<f2")}
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10
_MOST_BYTES: Final = 2**26


@lru_cache(maxsize=4)
def last_initializer(path: Path, digest: str) -> Floats:  # noqa: ARG001 - another content is another answer
    """Read the last of the tensors that a graph begins with, as single numbers in its own shape.

    Raises:
        ValueError: there is none, or it is of another kind.

    """
    with path.open("rb") as file:
        end = path.stat().st_size
        graphs = [span for number, kind, span in _fields(file, 0, end) if (number, kind) == (_GRAPH, _BYTES)]
        tensors = [
            span
            for graph in graphs
            for number, kind, span in _fields(file, *graph)
            if (number, kind) == (_INITIALIZER, _BYTES)
        ]
        if not tensors:
            raise ValueError(f"{path.name} has no initializer")
        return _tensor(file, tensors[-1])


def _tensor(file: BinaryIO, span: tuple[int, int]) -> Floats:
    shape: list[int] = []
    stored, content = None, b""
    for number, kind, (start, end) in list(_fields(file, *span)):
        if number == _DIMENSIONS:
            shape += [start] if kind == _VARINT else _varints(_read(file, start, end))
        elif number == _KIND:
            stored = _STORED.get(start)
        elif number in {_FLOATS, _RAW}:
            content = _read(file, start, end)
    if stored is None or len(content) != prod(shape) * stored.itemsize:
        raise ValueError("the last initializer is no plain tensor of numbers")
    return np.frombuffer(content, stored).reshape(shape).astype(np.float32)


def _fields(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Give number, kind and place of each field between two places; of a plain number, itself twice as its place."""
    while start < end:
        file.seek(start)
        key = _varint(file)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value = _varint(file)
            start = file.tell()
            yield number, kind, (value, value)
            continue
        sizes = {_FIXED_64: 8, _FIXED_32: 4}
        if kind != _BYTES and kind not in sizes:
            raise ValueError(f"a field of kind {kind}")
        length = _varint(file) if kind == _BYTES else sizes[kind]
        begin = file.tell()
        start = begin + length
        if start > end:
            raise ValueError("a field goes beyond its message")
        yield number, kind, (begin, start)


def _varint(file: BinaryIO) -> int:
    value = 0
    for place in range(_LONGEST_VARINT):
        byte = file.read(1)
        if not byte:
            raise ValueError("the file ends within a number")
        value |= (byte[0] & 0x7F) << (7 * place)
        if byte[0] < 0x80:  # noqa: PLR2004 - the highest bit says that more follows
            return value
    raise ValueError("a number is too long")


def _varints(content: bytes) -> list[int]:
    stream = io.BytesIO(content)
    values = []
    while stream.tell() < len(content):
        values.append(_varint(stream))
    return values


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    if end - start > _MOST_BYTES:
        raise ValueError("the last initializer is too large")
    file.seek(start)
    return file.read(end - start)
