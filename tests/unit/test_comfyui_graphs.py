"""The ComfyUI graphs: each fits its product's input and the nodes that ComfyUI and the named packs have.

`tests/sim/object_info.json` is what `GET /object_info` tells of every node class in use, read from the sources of the
nodes. An input of an input (`format.codec`, `values.a`) stands there under its dotted name, as a graph writes it.
"""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from unitask import engines
from unitask.catalogue import Catalogue, validate
from unitask.spec.media import Media
from unitask.spec.product import Example

GRAPHS = Path(engines.__file__).parent / "comfyui" / "graphs"
KEYS = sorted(path.relative_to(GRAPHS).with_suffix("").as_posix() for path in GRAPHS.rglob("*.json"))
NODES: dict[str, Any] = json.loads((Path(__file__).parents[1] / "sim" / "object_info.json").read_text())
PRODUCTS = {product.key: product for product in Catalogue.load()}
FAMILIES = (
    "flux",
    "wan",
    "hunyuan",
    "hug_video",
    "framepack",
    "skyreels",
    "ace_step",
    "diffrhythm",
    "mmaudio",
    "trellis",
)
EXAMPLES = [(key, example) for key in KEYS if key in PRODUCTS for example in PRODUCTS[key].examples]
LOADERS = {"LoadImage", "LoadAudio", "VHS_LoadVideo"}
NOT_SENT: dict[str, dict[str, str]] = {}
"""Media fields that a graph leaves alone, by product, with the reason."""
REFUSED = {("Qubico/wanx/img2video-14b-control-camera", "Sideways and turning"): "the node makes one movement"}
"""Examples that ComfyUI is to refuse rather than make something else."""
ABSENT: Any = object()


def resolved(key: str) -> dict[str, Any]:
    """Give a graph file with what it takes over from another."""
    own: dict[str, Any] = json.loads((GRAPHS / f"{key}.json").read_text())
    if "like" not in own:
        return own
    whole = deepcopy(resolved(own["like"])) | {part: own[part] for part in ("needs", "files", "bypass") if part in own}
    for path, value in own.get("set", {}).items():
        *way, last = path.split(".", 2)
        at = whole["graph"]
        for step in way:
            at = at[step]
        at[last] = value
    whole["input"] = {
        path: source for path, source in (whole["input"] | own.get("input", {})).items() if source is not None
    }
    return whole


def paths(source: Any) -> Iterator[str]:
    """List every path into the product's input that a source reads, with its sigil."""
    if isinstance(source, str) and source[:1] in ("$", "@") and source[:2] not in ("$$", "@@"):
        yield source
    elif isinstance(source, list):
        for item in source:
            yield from paths(item)
    elif isinstance(source, dict) and "text" in source:
        yield from (f"${name}" for name in re.findall(r"{([^}]+)}", source["text"]))
    elif isinstance(source, dict):
        yield from paths(source["from"])
        yield from paths(source.get("default"))


def bare(path: str) -> str:
    """Name the field of a path, without its sigil and the places of lists."""
    return re.sub(r"\[\d+\]", "", path[1:])


def fields(model: type[BaseModel], at: str = "") -> Iterator[tuple[str, bool]]:
    """List every field of an input by its dotted name, and whether it holds a file."""
    for name, field in model.model_fields.items():
        inner = [kind for kind in (field.annotation, *get_args(field.annotation)) if isinstance(kind, type)]
        notes = (
            *field.metadata,
            *(note for kind in get_args(field.annotation) for note in getattr(kind, "__metadata__", ())),
        )
        yield f"{at}{name}", any(isinstance(note, Media) for note in notes)
        for kind in inner:
            if issubclass(kind, BaseModel):
                yield from fields(kind, f"{at}{name}.")


def known(class_type: str) -> dict[str, Any]:
    """Give the inputs of a node class, required and optional."""
    return {**NODES[class_type]["input"].get("required", {}), **NODES[class_type]["input"].get("optional", {})}


def read(values: Any, path: str) -> Any:
    """Give the value at a path such as `$lora_settings[0].lora_type`; ABSENT for none, None and an empty text."""
    for step in re.findall(r"\w+", path[1:]):
        try:
            values = values[int(step) if isinstance(values, list) else step]
        except (IndexError, KeyError):
            return ABSENT
    return ABSENT if values is None or values == "" else values


def given(source: Any, values: dict[str, Any]) -> Any:
    """Work out a source for checked input; ABSENT leaves the graph's own value."""
    if isinstance(source, str) and source[:1] in ("$", "@"):
        value = read(values, source)
        return "uploaded.png" if source[0] == "@" and value is not ABSENT else value
    if not isinstance(source, dict):
        return source
    if "text" in source:
        parts = {name: read(values, f"${name}") for name in re.findall(r"{([^}]+)}", source["text"])}
        return ABSENT if ABSENT in parts.values() else re.sub(r"{([^}]+)}", lambda m: str(parts[m[1]]), source["text"])
    value = read(values, source["from"])
    if value is ABSENT or "map" not in source:
        return value if value is ABSENT else round(value * source["times"] + source.get("plus", 0))
    found = source["map"].get(str(value), ABSENT)
    return given(source["default"], values) if found is ABSENT and "default" in source else found


def without(graph: dict[str, Any], rules: dict[str, Any]) -> dict[str, Any]:
    """Take out the nodes of these rules: links to them lead on, or go where nothing takes their place."""
    for gone, rule in rules.items():
        node = graph.pop(gone)
        for other in graph.values():
            for name, value in list(other["inputs"].items()):
                if isinstance(value, list) and value[0] == gone:
                    onward = rule["outputs"].get(str(value[1]))
                    if onward:
                        other["inputs"][name] = node["inputs"][onward]
                    else:
                        del other["inputs"][name]
    return graph


def ordered(document: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """Give the graph that is sent for checked input."""
    graph = deepcopy(document["graph"])
    for path, source in document["input"].items():
        value = given(source, values)
        if value is not ABSENT:
            node, _, name = path.split(".", 2)
            graph[node]["inputs"][name] = value
    rules = document.get("bypass", {})
    return without(
        graph, {node: rules[node] for node in rules if read(values, rules[node]["unless"]) in (ABSENT, False)}
    )


def wrongs(graph: dict[str, Any]) -> Iterator[str]:
    """Say what ComfyUI would not take of a graph."""
    for name, node in graph.items():
        info = NODES[node["class_type"]]["input"]
        yield from (f"{name}: no {lacking}" for lacking in info.get("required", {}) if lacking not in node["inputs"])
        for place, value in node["inputs"].items():
            if place not in known(node["class_type"]):
                yield f"{name}: unknown {place}"
            elif isinstance(value, list):
                yield from wrong_link(graph, value, known(node["class_type"])[place], f"{name}.{place}")
            elif node["class_type"] not in LOADERS or isinstance(known(node["class_type"])[place][0], str):
                yield from wrong_value(value, known(node["class_type"])[place], f"{name}.{place}")


def wrong_link(graph: dict[str, Any], link: list[Any], spec: list[Any], place: str) -> Iterator[str]:
    """Say whether a link leads nowhere, or to an output of another type."""
    if link[0] not in graph:
        yield f"{place}: no node {link[0]}"
        return
    outputs = NODES[graph[link[0]]["class_type"]]["output"]
    if link[1] >= len(outputs) or outputs[link[1]] not in str(spec[0]).split(","):
        yield f"{place}: {link} is no {spec[0]}"


def wrong_value(value: Any, spec: list[Any], place: str) -> Iterator[str]:
    """Say whether a value is no choice, of the wrong type, or out of bounds."""
    kinds: dict[str, Any] = {"INT": int, "FLOAT": (int, float), "BOOLEAN": bool, "STRING": (str, int)}
    bounds = spec[1] if len(spec) > 1 else {}
    if isinstance(spec[0], list):
        if value not in spec[0]:
            yield f"{place}: {value!r} is none of {spec[0]}"
    elif not isinstance(value, kinds.get(spec[0], ())) or (isinstance(value, bool) and spec[0] != "BOOLEAN"):
        yield f"{place}: {value!r} is no {spec[0]}"
    elif spec[0] in ("INT", "FLOAT") and not bounds.get("min", value) <= value <= bounds.get("max", value):
        yield f"{place}: {value!r} is out of bounds"


def test_every_product_of_these_families_has_a_graph():
    """No product of the families that ComfyUI can make was forgotten, and no file belongs to none."""
    wanted = [key for key, product in PRODUCTS.items() if product.family in FAMILIES]
    assert sorted(wanted) == KEYS


@pytest.mark.parametrize("key", KEYS)
def test_bindings_read_what_the_product_has(key: str):
    """Every path into the input names a field of the product, and files are handed over as files."""
    document, have = resolved(key), dict(fields(PRODUCTS[key].input))
    sources = [*document["input"].values(), *(rule["unless"] for rule in document.get("bypass", {}).values())]
    used = [path for source in sources for path in paths(source)]
    assert [path for path in used if bare(path) not in have and path != "$seed"] == []
    assert [path for path in used if path[0] == "@" and not have[bare(path)]] == []


@pytest.mark.parametrize("key", KEYS)
def test_bindings_lead_into_the_graph(key: str):
    """Every target names a node and an input that stands there with a value of its own."""
    document = resolved(key)
    targets = [path.split(".", 2) for path in document["input"]]
    assert [
        node for node, part, name in targets if part != "inputs" or name not in document["graph"][node]["inputs"]
    ] == []


@pytest.mark.parametrize("key", KEYS)
def test_every_file_is_sent(key: str):
    """Each media field of the input reaches a node that loads it, or a reason says why not."""
    document = resolved(key)
    sent = {
        bare(path): target for target, source in document["input"].items() for path in paths(source) if path[0] == "@"
    }
    media = {name for name, holds_file in fields(PRODUCTS[key].input) if holds_file}
    assert media - set(sent) == set(NOT_SENT.get(key, {}))
    assert {document["graph"][target.split(".")[0]]["class_type"] for target in sent.values()} <= LOADERS


@pytest.mark.parametrize("key", KEYS)
def test_the_nodes_fit_together(key: str):
    """The graph as it stands is one that ComfyUI takes: no input lacks, links fit, values are allowed."""
    document = resolved(key)
    replaced = {node: rule for node, rule in document.get("bypass", {}).items() if node in own_links(document)}
    assert list(wrongs(without(deepcopy(document["graph"]), replaced))) == []


def own_links(document: dict[str, Any]) -> set[str]:
    """Name the loaders that hold a link in place of a file: it is replaced, or leads on where they are taken out."""
    graph = document["graph"]
    return {
        name
        for name, node in graph.items()
        if node["class_type"] in LOADERS
        for v in node["inputs"].values()
        if isinstance(v, list)
    }


@pytest.mark.parametrize(("key", "example"), EXAMPLES, ids=[f"{key}: {example.title}" for key, example in EXAMPLES])
def test_examples_become_graphs_that_comfyui_takes(key: str, example: Example):
    """The examples, bound and with absent parts taken out, are accepted; what cannot be made is refused."""
    product = PRODUCTS[key]
    values = validate(product, deepcopy(example.input))[0].model_dump() | {"seed": 2**63 - 1}
    found = list(wrongs(ordered(resolved(key), values)))
    assert bool(found) == ((key, example.title) in REFUSED), found


def test_a_camera_that_tilts_is_refused():
    """A movement that the node does not know reaches it by its own name, so that no other video is made."""
    key = "Qubico/wanx/img2video-14b-control-camera"
    moves = {"image": "uploaded.png", "control_camera_settings": [{"motion_type": "tilt_left", "motion_speed": 1.0}]}
    assert ["tilt_left" in wrong for wrong in wrongs(ordered(resolved(key), moves))] == [True]


def test_a_map_is_saved_only_where_it_is_wanted():
    """A switch that is off counts as absent: the picture that ControlNet followed is not among the files."""
    key = "Qubico/flux1-dev-advanced/controlnet-lora"
    control = {"control_type": "canny", "control_image": "uploaded.png"}
    for wanted in (True, False):
        values = {"prompt": "a hero", "control_net_settings": [{**control, "return_preprocessed_image": wanted}]}
        assert ("31" in ordered(resolved(key), values)) == wanted


@pytest.mark.parametrize("key", KEYS)
def test_translations_give_choices_of_the_node(key: str):
    """What a table of words translates into is something that the node takes."""
    document = resolved(key)
    for path, source in document["input"].items():
        if isinstance(source, dict) and "map" in source:
            node, _, name = path.split(".", 2)
            spec = known(document["graph"][node]["class_type"])[name]
            assert [wrong for value in source["map"].values() for wrong in wrong_value(value, spec, path)] == []


@pytest.mark.parametrize("key", KEYS)
def test_results_come_from_nodes_that_save(key: str):
    """The files are those of output nodes, one for each field where the product's output has several."""
    document = resolved(key)
    files = document["files"]
    if isinstance(files, dict):
        assert set(files) == set(PRODUCTS[key].output.model_fields)
    savers = list(files.values()) if isinstance(files, dict) else files
    assert savers
    assert all(NODES[document["graph"][node]["class_type"]]["output_node"] for node in savers)


@pytest.mark.parametrize("key", KEYS)
def test_packs_beside_comfyui_are_named(key: str):
    """Every node that is not ComfyUI's own stands under the pack that has it, and nothing else does."""
    document = resolved(key)
    homes = {node["class_type"]: NODES[node["class_type"]]["python_module"] for node in document["graph"].values()}
    foreign = {
        name: home.removeprefix("custom_nodes.") for name, home in homes.items() if home.startswith("custom_nodes.")
    }
    assert {name: need["pack"] for need in document["needs"] for name in need["nodes"]} == foreign
    assert all(need["url"].startswith("https://github.com/") for need in document["needs"])


@pytest.mark.parametrize("key", KEYS)
def test_nodes_that_are_taken_out_lead_on(key: str):
    """What a bypass names is there: the node, its outputs, and inputs that hold links."""
    document = resolved(key)
    for node, rule in document.get("bypass", {}).items():
        one = document["graph"][node]
        assert all(int(output) < len(NODES[one["class_type"]]["output"]) for output in rule["outputs"])
        assert all(isinstance(one["inputs"][name], list) for name in rule["outputs"].values())
