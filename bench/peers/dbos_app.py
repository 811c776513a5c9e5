# /// script
# dependencies = ["dbos==3.4.0", "fastapi==0.165.0", "httpx==0.28.1", "uvicorn[standard]==0.54.0"]
#
# [tool.bench]
# title = "FastAPI + DBOS"
# pages = ["https://docs.dbos.dev/python/reference/queues", "https://docs.dbos.dev/python/reference/client"]
# settings = "a queue with the default polling of 1 s and no limit; the API enqueues by DBOSClient, another process runs the workflows"
# needs = "postgres"
# prepare = ["dbos", "migrate", "--sys-db-url={database}"]
# api = ["uvicorn", "dbos_app:app", "--port={port}", "--no-access-log", "--log-level=error"]
# worker = ["python", "dbos_app.py"]
# ready = "/openapi.json"
# create = "/task"
# id = "task_id"
# get = "/task/{id}"
# durable = true
# ends = "BENCH_HOOKS"
# lacks = "no price, no balance; the webhook is a step of the workflow, posted once"
# ///
"""FastAPI that enqueues workflows of DBOS."""

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dbos import DBOS, DBOSClient
from fastapi import FastAPI
from hook import tell
from marks import mark
from pydantic import BaseModel

URL = os.environ["BENCH_DATABASE"]
TO = {"workflow_name": "make", "queue_name": "tasks", "app_version": "1"}


@asynccontextmanager
async def opened(app: FastAPI) -> AsyncIterator[None]:
    app.state.client = DBOSClient(system_database_url=URL, application_name="bench")
    yield
    app.state.client.destroy()


app = FastAPI(lifespan=opened)


class Order(BaseModel):
    model: str
    task_type: str
    input: dict[str, Any]
    config: dict[str, Any]


@app.post("/task")
async def create(order: Order) -> dict[str, str]:
    handle = await app.state.client.enqueue_async(TO, order.model_dump())
    return {"task_id": handle.get_workflow_id()}


@app.get("/task/{task_id}")
async def get(task_id: str) -> dict[str, str]:
    handle = await app.state.client.retrieve_workflow_async(task_id)
    return {"task_id": task_id, "status": (await handle.get_status()).status}


def work() -> None:
    DBOS(
        config={
            "name": "bench",
            "system_database_url": URL,
            "application_version": "1",
            "executor_id": "one",
            "log_level": "ERROR",
        }
    )

    @DBOS.step()
    def notify(order: dict[str, Any], task_id: str) -> None:
        tell(order, task_id)

    @DBOS.workflow(name="make")
    def make(order: dict[str, Any]) -> dict[str, str]:
        mark(order["input"]["prompt"])
        notify(order, DBOS.workflow_id)
        return {"image_url": "none"}

    DBOS.launch()
    DBOS.register_queue("tasks")
    threading.Event().wait()


if __name__ == "__main__":
    work()
