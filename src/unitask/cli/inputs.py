"""From what a person types to an order: which product is meant, and what goes into which field of its input."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import orjson

from unitask_sdk import Client, Unsupported

Schema = Mapping[str, Any]
_PATH_CHARACTERS: Final = 1024
_ELSEWHERE: Final = ("http://", "https://", "data:")


@dataclass(frozen=True, slots=True)
class Offer:
    """A product as it is ordered: its names and the schema of its input, empty if nobody knows it."""

    model: str
    task_type: str
    schema: Schema

    @property
    def fields(self) -> Schema:
        """The fields of its input."""
        found: Schema = self.schema.get("properties", {})
        return found

    @property
    def required(self) -> set[str]:
        """The fields that must be given."""
        return set(self.schema.get("required", ()))

    @property
    def text_field(self) -> str | None:
        """Where the text on the command line goes: `prompt`, or the one text that must be given."""
        if "prompt" in self.fields or not self.fields:
            return "prompt"
        texts = [
            name
            for name, field in self.fields.items()
            if name in self.required and field.get("type") == "string" and "x-media" not in field
        ]
        return texts[0] if len(texts) == 1 else None

    def takes(self, names: set[str], *, text: bool) -> bool:
        """Tell whether these inputs, and a text if there is one, are enough and not too much."""
        if text and self.text_field is None:
            return False
        given = names | ({self.text_field} if text and self.text_field else set())
        return self.required <= given <= set(self.fields)


def offers(client: Client) -> list[Offer]:
    """List what the server makes; of one that does not tell, what this release knows."""
    try:
        return [Offer(one.model, one.task_type, one.input_schema) for one in client.products()]
    except Unsupported:
        from unitask.catalogue import Catalogue  # noqa: PLC0415 - every schema is built, for such servers alone

        return [Offer(one.model, one.task_type, one.input.model_json_schema()) for one in Catalogue.load()]


def pick(known: Sequence[Offer], model: str, task_type: str | None, names: set[str], *, text: bool) -> Offer:
    """Find the product that is meant.

    Raises:
        UsageError: none is, or more than one; says which there are.

    """
    meant = [one for one in known if model.lower() in (one.model.lower(), one.model.lower().rpartition("/")[2])]
    if not meant:
        if task_type:
            return Offer(model, task_type, {})
        raise click.UsageError(f"no model is called {model!r}; {_near(known, model)}")
    if task_type:
        found = [one for one in meant if one.task_type.lower() == task_type.lower()]
        return found[0] if found else Offer(meant[0].model, task_type, {})
    taking = meant if len(meant) == 1 else [one for one in meant if one.takes(names, text=text)]
    # Of two that could, the one that cannot do without what is given is the one that is meant.
    most = max((len(one.required) for one in taking), default=0)
    fitting = [one for one in taking if len(one.required) == most]
    if len(fitting) == 1:
        return fitting[0]
    listed = "\n".join(
        f"  -t {one.task_type:24} needs {', '.join(sorted(one.required)) or 'nothing'}" for one in fitting or meant
    )
    what = "more than one task type takes" if fitting else "no task type takes exactly"
    raise click.UsageError(f"{meant[0].model}: {what} what was given; say which:\n{listed}")


def _near(known: Sequence[Offer], model: str) -> str:
    names = sorted({one.model for one in known})
    short = {name.rpartition("/")[2].lower(): name for name in names}
    near = [short[name] for name in difflib.get_close_matches(model.lower(), short)]
    return f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(names)}"


def given_inputs(pairs: Sequence[str], document: str | None) -> dict[str, Any]:
    """Read `--input name=value`, which may be repeated for a list, over `--input-json`.

    Raises:
        UsageError: one of them cannot be read.

    """
    try:
        found = orjson.loads(document) if document else {}
    except orjson.JSONDecodeError as error:
        raise click.UsageError(f"--input-json is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.UsageError("--input-json must be an object, such as '{\"width\": 512}'")
    typed: dict[str, list[str]] = {}
    for pair in pairs:
        name, is_pair, value = pair.partition("=")
        if not is_pair or not name:
            raise click.UsageError(f"--input is a name and a value, such as width=512, not {pair!r}")
        typed.setdefault(name.strip(), []).append(value)
    return {**found, **{name: Typed(values) for name, values in typed.items()}}


class Typed(list[str]):
    """Values as they were typed for one field."""


def order(offer: Offer, text: str | None, given: Mapping[str, Any], upload: Callable[[Path], str]) -> dict[str, Any]:
    """Write the input of an order: values in the types of the schema, local files in place of their names.

    Raises:
        UsageError: there is no field for the text, or no file of this name.

    """
    inputs: dict[str, Any] = {}
    if text is not None:
        if offer.text_field is None:
            raise click.UsageError(f"{offer.model} {offer.task_type} has no one field for a text; use --input")
        inputs[offer.text_field] = text
    definitions = offer.schema.get("$defs", {})
    for name, value in given.items():
        field = offer.fields.get(name, {})
        read = _read(value, field, definitions) if isinstance(value, Typed) else value
        inputs[name] = _with_files(read, field, definitions, upload)
    return inputs


def _kinds(field: Schema, definitions: Schema) -> list[Schema]:
    """Give the schemas that a value may follow, references resolved."""
    if "$ref" in field:
        field = definitions.get(str(field["$ref"]).rpartition("/")[2], {})
    inner = [*field.get("anyOf", ()), *field.get("allOf", ())]
    return [field, *(kind for one in inner for kind in _kinds(one, definitions))]


def _items(kinds: Sequence[Schema]) -> Schema:
    """Give the schema of what a list holds."""
    found: Schema = next((kind["items"] for kind in kinds if "items" in kind), {})
    return found


def _read(typed: Typed, field: Schema, definitions: Schema) -> Any:
    """Turn what was typed into the type of the field: a text stays as it is, all else is JSON where it can be."""
    kinds = _kinds(field, definitions)
    if any("array" in str(kind.get("type")) for kind in kinds):
        items = _items(kinds)
        if len(typed) == 1 and isinstance(parsed := _parsed(typed[0]), list):
            return parsed
        return [_read(Typed([one]), items, definitions) for one in typed]
    if len(typed) > 1:
        raise click.UsageError(f"--input {field.get('title', 'of this name')} takes one value, not {len(typed)}")
    return typed[0] if any(kind.get("type") == "string" for kind in kinds) else _parsed(typed[0])


def _parsed(value: str) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _with_files(value: Any, field: Schema, definitions: Schema, upload: Callable[[Path], str]) -> Any:
    """Put uploads in place of local files, wherever the schema has media."""
    kinds = _kinds(field, definitions)
    if isinstance(value, str):
        return _uploaded(value, upload) if any("x-media" in kind for kind in kinds) else value
    if isinstance(value, list):
        items = _items(kinds)
        return [_with_files(one, items, definitions, upload) for one in value]
    if isinstance(value, dict):
        inner = {name: one for kind in kinds for name, one in kind.get("properties", {}).items()}
        return {name: _with_files(one, inner.get(name, {}), definitions, upload) for name, one in value.items()}
    return value


def _uploaded(value: str, upload: Callable[[Path], str]) -> str:
    if not value or value.startswith(_ELSEWHERE) or len(value) > _PATH_CHARACTERS:
        return value
    path = Path(value).expanduser()
    if path.is_file():
        return upload(path)
    if "." in value:  # base64 has no dot, names of files do
        raise click.UsageError(f"there is no file {value}")
    return value
