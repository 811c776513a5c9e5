"""Announce: what happens to a task is owed to its webhook, in the transaction in which it happens."""

from collections.abc import Sequence
from typing import Final

import orjson

from unitask.db import Transaction
from unitask.tasks import repository
from unitask.webhooks import repository as webhooks
from unitask.webhooks.model import Due, Event

PROGRESS: Final = "progress"
_BY_DEFAULT: Final = ("completed", "failed")
_CHOSEN: Final = '"events"'


async def announce(tx: Transaction, news: Sequence[tuple[str, str]], now: int) -> None:
    """Owe messages about tasks that have a webhook: (task, what happened), as far as their clients want to know."""
    if not news:
        return
    configs = await repository.configs(tx, {task_id for task_id, _ in news})
    due = []
    for task_id, event in news:
        account_id, config = configs[task_id]
        webhook = orjson.loads(config)["webhook_config"]
        if event in (webhook.get("events") or _BY_DEFAULT):
            due.append(Due(account_id, task_id, Event(f"task.{event}"), webhook["endpoint"], webhook["secret"]))
    await webhooks.owe(tx, due, now)


def chooses_events(config: str) -> bool:
    """Tell whether a client said which events it wants: only then can a start be among them."""
    return _CHOSEN in config
