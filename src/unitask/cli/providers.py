"""What `unitask doctor` says of the operator's providers, and of the routes over them."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from unitask.cli.checks.known import Found, found
from unitask.cli.engines import without_key
from unitask.engines import remote
from unitask.kit.errors import EngineFailure
from unitask.kit.money import exact_usd
from unitask.remote.access import Access
from unitask.remote.redact import redact
from unitask.settings import Settings, key_variable
from unitask.spec.product import Conditions, Product, Recipe
from unitask.spec.remote import Provider, RemoteEngine

_ASK_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Seen:
    """How a provider is found. `bar`: why nothing is made there at present; `trouble`: what to do about it.

    `missing`: what would have to be added there, by product.
    """

    provider: Provider
    state: str
    bar: str = ""
    trouble: Found | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


async def look(settings: Settings, products: list[Product]) -> list[Seen]:
    """Ask all providers at once how they are, each for a while."""
    return await asyncio.gather(*(_look_at(settings, one, products) for one in settings.routing().providers.values()))


def barred(seen: Iterable[Seen], product: Product) -> dict[str, str]:
    """Say which providers cannot make a product at present, and why."""
    found = {one.provider.name: one.bar or one.missing.get(product.key, "") for one in seen}
    return {name: why for name, why in found.items() if why}


def described(seen: Seen, products: list[Product]) -> Iterator[str]:
    """Write down how a provider is; neither a key nor what looks like one is shown."""
    provider = seen.provider
    key = f"{key_variable(provider.name)} is set" if provider.key else "no key"
    yield f"   {provider.name:10} {provider.engine} at {_address(provider)}, {key}: {seen.state}"
    made = [one.key for one in _made_by(provider, products)]
    everything = f"all {len(made)} products" if len(made) == len(products) else ""
    yield f"      makes {everything or ', '.join(made) or 'nothing here'}"
    for what, keys in _grouped(seen.missing).items():
        yield f"      lacks, for {', '.join(keys)}: {what}"


def routes(settings: Settings, products: list[Product]) -> Iterator[str]:
    """Write down who makes what in which order, of the products for which the operator says so."""
    routing = settings.routing()
    for product in products:
        if routing.has_route(product):
            falls = any(recipe.falls for recipe in product.recipes)
            steps = " -> ".join(map(_step, product.recipes)) or "nobody: none of its route makes it"
            yield f"   {product.key}: {steps}{'' if falls else ', without failover'}"


def _made_by(provider: Provider, products: list[Product]) -> list[Product]:
    return [one for one in products if any(recipe.engine == provider.name for recipe in one.recipes)]


async def _look_at(settings: Settings, provider: Provider, products: list[Product]) -> Seen:
    name, engine = provider.name, remote()[provider.engine]
    if settings.engines is not None and name not in settings.engines:
        return Seen(provider, "it is off (UNITASK_ENGINES)")
    if name in settings.routing().keyless:
        cure = without_key(name)
        return Seen(provider, "it is not used", cure, found("provider-no-key", provider=name, why=cure))
    access = Access(provider, engine, allow_private=settings.allow_private_networks)
    try:
        if access.has_key:
            return await _ask(access, provider, engine, _made_by(provider, products))
        return Seen(provider, "it is for accounts that leave their own key, and not asked without one")
    finally:
        await access.close()


async def _ask(access: Access, provider: Provider, engine: RemoteEngine, products: list[Product]) -> Seen:
    until = asyncio.get_running_loop().time() + _ASK_S
    calls = access.calls()
    try:
        async with asyncio.timeout_at(until):
            await engine.ping(calls)
    except (EngineFailure, TimeoutError) as error:
        why = error.raw_message if isinstance(error, EngineFailure) else f"no answer within {_ASK_S:g} s"
        return _down(provider, why)
    state = f"answers in {1000 * (access.breaker.latency_s or 0):.0f} ms"
    try:
        async with asyncio.timeout_at(until):
            missing = await engine.missing(calls, products)
    except Exception as error:  # noqa: BLE001 - the answers of a server that is not what it is taken for may be anything
        return Seen(provider, f"{state}, but does not say what it has: {type(error).__name__}")
    return Seen(provider, state, missing=missing)


def _down(provider: Provider, why: str) -> Seen:
    key = f" and that {key_variable(provider.name)} is right" if provider.key else ""
    return Seen(
        provider,
        f"does not answer: {why}",
        "it does not answer at present",
        found("provider-down", provider=provider.name, why=why, at=_address(provider) + key),
    )


def _grouped(missing: Mapping[str, str]) -> dict[str, list[str]]:
    """Turn round what each product lacks: one entry for each thing."""
    found: dict[str, list[str]] = {}
    for product, lacks in missing.items():
        for what in lacks.split("; "):
            found.setdefault(what, []).append(product)
    return found


def _address(provider: Provider) -> str:
    whole = urlsplit(provider.url or remote()[provider.engine].url)
    keys = [provider.key.get_secret_value()] if provider.key else []
    return redact(whole._replace(query="", fragment="").geturl(), keys)


def _step(recipe: Recipe) -> str:
    own = ["for accounts with a key of their own"] if recipe.own_key_only else []
    costs = recipe.when is not None and recipe.when.cost_points is not None
    unknown = ["never taken: its provider has no costs"] if costs and recipe.cost_points is None else []
    return f"{recipe.engine} ({', '.join([recipe.level, *_conditions(recipe.when), *own, *unknown])})"


def _conditions(when: Conditions | None) -> Iterator[str]:
    if when is None:
        return
    if when.cost_points is not None:
        yield f"up to ${exact_usd(when.cost_points).rstrip('0').rstrip('.')}"
    if when.plans:
        yield f"for the plans {' and '.join(sorted(when.plans))}"
    yield from (f"{name} up to {most:g}" for name, most in when.at_most.items())
    yield from (f"{name} from {least:g}" for name, least in when.at_least.items())
