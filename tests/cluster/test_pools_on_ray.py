"""Pools of workers on a real Ray cluster of several nodes, with a real API and real workers."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil

from support.books import troubles
from support.installation import LIMIT_S, Installation, ended, order
from support.keys import API_KEY, WORKER_TOKEN
from support.pools import Controlled
from support.processes import runs
from support.raynodes import RayNodes
from support.sql import rows
from support.tester import PRICE_POINTS
from support.wait import answered, seen
from unitask.db import open_database

AddNode = Callable[..., Any]
KEY = {"X-API-Key": API_KEY}


async def ordered(client: httpx.AsyncClient, markers: list[Path]) -> list[str]:
    """Order tasks each of which goes on until its file is there; gives their ids."""
    answers = [await client.post("/api/v1/task", json=order("wait_for_file", marker=str(path))) for path in markers]
    return [answer.json()["data"]["task_id"] for answer in answers]


def pid_of(actor: dict[str, Any]) -> int:
    """Read the number of a worker's process from its name."""
    return int(actor["worker"].rpartition(":")[2])


async def bookkeeping(installation: Installation) -> list[dict[str, Any]]:
    """Check the books, and read of every task how it ended and what it cost."""
    database = await open_database(installation.database_url)
    try:
        assert await troubles(database) == []
        found = await rows(database, "select status, attempt, charged_points from tasks order by id")
        assert (
            await rows(
                database, "select task_id from ledger where kind = 'capture' group by task_id having count(*) > 1"
            )
            == []
        )
        return found
    finally:
        await database.close()


async def test_a_pool_grows_with_the_queue_and_shrinks_by_draining(
    controlled: Controlled, node: AddNode, tmp_path: Path
) -> None:
    """Three tasks, three workers on two nodes; who is idle goes, who works stays; every task had one attempt."""
    node(2, num_gpus=2)
    node(2, num_gpus=2)
    installation = controlled.installation
    await installation.serve()
    controlled.controller(most=3, gpus=1, idle_s=3, cooldown_s=6)
    async with installation.client(KEY) as client:
        await controlled.actors()
        markers = [tmp_path / f"go-on-{number}" for number in range(3)]
        task_ids = await ordered(client, markers)
        grown = await controlled.actors("running", "running", "running", tasks=3)
        cards = [psutil.Process(pid_of(one)).environ()["CUDA_VISIBLE_DEVICES"] for one in grown]
        assert sorted(cards) in (["0", "0", "1"], ["0", "1", "1"]), "each has a card of its node"
        assert "UNITASK_DEVICES" not in psutil.Process(pid_of(grown[0])).environ()
        shown = controlled.command("status")
        assert all(one["worker"] in shown.stdout for one in grown), shown.stdout + shown.stderr
        for marker in markers[:2]:
            marker.touch()
        (left,) = await controlled.actors("running", tasks=1)
        assert left in grown, "the one that is busy has stayed"
        markers[2].touch()
        assert {task["status"] for task in await ended(client, task_ids)} == {"completed"}
        await controlled.actors()
    done = {"status": "completed", "attempt": 1, "charged_points": PRICE_POINTS}
    assert await bookkeeping(installation) == [done] * 3


async def test_tasks_of_a_node_that_is_killed_run_elsewhere(
    controlled: Controlled, ray_nodes: RayNodes, node: AddNode, tmp_path: Path
) -> None:
    """Its workers are gone with it; Ray starts their actors on what is left, every task ends once and costs once."""
    first, second = node(2), node(2)
    installation = controlled.installation
    await installation.serve()
    controlled.controller(most=2)
    async with installation.client(KEY) as client:
        marker = tmp_path / "go-on"
        task_ids = await ordered(client, [marker] * 4)
        before = await controlled.actors("running", "running", tasks=2)
        ray_nodes.kill(first)
        await seen(lambda: not all(runs(pid_of(one)) for one in before), within_s=LIMIT_S, what="the end of a worker")
        after = await controlled.actors("running", "running", tasks=2, restarts=1)
        assert {one["id"] for one in after} == {one["id"] for one in before}, "the same actors, somewhere else"
        marker.touch()
        assert {task["status"] for task in await ended(client, task_ids)} == {"completed"}
    found = await bookkeeping(installation)
    assert [(one["status"], one["charged_points"]) for one in found] == [("completed", PRICE_POINTS)] * 4
    assert sorted(one["attempt"] for one in found) >= [1, 1, 1, 2], "a task was lost, and ran again"
    assert second.any_processes_alive()


async def test_what_dies_alone_is_started_again(controlled: Controlled, node: AddNode, tmp_path: Path) -> None:
    """The worker process by its actor, the actor by Ray."""
    node(1)
    installation = controlled.installation
    await installation.serve()
    controlled.controller(least=1, most=1)
    (actor,) = await controlled.actors("running")

    async def another(than: dict[str, Any]) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            (one,) = await controlled.actors("running")
            return one if one["worker"] and one["worker"] != than["worker"] and runs(pid_of(one)) else None

        found = await answered(look, within_s=LIMIT_S, what="another worker")
        assert found is not None
        return found

    os.kill(pid_of(actor), signal.SIGKILL)
    second = await another(actor)
    assert (second["id"], second["restarts"]) == (actor["id"], 0)
    assert "ended with status -9" in second["note"]
    os.kill(psutil.Process(pid_of(second)).ppid(), signal.SIGKILL)
    third = await another(second)
    assert (third["id"], third["restarts"]) == (actor["id"], 1)
    async with installation.client(KEY) as client:
        marker = tmp_path / "go-on"
        marker.touch()
        assert (await ended(client, await ordered(client, [marker])))[0]["status"] == "completed"


async def test_a_controller_goes_on_where_another_was_killed(
    controlled: Controlled, node: AddNode, tmp_path: Path
) -> None:
    """Until then the second only waits; then it finds the workers that run, and none of the tasks notices."""
    node(3)
    installation = controlled.installation
    await installation.serve()
    first = controlled.controller(most=2)
    async with installation.client(KEY) as client:
        marker = tmp_path / "go-on"
        task_ids = await ordered(client, [marker] * 2)
        before = await controlled.actors("running", "running", tasks=2)
        second = controlled.controller(least=3, most=3)
        waits = "another controller"
        await seen(lambda: waits in second.log.read_text(), within_s=LIMIT_S, what="a controller that waits")
        refused = controlled.stop()
        assert refused.returncode == 1
        assert "runs on this cluster" in refused.stderr
        first.kill()
        after = await controlled.actors("running", "running", "running", tasks=2)
        assert {one["id"] for one in after} > {one["id"] for one in before}, "it has found them, and started one more"
        marker.touch()
        assert {task["status"] for task in await ended(client, task_ids)} == {"completed"}
    done = {"status": "completed", "attempt": 1, "charged_points": PRICE_POINTS}
    assert await bookkeeping(installation) == [done] * 2


async def test_workers_of_a_changed_pool_finish_what_they_have(
    controlled: Controlled, node: AddNode, tmp_path: Path
) -> None:
    """Another controller with other slots drains the one that works and starts its successor; no attempt is lost."""
    node(2)
    installation = controlled.installation
    await installation.serve()
    first = controlled.controller(least=1, most=1)
    async with installation.client(KEY) as client:
        marker = tmp_path / "go-on"
        task_ids = await ordered(client, [marker])
        (old,) = await controlled.actors("running", tasks=1)
        first.kill()
        controlled.controller(least=1, most=1, slots=2)
        both = await controlled.actors("draining", "running", tasks=1)
        assert [one["id"] for one in both if one["state"] == "draining"] == [old["id"]]
        marker.touch()
        assert {task["status"] for task in await ended(client, task_ids)} == {"completed"}
        (new,) = await controlled.actors("running")
        assert new["id"] != old["id"]
    assert await bookkeeping(installation) == [{"status": "completed", "attempt": 1, "charged_points": PRICE_POINTS}]


async def test_the_token_shows_nowhere_in_ray(controlled: Controlled, ray_nodes: RayNodes, node: AddNode) -> None:
    """Not in the tables that Ray's dashboard and tools read, not in its logs, not on a command line."""
    node(1)
    await controlled.installation.serve()
    controlled.controller(least=1, most=1)
    (actor,) = await controlled.actors("running")
    tables = ray_nodes.tables()
    assert any(actor["id"] in row for row in tables["actors"]), "the tables were read"
    assert tables["jobs"]
    assert tables["workers"]
    assert WORKER_TOKEN not in str(tables)
    lines = [word for one in psutil.process_iter(["cmdline"]) for word in one.info["cmdline"] or []]
    assert psutil.Process(pid_of(actor)).cmdline()[-2] in lines
    assert not any(WORKER_TOKEN in word for word in lines)
    assert "worker" in ray_nodes.written()
    assert WORKER_TOKEN not in ray_nodes.written()
