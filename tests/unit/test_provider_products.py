"""The words in which providers are ordered our products: every table fits its product and its engine."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import unitask.engines
from unitask.catalogue import Catalogue
from unitask.spec.media import Media
from unitask.spec.product import Product

_FOLDER: Final = Path(unitask.engines.__file__).parent
_CALLS: Final = {
    "fal": r"[a-z0-9-]+(/[A-Za-z0-9._-]+)+",
    "replicate": r"[a-z0-9_-]+/[a-z0-9._-]+(:[0-9a-f]{64})?",
    "openai": r"images/generations|images/edits|videos|audio/speech",
}
_KEYS: Final = {"call", "files", "input", "take", "unused"}
_STEP: Final = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_PLACE: Final = re.compile(r"|(\w+|\[(\d+|\*)\])(\.\w+|\[(\d+|\*)\])*")
_IN_TEXT: Final = re.compile(r"\{([^{}|]+)(?:\|[^{}|]*)?\}")
_PRODUCTS: Final = {product.key: product for product in Catalogue.load()}
_TABLES: Final = [
    pytest.param(engine, key, table, id=f"{engine}:{key}")
    for engine in _CALLS
    for key, table in tomllib.loads((_FOLDER / engine / "products.toml").read_text()).items()
]
every_table = pytest.mark.parametrize(("engine", "key", "table"), _TABLES)

Found = tuple[str, bool, dict[str, Any] | None]
"""A path into the input, whether it means a media file, and what its values are translated to."""


def _found(source: Any, under: str = "") -> Iterator[Found]:
    """Find what a source reads; `under` leads to the item that paths within an `each` begin at."""
    if isinstance(source, str) and source[:1] in {"$", "@"} and source[1:2] != source[0]:
        yield _whole(source[1:], under), source[0] == "@", None
    elif isinstance(source, list):
        for item in source:
            yield from _found(item, under)
    elif isinstance(source, dict) and "each" in source:
        path = _whole(source["each"].removeprefix("$"), under)
        yield path, False, None
        for inner in source["as"].values():
            yield from _found(inner, f"{path}[0].")
    elif isinstance(source, dict) and "text" in source:
        yield from ((_whole(path, under), False, None) for path in _IN_TEXT.findall(source["text"]))
    elif isinstance(source, dict):
        yield _whole(source["from"].removeprefix("$"), under), False, source.get("map")


def _whole(path: str, under: str) -> str:
    return path if path == "seed" else f"{under}{path}"


def _all_found(table: dict[str, Any]) -> list[Found]:
    return [one for source in table["input"].values() for one in _found(source) if one[0] != "seed"]


def _field_at(product: Product, path: str) -> FieldInfo | None:
    """Find the field that a path ends in or at one of whose items it ends, None where it leads nowhere."""
    model: type[BaseModel] | None = product.input
    field: FieldInfo | None = None
    for name, _ in _STEP.findall(path):
        if name:
            field = model.model_fields.get(name) if model else None
            model = _model_in(field.annotation) if field else None
    return field


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for inner in get_args(annotation) if (model := _model_in(inner))), None)


def _is_media(field: FieldInfo) -> bool:
    of_items = (note for item in get_args(field.annotation) for note in getattr(item, "__metadata__", ()))
    return any(isinstance(note, Media) for note in (*field.metadata, *of_items))


def _allowed(annotation: object) -> set[str]:
    """List the values of a field of a few words, of yes or no; empty for any other."""
    if annotation is bool:
        return {"true", "false"}
    inner = get_args(annotation)
    if inner and all(isinstance(one, str) for one in inner):
        return set(inner)
    return set().union(*(_allowed(one) for one in inner))


def _is_within(field: FieldInfo, value: str) -> bool:
    bounds = {name: getattr(note, name) for note in field.metadata for name in ("ge", "le") if hasattr(note, name)}
    return bounds.get("ge", int(value)) <= int(value) <= bounds.get("le", int(value))


@every_table
def test_a_table_is_of_a_product_that_is_sold(engine: str, key: str, table: dict[str, Any]) -> None:
    """A renamed or removed product takes its tables along, and a table has no key that nobody reads."""
    assert key in _PRODUCTS, engine
    assert table.keys() <= _KEYS
    assert table["input"]


@every_table
def test_a_call_has_the_form_of_its_engine(engine: str, key: str, table: dict[str, Any]) -> None:
    """Each engine names models in its own way."""
    assert re.fullmatch(_CALLS[engine], table["call"]), key


@every_table
def test_files_are_where_the_engine_looks_for_them(engine: str, key: str, table: dict[str, Any]) -> None:
    """Hubs say where the files are, those of several files by the fields of the output; media servers need no words."""
    files = table.get("files")
    if engine == "openai":
        assert files is None
        return
    paths = list(files.values()) if isinstance(files, dict) else files
    assert paths
    assert all(_PLACE.fullmatch(path) for path in paths)
    if isinstance(files, dict):
        assert files.keys() <= _PRODUCTS[key].output.model_fields.keys()
    else:
        assert len(files) == 1 or files == ["", "[*]"]


@every_table
def test_what_a_table_reads_is_in_the_input(engine: str, key: str, table: dict[str, Any]) -> None:
    """A source leads to a field of the product; media are handed over, all else is copied."""
    for path, is_file, _ in _all_found(table):
        field = _field_at(_PRODUCTS[key], path)
        assert field is not None, (engine, path)
        assert _is_media(field) == is_file, path


@every_table
def test_each_field_of_the_input_is_used_or_said_to_be_unused(engine: str, key: str, table: dict[str, Any]) -> None:
    """What an order says is not lost in silence; the seed is the job's and may be of no use to a model."""
    used = {_STEP.findall(path)[0][0] for path, _, _ in _all_found(table)}
    reasons = dict(line.split(": ", 1) for line in table.get("unused", []))
    fields = set(_PRODUCTS[key].input.model_fields) - {"seed"}
    assert used | reasons.keys() == fields, engine
    assert not used & reasons.keys()
    assert all(reason.strip() for reason in reasons.values())


@every_table
def test_what_is_translated_are_values_of_the_input(engine: str, key: str, table: dict[str, Any]) -> None:
    """The words on the left of a translation are words that a client may send."""
    for path, _, words in _all_found(table):
        if words is None:
            continue
        field = _field_at(_PRODUCTS[key], path)
        assert field is not None, (engine, path)
        if allowed := _allowed(field.annotation):
            assert words.keys() <= allowed, path
        else:
            assert field.annotation is int, path
            assert all(_is_within(field, word) for word in words), path


def test_a_word_that_is_left_out_of_a_translation_has_a_default_or_a_style() -> None:
    """Only styles, of which not every one has a source, may be unknown to a provider without a word for them."""
    for engine, key, table in (param.values for param in _TABLES):
        for target, source in table["input"].items():
            if isinstance(source, dict) and "map" in source and "default" not in source:
                field = _field_at(_PRODUCTS[key], source["from"].removeprefix("$"))
                assert field is not None
                assert source["map"].keys() == _allowed(field.annotation) or "lora" in target, (engine, key, target)
