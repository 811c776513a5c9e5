"""What charts and operators read: usage by day, the queue with its timings, workers, engines and weights."""

import httpx
import pytest

from support.accounts import open_account
from support.answers import accepted, refused
from support.clock import ManualClock
from support.customer import Customer, with_webhook
from support.keys import WORKER_TOKEN
from support.orders import CAT, CAT_POINTS
from support.sql import rows
from support.worker import HandWorker
from unitask.app import Services

ADMIN = "/api/v1/admin"
TXT2IMG = {"model": "Qubico/flux1-dev", "task_type": "txt2img"}
TIMINGS = {"start_s": 0.5, "load_s": 1.5, "upload_s": 0.25}


async def test_usage_counts_what_ended_on_each_day(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """By product: completed, failed, what it cost; no row for a day without an end, nothing of other accounts."""
    customer, other = await Customer.of(services), await Customer.of(services, "other")
    worker = HandWorker(services)
    await customer.orders(3)
    await other.orders(1)
    done, broken, late, foreign = await worker.claim(4)
    assert await worker.complete(done)
    assert await worker.fail(broken)
    assert await worker.complete(foreign)
    clock.pass_s(2 * 24 * 3600)
    assert await worker.complete(late)
    assert accepted(await client.get("/api/v1/usage", headers=customer.headers)) == {
        "start_date": "2026-12-19",
        "end_date": "2027-01-17",
        "usage": [
            {"date": "2027-01-15", **TXT2IMG, "completed": 1, "failed": 1, "points": CAT_POINTS, "usd": 0.015},
            {"date": "2027-01-17", **TXT2IMG, "completed": 1, "failed": 0, "points": CAT_POINTS, "usd": 0.015},
        ],
    }


async def test_usage_adds_up_to_what_the_account_has_paid(
    services: Services, client: httpx.AsyncClient, clock: ManualClock
) -> None:
    """Over several settles, alone and together, and over midnight."""
    customer = await Customer.of(services)
    worker = HandWorker(services)
    for _ in range(3):
        await customer.orders(2)
        for work in await worker.claim(2):
            assert await worker.complete(work)
        clock.pass_s(12 * 3600)
    days = accepted(await client.get("/api/v1/usage", headers=customer.headers))["usage"]
    assert [(day["date"], day["completed"]) for day in days] == [("2027-01-15", 4), ("2027-01-16", 2)]
    assert sum(day["points"] for day in days) == (await customer.account()).used_points == 6 * CAT_POINTS


async def test_cancelling_counts_as_failed_and_costs_nothing(services: Services, client: httpx.AsyncClient) -> None:
    """Also of tasks that never ran, one after the other."""
    customer = await Customer.of(services)
    for _ in range(2):
        await customer.cancel((await customer.order()).id)
    (day,) = accepted(await client.get("/api/v1/usage", headers=customer.headers))["usage"]
    assert (day["completed"], day["failed"], day["points"]) == (0, 2, 0)


@pytest.mark.parametrize("days", ["0", "367", "-1", "x"])
async def test_usage_is_bounded(client: httpx.AsyncClient, days: str) -> None:
    """A year is the most."""
    refused(await client.get("/api/v1/usage", params={"days": days}), 400)


async def test_operators_read_the_usage_of_any_account(operator: httpx.AsyncClient, services: Services) -> None:
    """The same as its owner; of no account, there is none."""
    customer = await Customer.of(services)
    await customer.cancel((await customer.order()).id)
    path = f"{ADMIN}/accounts/{customer.caller.account_id}/usage"
    (day,) = accepted(await operator.get(path, params={"days": 1}))["usage"]
    assert day["failed"] == 1
    refused(await operator.get(f"{ADMIN}/accounts/987654/usage"), 404)


async def test_the_queue_board_counts_by_engine_and_product(
    operator: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """What is staged, waits and runs; the oldest of what waits tells how long, not what runs already."""
    customer = await Customer.of(services, task_limit=3)
    assert accepted(await operator.get(f"{ADMIN}/queue")) == {"lines": [], "timings": []}
    await customer.orders(1)
    await HandWorker(services).claim()
    clock.pass_s(30)
    await customer.orders(3)
    clock.pass_s(60)
    (line,) = accepted(await operator.get(f"{ADMIN}/queue"))["lines"]
    oldest_s = line.pop("oldest_s")
    assert line == {"engine": "preview", **TXT2IMG, "staged": 1, "waiting": 2, "processing": 1}
    assert oldest_s == pytest.approx(60, abs=0.1)


async def test_timings_are_medians_of_the_tasks_that_were_completed_last(
    operator: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Until a worker came; start and loading; the work; storing files. What failed is not among them."""
    customer = await Customer.of(services)
    worker = HandWorker(services)
    for waited_s, took_s in ((1, 4), (2, 8), (9, 6)):
        await customer.order()
        clock.pass_s(waited_s)
        (work,) = await worker.claim()
        clock.pass_s(took_s)
        assert await worker.complete(work, timings=TIMINGS)
    await customer.order()
    (work,) = await worker.claim()
    clock.pass_s(100)
    assert await worker.fail(work)
    (pace,) = accepted(await operator.get(f"{ADMIN}/queue"))["timings"]
    assert pace.pop("queue_s") == pytest.approx(2, abs=0.01)
    assert pace == {
        "engine": "preview",
        **TXT2IMG,
        "tasks": 3,
        "load_s": 2.0,
        "run_s": 3.75,
        "upload_s": 0.25,
        "deliver_s": None,
    }


async def test_what_was_not_measured_is_not_guessed(operator: httpx.AsyncClient, services: Services) -> None:
    """A worker of before says nothing of its timings; the wait of the task is known all the same."""
    customer = await Customer.of(services)
    worker = HandWorker(services)
    await customer.order()
    (work,) = await worker.claim()
    assert await worker.complete(work)
    (pace,) = accepted(await operator.get(f"{ADMIN}/queue"))["timings"]
    assert (pace["load_s"], pace["run_s"], pace["upload_s"]) == (None, None, None)
    assert pace["queue_s"] is not None


async def test_timings_tell_how_long_receivers_took(
    operator: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """From the end of the task until its message was taken."""
    customer = await Customer.of(services)
    worker = HandWorker(services)
    task = await customer.order(with_webhook(CAT))
    (work,) = await worker.claim()
    assert await worker.complete(work)
    clock.pass_s(7)
    await rows(
        services.database,
        "update deliveries set state = 'delivered', settled_at = :now where task_id = :id returning 1",
        now=clock.now_us(),
        id=task.id,
    )
    (pace,) = accepted(await operator.get(f"{ADMIN}/queue"))["timings"]
    assert pace["deliver_s"] == 7.0


async def test_workers_are_listed_with_what_they_do(
    operator: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """When they were seen, what they run on, which tasks they hold; a silent one is not alive."""
    customer = await Customer.of(services)
    task = await customer.order()
    worker = HandWorker(services)
    (work,) = await worker.claim()
    await worker.beat(work, 0.5)
    (seen,) = accepted(await operator.get(f"{ADMIN}/workers"))
    assert seen == {
        "id": "worker-1",
        "name": "worker-1",
        "alive": True,
        "engines": ["cpu", "preview"],
        "devices": [],
        "memory_bytes": {},
        "loaded": [],
        "providers": [],
        "started_at": seen["started_at"],
        "seen_at": seen["started_at"],
        "running": [
            {"task_id": task.id, "engine": "preview", **TXT2IMG, "attempt": 1, "progress": 0.5, "note": ""},
        ],
    }
    clock.pass_s(services.settings.lease_s + 1)
    (silent,) = accepted(await operator.get(f"{ADMIN}/workers"))
    assert not silent["alive"]


async def test_a_worker_says_on_which_devices_it_runs(operator: httpx.AsyncClient) -> None:
    """As it comes over the wire of workers."""
    sign = {"worker_id": "w", "name": "gpu box", "engines": ["diffusers"], "devices": ["cuda:0", "cuda:1"]}
    sign |= {"memory": {"cuda:0": 80 * 2**30}, "loaded": ["flux1-dev"]}
    sign |= {"makes": [{"product": "Qubico/flux1-dev/txt2img", "engine": "diffusers", "level": "full"}]}
    headers = {"Authorization": f"Bearer {WORKER_TOKEN}", "X-API-Key": ""}
    assert (await operator.post("/worker/v1/beat", json=sign, headers=headers)).status_code == 200
    (seen,) = accepted(await operator.get(f"{ADMIN}/workers"))
    assert (seen["name"], seen["devices"]) == ("gpu box", ["cuda:0", "cuda:1"])
    assert (seen["memory_bytes"], seen["loaded"]) == ({"cuda:0": 80 * 2**30}, ["flux1-dev"])


async def test_a_worker_says_how_it_finds_its_providers(operator: httpx.AsyncClient) -> None:
    """As it comes over the wire of workers; what it leaves out is not guessed."""
    up = {"provider": "hub", "engine": "upstream", "state": "up", "latency_ms": 12.5}
    down = {"provider": "box", "engine": "comfyui", "state": "down", "failures": 3, "why": "no connection"}
    sign = {"worker_id": "w", "name": "w", "engines": ["hub", "box"], "providers": [up, down]}
    headers = {"Authorization": f"Bearer {WORKER_TOKEN}", "X-API-Key": ""}
    assert (await operator.post("/worker/v1/beat", json=sign, headers=headers)).status_code == 200
    (seen,) = accepted(await operator.get(f"{ADMIN}/workers"))
    assert seen["providers"] == [{**up, "failures": 0, "why": ""}, {**down, "latency_ms": None}]


async def test_the_installation_says_what_is_missing_and_how_to_get_it(
    operator: httpx.AsyncClient, services: Services
) -> None:
    """Every engine, every product with its level, all weights with their command; one that came is here."""
    found = accepted(await operator.get(f"{ADMIN}/engines"))
    assert {"cpu", "preview"} <= {one["name"] for one in found["engines"] if one["enabled"] and one["missing"] is None}
    assert len(found["products"]) == len(services.catalogue)
    (cat,) = [one for one in found["products"] if one["model"] == CAT["model"] and one["task_type"] == "txt2img"]
    assert (cat["engine"], cat["engine_level"]) == ("preview", "preview")
    assert cat["missing"]
    weights = {one["id"]: one for one in found["weights"]}
    assert [name for name, one in weights.items() if one["installed"]] == ["demo-shapes"], "it comes with Unitask"
    flux = weights["flux1-dev"]
    assert (flux["installed"], flux["command"]) == (False, "unitask models pull flux1-dev")
    assert f"{CAT['model']}/txt2img" in flux["products"]
    folder = services.settings.models_folder / "flux1-dev"
    folder.mkdir(parents=True)
    (folder / "unitask.json").write_text('{"revision": "main", "files": {}}')
    again = accepted(await operator.get(f"{ADMIN}/engines"))["weights"]
    assert [one["id"] for one in again if one["installed"]] == ["demo-shapes", "flux1-dev"]


async def test_the_audit_log_is_read_by_action(operator: httpx.AsyncClient, services: Services) -> None:
    """Of one kind of decision alone; of a kind that there is not, nothing."""
    person = await open_account(services, "shop")
    address = f"{ADMIN}/accounts/{person.account_id}/credit"
    accepted(await operator.post(address, json={"points": 5}))
    accepted(await operator.patch(f"{ADMIN}/accounts/{person.account_id}", json={"enabled": False}))
    found = accepted(await operator.get(f"{ADMIN}/audit", params={"action": "credit.top_up"}))["entries"]
    assert [entry["action"] for entry in found] == ["credit.top_up"]
    assert accepted(await operator.get(f"{ADMIN}/audit", params={"action": "nothing"}))["entries"] == []
