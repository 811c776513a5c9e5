"""Whose task is next: accounts take turns, whatever waits behind them."""

import asyncio

from support.clock import ManualClock
from support.customer import Customer
from support.orders import CAT, cutout, raw
from support.worker import HandWorker
from unitask.app import Services

BACKLOG = 10_000
CUTOUT = cutout("https://example.com/a.png")


async def backlog(customer: Customer, number: int) -> list[str]:
    """Order many tasks at once; gives their ids in the order in which they were accepted."""
    ids = []
    for start in range(0, number, 500):
        orders = [
            await customer.services.orders.prepare(raw(CAT), customer.caller, None)
            for _ in range(min(500, number - start))
        ]
        ids += [task.id for task in await asyncio.gather(*(customer.services.tasks.create(one) for one in orders))]
    return ids


async def served(worker: HandWorker, number: int, names: dict[str, str]) -> list[str]:
    """Claim and complete tasks one by one; gives whose they were, `big` for those not named."""
    whose = []
    for _ in range(number):
        (work,) = await worker.claim()
        whose.append(names.get(work.task_id, "big"))
        await worker.complete(work)
    return whose


async def of_each(services: Services, names: str, number: int, **account: object) -> dict[str, str]:
    """Let accounts order so many tasks each, one account after the other; gives whose each task is."""
    whose = {}
    for name in names:
        customer = await Customer.of(services, name, **account)
        whose |= dict.fromkeys(await customer.orders(number), name)
    return whose


async def test_ten_thousand_waiting_tasks_delay_the_first_of_another_account_by_one(
    services: Services, customer: Customer, worker: HandWorker
) -> None:
    """At the beginning and later; then the backlog goes on as if nobody had come."""
    await backlog(await Customer.of(services, "big", unlimited=True), BACKLOG)
    for name in ("early", "late"):
        other = await Customer.of(services, name)
        task = await other.order()
        assert (await other.see(task.id)).queue_position in {0, 1}
        assert name in await served(worker, 2, {task.id: name})
        assert await served(worker, 20, {}) == ["big"] * 20


async def test_accounts_with_backlogs_take_turns(services: Services, customer: Customer, worker: HandWorker) -> None:
    """Each round has one task of each, however many each has and whenever they came."""
    big = dict.fromkeys(await customer.orders(40), "big")
    await served(worker, 10, big)
    names = await of_each(services, "ab", 10)
    whose = await served(worker, 30, names)
    rounds = [sorted(whose[start : start + 3]) for start in range(0, 30, 3)]
    assert rounds[1:] == [["a", "b", "big"]] * 9
    assert set(rounds[0]) <= {"a", "b", "big"}
    assert await served(worker, 18, names) == ["big"] * 18


async def test_a_worker_that_claims_several_at_once_gets_them_from_all(
    services: Services, customer: Customer, worker: HandWorker
) -> None:
    """One of each account, not four of the first."""
    await customer.orders(10)
    names = await of_each(services, "abc", 5)
    works = await worker.claim(4)
    assert sorted(names.get(work.task_id, "big") for work in works) == ["a", "b", "big", "c"]


async def test_the_tasks_of_an_account_run_in_the_order_in_which_they_came(
    services: Services, customer: Customer, worker: HandWorker
) -> None:
    """At each engine, also while others come in between."""
    tasks: dict[bool, list[str]] = {False: [], True: []}
    for number in range(12):
        tasks[number % 3 == 0].append((await customer.order(CUTOUT if number % 3 else CAT)).id)
        if number % 4 == 0:
            await of_each(services, str(number), 1)
    seen = []
    while works := await worker.claim():
        seen += [work.task_id for work in works]
        await worker.complete(works[0])
    for of_engine in tasks.values():
        assert [task_id for task_id in seen if task_id in of_engine] == of_engine


async def test_a_task_that_is_tried_again_keeps_its_turn(
    services: Services, customer: Customer, worker: HandWorker
) -> None:
    """It does not go to the end of the line."""
    first, *_ = await customer.orders(5)
    (work,) = await worker.claim()
    await worker.fail(work, retryable=True)
    (again,) = await worker.claim()
    assert (again.task_id, again.attempt) == (first, 2)


async def test_turns_go_on_after_a_restart(
    services: Services, customer: Customer, worker: HandWorker, clock: ManualClock
) -> None:
    """They are read back, as they were a second before."""
    await backlog(customer, 100)
    await served(worker, 30, {})
    for name in "ab":
        await services.tasks.claims.follow()
        restarted = await Services.open(services.settings, clock)
        other = await Customer.of(restarted, name)
        ids = await other.orders(3)
        names = dict.fromkeys(ids, name)
        whose = await served(HandWorker(restarted), 6, names)
        assert name in whose[:2]
        assert whose.count(name) == 3
        assert whose.count("big") == 3
        await restarted.close()


async def test_several_api_processes_agree_whose_turn_it_is(
    services: Services, customer: Customer, worker: HandWorker, clock: ManualClock
) -> None:
    """What one has served, the other hears of: its accounts are neither late nor always first."""
    await backlog(customer, 200)
    replica = await Services.open(services.settings, clock)
    await served(worker, 50, {})
    for one in (services, replica):
        await one.tasks.claims.follow()
    there = await Customer.of(replica, "there")
    here = await Customer.of(services, "here")
    names = dict.fromkeys(await there.orders(10), "there") | dict.fromkeys(await here.orders(10), "here")
    whose = await served(worker, 15, names) + await served(HandWorker(replica, "worker-2"), 15, names)
    for start in range(0, 27, 3):
        counted = {name: whose[start : start + 6].count(name) for name in ("big", "there", "here")}
        assert min(counted.values()) >= 1, whose
    await replica.close()


async def test_staged_tasks_join_when_they_get_their_slot(
    services: Services, customer: Customer, worker: HandWorker
) -> None:
    """An account limited to two tasks at once shares evenly with a backlog, and has no claim to more."""
    await customer.orders(40)
    names = await of_each(services, "l", 20, task_limit=2)
    whose = await served(worker, 40, names)
    for start in range(0, 36, 2):
        assert set(whose[start : start + 4]) == {"l", "big"}, whose
    assert whose.count("l") >= 18


async def test_who_cancels_a_backlog_is_not_late_for_it(
    services: Services, customer: Customer, worker: HandWorker, clock: ManualClock
) -> None:
    """Nor has the account more than its share then."""
    await backlog(customer, 300)
    await served(worker, 5, {})
    names = await of_each(services, "a", 20)
    clock.pass_s(1)
    now_s = clock.now_us() // 1_000_000
    await services.tasks.cancel_many(customer.caller, created_before_s=now_s, model="")
    names |= dict.fromkeys(await of_each(services, "b", 10), "b") | dict.fromkeys(await customer.orders(10), "big")
    # All of `a` were cancelled by nobody: each round has one of each.
    whose = await served(worker, 30, names)
    for name in ("a", "b", "big"):
        assert 9 <= whose.count(name) <= 11, whose


async def test_a_steady_stream_of_small_orders_starves_nobody(
    services: Services, customer: Customer, worker: HandWorker
) -> None:
    """Two accounts order one task after the other, so that one of them always waits; the backlog gets its third."""
    await backlog(customer, 100)
    small = [await Customer.of(services, name) for name in "bc"]
    names = {(await small[0].order()).id: "b"}
    whose = []
    for number in range(60):
        names[(await small[(number + 1) % 2].order()).id] = "bc"[(number + 1) % 2]
        whose += await served(worker, 1, names)
    assert whose.count("big") >= 20, whose


async def test_the_workers_of_a_fast_engine_do_not_put_others_behind_a_backlog_of_a_slow_one(
    services: Services, customer: Customer
) -> None:
    """A backlog of one engine delays the first task of another account there by one, whatever others have served."""
    cutters = HandWorker(services, "worker-cpu", ("cpu",))
    await backlog(customer, 50)
    for _ in range(50):
        await customer.order(CUTOUT)
    await served(cutters, 20, {})
    other = await Customer.of(services, "other")
    task = await other.order(CAT)
    assert "other" in await served(HandWorker(services, "worker-preview", ("preview",)), 2, {task.id: "other"})


async def test_a_worker_of_two_engines_serves_both_though_one_is_far_ahead(
    services: Services, customer: Customer
) -> None:
    """Neither backlog waits for the other to be worked off, and a newcomer waits for one task of it at either."""
    both = HandWorker(services, "worker-both", ("cpu", "preview"))
    names = dict.fromkeys(await backlog(customer, 60), "scene")
    cutter = await Customer.of(services, "cutter")
    for _ in range(90):
        names[(await cutter.order(CUTOUT)).id] = "cutout"
    await served(HandWorker(services, "worker-cpu", ("cpu",)), 30, names)
    for order, name in ((CAT, "x"), (CUTOUT, "y")):
        other = await Customer.of(services, name)
        task = await other.order(order)
        assert name in await served(both, 3, names | {task.id: name})
        whose = await served(both, 20, names)
        assert 8 <= whose.count("cutout") <= 12, whose
