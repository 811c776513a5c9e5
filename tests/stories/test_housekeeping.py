"""What happens without anyone asking, and that one process at a time does it."""

import asyncio
from pathlib import Path

import httpx
import pytest

from support.clock import ManualClock
from support.customer import Customer
from support.media import PNG, data_uri
from support.orders import CAT, cat, cutout
from support.sql import rows
from support.worker import HandWorker
from unitask.app import Services
from unitask.artifacts.sweep import GRACE_US
from unitask.kit.clock import SECOND_US
from unitask.kit.errors import IdempotencyMismatch
from unitask.tasks.housekeeping import Housekeeper
from unitask.tasks.model import Status

DAY_S = 24 * 3600
GRACE_S = GRACE_US // SECOND_US


def keeper(services: Services, holder: str) -> Housekeeper:
    """Make the housekeeper of a process of this name."""
    return Housekeeper(services.chores(), lambda: services.tasks.lead(holder))


def stored(services: Services, reference: str) -> Path:
    """Find the file behind a reference."""
    return services.settings.data / "files" / reference.removeprefix("unitask-artifact:")


async def made(services: Services, worker: HandWorker) -> str:
    """Let a worker save a file and complete the next task with it; gives the file's reference."""
    (work,) = await worker.claim()
    file = await services.artifacts.store_bytes(b"a picture", extension="png")
    await services.tasks.add_output(file, task_id=work.task_id, attempt=work.attempt)
    assert await worker.complete(work, {"image_url": file.reference})
    return file.reference


async def test_only_one_process_leads(services: Services, clock: ManualClock) -> None:
    """The leader stays while it renews its lease; another follows when it did not, and then stays in its turn."""
    lead, lease_s = services.tasks.lead, services.settings.lease_s
    assert await lead("a")
    assert not await lead("b")
    clock.pass_s(lease_s - 1)
    assert await lead("a")
    clock.pass_s(lease_s - 1)
    assert not await lead("b")
    clock.pass_s(2)
    assert await lead("b")
    assert not await lead("a")


async def test_of_many_that_ask_at_the_same_moment_one_leads(services: Services, clock: ManualClock) -> None:
    """At the first time and whenever a leader is gone."""
    for _ in range(3):
        answers = await asyncio.gather(*[services.tasks.lead(f"process {number}") for number in range(10)])
        assert sum(answers) == 1
        clock.pass_s(services.settings.lease_s + 1)


async def test_who_does_not_lead_does_nothing(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker
) -> None:
    """Two housekeepers: the second leaves a dead worker's task to the first."""
    first = keeper(services, "first")
    second = keeper(services, "second")
    task = await customer.order()
    await worker.claim()
    assert await services.tasks.lead("first")
    for _ in range(int(services.settings.lease_s) + 1):
        clock.pass_s(1)
        assert await services.tasks.lead("first")
        await second.round()
    assert (await customer.see(task.id)).status is Status.PROCESSING
    await first.round()
    assert (await customer.see(task.id)).status is Status.PENDING


async def test_an_expired_output_is_gone_from_disk(
    services: Services, clock: ManualClock, customer: Customer, client: httpx.AsyncClient, worker: HandWorker
) -> None:
    """It can be had until its product's days are over, then neither by its address nor on disk."""
    await customer.order()
    reference = await made(services, worker)
    address = f"/files/{reference.removeprefix('unitask-artifact:')}"
    keep_days = services.catalogue.by_key("Qubico/flux1-dev/txt2img").keep_days
    clock.pass_s(keep_days * DAY_S - 1)
    assert await services.artifacts.sweep() == 0
    assert (await client.get(address)).content == b"a picture"
    clock.pass_s(1)
    assert (await client.get(address)).status_code == 404
    clock.pass_s(GRACE_S - 1)
    assert await services.artifacts.sweep() == 0
    assert stored(services, reference).exists()
    clock.pass_s(1)
    assert await services.artifacts.sweep() == 1
    assert not stored(services, reference).exists()
    assert await rows(services.database, "select * from artifacts") == []


async def test_files_of_a_lost_attempt_go_soon(
    services: Services, clock: ManualClock, customer: Customer, worker: HandWorker, other: HandWorker
) -> None:
    """What an attempt made that never settled is kept for a day; the published file stays."""
    await customer.order()
    (work,) = await worker.claim()
    lost = await services.artifacts.store_bytes(b"half a picture", extension="png")
    await services.tasks.add_output(lost, task_id=work.task_id, attempt=work.attempt)
    clock.pass_s(services.settings.lease_s + 1)
    await services.tasks.reap()
    published = await made(services, other)
    clock.pass_s(DAY_S + GRACE_S)
    assert await services.artifacts.sweep() == 1
    assert not stored(services, lost.reference).exists()
    assert stored(services, published).exists()


async def test_an_input_that_came_inside_the_order_goes_after_a_day(
    services: Services, clock: ManualClock, customer: Customer
) -> None:
    """Like an upload."""
    await customer.order(cutout(data_uri(PNG)))
    (row,) = await rows(services.database, "select path from artifacts")
    clock.pass_s(DAY_S + GRACE_S - 1)
    assert await services.artifacts.sweep() == 0
    clock.pass_s(1)
    assert await services.artifacts.sweep() == 1
    assert not stored(services, row["path"]).exists()


async def test_a_file_that_is_gone_already_does_not_stop_the_sweep(
    services: Services, clock: ManualClock, customer: Customer
) -> None:
    """A sweep that died between file and row is finished by the next."""
    for _ in range(3):
        await customer.order(cutout(data_uri(PNG)))
    first, *_ = await rows(services.database, "select path from artifacts order by id")
    stored(services, first["path"]).unlink()
    clock.pass_s(DAY_S + GRACE_S)
    assert await services.artifacts.sweep() == 3
    assert await rows(services.database, "select * from artifacts") == []


async def test_an_idempotency_key_is_free_again_after_a_day(
    services: Services, clock: ManualClock, customer: Customer
) -> None:
    """Until then the same order answers with the same task, and another order under it is refused."""
    first = await customer.order(CAT, "my-key")
    clock.pass_s(DAY_S - 1)
    await services.tasks.forget()
    assert (await customer.order(CAT, "my-key")).id == first.id
    with pytest.raises(IdempotencyMismatch):
        await customer.order(cat(input={"prompt": "a dog"}), "my-key")
    clock.pass_s(1)
    await services.tasks.forget()
    assert await rows(services.database, "select * from idempotency") == []
    assert (await customer.order(cat(input={"prompt": "a dog"}), "my-key")).id != first.id


async def test_an_expired_key_that_nobody_swept_is_free_all_the_same(clock: ManualClock, customer: Customer) -> None:
    """The time decides, not the broom."""
    first = await customer.order(CAT, "my-key")
    clock.pass_s(DAY_S)
    again = await customer.order(CAT, "my-key")
    assert again.id != first.id
    assert (await customer.order(CAT, "my-key")).id == again.id


async def test_a_worker_not_seen_for_a_day_is_forgotten(
    services: Services, clock: ManualClock, worker: HandWorker, other: HandWorker
) -> None:
    """Each start of a worker is a new one; their rows must not pile up."""
    await worker.beat()
    clock.pass_s(DAY_S + services.settings.lease_s + 1)
    await other.beat()
    await services.tasks.forget()
    assert await rows(services.database, "select id from workers") == [{"id": other.id}]


async def test_one_round_does_everything(
    services: Services, clock: ManualClock, limited: Customer, worker: HandWorker
) -> None:
    """Dead workers, staged tasks, files and keys."""
    await limited.order(cutout(data_uri(PNG)), "my-key")
    task_ids = await limited.orders(2)
    await worker.claim(1)
    clock.pass_s(DAY_S + GRACE_S)
    await keeper(services, "me").round()
    assert await limited.statuses(task_ids) == ["failed", "failed"]
    for table in ("queue", "artifacts", "idempotency", "workers"):
        assert await rows(services.database, f"select * from {table}") == [], table
