"""`GET /metrics`: what is counted of orders, attempts, webhooks and requests, and that its labels are few."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics

from support.answers import accepted
from support.clock import ManualClock
from support.customer import Customer, with_webhook
from support.orders import CAT, CAT_POINTS
from support.scrapes import TOKEN, Scrape, scrape
from support.worker import HandWorker
from unitask.app import Services

PRODUCT = {"engine": "preview", "product": "Qubico/flux1-dev/txt2img"}
TASK = "/api/v1/task/{task_id}"
NO_TASK = "00000000-0000-7000-8000-000000000000"


def more(before: Scrape, after: Scrape, name: str, **labels: str) -> float:
    """Tell by how much a sum has grown: what a process counts, other tests in it have counted too."""
    return round(after.value(name, **labels) - before.value(name, **labels), 6)


async def test_a_task_is_counted_from_its_order_to_its_end(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Once each: the order, its wait, its attempts, what they took, its end and its price."""
    before = await scrape(client)
    customer, worker = await Customer.of(services), HandWorker(services)
    await customer.order()
    clock.pass_s(7)
    (first,) = await worker.claim()
    assert await worker.fail(first, retryable=True)
    (again,) = await worker.claim()
    clock.pass_s(20)
    assert await worker.complete(again, cost_points=1234)
    assert not await worker.complete(again)
    after = await scrape(client)
    assert more(before, after, "unitask_tasks_created_total", **PRODUCT) == 1
    assert more(before, after, "unitask_task_wait_seconds_count", **PRODUCT) == 1
    assert 7 <= more(before, after, "unitask_task_wait_seconds_sum", **PRODUCT) < 8
    assert more(before, after, "unitask_attempts_total", **PRODUCT, outcome="retried") == 1
    assert more(before, after, "unitask_attempts_total", **PRODUCT, outcome="completed") == 1
    assert more(before, after, "unitask_attempts_total", outcome="refused") == 1
    assert 20 <= more(before, after, "unitask_task_run_seconds_sum", **PRODUCT) < 21
    assert more(before, after, "unitask_tasks_ended_total", **PRODUCT, outcome="completed") == 1
    assert more(before, after, "unitask_tasks_ended_total") == 1
    assert more(before, after, "unitask_points_charged_total", **PRODUCT) == CAT_POINTS
    assert more(before, after, "unitask_points_cost_total", **PRODUCT) == 1234


async def test_every_other_end_of_a_task_is_counted(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Failed, cancelled alone and with others, lost with its worker, given back, overdue."""
    customer, worker = await Customer.of(services), HandWorker(services)
    before = await scrape(client)
    await customer.orders(5)
    broken, lost, given, *_ = await worker.claim(3)
    assert await worker.fail(broken)
    assert await worker.fail(given, given_back=True)
    await customer.cancel((await customer.order()).id)
    clock.pass_s(30)
    assert await services.tasks.reap() == 1, lost
    after = await scrape(client)
    assert more(before, after, "unitask_tasks_ended_total", outcome="failed") == 1
    assert more(before, after, "unitask_attempts_total", outcome="given_back") == 1
    assert more(before, after, "unitask_tasks_ended_total", outcome="cancelled") == 1
    assert more(before, after, "unitask_attempts_total", outcome="lost") == 1
    clock.pass_s(2 * 24 * 3600)
    assert await services.tasks.reap() == 4
    assert more(before, await scrape(client), "unitask_tasks_ended_total", outcome="overdue") == 4


async def test_an_order_that_is_repeated_is_counted_once(client: httpx.AsyncClient) -> None:
    """The second answer names the first one's task."""
    before = await scrape(client)
    for _ in range(2):
        accepted(await client.post("/api/v1/task", json=CAT, headers={"Idempotency-Key": "once"}))
    assert more(before, await scrape(client), "unitask_tasks_created_total") == 1


async def test_what_is_owed_to_webhooks_and_who_keeps_house_is_read_from_the_database(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """So every process says the same of it."""
    customer, worker = await Customer.of(services), HandWorker(services)
    found = await scrape(client)
    assert (found.value("unitask_webhooks_owed"), found.value("unitask_webhooks_oldest_owed_seconds")) == (0, 0)
    assert found.value("unitask_housekeeping_led") == 0
    await customer.order(with_webhook(CAT))
    (work,) = await worker.claim()
    assert await worker.complete(work)
    clock.pass_s(60)
    assert await services.tasks.lead("somebody")
    assert 60 <= (await scrape(client)).value("unitask_webhooks_late_seconds") < 61
    found = await scrape(client)
    assert found.value("unitask_webhooks_owed") == 1
    assert 60 <= found.value("unitask_webhooks_oldest_owed_seconds") < 61
    assert found.value("unitask_housekeeping_led") == 1


async def test_requests_are_counted_by_the_template_of_their_route(client: httpx.AsyncClient) -> None:
    """Whatever is asked for: an id is not a label, and all that there is not is one."""
    before = await scrape(client)
    for path in (f"/api/v1/task/{NO_TASK}", "/api/v1/task/anything", "/nowhere", "/nowhere/else", "/.env"):
        assert (await client.get(path)).status_code == 404
    assert (await client.request("BREW", "/coffee")).status_code == 404
    after = await scrape(client)
    count = "unitask_http_request_seconds_count"
    assert more(before, after, count, method="GET", route=TASK, status="4xx") == 2
    assert more(before, after, count, method="GET", route="other", status="4xx") == 3
    assert more(before, after, count, method="other", route="other", status="4xx") == 1
    assert not [text for text in ("nowhere", "anything", NO_TASK, "BREW") if text in str(after.families)]


async def test_no_label_grows_with_what_clients_do(client: httpx.AsyncClient, services: Services) -> None:
    """As many series after a hundred orders of three accounts as after one."""
    worker = HandWorker(services)
    await scrape(client)

    async def story(name: str, number: int) -> int:
        customer = await Customer.of(services, name)
        await customer.orders(number)
        for work in await worker.claim(number):
            assert await worker.complete(work)
        return sum(len(family.samples) for family in (await scrape(client)).families)

    first = await story("one", 1)
    assert [await story("two", 10), await story("three", 10)] == [first, first]


async def test_a_scrape_is_open_metrics_for_those_who_accept_it(client: httpx.AsyncClient) -> None:
    """As Prometheus asks for it; its stricter parser reads all of it."""
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"}
    answer = await client.get("/metrics", headers={**TOKEN, **accept})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert {"unitask_tasks_created", "unitask_http_request_seconds"} <= {one.name for one in open_metrics(answer.text)}


async def test_without_its_database_a_process_tells_of_itself(client: httpx.AsyncClient, services: Services) -> None:
    """That is when somebody looks."""
    assert (await scrape(client)).value("unitask_scrape_complete") == 1
    await services.database.close()
    found = await scrape(client)
    assert found.value("unitask_scrape_complete") == 0
    assert found.value("process_resident_memory_bytes") > 0
    assert "unitask_queue_waiting" not in found.names()


@pytest.mark.parametrize("path", ["/api/v1/account/info", "/nowhere", "/healthz", "/openapi.json", "/docs"])
async def test_every_answer_says_what_it_took_and_how_it_is_called(client: httpx.AsyncClient, path: str) -> None:
    """Milliseconds of the server, and an id that is the request's own."""
    first, second = [(await client.get(path)).headers for _ in range(2)]
    assert 0 <= float(first["x-overhead-ms"]) < 60_000
    assert first["x-request-id"] != second["x-request-id"]


@pytest.mark.parametrize(
    ("sent", "is_kept"),
    [("from-the-client_1.2:3", True), ("", False), ("a b", False), ("x" * 129, False), ('"quoted"', False)],
)
async def test_a_clients_own_request_id_is_kept_if_it_is_one(
    client: httpx.AsyncClient, sent: str, *, is_kept: bool
) -> None:
    """What could break a line of a log or a header is replaced."""
    answer = await client.get("/healthz", headers={"X-Request-Id": sent})
    assert (answer.headers["x-request-id"] == sent) is is_kept
    assert answer.headers["x-request-id"]


async def test_a_wait_that_the_client_asked_for_is_not_the_servers(client: httpx.AsyncClient) -> None:
    """A long poll of half a second reports what it cost and not what it waited; a slow body is the client's too."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    loop = asyncio.get_running_loop()
    began = loop.time()
    answer = await client.get(f"/api/v1/task/{task_id}", params={"wait": "0.5"})
    took_ms = (loop.time() - began) * 1000
    assert took_ms >= 450
    assert float(answer.headers["x-overhead-ms"]) <= took_ms - 400

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"model":'
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.5)
        yield b"1}"

    began = loop.time()
    answer = await client.post("/api/v1/task", content=slow())
    took_ms = (loop.time() - began) * 1000
    assert (answer.status_code, took_ms >= 450) == (400, True)
    assert float(answer.headers["x-overhead-ms"]) <= took_ms - 400
