"""All products that are sold, and the check of an input against its product.

Products are found by walking this package, whose every module exports `PRODUCTS`, and the entry point group
`unitask.products`; they are never listed by hand.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any, Final, Self, get_args

from pydantic import AliasChoices, AliasPath, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from unitask.kit.errors import InvalidInput, UnknownProduct
from unitask.spec.product import KEEP_DAYS, Input, Media, Product

GROUP: Final = "unitask.products"
LISTED_ERRORS: Final = 5
LISTED_WARNINGS: Final = 10
SHOWN_CHARS: Final = 80
SENTENCE_CHARS: Final = 600


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every product, by its key and by what a client writes. Iterates over the products themselves."""

    _by_key: Mapping[str, Product]
    _by_name: Mapping[tuple[str, str], Product]

    @classmethod
    def load(cls) -> Self:
        """Find every product of this package and of the installed packages that add some.

        Raises:
            ValueError: two products have one key.
            TypeError: an entry point offers something else than products.

        """
        return cls.of([*_own(), *_added()])

    @classmethod
    def of(cls, products: Iterable[Product]) -> Self:
        """Make a catalogue of these products.

        Raises:
            ValueError: two products have one key, letter case aside.

        """
        by_key: dict[str, Product] = {}
        by_name: dict[tuple[str, str], Product] = {}
        for product in products:
            name = (product.model.lower(), product.task_type)
            if first := by_name.get(name):
                raise ValueError(
                    f"two products are called {product.key!r}: {first.title!r} of {first.input.__module__} "
                    f"and {product.title!r} of {product.input.__module__}; rename or remove one",
                )
            by_key[product.key] = by_name[name] = product
        return cls(MappingProxyType(by_key), MappingProxyType(by_name))

    def priced(self, prices: Mapping[str, int]) -> Self:
        """Give the catalogue at other prices: points per unit by pattern of keys (`Qubico/flux*`); the last one wins.

        Raises:
            UnknownProduct: a pattern matches no product.

        """
        by_key = dict(self._by_key)
        for pattern, points in prices.items():
            for key in self._matching(pattern, "the price list"):
                price = replace(by_key[key].price, points_per_unit=points)
                by_key[key] = replace(by_key[key], price=price)
        return type(self).of(by_key.values())

    def keeping(self, days: Mapping[str, int]) -> Self:
        """Give the catalogue with other days to keep outputs, by kind or by pattern of keys; the last pattern wins.

        A kind is what products make: image, video, audio or model. It leaves alone those with days of their own.

        Raises:
            UnknownProduct: a pattern matches no product.

        """
        kinds: dict[str, int] = {kind: days[kind] for kind in get_args(Media) if kind in days}
        by_key = {
            key: replace(one, keep_days=kinds.get(one.media, one.keep_days)) if one.keep_days == KEEP_DAYS else one
            for key, one in self._by_key.items()
        }
        for pattern in [name for name in days if name not in kinds]:
            for key in self._matching(pattern, "UNITASK_KEEP_DAYS"):
                by_key[key] = replace(by_key[key], keep_days=days[pattern])
        return type(self).of(by_key.values())

    def _matching(self, pattern: str, where: str) -> list[str]:
        keys = [key for key in self._by_key if fnmatchcase(key.lower(), pattern.lower())]
        if not keys:
            raise UnknownProduct(
                f"{where} names {_shown(pattern)}, which is no product{_nearest(pattern, self._by_key)}"
            )
        return keys

    def __iter__(self) -> Iterator[Product]:
        return iter(self._by_key.values())

    def __len__(self) -> int:
        return len(self._by_key)

    def by_key(self, key: str) -> Product:
        """Give the product of a key, as written in the queue.

        Raises:
            UnknownProduct: the product is not, or no longer, in the catalogue.

        """
        try:
            return self._by_key[key]
        except KeyError:
            raise UnknownProduct(f"invalid request: no product {_shown(key)}") from None

    def find(self, model: str, task_type: str) -> Product:
        """Give the product that a client names; the model in any letter case and with blanks around it.

        Raises:
            UnknownProduct: no such model, or not this task type; the sentence names the nearest.

        """
        product = self._by_name.get((model.strip().lower(), task_type))
        if product is None:
            raise UnknownProduct(self._why_unknown(model.strip(), task_type))
        return product

    def _why_unknown(self, model: str, task_type: str) -> str:
        spelled = {product.model.lower(): product.model for product in self}
        if found := spelled.get(model.lower()):
            types = [product.task_type for product in self if product.model == found]
            near = _nearest(task_type, types)
            return f"invalid task type: {_shown(task_type)} of {found}; this model has: {', '.join(types)}{near}"
        return f"invalid request: no model {_shown(model)}{_nearest(model, spelled.values())}"


def _own() -> Iterator[Product]:
    for module in pkgutil.iter_modules(__path__):
        yield from importlib.import_module(f"{__name__}.{module.name}").PRODUCTS


def _added() -> Iterator[Product]:
    for entry in entry_points(group=GROUP):
        offered = entry.load()
        for product in [offered] if isinstance(offered, Product) else _each(offered, entry):
            if not isinstance(product, Product):
                raise TypeError(_not_products(entry))
            yield product


def _each(offered: object, entry: EntryPoint) -> Iterable[object]:
    if not isinstance(offered, Iterable):
        raise TypeError(_not_products(entry))
    return offered


def _not_products(entry: EntryPoint) -> str:
    return f"entry point {entry.name!r} ({entry.value}) of {GROUP!r} offers no Product and no iterable of them"


def validate(product: Product, raw: Mapping[str, Any]) -> tuple[Input, list[str]]:
    """Check an input; give it with its defaults filled in, and a warning for each key that was ignored.

    A null counts as absent, at every depth.

    Raises:
        InvalidInput: one sentence that names every wrong field by its path, the first five of them.

    """
    if not isinstance(raw, Mapping):
        raise InvalidInput("invalid request: input must be an object")
    warnings: list[str] = []
    known = _known(product.input, raw, "input", warnings)
    try:
        return product.input.model_validate(known), warnings
    except ValidationError as error:
        # The chain would carry the client's values, prompts and pictures included, into a log.
        raise InvalidInput(_what_is_wrong(error)) from None


def _what_is_wrong(error: ValidationError) -> str:
    wrong = [_fault(item) for item in error.errors(include_url=False, include_context=False, include_input=False)]
    more = [f"and {len(wrong) - LISTED_ERRORS} more"] if len(wrong) > LISTED_ERRORS else []
    return f"invalid request: {'; '.join(wrong[:LISTED_ERRORS] + more)}"


def _fault(item: ErrorDetails) -> str:
    path = "input" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in item["loc"])
    if item["type"] == "missing":
        return f"{path} is required"
    return f"{path}: {item['msg'].removeprefix('Value error, ')[:SENTENCE_CHARS]}"


def _known(model: type[BaseModel], raw: Mapping[str, Any], at: str, warnings: list[str]) -> dict[str, Any]:
    """Drop nulls and unknown keys; the walk follows the model, so the client does not choose its depth."""
    fields = _fields(model)
    kept: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in fields:
            _warn(warnings, at, str(key), fields)
        elif value is not None:
            kept[key] = _known_within(fields[key], value, f"{at}.{key}", warnings)
    return kept


def _known_within(model: type[BaseModel] | None, value: object, at: str, warnings: list[str]) -> object:
    if model is None:
        return value
    if isinstance(value, list):
        # One level: lists in lists would let the client choose the depth.
        return [
            _known(model, item, f"{at}[{index}]", warnings) if isinstance(item, Mapping) else item
            for index, item in enumerate(value)
        ]
    return _known(model, value, at, warnings) if isinstance(value, Mapping) else value


def _warn(warnings: list[str], at: str, key: str, fields: Iterable[str]) -> None:
    if len(warnings) < LISTED_WARNINGS:
        name = f"{at}.{key[:SHOWN_CHARS]}"
        warnings.append(f"{name} is not a field of this product and was ignored{_nearest(key, fields)}")
    elif len(warnings) == LISTED_WARNINGS:
        warnings.append("further fields that are not of this product were ignored")


@cache
def _fields(model: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """Every key that an input may use, aliases included, with the model of the objects found under it."""
    return {
        key: _model_in(field.annotation)
        for name, field in model.model_fields.items()
        for key in _keys(name, field, by_name=bool(model.model_config.get("populate_by_name")))
    }


def _keys(name: str, field: FieldInfo, *, by_name: bool) -> Iterator[str]:
    alias = field.validation_alias or field.alias
    if by_name or alias is None:
        yield name
    for choice in alias.choices if isinstance(alias, AliasChoices) else [alias]:
        if isinstance(choice, AliasPath):
            yield str(choice.path[0])
        elif choice is not None:
            yield choice


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Find the one model inside `Model`, `list[Model]`, `Model | None`; none where several are possible."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = {model for inner in get_args(annotation) if (model := _model_in(inner))}
    return found.pop() if len(found) == 1 else None


def _nearest(word: str, words: Iterable[str]) -> str:
    spelled = {each.lower(): each for each in words}
    near = get_close_matches(word.lower(), spelled, n=1) if len(word) <= SHOWN_CHARS else []
    return f"; did you mean {spelled[near[0]]!r}?" if near else ""


def _shown(text: str) -> str:
    return repr(text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}...")
