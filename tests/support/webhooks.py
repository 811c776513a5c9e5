"""Tasks with a webhook, from the order to the end, without HTTP."""

from typing import Any

from support.customer import Customer
from support.orders import CAT
from support.sql import rows
from support.worker import HandWorker
from unitask.app import Services
from unitask.kit.net import Guard


def hooked(url: str, secret: str = "", events: list[str] | None = None) -> dict[str, Any]:
    """Order a cat with a webhook."""
    webhook = {"endpoint": url, "secret": secret, **({} if events is None else {"events": events})}
    return {**CAT, "config": {"webhook_config": webhook}}


async def ended(customer: Customer, worker: HandWorker, url: str, number: int = 1, **webhook: str) -> list[str]:
    """Order tasks with a webhook and complete them; gives their ids."""
    task_ids = await customer.orders(number, hooked(url, **webhook))
    for work in await worker.claim(number):
        assert await worker.complete(work)
    return task_ids


async def state(services: Services) -> tuple[str, int, str]:
    """Read the one delivery: state, attempts, and why the last one failed."""
    (row,) = await rows(services.database, "select state, sent, last_reason from deliveries")
    return row["state"], row["sent"], row["last_reason"]


def with_guard(services: Services, guard: Guard) -> Services:
    """Let the same services reach other addresses."""
    values = {name: getattr(services, name) for name in Services.__slots__}
    return Services(**{**values, "guard": guard})
