"""Who makes what, as the operator says it: providers, and for each product the order of its recipes."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from unitask.catalogue import Catalogue
from unitask.engines import installed, remote
from unitask.kit.money import points
from unitask.spec.product import Conditions, Product, Recipe, is_named
from unitask.spec.remote import PROVIDER_NAME, Provider

_LEVELS: Final = ("full", "basic", "preview")


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _points(dollars: str | None) -> int | None:
    return None if dollars is None else points(dollars)


class _Provider(_Table):
    engine: str = ""
    url: str = Field("", pattern=r"^(https?://[^\s/@]+(/\S*)?)?$")
    products: tuple[str, ...] | None = None
    recipes: Path | None = None
    at_once: int | None = Field(None, ge=1, le=256)
    limit_s: int | None = Field(None, ge=1, le=24 * 3600)
    costs: dict[str, str] = {}
    paid: bool | None = None
    own_key_only: bool = False


class _Step(_Table):
    engine: str
    cost_at_most: str | None = None
    plans: frozenset[str] = frozenset()
    at_most: dict[str, float] = {}
    at_least: dict[str, float] = {}

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"engine": value} if isinstance(value, str) else value

    @field_validator("cost_at_most")
    @classmethod
    def _amount(cls, value: str | None) -> str | None:
        _points(value)
        return value


class _Route(_Table):
    products: tuple[str, ...]
    order: tuple[_Step, ...] = Field(min_length=1)
    failover: bool = True


class _File(_Table):
    provider: dict[str, _Provider] = {}
    route: tuple[_Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Routing:
    """The providers by name, and the routes, of which for each product the last one counts."""

    providers: Mapping[str, Provider]
    own_key_only: frozenset[str] = frozenset()
    _routes: tuple[_Route, ...] = ()

    @classmethod
    def of(cls, tables: Mapping[str, Any], key: Callable[[str], SecretStr | None], folder: Path) -> Self:
        """Read the tables of a file in a folder. `key` finds the operator's key for a provider.

        Raises:
            ValueError: something in them is wrong; says what.

        """
        try:
            read = _File.model_validate(tables)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
        providers = {name: _provider(name, table, key(name), folder) for name, table in read.provider.items()}
        known = {*installed(), *providers}
        for step in (step for route in read.route for step in route.order):
            if step.engine not in known:
                raise ValueError(f"route: no engine {step.engine!r}; there are: {', '.join(sorted(known))}")
        own = frozenset(name for name, table in read.provider.items() if table.own_key_only)
        return cls(providers, own, read.route)

    @property
    def keyless(self) -> frozenset[str]:
        """The providers that serve nobody without a key, have none here, and do not wait for those of accounts."""
        return frozenset(
            name
            for name, provider in self.providers.items()
            if provider.key is None and remote()[provider.engine].asks_key and name not in self.own_key_only
        )

    def has_route(self, product: Product) -> bool:
        """Tell whether the operator wrote an order of engines for a product."""
        return any(_concerns(route, product) for route in self._routes)

    def among(self, engines: Collection[str] | None) -> Self:
        """Give it with the providers of these names alone; None: with all."""
        if engines is None:
            return self
        kept = {name: provider for name, provider in self.providers.items() if name in engines}
        return replace(self, providers=kept)

    def apply(self, catalogue: Catalogue) -> Catalogue:
        """Give the catalogue with the providers' recipes, each product's in the order of its route.

        Without a route: by level, at each level what is here first; and a recipe falls to the next of its level.

        Raises:
            ValueError: a pattern of products matches none, or a bound is of a field that none of them has.

        """
        if not self.providers and not self._routes:
            return catalogue
        keys = [product.key for product in catalogue]
        patterns = [
            *(pattern for one in self.providers.values() for pattern in (*(one.products or ()), *one.costs)),
            *(pattern for route in self._routes for pattern in route.products),
        ]
        for pattern in patterns:
            if not any(is_named(key, pattern) for key in keys):
                raise ValueError(f"{pattern!r} is no product")
        for route in self._routes:
            _check_bounds(route, [product for product in catalogue if _concerns(route, product)])
        return Catalogue.of(replace(product, recipes=self._recipes(product)) for product in catalogue)

    def _recipes(self, product: Product) -> tuple[Recipe, ...]:
        found = [*product.recipes, *(one for one in map(self._by(product), self.providers.values()) if one)]
        route = next((one for one in reversed(self._routes) if _concerns(one, product)), None)
        if route is None:
            ordered = sorted(found, key=lambda one: _LEVELS.index(one.level))
            return tuple(
                replace(one, falls=one.level == following.level)
                for one, following in zip(ordered, [*ordered[1:], ordered[-1]], strict=True)
            )
        return tuple(
            replace(one, falls=route.failover, when=_conditions(step))
            for step in route.order
            for one in found
            if one.engine == step.engine
        )

    def _by(self, product: Product) -> Callable[[Provider], Recipe | None]:
        def recipe(provider: Provider) -> Recipe | None:
            wanted = provider.products is None or any(is_named(product.key, one) for one in provider.products)
            if not wanted or not remote()[provider.engine].makes(product, provider):
                return None
            costs = [cost for pattern, cost in provider.costs.items() if is_named(product.key, pattern)]
            return Recipe(
                provider.name,
                "full",
                provider.engine,
                limit_s=provider.seconds(product),
                is_remote=True,
                cost_points=costs[-1] if costs else None,
                own_key_only=provider.name in self.own_key_only,
                is_keyless=provider.name in self.keyless,
            )

        return recipe


NO_ROUTING: Final = Routing({})


def _provider(name: str, table: _Provider, key: SecretStr | None, folder: Path) -> Provider:
    if not re.fullmatch(PROVIDER_NAME, name):
        raise ValueError(f"provider.{name}: a name is small letters, digits and dashes")
    engine = table.engine or name
    if engine not in remote():
        raise ValueError(f"provider.{name}: no engine {engine!r}; engines for providers: {', '.join(sorted(remote()))}")
    if name in installed():
        raise ValueError(f"provider.{name}: an engine of this name runs on this machine; take another name")
    if not table.url and not remote()[engine].url:
        raise ValueError(f"provider.{name}: url is missing: the address of the server")
    recipes = table.recipes and folder / table.recipes
    if recipes and not recipes.exists():
        raise ValueError(f"provider.{name}: recipes: there is no {recipes}")
    return Provider(
        name=name,
        engine=engine,
        url=table.url.rstrip("/"),
        key=key,
        products=table.products,
        recipes=recipes,
        at_once=table.at_once or remote()[engine].at_once,
        limit_s=table.limit_s,
        costs={pattern: points(dollars) for pattern, dollars in table.costs.items()},
        takes_own_keys=remote()[engine].asks_key or table.own_key_only,
        paid=remote()[engine].asks_key or key is not None if table.paid is None else table.paid,
    )


def _conditions(step: _Step) -> Conditions | None:
    if step.model_fields_set == {"engine"}:
        return None
    return Conditions(_points(step.cost_at_most), step.plans, step.at_most, step.at_least)


def _concerns(route: _Route, product: Product) -> bool:
    return any(is_named(product.key, pattern) for pattern in route.products)


def _check_bounds(route: _Route, products: Sequence[Product]) -> None:
    known = {field for product in products for field in product.input.model_fields}
    for step in route.order:
        for field in (*step.at_most, *step.at_least):
            if field not in known:
                raise ValueError(f"route: {field!r} is no field of {', '.join(route.products)}")


def engines_after(recipes: Sequence[Recipe], chosen: Recipe, fits: Callable[[Recipe], bool]) -> tuple[str, ...]:
    """List the engines that have a task after the chosen one fails, as far as each falls to the next."""
    found: list[str] = []
    falls = chosen.falls
    for recipe in _behind(recipes, chosen):
        if not falls:
            break
        if recipe.engine not in {chosen.engine, *found} and fits(recipe):
            found.append(recipe.engine)
        falls = recipe.falls
    return tuple(found)


def _behind(recipes: Sequence[Recipe], chosen: Recipe) -> Iterable[Recipe]:
    return recipes[recipes.index(chosen) + 1 :]
