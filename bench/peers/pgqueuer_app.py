# /// script
# dependencies = ["pgqueuer[asyncpg]==1.6.0", "fastapi==0.165.0", "aiohttp==3.14.5", "uvicorn[standard]==0.54.0"]
#
# [tool.bench]
# title = "FastAPI + PgQueuer"
# pages = ["https://pgqueuer.readthedocs.io/", "https://janbjorge.github.io/pgqueuer/"]
# settings = "a pool of asyncpg, batches of 32"
# needs = "postgres"
# prepare = ["pgq", "install"]
# api = ["uvicorn", "pgqueuer_app:app", "--port={port}", "--no-access-log", "--log-level=error"]
# worker = ["python", "pgqueuer_app.py"]
# ready = "/openapi.json"
# create = "/task"
# id = "task_id"
# get = "/task/{id}"
# durable = true
# ends = "BENCH_HOOKS"
# lacks = "no price, no balance; its handler posts the webhook, once; its result is not kept, only its status"
# ///
"""FastAPI that enqueues jobs of PgQueuer, and its worker."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from fastapi import FastAPI
from hook import tell_async
from marks import mark
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries
from pydantic import BaseModel


async def pool() -> asyncpg.Pool:
    return await asyncpg.create_pool(os.environ["BENCH_DATABASE"], min_size=10, max_size=10)


@asynccontextmanager
async def opened(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncpgPoolDriver(await pool()) as driver:
        app.state.queue = Queries(driver)
        yield


app = FastAPI(lifespan=opened)


class Order(BaseModel):
    model: str
    task_type: str
    input: dict[str, Any]
    config: dict[str, Any]


async def work() -> None:
    queue = PgQueuer(AsyncpgPoolDriver(await pool()))

    @queue.entrypoint("make")
    async def make(job: Job) -> None:
        order = json.loads(job.payload)
        mark(order["input"]["prompt"])
        await tell_async(order, str(job.id))

    await queue.run(batch_size=32)


@app.post("/task")
async def create(order: Order) -> dict[str, str]:
    (number,) = await app.state.queue.enqueue("make", order.model_dump_json().encode())
    return {"task_id": str(number)}


@app.get("/task/{task_id}")
async def get(task_id: int) -> dict[str, str]:
    ((_, status),) = await app.state.queue.job_status([task_id])
    return {"task_id": str(task_id), "status": status}


if __name__ == "__main__":
    asyncio.run(work())
