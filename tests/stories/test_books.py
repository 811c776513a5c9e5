"""Whatever happens in whatever order, the books are right and each end is announced once."""

from collections.abc import Awaitable, Callable
from random import Random

import pytest

from support.books import troubles
from support.clock import ManualClock
from support.customer import ENDPOINT, Customer, with_webhook
from support.orders import CAT, CAT_POINTS
from support.sql import rows
from support.worker import HandWorker
from unitask.app import Services
from unitask.billing import repository as ledger
from unitask.billing.model import Book
from unitask.kit.errors import Conflict, InsufficientCredits, TooManyTasks, Unauthorized
from unitask.tasks.model import Work

FOUR = {
    "model": "Qubico/flux1-schnell",
    "task_type": "txt2img",
    "input": {"prompt": "four cats", "batch_size": 4, "width": 512, "height": 512},
}
UNIT = "image"


async def completed(customer: Customer, worker: HandWorker, task_id: str) -> None:
    """Complete the task."""
    (work,) = await worker.claim()
    assert work.task_id == task_id
    await worker.complete(work)
    assert not await worker.complete(work)


async def failed(_: Customer, worker: HandWorker, __: str) -> None:
    """Fail for good."""
    (work,) = await worker.claim()
    await worker.fail(work)
    assert not await worker.fail(work)


async def failed_at_last(_: Customer, worker: HandWorker, __: str) -> None:
    """Fail as often as is allowed."""
    for _attempt in range(3):
        (work,) = await worker.claim()
        await worker.fail(work, retryable=True)


async def cancelled(customer: Customer, _: HandWorker, task_id: str) -> None:
    """Cancel before anyone works on it."""
    await customer.cancel(task_id)
    with pytest.raises(Conflict):
        await customer.cancel(task_id)


async def overdue(customer: Customer, _: HandWorker, __: str) -> None:
    """Let the deadline pass."""
    clock = customer.services.clock
    assert isinstance(clock, ManualClock)
    clock.pass_s(24 * 3600)
    await customer.services.tasks.reap()
    await customer.services.tasks.reap()


@pytest.mark.parametrize("end", [completed, failed, failed_at_last, cancelled, overdue])
@pytest.mark.parametrize("endpoint", [ENDPOINT, ""])
async def test_the_end_of_a_task_is_owed_to_its_webhook_once(
    services: Services,
    customer: Customer,
    worker: HandWorker,
    end: Callable[[Customer, HandWorker, str], Awaitable[None]],
    endpoint: str,
) -> None:
    """One row with the final status, in the transaction of the end; none while it lives, none without an endpoint."""
    task = await customer.order(with_webhook(CAT, endpoint))
    assert await rows(services.database, "select * from deliveries") == []
    await end(customer, worker, task.id)
    status = "completed" if end is completed else "failed"
    events = await rows(services.database, "select task_id, account_id, event from deliveries")
    expected = {"task_id": task.id, "account_id": customer.caller.account_id, "event": f"task.{status}"}
    assert events == ([expected] if endpoint else [])


@pytest.mark.parametrize(("made", "charged"), [(None, 4), (1, 1), (3, 3), (2.2, 3), (0, 1), (9, 4)])
async def test_a_measured_task_costs_what_was_made_and_no_more_than_was_quoted(
    services: Services, customer: Customer, worker: HandWorker, made: float | None, charged: int
) -> None:
    """The rest of the hold goes back in the same transaction."""
    before = await customer.account()
    task = await customer.order(FOUR)
    per_image = task.price_points // 4
    assert (await customer.account()).held_points == task.price_points
    (work,) = await worker.claim()
    await worker.complete(work, measures={} if made is None else {UNIT: made})
    after = await customer.account()
    assert (await customer.see(task.id)).charged_points == charged * per_image
    assert (after.held_points, after.used_points) == (0, charged * per_image)
    assert after.available_points == before.available_points - charged * per_image


async def test_an_order_that_the_balance_does_not_cover_leaves_no_trace(services: Services) -> None:
    """Not even when it was one point short."""
    poor = await Customer.of(services, "poor", points=2 * CAT_POINTS - 1)
    await poor.order()
    with pytest.raises(InsufficientCredits):
        await poor.order()
    assert await rows(services.database, "select count(*) as n from tasks") == [{"n": 1}]
    assert await troubles(services.database) == []


class Chance:
    """One seeded run: customers and workers do whatever comes to their minds."""

    def __init__(self, services: Services, clock: ManualClock, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 - not for secrets
        self.services = services
        self.clock = clock
        self.customers: list[Customer] = []
        self.workers = [HandWorker(services, f"worker-{number}") for number in range(3)]
        self.works: list[tuple[HandWorker, Work]] = []
        self.task_ids: list[tuple[Customer, str]] = []
        self.did: dict[str, int] = {}

    async def open(self) -> None:
        """Open accounts: rich and poor, limited and not."""
        for number, (points, limit) in enumerate([(10**8, 2), (10**6, None), (3 * 10**6, 1), (10**7, 4)]):
            self.customers.append(await Customer.of(self.services, f"c{number}", points=points, task_limit=limit))
        self.customers.append(await Customer.of(self.services, "house", points=0, unlimited=True, task_limit=3))

    async def step(self) -> None:
        """Do one thing."""
        deeds = [self.order, self.order, self.claim, self.claim, self.report, self.report, self.cancel, self.time]
        deed = self.random.choice(deeds)
        self.did[deed.__name__] = self.did.get(deed.__name__, 0) + bool(await deed())

    async def order(self) -> bool:
        """Order something, perhaps again under an old key."""
        customer = self.random.choice(self.customers)
        order = self.random.choice([CAT, FOUR, with_webhook(CAT), with_webhook(FOUR)])
        key = self.random.choice([None, None, "one", "two"])
        try:
            task = await customer.order(order, f"{key} {order}"[:200] if key else None)
        except (InsufficientCredits, TooManyTasks):
            return False
        self.task_ids.append((customer, task.id))
        return True

    async def claim(self) -> bool:
        """Give a worker something to do."""
        worker = self.random.choice(self.workers)
        works = await worker.claim(self.random.randint(1, 3))
        self.works += [(worker, work) for work in works]
        return bool(works)

    async def report(self) -> bool:
        """End an attempt, which may have been lost or reported before."""
        if not self.works:
            return False
        worker, work = self.random.choice(self.works)
        match self.random.randrange(6):
            case 0 | 1:
                return await worker.complete(work, measures={UNIT: self.random.randint(0, 5)})
            case 2:
                return await worker.complete(work)
            case 3:
                return await worker.fail(work)
            case 4:
                return await worker.fail(work, retryable=True)
            case _:
                return await worker.fail(work, given_back=True)

    async def cancel(self) -> bool:
        """Cancel some task, which may have ended."""
        if not self.task_ids:
            return False
        customer, task_id = self.random.choice(self.task_ids)
        try:
            await customer.cancel(task_id)
        except Conflict:
            return False
        return True

    async def time(self) -> bool:
        """Let time pass and the housekeeping look; once in a while a whole day."""
        self.clock.pass_s(self.random.choice([1, 5, 20, 400, 24 * 3600]))
        for worker in self.workers:
            if self.random.random() < 0.5:
                await worker.beat()
        touched = await self.services.tasks.reap() + await self.services.tasks.promote_all()
        await self.services.tasks.forget()
        return bool(touched)

    async def drain(self) -> None:
        """Let every task end."""
        while await self.claim() or self.works:
            while self.works:
                worker, work = self.works.pop()
                await worker.complete(work)


@pytest.mark.parametrize("seed", range(4))
async def test_the_ledger_alone_gives_every_balance_after_any_sequence(
    services: Services, clock: ManualClock, seed: int
) -> None:
    """Two hundred random deeds, audited on the way and at the end, when nothing is held any more."""
    chance = Chance(services, clock, seed)
    await chance.open()
    for number in range(200):
        await chance.step()
        if number % 40 == 39:
            assert await troubles(services.database) == []
    assert min(chance.did.values()) > 0, chance.did
    await chance.drain()
    assert await troubles(services.database) == []
    replayed = await ledger.replay(services.database)
    for customer in chance.customers:
        account = await customer.account()
        books = replayed[account.id]
        assert (account.held_points, account.active_tasks, account.staged_tasks) == (0, 0, 0)
        assert (books[Book.AVAILABLE], books[Book.USED]) == (account.available_points, account.used_points)


async def test_a_wrong_key_orders_nothing(services: Services) -> None:
    """Nobody's account is touched."""
    with pytest.raises(Unauthorized):
        await services.accounts.authenticate("nobody's key")
