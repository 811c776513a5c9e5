# /// script
# dependencies = ["celery[redis]==5.7.0", "fastapi==0.165.0", "httpx==0.28.1", "uvicorn[standard]==0.54.0"]
#
# [tool.bench]
# title = "FastAPI + Celery (Redis)"
# pages = [
#   "https://docs.celeryq.dev/en/stable/getting-started/backends-and-brokers/redis.html",
#   "https://docs.celeryq.dev/en/stable/userguide/optimizing.html",
# ]
# settings = "Redis with appendonly and appendfsync always; late acknowledgement; prefetch 64, as for many short tasks; one process a core"
# needs = "redis"
# api = ["uvicorn", "celery_app:app", "--port={port}", "--no-access-log", "--log-level=error"]
# worker = ["celery", "--app=celery_app:queue", "worker", "--loglevel=ERROR"]
# ready = "/openapi.json"
# create = "/task"
# id = "task_id"
# get = "/task/{id}"
# durable = true
# ends = "BENCH_HOOKS"
# lacks = "no price, no balance; its handler posts the webhook, once; nothing of the order but its result can be read"
# ///
"""FastAPI in front of Celery, broker and results in Redis."""

import os
from typing import Any

from celery import Celery, Task
from fastapi import FastAPI
from hook import tell
from marks import mark
from pydantic import BaseModel

queue = Celery("bench", broker=os.environ["BENCH_REDIS"], backend=os.environ["BENCH_REDIS"])
queue.conf.update(
    task_acks_late=True, worker_prefetch_multiplier=64, broker_connection_retry_on_startup=True, result_expires=3600
)
app = FastAPI()


class Order(BaseModel):
    model: str
    task_type: str
    input: dict[str, Any]
    config: dict[str, Any]


@queue.task(bind=True)
def make(self: Task, order: dict[str, Any]) -> dict[str, str]:
    mark(order["input"]["prompt"])
    tell(order, self.request.id)
    return {"image_url": "none"}


@app.post("/task")
def create(order: Order) -> dict[str, str]:
    return {"task_id": make.delay(order.model_dump()).id}


@app.get("/task/{task_id}")
def get(task_id: str) -> dict[str, Any]:
    found = queue.AsyncResult(task_id)
    return {"task_id": task_id, "status": found.status, "output": found.result}
