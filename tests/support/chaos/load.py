"""Clients that order, wander between the APIs, retry under a key, and keep account of what they were promised."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from time import monotonic
from typing import Any, Final

import httpx

from support.accounts import Person
from support.installation import order

CLIENTS: Final = 24
HOOK_SECRET: Final = "a-secret-of-a-receiver"
PATIENCE_S: Final = 120.0
_SLOWEST_S: Final = 0.1
_TIMEOUT_S: Final = 5.0
_NOT_NOW: Final = {408, 409, 425, 429}
_KINDS: Final = {"ok": 60, "save_file": 20, "slow_steps": 9, "slow_save": 5, "raise": 6}
_SECONDS: Final = {"slow_steps": (0.05, 1.0), "slow_save": (1.0, 4.0)}
"""The longer ones outlive a lease: who lost one may come back with a result while another still works on it."""
_CANCELLED: Final = 0.03
_FORGETFUL: Final = 0.3


@dataclass
class Order:
    """What one client wants. `task_ids`: every task that was acknowledged for it; there must be one."""

    number: int
    person: Person
    body: dict[str, Any]
    key: str
    task_ids: set[str] = field(default_factory=set)
    is_cancelled: bool = False
    has_unknown_answer: bool = False

    @property
    def does(self) -> str:
        """What the engine is to do."""
        return str(self.body["input"]["do"])


@dataclass
class Load:
    """`total` orders, spread evenly over `seconds`, or as fast as they are taken."""

    urls: list[str]
    people: list[Person]
    hook: str
    random: Random
    total: int
    seconds: float
    orders: list[Order] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    acknowledged_at: dict[str, float] = field(default_factory=dict)
    looked_up: int = 0
    over: bool = False
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def run(self) -> None:
        """Order everything; ends when all has been ordered, or its answer is unknown."""
        self._began = monotonic()
        self._end = self._began + self.seconds + PATIENCE_S + self.total * _SLOWEST_S
        limits = httpx.Limits(max_connections=CLIENTS * 2, max_keepalive_connections=CLIENTS)
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=_TIMEOUT_S, limits=limits) as http:  # noqa: S501 - on this machine
            async with asyncio.TaskGroup() as group:
                for _ in range(CLIENTS):
                    group.create_task(self._client(http))
            self.over = True
            # Whoever never learned whether the order was taken asks again under the same key.
            forgotten = [one for one in self.orders if not one.task_ids]
            self.looked_up = len(forgotten)
            for one in forgotten:
                await self._order(http, one, forgetful=False)

    async def _client(self, http: httpx.AsyncClient) -> None:
        while (number := next(self._numbers)) < self.total:
            due = self._began + number * self.seconds / self.total
            await asyncio.sleep(max(0.0, due - monotonic()))
            one = self._make(number)
            self.orders.append(one)
            await self._order(http, one, forgetful=True)
            if one.task_ids and self.random.random() < _CANCELLED:
                await self._cancel(http, one)

    def _make(self, number: int) -> Order:
        (what,) = self.random.choices(list(_KINDS), list(_KINDS.values()))
        how = {"seconds": self.random.uniform(*_SECONDS[what]), "steps": 5} if what in _SECONDS else {}
        body = order(what, endpoint=self.hook, **how)
        body["config"]["webhook_config"]["secret"] = HOOK_SECRET
        return Order(number, self.random.choice(self.people), body, f"order-{number}")

    async def _order(self, http: httpx.AsyncClient, one: Order, *, forgetful: bool) -> None:
        """Order until there is an answer, at the APIs in turn; a forgetful client may leave it at not knowing."""
        headers = {**one.person.headers, "Idempotency-Key": one.key}
        turns = itertools.count(one.number)
        while monotonic() < self._end:
            turn = next(turns)
            url = f"{self.urls[turn % len(self.urls)]}/api/v1/task"
            try:
                answer = await http.post(url, json=one.body, headers=headers)
            except httpx.TransportError:
                self.answers["none"] += 1
                one.has_unknown_answer = True
                if forgetful and self.random.random() < _FORGETFUL:
                    return
                await asyncio.sleep(self.random.uniform(0.1, 0.5))
                continue
            self.answers[str(answer.status_code)] += 1
            if answer.is_success:
                task_id = answer.json()["data"]["task_id"]
                one.task_ids.add(task_id)
                self.acknowledged_at.setdefault(task_id, monotonic())
                return
            if answer.status_code < 500 and answer.status_code not in _NOT_NOW:
                self.wrong.append(f"order {one.number} was answered {answer.status_code}: {answer.text[:300]}")
                return
            if answer.status_code == 500:
                self.wrong.append(f"order {one.number} was answered 500: {answer.text[:300]}")
            await asyncio.sleep(self.random.uniform(0.05, 0.5))

    async def _cancel(self, http: httpx.AsyncClient, one: Order) -> None:
        """Take an order back, once; whether it came through may stay unknown."""
        one.is_cancelled = True
        url = f"{self.random.choice(self.urls)}/api/v1/task/{min(one.task_ids)}"
        try:
            answer = await http.delete(url, headers=one.person.headers)
        except httpx.TransportError:
            return
        if answer.status_code == 500 or (answer.is_client_error and answer.status_code not in _NOT_NOW):
            self.wrong.append(f"a cancel was answered {answer.status_code}: {answer.text[:300]}")
