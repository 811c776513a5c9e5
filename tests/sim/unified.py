"""The hosted hub, and another Unitask: the Unified API, as `POST /api/v1/task` and `GET /api/v1/task/{task_id}`.

`idempotent`: it is a Unitask: keys mean something, and a job that runs can be taken back, of which its next look tells.
`staged`: jobs that wait are beyond the limit of the account.
"""

import base64
import binascii
from typing import Any, ClassVar, Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sim.provider import Job, Simulator, document
from sim.results import TYPES

NOT_YET: Final = "0001-01-01T00:00:00Z"
CREATED: Final = "2026-02-03T04:05:06.123456789Z"
STARTED: Final = "2026-02-03T04:05:07.5Z"
ENDED: Final = "2026-02-03T12:05:09.5+08:00"
POINTS: Final = 20000
STATUSES: Final = {
    "queued": "pending",
    "running": "processing",
    "done": "completed",
    "failed": "failed",
    "cancelled": "failed",
}
NO_ERROR: Final = {"code": 0, "raw_message": "", "message": "", "detail": None}


class Unified(Simulator):
    """The hub."""

    usual: ClassVar = {
        "image": {"image_url": "$png", "image_urls": None, "image_base64": ""},
        "video": {"video_url": "$mp4"},
        "audio": {"audio_url": "$wav"},
        "model": {"model_file": "$glb", "combined_video": "$mp4", "no_background_image": "$png"},
    }

    def __init__(self, *, looks: int = 2, idempotent: bool = False) -> None:
        self.idempotent = idempotent
        self.detail: dict[str, str] | None = None
        super().__init__(looks=looks)
        self.staged = False
        self.points = 10**7

    def routes(self) -> list[BaseRoute]:
        """List the two calls and what clients use beside them."""
        return [
            Route("/api/v1/task", self.create, methods=["POST"], name="submit"),
            Route("/api/v1/task/{task_id}", self.read, methods=["GET"], name="look"),
            Route("/api/v1/task/{task_id}", self.cancel, methods=["DELETE"], name="cancel"),
            *([Route("/api/v1/task/{task_id}/cancel", self.cancel, methods=["POST"], name="cancel")] * self.idempotent),
            *([Route("/healthz", self.healthz, name="ping:open")] * self.idempotent),
            Route("/account/info", self.account, name="ping"),
            Route("/api/v1/account/info", self.account, name="ping"),
            Route("/api/ephemeral_resource", self.take, methods=["POST"], name="upload"),
            Route("/{path:path}", self.nothing, methods=["GET", "POST", "PUT", "DELETE", "PATCH"], name=""),
        ]

    def key_in(self, headers: Headers) -> str | None:
        """Both headers are known, on all routes."""
        return headers.get("x-api-key") or super().key_in(headers)

    def refuse(self, code: int, message: str) -> Response:
        """Wrap a sentence in the envelope."""
        return JSONResponse({"code": code, "data": None, "message": message}, code)

    async def nothing(self, request: Request) -> Response:
        """Answer as the hub's router does."""
        del request
        return PlainTextResponse("404 page not found", 404)

    async def create(self, request: Request) -> Response:
        """Take an order."""
        order = await document(request, self.refuse(400, "invalid request"))
        if not isinstance(order.get("input"), dict) or not order.get("model") or not order.get("task_type"):
            return self.refuse(400, "invalid request")
        name = f"{order['model']}/{order['task_type']}"
        if bad := self.bad_input():
            return self.refuse(400, bad.message)
        key = request.headers.get("idempotency-key") if self.idempotent else None
        if same := next((job for job in self.jobs if key and job.key == key), None):
            return self.answer(same) if same.order == order else self.refuse(422, "the key was used for another order")
        if self.points < POINTS:
            return self.refuse(402, "insufficient credits")
        return self.answer(self.make(name, order, request.headers))

    async def read(self, request: Request) -> Response:
        """Tell how a job stands."""
        job = self.find(request.path_params["task_id"])
        return self.answer(self.look(job)) if job else self.refuse(404, "task not found")

    async def cancel(self, request: Request) -> Response:
        """Take a job back; at the hub only one that does not run yet."""
        job = self.find(request.path_params["task_id"])
        if job is None:
            return self.refuse(404, "task not found")
        if job.ended and self.idempotent:
            return self.refuse(409, f"the task is {STATUSES[job.state]} already and cannot be cancelled")
        if job.state != "queued" and not self.idempotent:
            return self.refuse(400, "only pending tasks can be cancelled")
        told, waited = self.task(job), job.state == "queued"
        job.state = "cancelled"
        return self.answer(job) if waited else self.envelope(told)

    async def healthz(self, request: Request) -> Response:
        """Say that it is a Unitask."""
        del request
        return JSONResponse({"status": "ok", "server": "unitask", "version": "0.0.0"})

    async def account(self, request: Request) -> Response:
        """Tell what is left."""
        del request
        packs = {"available_credits": self.points, "used_credits": POINTS, "total_credits": self.points + POINTS}
        data = {"id": 1, "name": "somebody@example.com", "plan": "creator", "credit_pack_info": packs}
        return self.envelope({**data, "equivalent_in_usd": self.points / 10**7})

    async def take(self, request: Request) -> Response:
        """Keep an input, sent as base64 under a name."""
        sent = await document(request, self.refuse(400, "Invalid request parameters"))
        name = str(sent.get("file_name"))
        try:
            content = base64.b64decode(str(sent.get("file_data", "-")).rpartition(",")[2], validate=True)
        except binascii.Error:
            return self.refuse(400, "Invalid request parameters")
        kind = TYPES.get(name.rpartition(".")[2].lower().replace("jpeg", "jpg"))
        if kind is None:
            return self.refuse(400, "Invalid request parameters")
        url = self.upload(name, content, kind)
        return JSONResponse({"code": 200, "data": {"url": url}, "message": "success", "url": url})

    def answer(self, job: Job) -> Response:
        """Wrap a task."""
        return self.envelope(self.task(job))

    def envelope(self, data: dict[str, Any]) -> Response:
        """Wrap what went well."""
        return JSONResponse({"code": 200, "data": data, "message": "success"})

    def task(self, job: Job) -> dict[str, Any]:
        """Write a task, its fields in the order of captures."""
        config = job.order.get("config") or {}
        hook = config.get("webhook_config") or {}
        paid = job.state == "done"
        return {
            "task_id": job.id,
            "model": job.order["model"],
            "task_type": job.order["task_type"],
            "status": "staged" if self.staged and job.state == "queued" else STATUSES[job.state],
            "config": {
                "service_mode": config.get("service_mode", ""),
                "webhook_config": {"endpoint": hook.get("endpoint", ""), "secret": hook.get("secret", "")},
            },
            "input": job.order["input"],
            "output": job.output,
            "meta": {
                "created_at": CREATED,
                "started_at": STARTED if job.state not in {"queued", "cancelled"} else NOT_YET,
                "ended_at": ENDED if job.ended else NOT_YET,
                "usage": {
                    "type": "point",
                    "frozen": 0 if job.ended else POINTS,
                    "consume": POINTS if paid else 0,
                },
                "is_using_private_pool": False,
            },
            "detail": None,
            "logs": [],
            "error": self.error(job),
        }

    def error(self, job: Job) -> dict[str, Any]:
        """Write what went wrong."""
        if job.cancelled:
            return {"code": 10000, "raw_message": "cancelled", "message": "the task was cancelled", "detail": None}
        if not (job.failure and job.state == "failed"):
            return NO_ERROR
        raw = f"backend: {job.failure.message}"
        return {"code": 10000, "raw_message": raw, "message": job.failure.message, "detail": self.detail}
