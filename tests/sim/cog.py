"""A Cog container: one prediction at a time, in the request that orders it or told of by webhooks.

There is no route that tells how a prediction stands. Ordering it again under its id does, as long as it runs; one that
has ended is forgotten, and the same request makes another.
"""

import asyncio
import base64
from typing import Any, ClassVar, Final

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from sim.provider import Job, Refused, Simulator, document
from sim.results import TYPES, content

VERSION: Final = "0.23.1"
LOGS: Final = "50%|#####     | 1/2 [00:01<00:01]\n"
STATUSES: Final = {"done": "succeeded", "failed": "failed", "cancelled": "canceled"}
NOT_READY: Final = "Setup has not finished yet. Wait until it has finished, or GET /health-check for status."
EVENTS: Final = ("start", "output", "logs", "completed")
STARTED: Final = "2026-02-03T04:05:06.789012345+00:00"


class Cog(Simulator):
    """The container. `name` is that of its model, which nobody sends; `slots` how many predictions run at once."""

    key = ""
    usual: ClassVar = {"image": "$png", "video": "$mp4", "audio": "$wav", "model": "$glb"}

    def __init__(self, *, looks: int = 2, name: str = "image") -> None:
        super().__init__(looks=looks)
        self.name = name
        self.slots = 1
        self.ready = True
        self._telling: set[asyncio.Task[None]] = set()

    def routes(self) -> list[BaseRoute]:
        """List the routes of its HTTP API."""
        return [
            Route("/", self.discover, name="ping"),
            Route("/health-check", self.health, name="ping"),
            Route("/openapi.json", self.schema, name="ping"),
            Route("/predictions", self.create, methods=["POST"], name="submit"),
            Route("/predictions/{id}", self.create, methods=["PUT"], name="submit"),
            Route("/predictions/{id}/cancel", self.cancel, methods=["POST"], name="cancel"),
        ]

    def refuse(self, code: int, message: str) -> Response:
        """Write an error that is no prediction."""
        return JSONResponse({"error": message, "status": "failed"}, code)

    async def discover(self, request: Request) -> Response:
        """Tell what there is."""
        del request
        at = {"predictions_url": "/predictions", "predictions_idempotent_url": "/predictions/{prediction_id}"}
        more = {"docs_url": "/docs", "openapi_url": "/openapi.json", "shutdown_url": "/shutdown"}
        cancel = {"predictions_cancel_url": "/predictions/{prediction_id}/cancel"}
        return JSONResponse({"cog_version": VERSION, "healthcheck_url": "/health-check", **at, **more, **cancel})

    async def health(self, request: Request) -> Response:
        """Tell whether an order would be taken."""
        del request
        busy = "BUSY" if len(self.running()) >= self.slots else "READY"
        setup = {"started_at": STARTED, "completed_at": STARTED, "status": "succeeded", "logs": ""}
        if not self.ready:
            setup = {"started_at": STARTED, "status": "starting"}
        version = {"coglet": VERSION, "python_sdk": VERSION, "python": "3.11.7"}
        return JSONResponse({"status": busy if self.ready else "STARTING", "setup": setup, "version": version})

    async def schema(self, request: Request) -> Response:
        """Have no schema, as a container that nobody built."""
        del request
        return JSONResponse({"error": "OpenAPI schema not available"}, 503)

    def running(self) -> list[Job]:
        """Find the predictions that take a slot."""
        return [job for job in self.jobs if not (job.ended or job.forgotten)]

    async def create(self, request: Request) -> Response:
        """Take an order, in any of the four ways."""
        order = await ordered(request)
        wanted = request.path_params.get("id") or order.get("id", "")
        if order.get("id", wanted) != wanted:
            return invalid("id", "prediction ID must match the ID supplied in the URL", at=["body"])
        runs = next((job for job in self.running() if job.id == wanted), None)
        if runs and request.method == "PUT" and not self.look(runs).ended:
            return JSONResponse({**self.state(runs), "input": runs.order["input"]}, 202)
        self.check()
        order = {**order, "input": order.get("input") or {}}
        job = self.make(self.name, order, request.headers, id_=wanted or f"pred_{self.new_id()[:16]}")
        if request.headers.get("prefer") == "respond-async":
            task = asyncio.ensure_future(self.run(job))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)
            return JSONResponse({"id": job.id, "status": "starting"}, 202)
        job.state = "running"
        if await self.unheld(request) and not job.ended:
            self.finish(job)
        job.state = job.state if job.ended else "cancelled"
        return JSONResponse(self.state(job))

    def check(self) -> None:
        """Refuse an order that cannot be taken now, or not at all."""
        if not self.ready:
            raise Refused(self.refuse(503, NOT_READY))
        if bad := self.bad_input():
            raise Refused(invalid("prompt", bad.message, at=["body", "input"]))
        if len(self.running()) >= self.slots:
            raise Refused(self.refuse(409, "At capacity - all prediction slots busy"))

    async def run(self, job: Job) -> None:
        """Let an ordered prediction go its way: with a webhook to its end, without one as often as it is looked at."""
        hook = job.order.get("webhook")
        job.state = "running"
        if not hook:
            return
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501 - loopback
            await self.tell(client, job, "start")
            while self.held and not job.ended:
                await asyncio.to_thread(self._free.wait, 0.02)
            if not job.ended:
                self.finish(job)
            if job.output is not None:
                await self.tell(client, job, "output", output=[job.output], status="processing", metrics={})
            await self.tell(client, job, "completed")

    async def tell(self, client: httpx.AsyncClient, job: Job, event: str, **more: Any) -> None:
        """Send a webhook, if this event is wanted."""
        if event in job.order.get("webhook_events_filter", EVENTS):
            await client.post(job.order["webhook"], json={**self.state(job), **more})

    async def cancel(self, request: Request) -> Response:
        """End a prediction that runs."""
        job = next((job for job in self.running() if job.id == request.path_params["id"]), None)
        if job is None:
            return JSONResponse({}, 404)
        job.state = "cancelled"
        return JSONResponse({})

    def filled(self, template: Any, job: Job) -> Any:
        """Put files into an output, as data URIs."""
        if isinstance(template, str) and template.startswith("$"):
            data = base64.b64encode(content(template[1:])).decode()
            return f"data:{TYPES[template[1:]]};base64,{data}"
        return super().filled(template, job)

    def state(self, job: Job) -> dict[str, Any]:
        """Write a prediction."""
        told: dict[str, Any] = {"id": job.id, "logs": "", "status": STATUSES.get(job.state, "processing")}
        if job.state == "failed" and job.failure:
            told["error"] = f"Prediction failed: Prediction failed: ValueError: {job.failure.message}"
        if job.state == "done":
            told |= {"output": job.output, "logs": LOGS}
        return {**told, "metrics": {"predict_time": 0.25} if job.ended else {}}


def invalid(field: str, sentence: str, *, at: list[str]) -> Response:
    """Refuse an input."""
    return JSONResponse({"detail": [{"loc": [*at, field], "msg": sentence, "type": "value_error"}]}, 422)


async def ordered(request: Request) -> dict[str, Any]:
    """Read an order."""
    body = await request.body()
    if body and request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise Refused(PlainTextResponse("Expected request with `Content-Type: application/json`", 415))
    no_json = PlainTextResponse("Failed to parse the request body as JSON: EOF while parsing a value", 400)
    return await document(request, no_json) if body else {}
