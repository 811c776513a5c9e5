"""Orders that come with a script, and what they have that the documented schema has not."""

from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, Final

import orjson
from pydantic import BaseModel

from unitask.accounts.model import Caller
from unitask.catalogue import Catalogue
from unitask.emulator.script import Script, refusal, script_of
from unitask.spec.product import Recipe
from unitask.tasks.model import Order
from unitask.tasks.orders import Config, Orders, TaskRequest, WebhookConfig

NOTES: ContextVar[list[str] | None] = ContextVar("notes", default=None)
"""Where the differences of the request that is being served are collected."""
PLAIN: Final = Script()
_KEPT: Final = 100_000


class ScriptedOrders(Orders):
    """Orders that remember their scripts, by task id."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.scripts: OrderedDict[str, Script] = OrderedDict()

    async def prepare(self, raw: bytes, caller: Caller, idempotency_key: str | None) -> Order:
        """Check and price a request body, and do what its script says about that.

        Raises:
            InvalidRequest: the script cannot be understood; and all that the real server raises.

        """
        body = _loaded(raw)
        script = script_of(body)
        if script.refuse is not None:
            raise refusal(script.refuse)
        order = await super().prepare(raw, caller, idempotency_key)
        warnings = [*order.warnings, *_unknown(body)]
        if (notes := NOTES.get()) is not None:
            notes += warnings
        self.scripts[order.task_id] = script
        if len(self.scripts) > _KEPT:
            self.scripts.popitem(last=False)
        has_webhook = order.has_webhook and script.webhook == "sent"
        order = replace(order, warnings=warnings, has_webhook=has_webhook)
        return _without_slot(order) if script.staged_s else order


def _without_slot(order: Order) -> Order:
    """Let an order find its key's limit reached; as a family of its own, so that no other order waits behind it."""
    limits = order.caller.key_limits.model_copy(update={"concurrent_tasks": 0})
    return replace(order, family=order.task_id, caller=replace(order.caller, key_limits=limits))


def _loaded(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None


def _unknown(body: Any) -> list[str]:
    """Name what stands beside `input` and that the schema does not know; validation names what stands in it."""
    if not isinstance(body, dict):
        return []
    config = body.get("config") or {}
    webhook = config.get("webhook_config") or {}
    levels: list[tuple[str, dict[str, Any], type[BaseModel], set[str]]] = [
        ("", body, TaskRequest, set()),
        ("config.", config, Config, {"emulator"}),
        ("config.webhook_config.", webhook, WebhookConfig, set()),
    ]
    return [
        f"{path}{name} is not in the documented schema; it was ignored"
        for path, given, model, ours in levels
        for name in given
        if name not in model.model_fields and name not in ours
    ]


def as_cards(catalogue: Catalogue) -> Catalogue:
    """Let every product be made as a card."""
    return Catalogue.of(
        replace(
            product,
            recipes=(
                Recipe(
                    "preview",
                    "preview",
                    "card",
                    {
                        **product.recipes[-1].options,
                        "product": product.key,
                        "form": list(product.output.model_fields),
                    },
                ),
            ),
        )
        for product in catalogue
    )
