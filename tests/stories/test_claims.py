"""Who gets which task."""

import asyncio
from time import monotonic

import asyncpg
import httpx
import pytest

from support.customer import Customer
from support.orders import CAT, cat
from support.sql import sql
from support.worker import HandWorker
from unitask.app import Services
from unitask.db import Transaction
from unitask.engines import installed
from unitask.queue import repository as queue
from unitask.queue.model import Progress
from unitask.tasks.claims import Ask

PICTURE = "https://example.com/cat.png"
ORDERS = [
    CAT,
    {"model": "Qubico/flux1-schnell", "task_type": "txt2img", "input": {"prompt": "a little cat"}},
    {"model": "Qubico/image-toolkit", "task_type": "background-remove", "input": {"image": PICTURE}},
    {"model": "Qubico/flux1-dev", "task_type": "img2img", "input": {"prompt": "a cat", "image": PICTURE}},
]


WAITING = """
insert into queue
  (task_id, account_id, api_key_id, product, family, engine, state, turn, price_points, has_webhook, deadline)
select gen_random_uuid(), account_id, api_key_id, product, family, engine, state, turn + number, price_points,
  has_webhook, deadline
from queue, generate_series(1, 20000) number"""
LOOKED = "select seq_scan from pg_stat_xact_user_tables where relname = 'queue'"


async def never() -> bool:
    """Tell that the worker did not hang up."""
    return False


@pytest.mark.parametrize("most", [1, 3])
async def test_the_oldest_tasks_come_first_whatever_their_product(
    customer: Customer, worker: HandWorker, most: int
) -> None:
    """Each engine makes its own in the order in which they were ordered, over several products."""
    ordered = [(await customer.order(ORDERS[number % len(ORDERS)])).id for number in range(12)]
    claimed: list[str] = []
    while works := await worker.claim(most):
        assert len(works) <= most
        claimed += [work.task_id for work in works]
    assert sorted(claimed) == ordered
    for of_engine in (ordered[2::4], [one for one in ordered if one not in ordered[2::4]]):
        assert [one for one in claimed if one in of_engine] == of_engine


async def test_a_task_that_comes_back_is_older_than_what_came_since(customer: Customer, worker: HandWorker) -> None:
    """It does not go to the end of the line."""
    first, second, third = await customer.orders(3)
    works = await worker.claim(2)
    await worker.fail(works[0], given_back=True)
    assert [work.task_id for work in await worker.claim(2)] == [first, third]
    assert works[1].task_id == second


async def test_a_worker_gets_only_what_its_engines_make(services: Services, customer: Customer) -> None:
    """The task names the engine that was chosen when it was ordered."""
    for_preview, for_cpu = [(await customer.order(order)).id for order in (ORDERS[0], ORDERS[2])]
    cpu, none = HandWorker(services, "cpu-only", ("cpu",)), HandWorker(services, "none", ())
    assert await none.claim(5) == []
    assert [work.task_id for work in await cpu.claim(5)] == [for_cpu]
    assert [work.engine for work in await HandWorker(services, "both").claim(5)] == ["preview"]
    assert (await customer.see(for_preview)).attempt == 1


async def test_a_product_with_two_recipes_of_an_engine_is_looked_for_once(services: Services) -> None:
    """Looked for twice, its tasks would be given out twice."""
    lanes = [(lane.product, lane.engine) for lane in services.tasks.claims.lanes(Ask("w", list(installed())))]
    assert ("Qubico/image-toolkit/segment", "networks") in lanes
    assert len(lanes) == len(set(lanes))


async def test_concurrent_claimers_never_get_the_same_task(services: Services, customer: Customer) -> None:
    """Eight workers empty the queue together: each task once, none left."""
    ordered = await asyncio.gather(*[customer.order(ORDERS[number % len(ORDERS)]) for number in range(60)])
    workers = [HandWorker(services, f"worker-{number}") for number in range(8)]
    got: list[str] = []

    async def empty(worker: HandWorker) -> None:
        while len(got) < len(ordered):
            got.extend([work.task_id for work in await worker.claim(3)])
            await asyncio.sleep(0)

    async with asyncio.timeout(20):
        await asyncio.gather(*map(empty, workers))
    assert sorted(got) == sorted(task.id for task in ordered)
    held = [held for worker in workers for held in await worker.beat()]
    assert sorted(task_id for task_id, _, _ in held) == sorted(got)
    assert {attempt for _, attempt, _ in held} == {1}


async def test_a_waiting_worker_hears_of_an_order_at_once(services: Services, customer: Customer) -> None:
    """The bell spares it the pause between two looks."""
    waiting = asyncio.create_task(services.tasks.claims.claim(Ask("worker-1", ["preview"]), wait_s=10, gone=never))
    await asyncio.sleep(0)
    began = monotonic()
    task = await customer.order()
    assert [work.task_id for work in await waiting] == [task.id]
    assert monotonic() - began < 0.9


async def test_a_claim_without_work_ends_in_time(services: Services) -> None:
    """With nothing, not with an error."""
    async with asyncio.timeout(5):
        assert await services.tasks.claims.claim(Ask("w", ["preview"]), wait_s=0.05, gone=never) == []


async def test_a_worker_that_hung_up_is_given_nothing(services: Services, customer: Customer) -> None:
    """Its task would wait for the end of a lease."""

    async def gone() -> bool:
        return True

    task = await customer.order()
    assert await services.tasks.claims.claim(Ask("w", ["preview"]), wait_s=5, gone=gone) == []
    assert (await customer.see(task.id)).status == "pending"


async def test_progress_shows_while_a_task_runs(
    services: Services, customer: Customer, client: httpx.AsyncClient, worker: HandWorker
) -> None:
    """What the worker reports with its heartbeat; from zero again in the next attempt; one at the end."""
    task = await customer.order(cat())

    async def shown() -> float:
        answer = await client.get(f"/api/v1/task/{task.id}", headers=customer.headers)
        progress: float = answer.json()["data"]["meta"]["progress"]
        return progress

    async def report(attempt: int, progress: float) -> None:
        note = [Progress(task.id, attempt, progress, "drawing")]
        await services.tasks.claims.beat(worker.said, note)

    seen = [await shown()]
    (work,) = await worker.claim()
    for progress in (0.25, 0.5):
        await report(1, progress)
        seen.append(await shown())
    await worker.fail(work, retryable=True)
    seen.append(await shown())
    (work,) = await worker.claim()
    await report(1, 0.9)
    seen.append(await shown())
    await report(2, 0.75)
    seen.append(await shown())
    await worker.complete(work)
    seen.append(await shown())
    assert seen == [0, 0.25, 0.5, 0, 0, 0.75, 1]


async def test_a_claim_reads_a_few_rows_however_many_wait(
    services: Services, customer: Customer, database_url: str
) -> None:
    """Also when PostgreSQL has seen the statement often enough to keep a plan of it for any values."""
    if not database_url.startswith("postgres"):
        pytest.skip("SQLite plans a statement once, and a limit does not change the plan")
    await customer.order()
    await services.database.write(lambda tx: tx.execute(sql(WAITING)))
    connection = await asyncpg.connect(database_url)
    await connection.execute("analyze queue")
    await connection.close()
    lanes = services.tasks.claims.lanes(Ask("w", ["preview"]))

    async def work(tx: Transaction) -> int:
        for number in range(8):
            assert len(await queue.claim(tx, worker_id="w", lanes=lanes, most=1, now=number)) == 1
        (row,) = await tx.fetch(sql(LOOKED))
        await tx.execute(sql("delete from queue where task_id not in (select id from tasks)"))
        await tx.execute(
            sql("update queue set state = 'ready', attempt = 0, worker_id = null, attempt_deadline = null")
        )
        return int(row["seq_scan"])

    assert await services.database.write(work) <= 1, "one look to plan by, at most"
