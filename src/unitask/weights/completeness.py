"""Whether a set of files is whole, as far as the files themselves say: parts of a pipeline, pieces of large files."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Final

_INDEX: Final = ".safetensors.index.json"
_PIPELINE: Final = "model_index.json"
_WEIGHTS: Final = (".safetensors", ".gguf", ".onnx", ".pt", ".pth", ".bin")
"""The last three are pickled: only a card that names them takes them."""


def gaps(files: Mapping[str, Path], wanted: Iterable[str], *, leans: bool) -> list[str]:
    """Name what is missing among files, by their place. `leans`: parts that are not here come from elsewhere.

    Indexes of large files name their pieces; `model_index.json` names the parts of a pipeline. Where a pattern among
    `wanted` leaves open which files there are, weights must be among them; a list of names is whole if all are here.
    """
    patterns = any(set(one) & set("*?[") for one in wanted)
    weightless = patterns and not any(place.endswith(_WEIGHTS) for place in files)
    lacking = ["no weights (.safetensors, .gguf, .onnx or pickled)"] if weightless else []
    for place, path in files.items():
        if place.endswith(_INDEX):
            lacking += [f"no {piece}" for piece in _pieces(place, _read(path)) if piece not in files]
    if not leans and (index := files.get(_PIPELINE)):
        parts = {place.partition("/")[0] for place in files if "/" in place}
        lacking += [f"no {part}/" for part in _parts(_read(index)) if part not in parts]
    return lacking


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _pieces(index: str, content: dict[str, Any]) -> list[str]:
    weights = content.get("weight_map")
    names = {str(name) for name in weights.values()} if isinstance(weights, dict) else set()
    return sorted(str(PurePosixPath(index).parent / name) for name in names)


def _parts(content: dict[str, Any]) -> Iterator[str]:
    """Give the parts: written as [library, class], both null where the pipeline does without it."""
    for name, value in content.items():
        if isinstance(value, list) and value and all(value):
            yield name
