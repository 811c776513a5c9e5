"""The language of mappings: from a validated input to a provider's request."""

from typing import Annotated, Any, ClassVar

import pytest
from pydantic import BaseModel, Field

from unitask.remote.binding import BadMapping, Binder, at, names, put, steps
from unitask.spec.media import Image, Media, MediaValue
from unitask.spec.product import Input


class Style(BaseModel):
    """A LoRA, or what there is of one."""

    lora_type: str = ""
    lora_strength: float | None = None
    image: Image | None = None


class Order(Input):
    """An input with a field of every kind."""

    zero_is_default: ClassVar[frozenset[str]] = frozenset({"width", "height", "steps"})
    prompt: str = ""
    negative_prompt: str = ""
    width: int = 0
    height: int = 0
    steps: int = 0
    denoise: float = 0.0
    fast: bool = False
    seed: int = -1
    aspect_ratio: str | None = None
    image: Image | None = None
    images: Annotated[list[str], Media("image")] = Field(default_factory=list)
    lora_settings: list[Style] = Field(default_factory=list)


async def hand(value: MediaValue) -> str:
    """Hand a file over as its path and source."""
    return f"<{value.path}|{value.source}>"


async def bound(sources: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Write a request for an input."""
    return await Binder.of(Order.model_validate(values), 7, hand).document(sources)


async def read(source: Any, **values: Any) -> Any:
    """Read one source; `...` stands for what is left out."""
    return (await bound({"it": source}, **values)).get("it", ...)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (1, 1),
        (0.5, 0.5),
        (False, False),
        ("png", "png"),
        ("", ""),
        ("$$prompt", "$prompt"),
        ("@@image", "@image"),
        ("$prompt", "a cat"),
        ("$seed", 7),
        ("$fast", False),
        ("$denoise", 0.0),
        ("$width", 512),
        ("$negative_prompt", ...),
        ("$aspect_ratio", ...),
        ("$lora_settings", ...),
        ("$nothing", ...),
        ("$lora_settings[0].lora_type", ...),
        ("@image", ...),
    ],
)
async def test_a_source_is_read(source: Any, found: Any) -> None:
    """Plain values are themselves; a value that is not there leaves its target out."""
    assert await read(source, prompt="a cat", width=512) == found


async def test_a_zero_that_means_the_model_s_own_value_is_left_out() -> None:
    """Of those fields alone where it does; in every form."""
    sources = {"a": "$width", "b": {"from": "$steps", "times": 2}, "c": "$denoise", "d": {"text": "{width}"}}
    assert await bound(sources) == {"c": 0.0}
    assert await bound({"a": {"from": "$width", "default": 1024}}) == {"a": 1024}
    assert await bound({"a": {"from": "$width", "default": 1024}}, width=64) == {"a": 64}


@pytest.mark.parametrize(
    ("given", "source", "found"),
    [
        ("16:9", {"from": "$aspect_ratio", "map": {"16:9": "landscape"}}, "landscape"),
        ("1:1", {"from": "$aspect_ratio", "map": {"16:9": "landscape"}}, ...),
        ("1:1", {"from": "$aspect_ratio", "map": {"16:9": "landscape"}, "default": "square"}, "square"),
        ("1:1", {"from": "$aspect_ratio", "map": {"16:9": "landscape"}, "default": "$aspect_ratio"}, "1:1"),
        ("9:16", {"from": "$aspect_ratio", "map": {"9:16": "$prompt"}}, "a cat"),
        (None, {"from": "$aspect_ratio", "map": {"16:9": "landscape"}, "default": "square"}, ...),
        (None, {"from": "$aspect_ratio", "default": "square"}, "square"),
        (None, {"from": "$aspect_ratio", "default": "$prompt"}, "a cat"),
        (None, {"from": "$aspect_ratio"}, ...),
    ],
)
async def test_a_value_is_translated(given: str | None, source: Any, found: Any) -> None:
    """By a table of words; what it does not name falls to the default, what is not there is left out."""
    assert await read(source, prompt="a cat", aspect_ratio=given) == found


@pytest.mark.parametrize(("fast", "found"), [(True, "turbo"), (False, "usual")])
async def test_yes_and_no_are_translated(fast: bool, found: str) -> None:  # noqa: FBT001 - a case
    """As they are written."""
    assert await read({"from": "$fast", "map": {"true": "turbo", "false": "usual"}}, fast=fast) == found


async def test_numbers_are_translated_and_reckoned() -> None:
    """To whole numbers."""
    assert await read({"from": "$steps", "map": {"9": 4}}, steps=9) == 4
    assert await read({"from": "$denoise", "times": 16, "plus": 1}, denoise=5.03) == 81
    assert await read({"from": "$denoise", "times": 10}, denoise=0.26) == 3
    assert await read({"from": "$width", "plus": -2}, width=10) == 8


@pytest.mark.parametrize(
    ("pattern", "values", "found"),
    [
        ("{width}x{height}", {"width": 3, "height": 4}, "3x4"),
        ("{width}x{height}", {"width": 3}, ...),
        ("{width|1024}x{height|768}", {"width": 3}, "3x768"),
        ("{width|1024}x{height|768}", {}, ...),
        ("{width|1024}x{height}", {"width": 3}, ...),
        ("a {prompt}!", {"prompt": "cat"}, "a cat!"),
        ("{lora_settings[0].lora_type}.safetensors", {"lora_settings": [{"lora_type": "anime"}]}, "anime.safetensors"),
        ("{lora_settings[0].lora_type}.safetensors", {}, ...),
        ("{seed}", {}, "7"),
        ("always", {}, ...),
    ],
)
async def test_fields_stand_in_a_text(pattern: str, values: dict[str, Any], found: Any) -> None:
    """It is left out where one is absent that nothing stands for, and where all are."""
    assert await read({"text": pattern}, **values) == found


async def test_braces_that_a_client_writes_are_words() -> None:
    """No field is read that the mapping does not name."""
    assert await read({"text": "{prompt}, {negative_prompt}"}, prompt="{seed}", negative_prompt=r"\1") == r"{seed}, \1"


async def test_each_item_of_a_list_is_written() -> None:
    """With paths of its own, its files too; what it has not is left out of it."""
    styles = [{"lora_type": "anime", "lora_strength": 0.5}, {"lora_type": "ink", "image": "http://a.test/b.png"}]
    source = {
        "each": "$lora_settings",
        "as": {"path": "$lora_type", "by.scale": "$lora_strength", "image": "@image", "seed": "$seed", "k": "v"},
    }
    assert await read(source, lora_settings=styles) == [
        {"path": "anime", "by": {"scale": 0.5}, "seed": 7, "k": "v"},
        {"path": "ink", "image": "<input.lora_settings[1].image|http://a.test/b.png>", "seed": 7, "k": "v"},
    ]
    assert await read(source) == ...


async def test_items_are_translated_too() -> None:
    """Every form may stand within."""
    styles = [{"lora_type": "anime"}, {"lora_type": "ink"}]
    inner = {"from": "$lora_type", "map": {"anime": "a.bin"}, "default": {"text": "{lora_type}.bin"}}
    found = await read({"each": "$lora_settings", "as": {"path": inner}}, lora_settings=styles)
    assert found == [{"path": "a.bin"}, {"path": "ink.bin"}]


async def test_files_are_handed_over() -> None:
    """Each by its path; those that are not there are left out."""
    values = {"image": "http://a.test/1.png", "images": ["http://a.test/2.png", "http://a.test/3.png"]}
    sources = {"a": "@image", "b": ["@images[0]", "@images[1]", "@images[2]"]}
    assert await bound(sources, **values) == {
        "a": "<input.image|http://a.test/1.png>",
        "b": ["<input.images[0]|http://a.test/2.png>", "<input.images[1]|http://a.test/3.png>"],
    }


async def test_a_list_drops_what_is_absent() -> None:
    """And is one even where nothing is left."""
    assert await read(["$prompt", "$negative_prompt", 1], prompt="a cat") == ["a cat", 1]
    assert await read(["$prompt"]) == []


async def test_a_target_is_a_place_in_a_document() -> None:
    """Objects and lists are made on the way."""
    sources = {"size.width": "$width", "size.height": 2, "loras[0].path": "x", "loras[1].path": "y", "of[0]": "z"}
    assert await bound(sources, width=1) == {
        "size": {"width": 1, "height": 2},
        "loras": [{"path": "x"}, {"path": "y"}],
        "of": ["z"],
    }


def test_a_target_that_cannot_be_is_refused() -> None:
    """With its path."""
    document: dict[str, Any] = {"size": 3}
    with pytest.raises(BadMapping, match=r"size\.width"):
        put(document, "size.width", 1)
    with pytest.raises(BadMapping, match=r"size\[0\]"):
        put(document, "size[0]", 1)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("images[*].url", ["a", "b"]),
        ("images[1].url", ["b"]),
        ("images[9].url", []),
        ("video.url", ["c"]),
        ("video[0]", []),
        ("none", []),
        ("nothing.at.all", []),
        ("", [{"images": [{"url": "a"}, {"url": "b"}, {}], "video": {"url": "c"}, "none": None}]),
    ],
)
def test_values_are_found_in_an_answer(path: str, found: list[Any]) -> None:
    """In their order; nothing where a path leads nowhere."""
    answer = {"images": [{"url": "a"}, {"url": "b"}, {}], "video": {"url": "c"}, "none": None}
    assert list(at(answer, path)) == found


def test_a_path_is_split() -> None:
    """Into names and places."""
    assert steps("a.b[0].c[*]") == ["a", "b", 0, "c", "*"]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("$prompt", {"prompt"}),
        ("@image", {"image"}),
        ("$lora_settings[0].lora_type", {"lora_settings"}),
        ("$$prompt", set()),
        ("plain", set()),
        (3, set()),
        ({"from": "$width", "times": 2}, {"width"}),
        ({"from": "$width", "default": "$height"}, {"width", "height"}),
        ({"from": "$aspect_ratio", "map": {"16:9": "$width"}}, {"aspect_ratio", "width"}),
        ({"text": "{width|1}x{height}{lora_settings[0].lora_type}"}, {"width", "height", "lora_settings"}),
        ({"each": "$lora_settings", "as": {"path": "$lora_type"}}, {"lora_settings"}),
        (["$prompt", {"text": "{seed}"}], {"prompt", "seed"}),
    ],
)
def test_the_fields_that_are_read_are_known(source: Any, found: set[str]) -> None:
    """So that wishes that go unheard can be told."""
    assert names(source) == found


@pytest.mark.parametrize(("source", "has"), [("$prompt", True), ("$fast", False), ("$width", False), ("@image", False)])
async def test_it_is_known_what_an_order_has(source: str, has: bool) -> None:  # noqa: FBT001 - a case
    """A no counts as absent."""
    assert Binder.of(Order(prompt="a cat"), 7, hand).has(source) is has
