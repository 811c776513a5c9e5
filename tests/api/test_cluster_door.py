"""What controllers of workers ask and say, what operators and Prometheus see of it."""

from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support.answers import accepted
from support.clock import ManualClock
from support.customer import Customer
from support.keys import WORKER_TOKEN
from support.worker import HandWorker
from unitask.app import Services
from unitask.db import Transaction
from unitask.kit.ids import new_id
from unitask.queue import repository as queue
from unitask.queue.model import Leftover, Offer
from unitask.spec.cluster import COUNTED

TOKEN = {"Authorization": f"Bearer {WORKER_TOKEN}", "X-API-Key": ""}
CAT = "Qubico/flux1-dev/txt2img"
ACTOR = {"id": "aaaaaaaa", "state": "running", "node": "127.0.0.1", "worker": "box:1", "tasks": 1}
MAKES = {"products": ["Qubico/flux1-*"], "engines": ["diffusers"]}
POOL = {
    "name": "flux",
    **MAKES,
    "wanted": 2,
    "most": 4,
    "waiting": 3,
    "processing": 1,
    "oldest_s": 2.5,
    "actors": [ACTOR],
}
REPORT = {"name": "main", "version": "0.1.0", "nodes": 2, "pools": [POOL]}
SHOWN = {**REPORT, "pools": [{**POOL, "actors": [{**ACTOR, "restarts": 0, "note": ""}]}]}


async def demand(client: httpx.AsyncClient) -> dict[str, Any]:
    """Ask what is wanted."""
    answer = await client.get("/worker/v1/demand", headers=TOKEN)
    assert answer.status_code == 200, answer.text
    asked: dict[str, Any] = answer.json()
    return asked


async def samples(client: httpx.AsyncClient, headers: dict[str, str]) -> dict[tuple[str, ...], float]:
    """Scrape, and give the numbers by name and labels."""
    answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_demand_says_what_waits_what_runs_and_for_how_long(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """By product and engine; staged tasks wait for their account and not for a worker."""
    assert await demand(client) == {"lines": [], "holding": {}}
    customer = await Customer.of(services, "limited", task_limit=3)
    await customer.orders(1)
    clock.pass_s(5)
    await customer.orders(4)
    clock.pass_s(2)
    line = {"product": CAT, "engine": "preview", "waiting": 3, "processing": 0, "oldest_s": 7.005}
    assert await demand(client) == {"lines": [line], "holding": {}}
    worker = HandWorker(services)
    await worker.beat()
    await worker.claim(1)
    asked = await demand(client)
    assert asked["lines"] == [{**line, "waiting": 2, "processing": 1, "oldest_s": 2.004}]
    assert list(asked["holding"].values()) == [1]


async def test_demand_counts_no_further_than_it_says(client: httpx.AsyncClient, services: Services) -> None:
    """However many wait, a look at them costs the same."""
    customer = await Customer.of(services)
    await customer.orders(COUNTED + 2)
    assert [line["waiting"] for line in (await demand(client))["lines"]] == [COUNTED]


async def test_a_report_is_shown_until_its_controller_is_silent(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, clock: ManualClock
) -> None:
    """A new one takes the place of the last; half a minute later nobody believes it any more."""
    first = {**REPORT, "pools": []}
    for report in (first, REPORT, {**first, "name": "other"}):
        assert (await client.put("/worker/v1/cluster", json=report, headers=TOKEN)).status_code == 200
    clock.pass_s(3)
    seen = [{**SHOWN, "age_s": 3.0}, {**first, "name": "other", "age_s": 3.0}]
    assert accepted(await operator.get("/api/v1/admin/clusters")) == seen
    assert (await client.get("/worker/v1/clusters", headers=TOKEN)).json() == {"clusters": seen}
    clock.pass_s(27)
    assert accepted(await operator.get("/api/v1/admin/clusters")) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "no blanks"},
        {"nodes": -1},
        {"pools": [POOL] * 101},
        {"pools": [{**POOL, "actors": [{**ACTOR, "state": "dead"}]}]},
        {"pools": [{**POOL, "actors": [ACTOR] * 2001}]},
        {"pools": [{**POOL, "actors": [{**ACTOR, "note": "x" * 201}]}]},
    ],
    ids=["name", "nodes", "pools", "state", "actors", "note"],
)
async def test_a_report_beyond_its_bounds_is_refused(client: httpx.AsyncClient, wrong: dict[str, Any]) -> None:
    """And nothing of it is kept."""
    answer = await client.put("/worker/v1/cluster", json={**REPORT, **wrong}, headers=TOKEN)
    assert answer.status_code == 400
    assert (await client.get("/worker/v1/clusters", headers=TOKEN)).json() == {"clusters": []}


async def test_orders_are_taken_for_a_pool_that_is_empty(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """While its controller says so: without it nobody would order what starts the first worker."""
    order = {"model": "Qubico/flux1-dev", "task_type": "txt2img", "input": {"prompt": "a cat"}}
    offer = Offer("Qubico/image-toolkit/upscale", "cpu", "basic")
    await HandWorker(services, makes=(offer,)).beat()
    await services.tasks.claims.follow()
    await services.follow_clusters()
    refused = await client.post("/api/v1/task", json=order)
    assert (refused.status_code, "no worker of the last minutes" in refused.text) == (503, True)
    pool = {**POOL, "engines": ["preview"], "actors": []}
    await client.put("/worker/v1/cluster", json={**REPORT, "pools": [pool]}, headers=TOKEN)
    await services.follow_clusters()
    assert accepted(await client.post("/api/v1/task", json=order))["status"] == "pending"
    clock.pass_s(31)
    await services.follow_clusters()
    assert (await client.post("/api/v1/task", json=order)).status_code == 503


async def test_a_scrape_shows_queue_workers_and_clusters(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """With the worker token or the admin key, and with no customer's key."""
    customer = await Customer.of(services)
    await customer.orders(2)
    worker = HandWorker(services)
    await worker.beat()
    await worker.claim(1)
    await client.put("/worker/v1/cluster", json=REPORT, headers=TOKEN)
    clock.pass_s(4)
    found = await samples(client, TOKEN)
    assert found["unitask_queue_waiting", "preview", CAT] == 1
    assert found["unitask_queue_processing", "preview", CAT] == 1
    assert found["unitask_queue_oldest_seconds", "preview", CAT] == 4.001
    assert found["unitask_workers", "alive"] == 1
    assert found["unitask_workers_by_engine", "preview"] == 1
    assert found["unitask_cluster_workers_wanted", "main", "flux"] == 2
    assert found["unitask_cluster_workers", "main", "flux", "running"] == 1
    assert found["unitask_cluster_workers", "main", "flux", "failing"] == 0
    of_all = ("unitask_queue_", "unitask_workers", "unitask_cluster_")
    again = await samples(operator, {})
    assert {key: value for key, value in again.items() if key[0].startswith(of_all)} == {
        key: value for key, value in found.items() if key[0].startswith(of_all)
    }
    assert (await client.get("/metrics")).status_code == 403


async def test_a_scrape_shows_how_providers_are(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Up is what some worker finds well; the slowest and the most failures are shown; silent workers do not count."""
    up = {"provider": "hub", "engine": "upstream", "state": "up", "failures": 1, "latency_ms": 250.0}
    trying = {**up, "state": "trying", "failures": 4, "latency_ms": 1500.0}
    box = {"provider": "box", "engine": "comfyui", "state": "down", "failures": 3, "latency_ms": None}
    silent = HandWorker(services, "silent", ("box",), providers=[{**box, "state": "up"}])
    await silent.beat()
    clock.pass_s(services.settings.lease_s + 1)
    for name, said in (("one", [up, box]), ("two", [trying, {**box, "failures": 0}])):
        await HandWorker(services, name, ("hub", "box"), providers=said).beat()

    async def leave(tx: Transaction) -> None:
        left = [Leftover(new_id(clock.now_us()), "hub", 1, "{}") for _ in range(2)]
        await queue.leave(tx, left, clock.now_us())

    await services.database.write(leave)
    found = await samples(client, TOKEN)
    assert {name: value for name, value in found.items() if name[0].startswith("unitask_provider_")} == {
        ("unitask_provider_up", "upstream", "hub"): 1,
        ("unitask_provider_up", "comfyui", "box"): 0,
        ("unitask_provider_latency_seconds", "upstream", "hub"): 1.5,
        ("unitask_provider_failures", "upstream", "hub"): 4,
        ("unitask_provider_failures", "comfyui", "box"): 3,
        ("unitask_provider_leftovers", "hub"): 2,
    }
