"""The floor of a task from end to end, on PostgreSQL: claim 64, do nothing, complete them, post a webhook each.

Two statements for up to 64 tasks and the same client for webhooks as Unitask's. No attempts, no leases, no engine
process, no ledger. Webhooks are not signed; one that fails is lost, and so is one that is under way when this ends.
"""

import asyncio
import json
import os
import uuid

import asyncpg
import uvloop
from marks import mark

from unitask.kit.net import Guard, Poster

_MOST = 64
_LOOK_S = 0.002
_INDEX = "create index if not exists floor_pending on tasks (id) where status = 'pending'"
_CLAIM = (
    "update tasks set status = 'processing' where id in (select id from tasks where status = 'pending' order by id "
    f"limit {_MOST} for update skip locked) returning id, input"
)
_COMPLETE = "update tasks set status = 'completed' where id = any($1::uuid[])"


async def _post(poster: Poster, task_id: uuid.UUID, order: dict[str, object]) -> None:
    data = {"task_id": str(task_id), "status": "completed", "input": order["input"]}
    content = json.dumps({"timestamp": 0, "data": data}, separators=(",", ":")).encode()
    endpoint = order["config"]["webhook_config"]["endpoint"]  # type: ignore[index]
    await poster.post(endpoint, content=content, headers={}, timeout_s=10, limit_bytes=1024)


async def work() -> None:
    """Work until killed."""
    async with (
        asyncpg.create_pool(os.environ["FLOOR_DATABASE"], min_size=2, max_size=2) as pool,
        Guard(allow_private=True).poster(limit_connections=_MOST) as poster,
    ):
        await pool.execute(_INDEX)
        posts: set[asyncio.Task[None]] = set()
        while True:
            claimed = [(row["id"], json.loads(row["input"])) for row in await pool.fetch(_CLAIM)]
            # The row that the application reads was never ordered.
            found = [(task_id, order) for task_id, order in claimed if "config" in order]
            for _, order in found:
                mark(order["input"]["prompt"])
            if claimed:
                await pool.execute(_COMPLETE, [task_id for task_id, _ in claimed])
            for one in found:
                posts.add(task := asyncio.create_task(_post(poster, *one)))
                task.add_done_callback(posts.discard)
            await asyncio.sleep(0 if found else _LOOK_S)


if __name__ == "__main__":
    uvloop.run(work())
