"""Someone who orders through the services, without HTTP."""

from dataclasses import dataclass
from typing import Any

from support.accounts import open_account, read
from support.clock import ManualClock
from support.orders import CAT, raw
from unitask.accounts.model import Account, Caller
from unitask.app import Services
from unitask.tasks.model import Task

ENDPOINT = "https://example.com/hook"


def with_webhook(order: dict[str, Any], endpoint: str = ENDPOINT) -> dict[str, Any]:
    """Ask to be told of the end."""
    return {**order, "config": {"webhook_config": {"endpoint": endpoint}}}


@dataclass(frozen=True, slots=True)
class Customer:
    """One account with one key."""

    services: Services
    caller: Caller
    headers: dict[str, str]

    @classmethod
    async def of(cls, services: Services, name: str = "customer", *, points: int = 10**9, **account: Any) -> "Customer":
        """Open an account."""
        person = await open_account(services, name, points=points, **account)
        return cls(services, await services.accounts.authenticate(person.headers["X-API-Key"]), person.headers)

    async def order(self, order: dict[str, Any] = CAT, key: str | None = None) -> Task:
        """Order a task; a clock that stands still goes on a little, so that ids tell the order."""
        prepared = await self.services.orders.prepare(raw(order), self.caller, key)
        task = await self.services.tasks.create(prepared)
        if isinstance(self.services.clock, ManualClock):
            self.services.clock.pass_s(0.001)
        return task

    async def orders(self, number: int, order: dict[str, Any] = CAT) -> list[str]:
        """Order several tasks, one after the other; gives their ids."""
        return [(await self.order(order)).id for _ in range(number)]

    async def see(self, task_id: str) -> Task:
        """Read a task."""
        return await self.services.tasks.get(task_id, self.caller)

    async def statuses(self, task_ids: list[str]) -> list[str]:
        """Read the statuses of tasks."""
        return [str((await self.see(task_id)).status) for task_id in task_ids]

    async def cancel(self, task_id: str) -> Task:
        """Take an order back."""
        return await self.services.tasks.cancel(task_id, self.caller)

    async def account(self) -> Account:
        """Read balance and counters."""
        return await read(self.services, self.caller.account_id)

    async def books(self) -> tuple[int, ...]:
        """Read points and counters alone."""
        account = await self.account()
        points = (account.available_points, account.held_points, account.used_points, sum(account.spent.values()))
        return (*points, account.active_tasks, account.staged_tasks, sum(account.active.values()))
