# /// script
# dependencies = ["procrastinate==3.10.0", "fastapi==0.165.0", "aiohttp==3.14.5", "uvicorn[standard]==0.54.0"]
#
# [tool.bench]
# title = "FastAPI + Procrastinate"
# pages = [
#   "https://procrastinate.readthedocs.io/en/stable/quickstart.html",
#   "https://procrastinate.readthedocs.io/en/stable/howto/basics/worker.html",
# ]
# settings = "asynchronous connector, concurrency 32, LISTEN on"
# needs = "postgres"
# prepare = ["procrastinate", "--app=procrastinate_app.queue", "schema", "--apply"]
# api = ["uvicorn", "procrastinate_app:app", "--port={port}", "--no-access-log", "--log-level=error"]
# worker = ["procrastinate", "--app=procrastinate_app.queue", "worker", "--concurrency=32"]
# ready = "/openapi.json"
# create = "/task"
# id = "task_id"
# get = "/task/{id}"
# durable = true
# ends = "BENCH_HOOKS"
# lacks = "no price, no balance; its handler posts the webhook, once; its result is not kept, only its status"
# ///
"""FastAPI that defers jobs of Procrastinate."""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from hook import tell_async
from marks import mark
from procrastinate import App, JobContext, PsycopgConnector
from pydantic import BaseModel

logging.getLogger("procrastinate").setLevel(logging.WARNING)
queue = App(connector=PsycopgConnector(conninfo=os.environ["BENCH_DATABASE"], min_size=10, max_size=10))


@asynccontextmanager
async def opened(_: FastAPI) -> AsyncIterator[None]:
    async with queue.open_async():
        yield


app = FastAPI(lifespan=opened)


class Order(BaseModel):
    model: str
    task_type: str
    input: dict[str, Any]
    config: dict[str, Any]


@queue.task(name="make", pass_context=True)
async def make(context: JobContext, order: dict[str, Any]) -> None:
    mark(order["input"]["prompt"])
    await tell_async(order, str(context.job.id))


@app.post("/task")
async def create(order: Order) -> dict[str, str]:
    return {"task_id": str(await make.defer_async(order=order.model_dump()))}


@app.get("/task/{task_id}")
async def get(task_id: int) -> dict[str, str]:
    status = await queue.job_manager.get_job_status_async(task_id)
    return {"task_id": str(task_id), "status": status.value}
