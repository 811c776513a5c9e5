"""The fields of a JSON schema, nested ones included, as rows of a table."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from unitask.api.product_schemas import ProductSchemas, Schema

_MIB: Final = 2**20


@dataclass(frozen=True, slots=True)
class Field:
    """One row. `within` is the path of the object around it, such as `lora_settings[].`; empty at the top.

    `default` is JSON, empty where there is none; `allowed` says ranges and lengths; `values` lists an enum. `nullable`
    says that an output may be null here; in an input a null counts as absent.
    """

    within: str
    name: str
    type: str
    required: bool
    nullable: bool
    default: str
    allowed: str
    values: tuple[str, ...]
    description: str


def fields(schema: Schema, schemas: ProductSchemas) -> list[Field]:
    """List the fields of an object, each followed by the fields inside it."""
    return list(_fields(schemas.resolve(schema), schemas, "", ()))


def _fields(schema: Schema, schemas: ProductSchemas, within: str, around: tuple[str, ...]) -> Iterator[Field]:
    required = schema.get("required", [])
    # Stable, so that what must be sent comes first and the rest keeps its order.
    for name, field in sorted(schema.get("properties", {}).items(), key=lambda item: item[0] not in required):
        kinds = _kinds(field)
        yield Field(
            within=within,
            name=name,
            type=" or ".join(dict.fromkeys(_type(kind, schemas) for kind in kinds)),
            required=name in required,
            nullable=any(kind.get("type") == "null" for kind in field.get("anyOf", [])),
            default=_default(field),
            allowed="; ".join(filter(None, (_allowed(schemas.resolve(kind)) for kind in kinds))),
            values=tuple(value for kind in kinds for value in _values(schemas.resolve(kind))),
            description=field.get("description", ""),
        )
        for kind in kinds:
            yield from _inside(kind, schemas, f"{within}{name}", around)


def _inside(kind: Schema, schemas: ProductSchemas, path: str, around: tuple[str, ...]) -> Iterator[Field]:
    for nested in _kinds(kind.get("items", kind)):
        name = nested.get("$ref", "")
        # A class that holds itself would never end.
        if name and name not in around:
            within = f"{path}[]." if "items" in kind else f"{path}."
            yield from _fields(schemas.resolve(nested), schemas, within, (*around, name))


def _kinds(schema: Schema) -> list[Schema]:
    """Give what a value may be other than null."""
    kinds: list[Schema] = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return [kind for kind in kinds if kind.get("type") != "null"]


def _type(schema: Schema, schemas: ProductSchemas) -> str:
    whole = schemas.resolve(schema)
    if "x-media" in whole:
        return f"{whole['x-media']} file"
    if "items" in whole:
        return f"list of {' or '.join(f'{_type(kind, schemas)}s' for kind in _kinds(whole['items']))}"
    return str(whole.get("type", "value"))


def _default(schema: Schema) -> str:
    return "" if schema.get("default") is None else json.dumps(schema["default"], ensure_ascii=False)


def _values(schema: Schema) -> list[str]:
    listed = schema.get("items", schema).get("enum", [])
    return [value if isinstance(value, str) else json.dumps(value) for value in listed]


def _allowed(schema: Schema) -> str:
    if "const" in schema:
        return f"always {json.dumps(schema['const'], ensure_ascii=False)}"
    if "x-media" in schema:
        return _media(schema)
    parts = (
        _range(schema),
        _count(schema.get("minLength"), schema.get("maxLength"), "characters"),
        _count(schema.get("minItems"), schema.get("maxItems"), "items"),
        _allowed(schema["items"]) if "items" in schema else "",
    )
    return "; ".join(filter(None, parts))


def _media(schema: Schema) -> str:
    limits = [f"up to {schema['x-limit-bytes'] / _MIB:g} MiB"]
    # How large a decoded picture is says nothing of a sound.
    if schema["x-media"] != "audio":
        limits.append(f"{schema['x-limit-side-px']:,} px a side")
        if "x-limit-pixels" in schema:
            limits.append(f"{schema['x-limit-pixels']:,} px in all")
    return ", ".join(limits)


def _range(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"only {low}" if low == high else f"{low} to {high}"
    sides = (("above", above), ("at least", low), ("below", below), ("at most", high))
    return ", ".join(f"{word} {bound}" for word, bound in sides if bound is not None)


def _count(least: int | None, most: int | None, unit: str) -> str:
    if least and least == most:
        return f"exactly {least:,} {unit if least > 1 else unit.removesuffix('s')}"
    if least and most:
        return f"{least:,} to {most:,} {unit}"
    one = (most if most is not None else least) == 1
    unit = unit.removesuffix("s") if one else unit
    return f"at most {most:,} {unit}" if most is not None else f"at least {least:,} {unit}" if least else ""
