"""A stand-in for a hosted service: it knows the two calls and nothing else, and behaves in the ways that one does.

Statuses move with every read; times not reached are the year 1; unknown routes are plain text; idempotency keys mean
nothing to it; an order with the prompt `fail` fails.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from uuid import uuid4

from support.threaded import threaded

API_KEY = "sk-of-the-hosted-service"
NOT_YET = "0001-01-01T00:00:00Z"
RESULT = b"\x89PNG\r\n\x1a\n of the hosted service"
STORY = ("pending", "staged", "processing", "completed")


@dataclass
class Hosted:
    """What it was asked and what it holds. `lose` answers are never sent; `busy` creates are refused with 429."""

    address: str
    asked: list[tuple[str, str]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    lose: int = 0
    busy: int = 0

    def create(self, order: dict[str, Any]) -> dict[str, Any]:
        """Accept an order."""
        self.orders.append(order)
        task = {
            "task_id": str(uuid4()),
            "model": order["model"],
            "task_type": order["task_type"],
            "status": STORY[0],
            "config": {"service_mode": "", "webhook_config": {"endpoint": "", "secret": ""}},
            "input": order["input"],
            "output": None,
            "meta": {
                "created_at": "2026-02-03T04:05:06.123456789Z",
                "started_at": NOT_YET,
                "ended_at": NOT_YET,
                "usage": {"type": "point", "frozen": 20000, "consume": 0},
                "is_using_private_pool": False,
            },
            "detail": None,
            "logs": [],
            "error": {"code": 0, "raw_message": "", "message": "", "detail": None},
        }
        self.tasks[task["task_id"]] = task
        return task

    def read(self, task_id: str) -> dict[str, Any] | None:
        """Let a task go a step on, and give it."""
        task = self.tasks.get(task_id)
        if task is None or task["status"] in {"completed", "failed"}:
            return task
        task["status"] = STORY[STORY.index(task["status"]) + 1]
        if task["status"] != "completed":
            return task
        if task["input"].get("prompt") == "fail":
            task["status"] = "failed"
            task["error"] = {"code": 10000, "raw_message": "backend 7", "message": "task failed", "detail": None}
        else:
            task["output"] = {"image_url": f"{self.address}/temp/{task_id}.png", "image_urls": None}
            task["meta"] |= {"ended_at": "2026-02-03T12:05:09.5+08:00"}
            task["meta"]["usage"] = {"type": "point", "frozen": 0, "consume": 20000}
        return task


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hosted: Hosted

    def _say(self, status: int, body: bytes, kind: str = "application/json", **headers: str) -> None:
        if self.hosted.lose:
            self.hosted.lose -= 1
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, status: int, data: Any, message: str = "success") -> None:
        self._say(status, json.dumps({"code": status, "data": data, "message": message}).encode())

    def _known(self) -> bool:
        self.hosted.asked.append((self.command, self.path))
        return self.headers.get("x-api-key") == API_KEY

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        known = self._known()
        if self.path != "/api/v1/task":
            self._say(404, b"404 page not found", "text/plain")
        elif not known:
            self._say(401, b'{"error": "Unauthorized: the key is wrong"}')
        elif self.hosted.busy:
            self.hosted.busy -= 1
            self._say(429, b'{"code": 429, "message": "too many requests"}', **{"retry-after": "0"})
        elif (order := json.loads(body))["model"] == "test":
            self._answer(400, {"task_id": "", "error": {"message": "invalid request"}}, "")
        else:
            self._answer(200, self.hosted.create(order))

    def do_GET(self) -> None:
        known = self._known()
        path = self.path.partition("?")[0]
        task_id = path.removeprefix("/api/v1/task/")
        if path.startswith("/temp/"):
            self._say(200, RESULT, "image/png")
        elif task_id == path or "/" in task_id:
            self._say(404, b"404 page not found", "text/plain")
        elif not known:
            self._say(401, b'{"description": "Unauthorized"}')
        elif (task := self.hosted.read(task_id)) is None:
            self._answer(404, None, "task not found")
        else:
            self._answer(200, task)

    def do_DELETE(self) -> None:
        self._known()
        self._say(404, b"404 page not found", "text/plain")

    do_PUT = do_DELETE  # noqa: N815 - the library's name

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
        """Log nothing."""


@contextmanager
def hosting() -> Iterator[Hosted]:
    """Run one."""

    class Handler(_Handler):
        pass

    with threaded(Handler) as port:
        Handler.hosted = Hosted(f"http://127.0.0.1:{port}")
        yield Handler.hosted
