"""Hypothesis looks for a story after which the books are wrong, and tells the shortest it finds."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pydantic import SecretStr

from support.accounts import ACTOR, open_account
from support.books import troubles
from support.clock import ManualClock
from support.customer import Customer, with_webhook
from support.orders import CAT, cutout, raw
from support.sql import rows
from support.worker import HandWorker
from support.world import World
from unitask.accounts.limits import NO_LIMITS, Limits
from unitask.accounts.model import Account
from unitask.administration import books
from unitask.app import Services
from unitask.billing import repository as ledger
from unitask.billing.model import Book
from unitask.db import Database
from unitask.kit.clock import DAY_US, SECOND_US
from unitask.kit.errors import Conflict, IdempotencyMismatch, InsufficientCredits, TooManyTasks
from unitask.settings import Settings
from unitask.tasks.model import Work

EXAMPLES = 40
STEPS = 30
STAGED = 3
FOUR = {
    "model": "Qubico/flux1-schnell",
    "task_type": "txt2img",
    "input": {"prompt": "four cats", "batch_size": 4, "width": 512, "height": 512},
}
ORDERS = {"cat": CAT, "four": FOUR, "cutout": cutout("https://example.com/a.png"), "hook": with_webhook(FOUR)}
CAPPED = 400_000
# Who there is: points to begin with, some of which expire the next day, and limits of the account and of the key.
PEOPLE: dict[str, dict[str, Any]] = {
    "rich": {"points": 10**8},
    "poor": {"points": 100_000, "for_a_day": 400_000},
    "house": {"unlimited": True, "task_limit": 2},
    "narrow": {"points": 10**7, "family_tasks": {"flux": 1}, "staged_tasks": 2},
    "keyed": {"for_a_day": 10**6, "key": Limits(concurrent_tasks=1, staged_tasks=1)},
    "daily": {"points": 10**7, "daily_points": CAPPED, "key": Limits(family_tasks={"flux": 2})},
}
LIMITS = {
    "none": NO_LIMITS,
    "one": Limits(concurrent_tasks=1),
    "no-flux": Limits(family_tasks={"flux": 0}, concurrent_tasks=3),
    "a-day": Limits(daily_points=CAPPED, staged_tasks=1, concurrent_tasks=2),
}
HOUR_S = 3600
TIMES_S = {"a beat": 2, "a lease": 20, "hours": 5 * HOUR_S, "a day": 24 * HOUR_S}
names = st.sampled_from(sorted(PEOPLE))
whats = st.sampled_from(sorted(ORDERS))
picks = st.integers(0, 2) | st.integers(0, 50)  # mostly one of the latest
order_keys = st.sampled_from([None, None, None, "one", "two"])
# How an attempt ends: a number is how many pictures were made.
ends = st.sampled_from(["later", "made", "failed", "retry", "given back", 0, 1, 2.2, 9])
amounts = st.sampled_from([1, 50_000, 150_000, 1_000_000])


class Story(RuleBasedStateMachine):
    """Customers, workers, the operator and the housekeeping do whatever may happen."""

    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.people: dict[str, Customer] = {}
        self.tasks: list[tuple[Customer, str]] = []
        self.works: list[tuple[HandWorker, Work]] = []
        self.ended: dict[str, dict[str, Any]] = {}
        self.counts: dict[str, int] = {}
        self.services: Services | None = None

    @initialize(orders=st.lists(st.tuples(names, whats), max_size=12))
    def begin(self, orders: list[tuple[str, str]]) -> None:
        """Open the server and the accounts, and order the first things."""
        self.world(self._open())
        for name, what in orders:
            self.world(self._order(self.people[name], ORDERS[what], None))

    async def _open(self) -> None:
        url = await self.world.empty()
        config = Settings.load(
            data=self.world.folder,
            database_url=url,
            secret=SecretStr("a-secret-for-tests"),
            staged_limit=STAGED,
            task_deadline_s=4 * 24 * HOUR_S,
        )
        self.services = services = await Services.open(config, self.clock)
        self.workers = [HandWorker(services, f"worker-{number}") for number in range(2)]
        for name, who in PEOPLE.items():
            terms = dict(who)
            key, for_a_day = terms.pop("key", NO_LIMITS), terms.pop("for_a_day", 0)
            person = await open_account(services, name, **terms)
            if for_a_day:
                end = self.clock.now_us() + DAY_US
                await services.credit.top_up(person.account_id, for_a_day, actor=ACTOR, expires_at=end)
            (made,) = await services.keyring.keys(person.account_id)
            await services.keyring.set(made.id, actor=ACTOR, limits=key)
            self.people[name] = Customer(
                services, await services.accounts.authenticate(person.headers["X-API-Key"]), person.headers
            )

    def teardown(self) -> None:
        """Close the server."""
        if self.services is not None:
            self.world(self.services.close())

    @rule(name=names, whats=st.lists(whats, min_size=1, max_size=4), key=order_keys)
    def order(self, name: str, whats: list[str], key: str | None) -> None:
        """Order a few things, perhaps again under an old key; a refusal has its reason."""
        for what in whats:
            self.world(self._order(self.people[name], ORDERS[what], key))

    @rule(orders=st.lists(st.tuples(names, whats), max_size=6), ends=st.lists(ends, min_size=1, max_size=6))
    def be_busy(self, orders: list[tuple[str, str]], ends: list[str | float]) -> None:
        """Let several accounts order, and a worker work."""
        for name, what in orders:
            self.world(self._order(self.people[name], ORDERS[what], None))
        self.world(self._work(self.workers[0], ends))

    async def _order(self, customer: Customer, what: dict[str, Any], key: str | None) -> None:
        before = await customer.account()
        price = (await self._services.orders.prepare(raw(what), customer.caller, None)).price_points
        payable = before.unlimited or before.available_points >= price
        payable = payable and not self._beyond_the_day(before, price)
        limits = (STAGED, before.limits.staged_tasks, customer.caller.key_limits.staged_tasks)
        try:
            task = await customer.order(what, key)
        except IdempotencyMismatch:
            assert key
        except InsufficientCredits:
            assert not payable, "the order could be paid"
        except TooManyTasks:
            least = min(limit for limit in limits if limit is not None)
            assert before.staged_tasks >= least, "there was room for one more staged task"
        else:
            if task.id not in {task_id for _, task_id in self.tasks}:
                self.tasks.append((customer, task.id))
                assert payable, "the order could not be paid"

    def _beyond_the_day(self, account: Account, price: int) -> bool:
        cap = account.limits.daily_points
        today = self.clock.now_us() // DAY_US
        return cap is not None and price + (account.spent.get("", 0) if account.spent_day == today else 0) > cap

    @rule(worker=st.integers(0, 1), ends=st.lists(ends, min_size=1, max_size=4))
    def work(self, worker: int, ends: list[str | float]) -> None:
        """Let a worker claim tasks and end them, some of them at once."""
        self.world(self._work(self.workers[worker], ends))

    async def _work(self, worker: HandWorker, ends: list[str | float]) -> None:
        works = await worker.claim(len(ends))
        self.works += [(worker, work) for work in works]
        for work, end in zip(works, ends, strict=False):
            await self._end(worker, work, end)

    async def _end(self, worker: HandWorker, work: Work, end: str | float) -> None:
        match end:
            case "later":
                pass
            case "made":
                await worker.complete(work)
            case "failed" | "retry" | "given back":
                await worker.fail(work, retryable=end == "retry", given_back=end == "given back")
            case number:
                await worker.complete(work, measures={"image": number})

    @precondition(lambda self: self.works)
    @rule(pick=picks, end=ends)
    def report(self, pick: int, end: str | float) -> None:
        """End an attempt that may have been lost or reported before."""
        self.world(self._end(*self.works[-1 - pick % len(self.works)], end))

    @precondition(lambda self: self.tasks)
    @rule(pick=picks, everything=st.booleans())
    def cancel(self, pick: int, everything: bool) -> None:  # noqa: FBT001 - Hypothesis names its arguments
        """Take back an order, which may have ended, or all of its account that wait."""
        customer, task_id = self.tasks[-1 - pick % len(self.tasks)]
        if everything:
            now_s = self.clock.now_us() // SECOND_US + 1
            self.world(self._services.tasks.cancel_many(customer.caller, created_before_s=now_s, model=""))
            return
        try:
            self.world(customer.cancel(task_id))
        except Conflict:
            assert task_id in self.ended

    @rule(time=st.sampled_from(sorted(TIMES_S)), beats=st.booleans(), looks=st.booleans(), expires=st.booleans())
    def pass_time(self, time: str, beats: bool, looks: bool, expires: bool) -> None:  # noqa: FBT001 - as above
        """Let time pass; workers may go silent, packs expire, and the housekeeping may look later."""
        self.clock.pass_s(TIMES_S[time])
        self.world(self._look(beats=beats, looks=looks, expires=expires))

    async def _look(self, *, beats: bool, looks: bool, expires: bool) -> None:
        if beats:
            await self.workers[0].beat()
        if expires:
            await self._services.credit.expire()
        if looks:
            await self._services.tasks.reap()
            await self._services.tasks.promote_all()
            await self._services.tasks.forget()

    @rule(name=names, points=amounts, days=st.sampled_from([None, 1, 2]))
    def top_up(self, name: str, points: int, days: int | None) -> None:
        """Bring points in, for ever or for days."""
        expires_at = None if days is None else self.clock.now_us() + days * DAY_US
        account_id = self.people[name].caller.account_id
        self.world(self._services.credit.top_up(account_id, points, actor=ACTOR, expires_at=expires_at))

    @rule(name=names, reference=st.sampled_from(["payment 1", "payment 2"]), points=amounts, times=st.integers(1, 2))
    def pay(self, name: str, reference: str, points: int, times: int) -> None:
        """Bring points in under a payment's number: only the first time adds any."""
        for _ in range(times):
            self.world(self._pay(self.people[name], reference, points))

    async def _pay(self, customer: Customer, reference: str, points: int) -> None:
        known = await _references(self._services.database, customer.caller.account_id)
        before = await customer.account()
        try:
            await self._services.credit.top_up(before.id, points, actor=ACTOR, reference=reference)
        except Conflict:
            assert known.get(reference, points) != points
        added = (await customer.account()).available_points - before.available_points
        assert added == (0 if reference in known else points)

    @rule(name=names, points=amounts | amounts.map(lambda points: -points))
    def adjust(self, name: str, points: int) -> None:
        """Correct a balance; never to below zero."""
        before = self.world(self.people[name].account())
        try:
            after = self.world(self._services.credit.adjust(before.id, points, actor=ACTOR, reason="a correction"))
        except InsufficientCredits:
            assert not before.unlimited
            assert before.available_points + points < 0
        else:
            assert after.available_points == before.available_points + points

    @rule(
        name=names, limits=st.sampled_from(sorted(LIMITS)), of_plan=st.booleans(), unlimited=st.none() | st.booleans()
    )
    def decide(self, name: str, limits: str, of_plan: bool, unlimited: bool | None) -> None:  # noqa: FBT001 - as above
        """Give an account or all of a plan other limits; let an account pay later, or in advance again."""
        before = self.world(self.people[name].account())
        if of_plan:
            self.world(self._services.registry.put_plan("open", LIMITS[limits], actor=ACTOR))
        after = self.world(
            self._services.registry.set_account(
                before.id, actor=ACTOR, limits=None if of_plan else LIMITS[limits], unlimited=unlimited
            )
        )
        forgiven = max(0, -before.available_points) if unlimited is False and before.unlimited else 0
        assert after.available_points == before.available_points + forgiven

    @property
    def _services(self) -> Services:
        assert self.services is not None
        return self.services

    @invariant()
    def all_is_well(self) -> None:
        """Ask both audits; ends are ends, and limits are limits."""
        if self.services is not None:
            self.world(self._audit())

    async def _audit(self) -> None:
        database = self._services.database
        assert await books.troubles(database) == []
        assert await troubles(database) == []
        accounts = {account.id: account for account in await self._services.registry.accounts()}
        replayed = await ledger.replay(database)
        for account in accounts.values():
            balances = {
                Book.AVAILABLE: account.available_points,
                Book.HELD: account.held_points,
                Book.USED: account.used_points,
            }
            assert balances == replayed.get(account.id, dict.fromkeys(balances, 0))
        await self._what_has_ended_stays_as_it_is()
        await self._no_limit_is_passed(accounts)

    async def _what_has_ended_stays_as_it_is(self) -> None:
        ended = "select id, status, charged_points, price_points, ended_at from tasks where ended_at is not null"
        found = {row["id"]: row for row in await rows(self._services.database, ended)}
        assert found == found | self.ended, "a task that had ended has changed"
        assert all(row["charged_points"] <= row["price_points"] for row in found.values())
        self.ended = found

    async def _no_limit_is_passed(self, accounts: dict[int, Account]) -> None:
        """Let counts grow up to their limits only; those beyond a limit that was lowered do not grow."""
        tickets = await rows(self._services.database, "select account_id, family, state from queue")
        counts: dict[str, int] = {}
        for name, customer in self.people.items():
            account, key = accounts[customer.caller.account_id], customer.caller.key_limits
            own = [one for one in tickets if one["account_id"] == account.id]
            active = [one for one in own if one["state"] != "staged"]
            flux = sum(one["family"] == "flux" for one in active)
            limited = {
                "active": (len(active), account.limits.concurrent_tasks, key.concurrent_tasks),
                "flux": (flux, account.limits.family_tasks.get("flux"), key.family_tasks.get("flux")),
                "staged": (len(own) - len(active), account.limits.staged_tasks, key.staged_tasks, STAGED),
            }
            for what, (number, *limits) in limited.items():
                counts[f"{name} {what}"] = number
                most = min((limit for limit in limits if limit is not None), default=number)
                assert number <= max(most, self.counts.get(f"{name} {what}", 0)), f"{name}: too many {what}"
        self.counts = counts


async def _references(database: Database, account_id: int) -> dict[str, int]:
    text = "select reference, capacity from credit_packs where account_id = :account_id and reference is not null"
    return {row["reference"]: row["capacity"] for row in await rows(database, text, account_id=account_id)}


@pytest.fixture
def story(database_source: str, tmp_path: Path) -> Iterator[Callable[[], RuleBasedStateMachine]]:
    """Give the machine on one of the databases."""
    world = World(database_source, tmp_path)
    yield type("Story", (Story,), {"world": world})
    world.close()


def test_no_story_makes_the_books_wrong(story: Callable[[], RuleBasedStateMachine]) -> None:
    """Audited after every step; a failure prints the shortest story that leads to it."""
    run_state_machine_as_test(
        story,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
