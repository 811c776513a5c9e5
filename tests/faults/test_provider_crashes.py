"""Server and worker die together around an order at a provider: it is made once, or not paid for twice."""

from collections.abc import Callable

import pytest

from sim.provider import served
from sim.unified import Unified
from support.books import troubles
from support.installation import Installation, ended
from support.keys import API_KEY
from support.sql import rows
from support.tester import PRICE_POINTS
from unitask.db import open_database

ORDER = {"model": "tester", "task_type": "do", "input": {"do": "ok"}}
TABLES = """
[provider.hub]
engine = "upstream"
url = "{url}"
[[route]]
products = ["tester/do"]
order = ["hub"]
"""
POINTS = ["keep.before_commit:1", "keep.after_commit:1", "keep.before_commit:2", "keep.after_commit:2"]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("knows_keys", [True, False], ids=["another Unitask", "the hosted hub"])
async def test_an_order_whose_fate_nobody_knows_is_not_paid_for_twice(
    install: Callable[..., Installation], point: str, *, knows_keys: bool
) -> None:
    """Where the key of an order means something it is sent again; elsewhere the task fails and says why."""
    with served(Unified(idempotent=knows_keys)) as hub:
        hub.outputs["tester/do"] = {"image_url": "$png", "said": {}}
        installation = install()
        installation.provide(TABLES.format(url=hub.url), hub=hub.key)
        async with installation.client({"X-API-Key": API_KEY}) as client:
            server = await installation.serve(fault=point)
            worker = installation.work()
            task_id = (await client.post("/api/v1/task", json=ORDER)).json()["data"]["task_id"]
            await server.dies()
            worker.kill()
            await installation.serve()
            installation.work()
            (task,) = await ended(client, [task_id])
    # Nothing is known of a job only between the first word of it and the second.
    made = knows_keys or point in {POINTS[0], POINTS[3]}
    assert task["status"] == ("completed" if made else "failed"), task["error"]
    assert made or "it may have made it, so that it was not sent again" in task["error"]["message"]
    assert hub.submitted <= 1
    assert made <= hub.submitted
    installation.end()
    database = await open_database(installation.database_url)
    assert await troubles(database) == []
    assert await rows(database, "select charged_points from tasks") == [{"charged_points": PRICE_POINTS if made else 0}]
    await database.close()
