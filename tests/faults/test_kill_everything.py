"""A power cut in the middle of a task, and the next start on the same folder."""

import contextlib
import os
import signal
from collections.abc import Callable

import psutil
import pytest

from support.books import troubles
from support.installation import LIMIT_S, Installation, ended, order, read
from support.keys import API_KEY
from support.processes import runs
from support.sql import rows
from support.tester import PRICE_POINTS
from support.wait import answered, seen
from unitask.db import open_database


def family(pid: int) -> list[int]:
    """List a process and all its descendants."""
    parent = psutil.Process(pid)
    return [parent.pid, *(child.pid for child in parent.children(recursive=True))]


@pytest.mark.parametrize("whole_tree", [True, False], ids=["the whole tree", "the server alone"])
async def test_a_task_outlives_its_server(install: Callable[..., Installation], *, whole_tree: bool) -> None:
    """Killed while an engine works: no process is left over; started again, the task completes and is charged once."""
    installation = install()
    async with installation.client({"X-API-Key": API_KEY}) as client:
        server = await installation.serve(with_worker=True)
        answer = await client.post("/api/v1/task", json=order("slow_steps", seconds=2.5, steps=50))
        task_id = answer.json()["data"]["task_id"]

        async def halfway() -> bool:
            return bool((await read(client, task_id))["meta"]["progress"] > 0)

        await answered(halfway, within_s=LIMIT_S, what="some progress")
        processes = family(server.pid)
        assert len(processes) == 3, "the server, its worker, the worker's engine"
        for pid in processes if whole_tree else [server.pid]:
            with contextlib.suppress(ProcessLookupError):  # its parent may have taken it along
                os.kill(pid, signal.SIGKILL)
        await server.dies()
        await seen(lambda: not any(map(runs, processes)), within_s=5, what="the end of all processes")

        await installation.serve(with_worker=True)
        assert (await read(client, task_id))["status"] in {"processing", "pending"}
        (task,) = await ended(client, [task_id])
        assert task["status"] == "completed"
        assert "attempt 1: the worker stopped answering" in task["logs"]
        assert task["meta"]["usage"]["consume"] == PRICE_POINTS
    installation.end()
    database = await open_database(installation.database_url)
    assert await troubles(database) == []
    assert await rows(database, "select attempt, charged_points from tasks") == [
        {"attempt": 2, "charged_points": PRICE_POINTS}
    ]
    await database.close()
