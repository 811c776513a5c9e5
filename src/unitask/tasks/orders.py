"""From a request to an order: product, validation, media inside the body, engine, price."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from unitask.accounts.model import Caller
from unitask.artifacts.model import Artifact, StoredFile
from unitask.artifacts.service import Artifacts
from unitask.catalogue import Catalogue, validate
from unitask.engines import lack
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import Forbidden, InvalidInput, InvalidRequest, Unavailable
from unitask.kit.ids import new_id
from unitask.kit.media import HEAD_BYTES, BadInline, decode_inline, is_url, sniff
from unitask.kit.net import Guard, Refused
from unitask.queue.makers import Makers
from unitask.queue.model import Offer
from unitask.routing import engines_after
from unitask.spec.media import MediaValue, media_values
from unitask.spec.product import Input, Product, Recipe
from unitask.tasks.model import Idempotency, Order
from unitask.weights import Shelf

OFF: Final = "is off (UNITASK_ENGINES)"
"""How a sentence ends that says of an engine that the operator left it out."""
IDEMPOTENCY_KEEP_US: Final = 24 * 3600 * SECOND_US
_KEY_LENGTH: Final = 255
_SHORT_NAME: Final = 200
_MOST_ROUTES: Final = 20
Bars = Callable[[Recipe], str | None]
OwnKeys = Callable[[int], Awaitable[frozenset[str]]]


class _Tolerant(BaseModel):
    """Ignores what it does not know; a null counts as absent."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        return {key: item for key, item in value.items() if item is not None} if isinstance(value, dict) else value


class WebhookConfig(_Tolerant):
    """Where to announce the end of the task. Empty texts mean: nowhere."""

    endpoint: str = Field(default="", max_length=2048, description="Receives a POST when the task has ended.")
    secret: str = Field(
        default="", max_length=512, description="Comes with each message as `x-webhook-secret`, and signs it."
    )
    events: list[Literal["processing", "progress", "completed", "failed"]] | None = Field(
        default=None, max_length=16, description="What to announce. None or empty: `completed` and `failed`."
    )

    @field_validator("secret")
    @classmethod
    def _fits_a_header(cls, value: str) -> str:
        if not value.isprintable() or value != value.strip():
            raise ValueError("must be printable characters with no space at either end")
        return value


class Config(_Tolerant):
    """The part of a request that is not about the media."""

    service_mode: str = Field(default="", max_length=32)
    webhook_config: WebhookConfig = Field(default_factory=WebhookConfig)
    preview: bool | None = Field(
        default=None,
        description="Show in `meta.preview_url` what the engine has so far, where it has something to show.",
    )


class TaskRequest(_Tolerant):
    """The body of `POST /api/v1/task`."""

    model: str = Field(max_length=_SHORT_NAME)
    task_type: str = Field(max_length=_SHORT_NAME)
    input: dict[str, Any]
    config: Config | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that makes a product here, and what to install so that one (or a better one) can."""

    recipe: Recipe | None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of an order decides who may make it. `own_keys`: the providers for which its account left a key."""

    product: Product
    inputs: Input
    plan: str
    own_keys: frozenset[str]

    def bars(self, recipe: Recipe) -> str | None:
        """Say why a recipe is not for this order, or None."""
        has_own = recipe.engine in self.own_keys
        if recipe.own_key_only and not has_own:
            return f"it serves accounts that left their own key: PUT /api/v1/account/credentials/{recipe.engine}"
        if recipe.when is None:
            return None
        units = self.product.price.units(self.inputs)
        cost_points = 0 if has_own else None if recipe.cost_points is None else recipe.cost_points * units
        return recipe.when.unmet(self.inputs, self.plan, cost_points)


def bars_anyone(recipe: Recipe) -> str | None:
    """Say why a recipe is not for every account, or None."""
    return "it serves accounts that left their own key" if recipe.own_key_only else None


@dataclass(frozen=True, slots=True)
class Quote:
    """What an order would cost at most, who would make it, and what its input would be warned about."""

    product: Product
    points: int
    choice: Choice
    warnings: list[str]


class Orders:
    """Turns requests into orders. `deadline_us` is how long a task may live in all."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        artifacts: Artifacts,
        guard: Guard,
        clock: Clock,
        shelf: Shelf,
        engines: frozenset[str] | None,
        makers: Makers,
        own_keys: OwnKeys,
        deadline_us: int,
    ) -> None:
        self._catalogue = catalogue
        self._artifacts = artifacts
        self._guard = guard
        self._clock = clock
        self._deadline_us = deadline_us
        self._shelf = shelf
        self._engines = engines
        self._makers = makers
        self._own_keys = own_keys

    def choice(self, product: Product, bars: Bars = bars_anyone) -> Choice:
        """Tell which engine would make a product now: by what workers say, or by this machine where none has spoken.

        `bars` says why a recipe is not for an order.
        """
        return choose(product, self._engines, self._shelf, self._makers.offers, bars)

    async def prepare(self, raw: bytes, caller: Caller, idempotency_key: str | None) -> Order:
        """Check and price a request body.

        Raises:
            InvalidRequest: it cannot be understood, or a field is wrong; says which.
            Forbidden: the account or the key may not order this product.
            Unavailable: no engine here makes this product; says what to install.

        """
        request = _parse(raw)
        product = self._catalogue.find(request.model, request.task_type)
        _check_allowed(product, caller)
        inputs, warnings = validate(product, request.input)
        asked = await self._asked(product, inputs, caller)
        recipe = self._recipe(asked)
        config = request.config or Config()
        if config.webhook_config.endpoint:
            self._check_webhook(config.webhook_config.endpoint)
        now = self._clock.now_us()
        idempotency = _idempotency(idempotency_key, raw, now)
        return Order(
            task_id=new_id(now),
            caller=caller,
            model=product.model,
            task_type=product.task_type,
            product=product.key,
            family=product.family,
            engine=recipe.engine,
            routes=",".join(engines_after(product.recipes, recipe, lambda one: self._fits(asked, one))[:_MOST_ROUTES]),
            price_points=product.price.quote(inputs),
            artifacts=await self._take_in_media(inputs, caller.account_id),
            input=orjson.dumps(inputs.model_dump(exclude_none=True), option=orjson.OPT_SORT_KEYS).decode(),
            config=orjson.dumps(config.model_dump(exclude_none=True)).decode(),
            warnings=warnings,
            has_webhook=bool(config.webhook_config.endpoint),
            now=now,
            deadline=now + self._deadline_us,
            idempotency=idempotency,
        )

    async def quote(self, raw: bytes, caller: Caller) -> Quote:
        """Check and price a request body without ordering anything; media in it are not looked at.

        Raises:
            InvalidRequest: it cannot be understood, or a field is wrong; says which.
            Forbidden: the account or the key may not order this product.

        """
        request = _parse(raw)
        product = self._catalogue.find(request.model, request.task_type)
        _check_allowed(product, caller)
        inputs, warnings = validate(product, request.input)
        asked = await self._asked(product, inputs, caller)
        return Quote(product, product.price.quote(inputs), self.choice(product, asked.bars), warnings)

    async def discard(self, order: Order) -> None:
        """Take back the files of an order that was refused."""
        for artifact in order.artifacts:
            await self._artifacts.discard(artifact.file)

    async def _asked(self, product: Product, inputs: Input, caller: Caller) -> Asked:
        is_remote = any(recipe.is_remote for recipe in product.recipes)
        own_keys: frozenset[str] = await self._own_keys(caller.account_id) if is_remote else frozenset()
        return Asked(product, inputs, caller.plan, own_keys)

    def _fits(self, asked: Asked, recipe: Recipe) -> bool:
        return (self._engines is None or recipe.engine in self._engines) and asked.bars(recipe) is None

    def _recipe(self, asked: Asked) -> Recipe:
        product = asked.product
        if recipe := _offered(product, self._engines, self._makers.offers, asked.bars):
            return recipe  # no look at the disk for what is missing of better ones
        choice = self.choice(product, asked.bars)
        if choice.recipe is None:
            raise Unavailable(f"{product.model} {product.task_type} cannot be made here: {choice.missing}")
        return choice.recipe

    def _check_webhook(self, endpoint: str) -> None:
        try:
            self._guard.check_url(endpoint)
        except Refused as error:
            raise InvalidInput(f"invalid request: config.webhook_config.endpoint: {error}") from error

    async def _take_in_media(self, inputs: Input, account_id: int) -> tuple[Artifact, ...]:
        """Store files that came inside the body, put their references in place; check the addresses of others."""
        taken: list[Artifact] = []
        try:
            for value in media_values(inputs):
                if is_url(value.source):
                    self._check_source(value)
                else:
                    file = await self._store(value)
                    value.replace(file.reference)
                    taken.append(self._artifacts.as_input(file, account_id))
        except BaseException:
            for artifact in taken:
                await self._artifacts.discard(artifact.file)
            raise
        return tuple(taken)

    def _check_source(self, value: MediaValue) -> None:
        if self._artifacts.own_path(value.source):
            return
        try:
            self._guard.check_url(value.source)
        except Refused as error:
            raise InvalidInput(f"invalid request: {value.path}: {error}") from error

    async def _store(self, value: MediaValue) -> StoredFile:
        try:
            content = decode_inline(value.source, value.media.limit_bytes)
        except BadInline as error:
            raise InvalidInput(f"invalid request: {value.path} {error}") from error
        found = sniff(content[:HEAD_BYTES])
        if found is None or found.kind != value.media.kind:
            phrase = (
                "failed to get input audio"
                if value.media.kind == "audio"
                else f"failed to get valid {value.media.kind}"
            )
            seen = f"it is {found.content_type}" if found else "its format is unknown"
            raise InvalidInput(f"{phrase}: {value.path} must hold {value.media.kind} data, {seen}")
        return await self._artifacts.store_bytes(content, extension=found.extension)


def choose(
    product: Product,
    engines: frozenset[str] | None,
    shelf: Shelf,
    offers: frozenset[Offer] = frozenset(),
    bars: Bars = bars_anyone,
) -> Choice:
    """Pick the first recipe that a worker offers or, where there are no offers, that has all it needs here.

    `engines` are those in use; None: every one. `bars` says why a recipe is not for an order.
    """
    missing: list[str] = []
    offered = _offered(product, engines, offers, bars)
    for recipe in product.recipes:
        if engines is not None and recipe.engine not in engines:
            missing.append(f"the engine {recipe.engine} {OFF}")
            continue
        if recipe is offered:
            return Choice(recipe, "; ".join(missing))
        if bar := bars(recipe):
            missing.append(f"{recipe.engine}: {bar}")
            continue
        lacks = _lacks_provider(recipe) if recipe.is_remote else lack(recipe.engine) or shelf.lacks(recipe.weights)
        if lacks is None and not offers:
            return Choice(recipe, "; ".join(missing))
        missing.append(f"{recipe.engine}: {lacks or 'no worker of the last minutes makes it'}")
    return Choice(None, "; ".join(missing) or "it has no recipe")


def _lacks_provider(recipe: Recipe) -> str | None:
    return "no worker has said yet that it has a key for it" if recipe.is_keyless else None


def _offered(product: Product, engines: frozenset[str] | None, offers: frozenset[Offer], bars: Bars) -> Recipe | None:
    """Find the first recipe for an order, of an engine in use, that a worker said it makes."""
    for recipe in product.recipes:
        is_on = engines is None or recipe.engine in engines
        if is_on and Offer(product.key, recipe.engine, recipe.level) in offers and bars(recipe) is None:
            return recipe
    return None


def _check_allowed(product: Product, caller: Caller) -> None:
    for what, limits in (("account", caller.account_limits), ("key", caller.key_limits)):
        if not limits.allow_product(product.model, product.task_type):
            allowed = ", ".join(limits.models or ())
            raise Forbidden(f"this {what} may not order {product.key}; it may order: {allowed or 'nothing'}")


def _parse(raw: bytes) -> TaskRequest:
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"invalid request: the body is not JSON: {error}") from error
    if _has_nul(raw):
        raise InvalidRequest("invalid request: texts must not contain the NUL character (\\u0000)")
    if not isinstance(body, dict):
        raise InvalidRequest("invalid request: the body must be a JSON object with model, task_type and input")
    try:
        return TaskRequest.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(part) for part in first["loc"])
        what = f"{path} is required" if first["type"] == "missing" else f"{path}: {first['msg']}"
        raise InvalidRequest(f"invalid request: {what}") from error


def _has_nul(raw: bytes) -> bool:
    """Find an escaped NUL in JSON; after an escaped backslash the same six characters are a text about it."""
    return b"\\u0000" in raw and b"\\u0000" in raw.replace(b"\\\\", b"")


def _idempotency(key: str | None, raw: bytes, now: int) -> Idempotency | None:
    if not key:
        return None
    if len(key) > _KEY_LENGTH or not key.isprintable():
        raise InvalidRequest(f"invalid request: Idempotency-Key must be at most {_KEY_LENGTH} printable characters")
    return Idempotency(key, hashlib.sha256(raw).hexdigest(), now + IDEMPOTENCY_KEEP_US)
