"""What a ComfyUI lacks for a graph: inputs that it asks for and nobody sets, and inputs that it does not know."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from unitask.engines.comfyui.graph import Bypass, Graph, graph_of
from unitask.engines.comfyui.lacks import lacks

PRODUCT: Final = "Qubico/flux1-dev/txt2img"
FORMATS: Final = {"formats": {"video/h264-mp4": [["crf", "INT", {"default": 19}]], "image/gif": []}}
GROWING: Final = ["COMFY_AUTOGROW_V3", {"template": {"prefix": "image"}}]
DYNAMIC: Final = ["COMFY_DYNAMICCOMBO_V3", {"options": [{"key": "mp4", "inputs": {}}]}]
THERE: Final = {
    "Loader": {"input": {"required": {"image": [["a.png"], {"image_upload": True}]}}},
    "Blur": {"input": {"required": {"image": ["IMAGE"], "radius": ["INT", {"default": 3}]}, "optional": {}}},
    "Mixer": {
        "input": {
            "required": {"first": ["IMAGE"], "text": ["STRING", {"default": ""}]},
            "optional": {"second": ["IMAGE"]},
            "hidden": {"prompt": "PROMPT"},
        }
    },
    "Batch": {"input": {"required": {"images": GROWING}}},
    "Save": {"input": {"required": {"images": ["IMAGE"], "format": DYNAMIC}, "optional": None}},
    "Combine": {"input": {"required": {"images": ["IMAGE"], "format": [["video/h264-mp4", "image/gif"], FORMATS]}}},
}
NODES: Final = {
    "1": {"class_type": "Loader", "inputs": {"image": "a.png"}},
    "2": {"class_type": "Blur", "inputs": {"image": ["1", 0], "radius": 3}},
    "3": {"class_type": "Mixer", "inputs": {"first": ["2", 0], "text": "a cat", "second": ["2", 0]}},
    "9": {"class_type": "Save", "inputs": {"images": ["3", 0], "format": "mp4", "format.codec": "h264"}},
}


def graph(changes: Mapping[str, Mapping[str, Any]] | None = None, **more: Any) -> Graph:
    """Make the graph with other inputs of some nodes, of which None takes one away."""
    nodes = {
        number: {**node, "inputs": {name: one for name, one in inputs.items() if one is not None}}
        for number, node in NODES.items()
        for inputs in [{**node["inputs"], **(changes or {}).get(number, {})}]
    }
    return Graph(**{"needs": (), "input": {}, "bypass": {}, "files": ("9",), "nodes": nodes} | more)


def ends_in(class_type: str, **inputs: Any) -> Graph:
    """Make the graph with another node at its end."""
    return graph(nodes={**NODES, "9": {"class_type": class_type, "inputs": inputs}})


def test_a_whole_graph_lacks_nothing() -> None:
    """Whoever leaves out what is optional, too."""
    assert lacks(graph(), THERE) == ""
    assert lacks(graph({"3": {"second": None}}), THERE) == ""


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({"3": {"text": None}}, "Mixer asks for text, which the graph does not set"),
        ({"2": {"image": None}}, "Blur asks for image, which the graph does not set"),
        ({"9": {"format": None}}, "Save asks for format, which the graph does not set"),
    ],
    ids=["with a default", "a link", "with inputs of its own"],
)
def test_a_required_input_that_nobody_sets_is_said(changes: dict[str, dict[str, Any]], lacking: str) -> None:
    """A newer node may ask for more than the graph knows; ComfyUI refuses it, whatever the input's default."""
    assert lacks(graph(changes), THERE) == lacking


def test_what_several_nodes_lack_is_said_once() -> None:
    """They are of one class."""
    blurs = [{"class_type": "Blur", "inputs": {"image": [before, 0]}} for before in ("1", "4")]
    found = graph(nodes={**NODES, "2": blurs[1], "4": blurs[0]})
    assert lacks(found, THERE) == "Blur asks for radius, which the graph does not set"


def test_what_the_order_fills_is_set() -> None:
    """The graph need not have a value there."""
    assert lacks(graph({"3": {"text": None}}, input={"3.inputs.text": "$prompt"}), THERE) == ""
    assert lacks(graph({"1": {"image": None}}, input={"1.image": "@image"}), THERE) == ""


def test_nodes_that_lead_to_no_file_may_lack_inputs() -> None:
    """ComfyUI does not look at them."""
    loose = {"class_type": "Mixer", "inputs": {}}
    assert lacks(graph(nodes={**NODES, "7": loose}, is_ours=False), THERE) == ""


def test_an_input_that_is_cut_off_with_a_node_is_not_set() -> None:
    """Where the node is taken out and leads nowhere; one that leads on does, and so does an optional one."""
    leads_on = {"2": Bypass(unless="$blur", outputs={"0": "image"})}
    assert lacks(graph(bypass=leads_on), THERE) == ""
    ends = {"2": Bypass(unless="$blur")}
    assert lacks(graph(bypass=ends), THERE) == "Mixer asks for first, which the graph does not set"
    assert lacks(graph({"3": {"first": ["1", 0]}}, bypass=ends), THERE) == ""
    both = {"1": Bypass(unless="$image"), "2": Bypass(unless="$image", outputs={"0": "image"})}
    assert lacks(graph(bypass=both), THERE) == ""


@pytest.mark.parametrize("name", ["mood", "textual", "mood.text"])
def test_an_input_that_the_node_does_not_list_is_said(name: str) -> None:
    """ComfyUI would pass over it and make something else, without a word."""
    assert lacks(graph({"3": {name: 1}}), THERE) == f"Mixer has no input {name}"
    assert lacks(graph(input={f"3.inputs.{name}": "$prompt"}), THERE) == f"Mixer has no input {name}"


def test_an_input_of_an_input_is_listed_with_it() -> None:
    """Nodes that grow list no more than the beginning of the names, and may have none of them."""
    assert lacks(ends_in("Batch", **{"images.image1": ["3", 0]}), THERE) == ""
    assert lacks(ends_in("Batch"), THERE) == ""
    assert lacks(ends_in("Batch", **{"image.image1": ["3", 0]}), THERE) == "Batch has no input image.image1"


def test_formats_bring_inputs_along() -> None:
    """Those of VideoHelperSuite are listed with the choice of the format."""
    combined = {"images": ["3", 0], "format": "video/h264-mp4"}
    assert lacks(ends_in("Combine", **combined, crf=19), THERE) == ""
    assert lacks(ends_in("Combine", **combined, crop=19), THERE) == "Combine has no input crop"


def test_what_an_export_of_the_operator_s_has_more_is_no_lack() -> None:
    """A page of ComfyUI exports inputs of its own (`upload`); those that the order fills are looked at all the same."""
    exported = replace(graph({"1": {"upload": "image"}}), is_ours=False)
    assert lacks(exported, THERE) == ""
    bound = replace(exported, input={"3.inputs.prompt": "$prompt"})
    assert lacks(bound, THERE) == "Mixer has no input prompt"


def test_a_file_of_the_operator_s_is_told_from_ours(tmp_path: Path) -> None:
    """By the folder that it was found in."""
    assert (ours := graph_of(PRODUCT, tmp_path)) is not None
    assert ours.is_ours
    file = tmp_path / "own" / f"{PRODUCT}.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(orjson.dumps({"files": ["9"], "graph": NODES}))
    assert (own := graph_of(PRODUCT, tmp_path / "own")) is not None
    assert not own.is_ours
