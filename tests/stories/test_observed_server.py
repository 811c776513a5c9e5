"""What a started server and its worker say of a task: in their logs, found by its id alone, and in a scrape."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.installation import LIMIT_S, Installation, ended, installing, order
from support.keys import API_KEY
from support.scrapes import scrape
from support.sink import receiving
from support.wait import answered

KEY = {"X-API-Key": API_KEY}
Install = Callable[..., Installation]


@pytest.fixture
def install(database_url: str, tmp_path: Path) -> Iterator[Install]:
    """Install with settings of one's own."""
    with installing(database_url, tmp_path) as make:
        yield make


def lines(installation: Installation) -> list[dict[str, Any]]:
    """Parse everything that all processes logged; what is no log is the greeting, which ends up in the same file."""
    texts = [line for program in installation.programs for line in program.log.read_text().splitlines()]
    return [json.loads(line) for line in texts if line.startswith("{")]


@pytest.mark.parametrize("level", ["debug", "info"])
async def test_the_story_of_a_task_is_found_by_its_id_alone(install: Install, level: str) -> None:
    """Of one that runs well at the level debug; of one that fails at info too."""
    installation = install(UNITASK_LOG_LEVEL=level)
    server = await installation.serve()
    installation.work()
    with receiving() as sink:
        endpoint = f"http://127.0.0.1:{sink.port}/hook"
        async with installation.client(KEY) as client:
            ids = []
            for do in ("ok", "fail"):
                answer = await client.post(
                    "/api/v1/task", json=order(do, endpoint=endpoint), headers={"x-request-id": f"order-{do}"}
                )
                ids.append(answer.json()["data"]["task_id"])
                assert answer.headers["x-request-id"] == f"order-{do}"
            await ended(client, ids)

            async def all_told() -> bool:
                return len(sink.received) == len(ids)

            await answered(all_told, within_s=LIMIT_S, what="two webhooks")
    told: dict[str, list[dict[str, Any]]] = {
        task_id: [one for one in lines(installation) if one.get("task_id") == task_id] for task_id in ids
    }
    well, badly = ([one["message"] for one in told[task_id]] for task_id in ids)
    assert {"started", "done"} <= set(well)
    assert {"started", "failed"} <= set(badly)
    for said in [one for task_id in ids for one in told[task_id] if "delivery_id" not in one]:
        assert said["product"] == "tester/do"
        assert "attempt" in said or said["message"] == "accepted"
    if level == "debug":
        assert {"accepted", "claimed", "completed", "a webhook message was delivered"} <= set(well)
        assert [one["request_id"] for one in told[ids[0]] if one["message"] == "accepted"] == ["order-ok"]
    else:
        assert "accepted" not in well, "what goes well is not told of by the API: it would cost each order"
    assert server.process.poll() is None


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_a_line_about_a_request_names_it(install: Install) -> None:
    """Whoever logs it: here the answer 503 to an order of a product that nobody makes."""
    installation = install()
    await installation.serve()
    async with installation.client(KEY) as client:
        body = {"model": "Qubico/flux1-dev", "task_type": "txt2img", "input": {"prompt": "a cat"}}
        answer = await client.post("/api/v1/task", json=body)
        assert answer.status_code == 503
        name = answer.headers["x-request-id"]
    (line,) = [one for one in lines(installation) if one.get("request_id") == name]
    assert (line["level"], line["route"]) == ("warning", "POST /api/v1/task")


async def test_a_running_server_tells_of_its_process_database_and_store(install: Install) -> None:
    """What only time tells: the lag of its loop, its rounds of chores, its looks at database and store."""
    installation = install()
    await installation.serve()
    async with installation.client() as client:

        async def looked() -> bool:
            seen = await scrape(client)
            once = ("unitask_housekeeping_rounds_total", "unitask_event_loop_lag_seconds_count", "unitask_store_up")
            return all(seen.value(name) >= 1 for name in once)

        await answered(looked, within_s=LIMIT_S, what="a round of chores and a look at everything")
        found = await scrape(client)
        refused = await client.get("/api/v1/task/x" + "y" * 20_000)
    assert found.value("unitask_database_up") == found.value("unitask_store_up") == 1
    assert found.value("unitask_housekeeping_led") == 1
    assert found.value("unitask_database_seconds_count") >= 1
    assert found.value("unitask_disk_free_bytes", place="data") > 0
    assert found.value("unitask_database_connections_most") in {1, 10}
    assert found.value("process_open_fds") > 0
    assert (refused.status_code, refused.headers["x-overhead-ms"]) == (414, "0.0")
    assert refused.headers["x-request-id"]
