"""What a ComfyUI lacks for a graph, from what it says of its nodes (`GET /object_info`)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from unitask.engines.comfyui.graph import Graph

_GROWING: Final = ("COMFY_AUTOGROW", "COMFY_DYNAMICSLOT")
"""Kinds of inputs that stand for any number of others, `images.image1`, and for none."""


def lacks(graph: Graph, there: Mapping[str, Any]) -> str:
    """Say in one sentence which nodes, files and inputs are missing; empty if none is."""
    found = [*_nodes(graph, there), *_files(graph, there), *_unset(graph, there), *_unknown(graph, there)]
    return "; ".join(dict.fromkeys(found))


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
        inputs = _listed(node, there)
        for name, value in node["inputs"].items():
            choices = _choices(inputs.get(name))
            if choices is None or f"{number}.inputs.{name}" in bound or isinstance(value, list):
                continue
            if value not in choices:
                yield f"{node['class_type']} offers no {name} {value!r}"


def _unset(graph: Graph, there: Mapping[str, Any]) -> Iterator[str]:
    """Find required inputs without a value, also after nodes were taken out: ComfyUI refuses whatever leads there."""
    for number in _leading(graph):
        node = graph.nodes[number]
        bound = _bound(graph, number)
        given = bound | {name for name, value in node["inputs"].items() if not _goes_away(graph, number, value)}
        for name, said in _listed(node, there, "required").items():
            if name not in given and not _is_growing(said):
                yield f"{node['class_type']} asks for {name}, which the graph does not set"


def _unknown(graph: Graph, there: Mapping[str, Any]) -> Iterator[str]:
    """Find inputs that a node does not list, which ComfyUI would pass over without a word.

    Of a graph of the operator's only those that the order fills: pages of ComfyUI export more than nodes list.
    """
    for number, node in graph.nodes.items():
        if node["class_type"] not in there:
            continue
        known = _listed(node, there)
        further = {name for said in known.values() for name in _of_formats(said)}
        for name in sorted(_bound(graph, number) | (set(node["inputs"]) if graph.is_ours else set())):
            if name not in further and not any(one in known for one in _beginnings(name)):
                yield f"{node['class_type']} has no input {name}"


def _listed(node: Mapping[str, Any], there: Mapping[str, Any], *parts: str) -> dict[str, Any]:
    said = (there.get(node["class_type"]) or {}).get("input") or {}
    return {name: one for part in parts or ("required", "optional") for name, one in (said.get(part) or {}).items()}


def _bound(graph: Graph, number: str) -> set[str]:
    """Name the inputs of a node that the order fills."""
    paths = (path.partition(".") for path in graph.input)
    return {way.removeprefix("inputs.") for node, _, way in paths if node == number and way}


def _leading(graph: Graph) -> list[str]:
    """List the nodes that lead to the files of the result: ComfyUI looks at no others."""
    found: dict[str, None] = {}
    ahead = list(graph.files)
    while ahead:
        number = ahead.pop()
        if number in graph.nodes and number not in found:
            found[number] = None
            links = (value for value in graph.nodes[number]["inputs"].values() if isinstance(value, list) and value)
            ahead.extend(str(link[0]) for link in links)
    return sorted(found)


def _goes_away(graph: Graph, number: str, value: Any) -> bool:
    """Tell whether a link is cut where the node before it is taken out, while this one stays."""
    if number in graph.bypass or not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004 - node and output
        return False
    rule = graph.bypass.get(str(value[0]))
    return rule is not None and str(value[1]) not in rule.outputs


def _beginnings(name: str) -> Iterator[str]:
    """List what may stand for an input of an input, from the whole name on: `a.b.c`, `a.b`, `a`."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _is_growing(said: Any) -> bool:
    return isinstance(said, list) and bool(said) and str(said[0]).startswith(_GROWING)


def _of_formats(said: Any) -> Iterator[str]:
    """List the inputs that a choice brings along: VideoHelperSuite has some for each format of a film."""
    options = said[1] if isinstance(said, list) and len(said) > 1 else None
    formats = options.get("formats") if isinstance(options, dict) else None
    for inputs in formats.values() if isinstance(formats, dict) else ():
        yield from (str(one[0]) for one in inputs if isinstance(one, list) and one)


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
