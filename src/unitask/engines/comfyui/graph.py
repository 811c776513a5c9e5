"""The graph of a product: what ComfyUI exports in its API format, and where the input goes in it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from unitask.remote.binding import BadMapping, names


class Pack(BaseModel):
    """Nodes that ComfyUI itself has not, and the pack that has them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    nodes: tuple[str, ...]
    pack: str
    url: str


class Bypass(BaseModel):
    """A node that is taken out unless the input has a value. `outputs`: which of its inputs each output leads on to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unless: str
    outputs: dict[str, str] = {}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    needs: tuple[Pack, ...] = ()
    input: dict[str, Any] = {}
    bypass: dict[str, Bypass] = {}
    files: tuple[str, ...] | dict[str, str] = ()
    graph: dict[str, dict[str, Any]] = {}
    like: str | None = None
    set: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Graph:
    """A product's graph. `files`: the nodes of the result in their order, or with the output field of each.

    `is_ours`: it is not a file of the operator's.
    """

    needs: tuple[Pack, ...]
    input: Mapping[str, Any]
    bypass: Mapping[str, Bypass]
    files: tuple[str, ...] | dict[str, str]
    nodes: Mapping[str, dict[str, Any]]
    is_ours: bool = True

    @property
    def read(self) -> frozenset[str]:
        """The fields of the input that it has a place for."""
        return names([*self.input.values(), *(rule.unless for rule in self.bypass.values())])


def place(nodes: dict[str, Any], path: str, value: Any) -> None:
    """Set a node, or an input of one, whose name may have dots: `6.inputs.text`, `9.inputs.format.codec`."""
    node, _, way = path.partition(".")
    if way:
        nodes[node]["inputs"][way.removeprefix("inputs.")] = value
    else:
        nodes[node] = value


@lru_cache(maxsize=512)
def graph_of(product: str, own: Path | None) -> Graph | None:
    """Read the graph of a product: the operator's from the folder `own`, else ours; None where there is none.

    Raises:
        BadMapping: the file cannot be understood.

    """
    for folder in (own, files(__package__).joinpath("graphs")):
        found = None if folder is None else _read(folder, product)
        if found is not None:
            return replace(found, is_ours=folder is not own)
    return None


def _read(folder: Traversable, product: str) -> Graph | None:
    file = folder.joinpath(f"{product}.json")
    if not file.is_file():
        return None
    try:
        read = _File.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadMapping(f"{product}.json: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if read.like is None:
        return Graph(read.needs, read.input, read.bypass, _by_node(read.files), read.graph)
    base = _read(folder, read.like)
    if base is None:
        raise BadMapping(f"{product}.json: like: there is no graph for {read.like}")
    nodes = orjson.loads(orjson.dumps(dict(base.nodes)))
    for path, value in read.set.items():
        place(nodes, path, value)
    bound = {path: source for path, source in {**base.input, **read.input}.items() if source is not None}
    files_ = _by_node(read.files) if read.files else base.files
    return Graph(read.needs or base.needs, bound, read.bypass or base.bypass, files_, {**nodes, **read.graph})


def _by_node(found: tuple[str, ...] | dict[str, str]) -> tuple[str, ...] | dict[str, str]:
    """Turn output field -> node round; a list stays one."""
    return {node: field for field, node in found.items()} if isinstance(found, dict) else found
