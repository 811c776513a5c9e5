"""What a ComfyUI lacks for a graph, from what it says of its nodes (`GET /object_info`)."""

from collections.abc import Iterator, Mapping
from typing import Any

from unitask.engines.comfyui.graph import Graph


def lacks(graph: Graph, there: Mapping[str, Any]) -> str:
    """Say in one sentence which nodes and files are missing; empty if none is."""
    return "; ".join([*_nodes(graph, there), *_files(graph, there)])


def _nodes(graph: Graph, there: Mapping[str, Any]) -> Iterator[str]:
    absent = {str(node["class_type"]) for node in graph.nodes.values()} - there.keys()
    for pack in graph.needs:
        ours = sorted(absent & set(pack.nodes))
        if ours:
            absent -= set(ours)
            yield f"install the node pack {pack.pack} ({pack.url}) for {', '.join(ours)}"
    if absent:
        yield f"update ComfyUI: it has no {', '.join(sorted(absent))}"


def _files(graph: Graph, there: Mapping[str, Any]) -> Iterator[str]:
    """Find fixed choices that it does not offer: mostly the files of models."""
    bound = set(graph.input)
    for number, node in graph.nodes.items():
        known = (there.get(node["class_type"]) or {}).get("input") or {}
        inputs = {**(known.get("required") or {}), **(known.get("optional") or {})}
        for name, value in node["inputs"].items():
            choices = _choices(inputs.get(name))
            if choices is None or f"{number}.inputs.{name}" in bound or isinstance(value, list):
                continue
            if value not in choices:
                yield f"{node['class_type']} offers no {name} {value!r}"


def _choices(said: Any) -> list[Any] | None:
    """Read what may be chosen: older nodes say `[[choices], {}]`, newer `["COMBO", {"options": [choices]}]`."""
    if not isinstance(said, list) or not said:
        return None
    if isinstance(said[0], list):
        return said[0]
    if said[0] == "COMBO" and len(said) > 1:
        options = said[1].get("options")
        return options if isinstance(options, list) else None
    return None
