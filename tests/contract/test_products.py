"""What every product of the catalogue must keep to, asked of its JSON schema and its examples."""

import base64
import json
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass
from math import inf, nan
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unitask.catalogue import Catalogue, validate
from unitask.kit.errors import InvalidInput
from unitask.kit.media import HEAD_BYTES, sniff
from unitask.kit.pictures import read_image
from unitask.spec.media import Media, media_values
from unitask.spec.product import Product

CATALOGUE = Catalogue.load()
PRODUCTS = tuple(CATALOGUE)
TOO_LONG = "A" * 20_000_000
WRONG_TYPES: dict[str, list[Any]] = {
    "integer": ["many", 1.5, [], {}],
    "number": ["much", [], {}],
    "string": [5, 1.5, True, [], {}],
    "boolean": ["perhaps", 2, [], {}],
    "array": ["x", 5, {}],
    "object": ["x", 5, []],
}


@dataclass(frozen=True)
class Place:
    """One value inside an input: its keys and indexes, and what the schema says of it."""

    product: Product
    steps: tuple[str | int, ...]
    schema: dict[str, Any]
    required: bool

    @property
    def path(self) -> str:
        """Write it as an error does: `input.list[0].name`."""
        return "input" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.steps)

    def __str__(self) -> str:
        return f"{self.product.key} {self.path}"


def places(product: Product) -> Iterator[Place]:
    """List every value that an input of the product may hold, at any depth."""
    schema = product.input.model_json_schema()

    def below(part: dict[str, Any], steps: tuple[str | int, ...]) -> Iterator[Place]:
        for name, field in part.get("properties", {}).items():
            yield from at(field, (*steps, name), required=name in part.get("required", []))

    def at(part: dict[str, Any], steps: tuple[str | int, ...], *, required: bool) -> Iterator[Place]:
        options = [option for option in part.get("anyOf", []) if option.get("type") != "null"]
        part = part | (options[0] if options else {})
        if "$ref" in part:
            part = part | schema["$defs"][part["$ref"].rsplit("/", 1)[1]]
        yield Place(product, steps, part, required)
        yield from below(part, steps)
        if "items" in part:
            yield from at(part["items"], (*steps, 0), required=False)

    yield from below(schema, ())


PLACES = tuple(place for product in PRODUCTS for place in places(product))


def having(key: str) -> list[Any]:
    """List the places whose schema has this key, as parameters of a test."""
    return [pytest.param(place, id=str(place)) for place in PLACES if key in place.schema]


def plantings(place: Place, value: object) -> Iterator[dict[str, Any]]:
    """Take the examples of the product that have the place, with this value in it."""
    for example in place.product.examples:
        found = deepcopy(example.input)
        inner: Any = found
        try:
            for step in place.steps[:-1]:
                inner = inner[step]
            inner[place.steps[-1]] = value
        except (KeyError, IndexError):
            continue
        yield found


def planted(place: Place, value: object) -> dict[str, Any]:
    """Take an example of the product, with this value in this place."""
    if found := next(plantings(place, value), None):
        return found
    pytest.fail(f"no example of {place.product.key} fills the parent of {place.path}")


def without(place: Place) -> Any:
    """Validate an example with null in this place; where one of several fields must be sent, one that has another."""
    for raw in plantings(place, None):
        with suppress(InvalidInput):
            return validate(place.product, raw)[0]
    pytest.fail(f"no example of {place.product.key} does without {place.path}")


def refusal(place: Place, raw: dict[str, Any]) -> str:
    """Validate what must be refused; the sentence names the place and does not repeat large values."""
    with pytest.raises(InvalidInput) as refused:
        validate(place.product, raw)
    sentence = str(refused.value)
    assert sentence.startswith("invalid request: ")
    assert place.path in sentence
    assert len(sentence) < 1500
    return sentence


def played(file: Path, media: Media) -> None:
    """Decode a video or a sound to its end."""
    with av.open(str(file)) as container:
        frames = list(container.decode(**{media.kind: 0}))
    assert frames
    for frame in frames:
        if isinstance(frame, av.VideoFrame):
            assert max(frame.width, frame.height) <= media.limit_side_px
            assert frame.width * frame.height <= media.limit_pixels


every_product = pytest.mark.parametrize("product", PRODUCTS, ids=lambda product: product.key)


@every_product
def test_the_product_is_found_by_what_a_client_writes(product: Product) -> None:
    """Any letter case of the model leads to it."""
    assert CATALOGUE.find(product.model.upper(), product.task_type) is product


@every_product
def test_examples_are_accepted_as_they_are(product: Product) -> None:
    """Each documented request passes without a warning, and there are at least two of different titles."""
    for example in product.examples:
        _, warnings = validate(product, example.input)
        assert warnings == []
    assert len({example.title for example in product.examples}) >= 2


@every_product
def test_examples_need_no_network(product: Product, tmp_path: Path) -> None:
    """Their media are data URIs of the type they say, and decode to the end within the field's limits."""
    for example in product.examples:
        for value in media_values(validate(product, example.input)[0]):
            header, _, body = value.source.partition(",")
            assert header.startswith(f"data:{value.media.kind}/")
            file = tmp_path / "media"
            file.write_bytes(base64.b64decode(body, validate=True))
            found = sniff(file.read_bytes()[:HEAD_BYTES])
            assert found is not None
            assert found.content_type == header.removeprefix("data:").removesuffix(";base64")
            if value.media.kind == "image":
                read_image(file, limit_side_px=value.media.limit_side_px, limit_pixels=value.media.limit_pixels)
            else:
                played(file, value.media)


@every_product
def test_an_input_survives_being_written_down(product: Product) -> None:
    """What is stored as JSON at create is the same input when a worker reads it."""
    for example in product.examples:
        inputs, _ = validate(product, example.input)
        assert validate(product, json.loads(inputs.model_dump_json()))[0] == inputs


@every_product
def test_the_price_is_a_whole_number_above_zero(product: Product) -> None:
    """Each example has a quote, and a measure never charges more than it."""
    for example in product.examples:
        quote = product.price.quote(validate(product, example.input)[0])
        assert isinstance(quote, int)
        assert quote > 0
        assert 0 < product.price.charge(quote, {product.price.unit: 0.1}) <= quote
        assert product.price.charge(quote, {product.price.unit: 1e9}) == quote


@every_product
def test_the_product_can_be_made_and_shown(product: Product) -> None:
    """It has recipes with an engine each, words for people, a lifetime and time limits that make sense."""
    assert product.recipes
    assert all(recipe.engine and recipe.make for recipe in product.recipes)
    assert product.title
    assert product.summary
    assert product.family
    assert product.keep_days >= 1
    assert 0 < product.expected_s < product.limit_s


@every_product
def test_the_schemas_are_documents(product: Product) -> None:
    """Input and output have a JSON schema that can be written as JSON."""
    for model in (product.input, product.output):
        assert json.loads(json.dumps(model.model_json_schema()))["type"] == "object"


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_each_field_is_described_and_bounded(place: Place) -> None:
    """No text, list or number without limits reaches an engine."""
    schema = place.schema
    if isinstance(place.steps[-1], str):
        assert schema.get("description")
    bounds = {
        "string": {"maxLength", "enum", "const"},
        "array": {"maxItems"},
        "integer": {"maximum", "exclusiveMaximum", "enum", "const"},
        "number": {"maximum", "exclusiveMaximum", "enum", "const"},
    }.get(schema["type"])
    assert bounds is None or bounds & schema.keys()
    if "maximum" in schema:
        assert {"minimum", "exclusiveMinimum"} & schema.keys()


@pytest.mark.parametrize("place", [place for place in PLACES if place.required], ids=str)
def test_a_missing_required_field_is_named(place: Place) -> None:
    """Left out or null, the sentence says what is required."""
    raw = planted(place, None)
    assert f"{place.path} is required" in refusal(place, raw)
    inner: Any = raw
    for step in place.steps[:-1]:
        inner = inner[step]
    del inner[place.steps[-1]]
    assert f"{place.path} is required" in refusal(place, raw)


@pytest.mark.parametrize("place", [place for place in PLACES if place.required], ids=str)
def test_a_blank_required_text_is_refused(place: Place) -> None:
    """Blanks are no prompt and no picture."""
    if place.schema["type"] == "string":
        refusal(place, planted(place, " \n"))


@pytest.mark.parametrize("place", [place for place in PLACES if not place.required], ids=str)
def test_a_null_stands_for_the_default(place: Place) -> None:
    """An optional field may be sent as null."""
    if isinstance(place.steps[-1], str):
        inputs = without(place)
        for step in place.steps:
            inputs = inputs[step] if isinstance(step, int) else getattr(inputs, step)
        assert inputs == place.schema["default"]


@pytest.mark.parametrize("place", having("minimum"))
def test_a_number_below_its_minimum_is_refused(place: Place) -> None:
    """The lower bound of the schema is the one that is enforced."""
    refusal(place, planted(place, place.schema["minimum"] - 1))


@pytest.mark.parametrize("place", having("exclusiveMinimum"))
def test_a_number_at_its_excluded_minimum_is_refused(place: Place) -> None:
    """A bound that is excluded is refused itself."""
    refusal(place, planted(place, place.schema["exclusiveMinimum"]))


@pytest.mark.parametrize("place", having("maximum"))
def test_a_number_above_its_maximum_is_refused(place: Place) -> None:
    """The upper bound of the schema is the one that is enforced, and however large the number."""
    for beyond in (place.schema["maximum"] + 1, 10**30):
        refusal(place, planted(place, beyond))


@pytest.mark.parametrize("place", [place for place in PLACES if place.schema["type"] == "number"], ids=str)
@pytest.mark.parametrize("value", [nan, inf, "nan", "-inf"])
def test_what_is_not_a_number_is_refused(place: Place, value: object) -> None:
    """No comparison holds for "not a number", so a bound alone would let it pass."""
    refusal(place, planted(place, value))


@pytest.mark.parametrize("place", having("enum"))
def test_a_word_outside_the_choice_is_refused(place: Place) -> None:
    """The sentence lists the words that are accepted, and each of them is."""
    sentence = refusal(place, planted(place, "nonsense"))
    for word in place.schema["enum"]:
        assert repr(word) in sentence
        validate(place.product, planted(place, word))


@pytest.mark.parametrize("place", having("const"))
def test_a_word_other_than_the_only_one_is_refused(place: Place) -> None:
    """The sentence gives the word."""
    assert repr(place.schema["const"]) in refusal(place, planted(place, "nonsense"))


@pytest.mark.parametrize("place", having("maxLength"))
def test_a_text_beyond_its_length_is_refused(place: Place) -> None:
    """Prompts and media have a limit before anything reads them."""
    refusal(place, planted(place, TOO_LONG[: place.schema["maxLength"] + 1]))


@pytest.mark.parametrize("place", having("maxItems"))
def test_a_list_beyond_its_length_is_refused(place: Place) -> None:
    """A very long list is refused without looking at each item."""
    refusal(place, planted(place, [{}] * 10_000))


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_value_of_another_type_is_refused(place: Place) -> None:
    """Text for a number, an object for a text, and so on, each named by its path."""
    for value in WRONG_TYPES[place.schema["type"]]:
        refusal(place, planted(place, value))


@every_product
def test_an_unknown_key_is_ignored_with_a_warning(product: Product) -> None:
    """The result is the same as without it, and the warning names the key."""
    raw = product.examples[0].input
    inputs, warnings = validate(product, raw | {"no_such_field": {"a": [1]}})
    assert inputs == validate(product, raw)[0]
    assert warnings == ["input.no_such_field is not a field of this product and was ignored"]


@pytest.mark.parametrize("place", [place for place in PLACES if isinstance(place.steps[-1], str)], ids=str)
def test_a_misspelled_key_is_answered_with_the_right_one(place: Place) -> None:
    """The nearest field is suggested, also inside nested objects."""
    wrong = f"{place.steps[-1]}_"
    misspelled = Place(place.product, (*place.steps[:-1], wrong), place.schema, required=False)
    _, warnings = validate(place.product, planted(misspelled, 1))
    path = misspelled.path
    assert warnings == [f"{path} is not a field of this product and was ignored; did you mean {place.steps[-1]!r}?"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_any_json_is_accepted_or_refused_with_a_sentence(data: st.DataObject) -> None:
    """Whatever a stranger puts into a field, nothing but InvalidInput is raised."""
    place = data.draw(st.sampled_from(PLACES))
    with suppress(InvalidInput):
        validate(place.product, planted(place, data.draw(JSON)))
