"""The hosted queue: orders by POST to the address of a model, statuses until COMPLETED, and the result by itself.

All fails late: an order is taken whatever it holds, and its result is then the refusal.
"""

from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sim.provider import Failure, Job, Simulator, document

STATUSES: Final = {"queued": "IN_QUEUE", "running": "IN_PROGRESS"}
AT: Final = "2026-02-03T04:05:06.789012"
NAMESPACES: Final = ("workflows", "comfy")
CANCELLED: Final = ("Request was cancelled", "client_cancelled", 499)
BROKE: Final = ("runner_disconnected", 503)


class Fal(Simulator):
    """The service: queue, storage and the list of models at one address."""

    key = "key-id:key-secret"
    scheme = "Key"
    usual: ClassVar = {
        "image": {
            "images": [{"url": "$png", "width": 64, "height": 48, "content_type": "image/png"}],
            "seed": 7,
            "has_nsfw_concepts": [False],
        },
        "video": {"video": {"url": "$mp4", "content_type": "video/mp4", "file_name": "output.mp4", "file_size": 5410}},
        "audio": {"audio": {"url": "$wav", "content_type": "audio/wav", "file_name": "output.wav", "file_size": 12078}},
        "model": {"model_mesh": {"url": "$glb", "content_type": "model/gltf-binary", "file_name": "model.glb"}},
    }

    def routes(self) -> list[BaseRoute]:
        """List the queue, and the storage that clients use beside it."""
        return [
            Route("/v1/models", self.models, name="ping"),
            Route("/storage/upload/initiate", self.initiate, methods=["POST"], name="upload"),
            Route("/storage/auth/token", self.token, methods=["POST"], name="upload"),
            Route("/storage/put/{number:int}", self.put, methods=["PUT"], name="upload:open"),
            Route("/files/upload", self.take, methods=["POST"], name="upload:open"),
            Route("/{app:path}/requests/{id}/status", self.status, methods=["GET"], name="look"),
            Route("/{app:path}/requests/{id}/cancel", self.cancel, methods=["PUT"], name="cancel"),
            Route("/{app:path}/requests/{id}", self.result, methods=["GET"], name="result"),
            Route("/{app:path}", self.submit, methods=["POST"], name="submit"),
        ]

    def refuse(self, code: int, message: str) -> Response:
        """Write an error that is no model's."""
        return JSONResponse({"detail": "No user found for Key ID and Secret" if code == 401 else message}, code)

    async def models(self, request: Request) -> Response:
        """List a model."""
        del request
        known = {"endpoint_id": "fal-ai/flux/dev", "metadata": {"status": "active", "category": "text-to-image"}}
        return JSONResponse({"models": [known], "next_cursor": None, "has_more": False})

    async def submit(self, request: Request) -> Response:
        """Take an order."""
        order = await document(request, self.refuse(400, "the body is no JSON"))
        job = self.make(request.path_params["app"], order, request.headers)
        told = {"status": "IN_QUEUE", "request_id": job.id, **self.addresses(job), "queue_position": 0}
        return JSONResponse(told, headers={"x-fal-request-id": job.id})

    def addresses(self, job: Job) -> dict[str, str]:
        """Tell where a request is asked for: below the name of its application, without the rest of the path."""
        parts = job.name.split("/")
        at = f"{self.url}/{'/'.join(parts[: 3 if parts[0] in NAMESPACES else 2])}/requests/{job.id}"
        return {"response_url": at, "status_url": f"{at}/status", "cancel_url": f"{at}/cancel"}

    def wanted(self, request: Request) -> Job | None:
        """Find the request of an address."""
        job = self.find(request.path_params["id"])
        asked = f"{self.url}/{request.path_params['app']}/requests/{request.path_params['id']}"
        return job if job and self.addresses(job)["response_url"] == asked else None

    async def status(self, request: Request) -> Response:
        """Tell how a request stands: 202 until it is COMPLETED, well or not."""
        job = self.wanted(request)
        if job is None:
            return self.refuse(404, "Request not found")
        self.look(job)
        told: dict[str, Any] = {"status": STATUSES.get(job.state, "COMPLETED"), "request_id": job.id}
        told |= self.addresses(job)
        if job.state == "queued":
            return JSONResponse({**told, "queue_position": max(self.looks - job.seen - 2, 0)}, 202)
        told["logs"] = self.logs(job) if request.query_params.get("logs") in {"1", "true", "True"} else None
        if not job.ended:
            return JSONResponse(told, 202)
        return JSONResponse({**told, "metrics": {"inference_time": 2.5}, **outcome(job)})

    def logs(self, job: Job) -> list[dict[str, Any]]:
        """Write what a model says."""
        line = f"{round(100 * self.progress(job))}%|#####     | steps"
        return [{"timestamp": AT, "level": "STDERR", "source": "USER", "message": line, "labels": {"level": "INFO"}}]

    async def result(self, request: Request) -> Response:
        """Answer as the model did."""
        job = self.wanted(request)
        if job is None:
            return self.refuse(404, "Request not found")
        if not job.ended:
            return self.refuse(400, "Request is still in progress")
        if job.cancelled:
            detail, kind, code = CANCELLED
            return self.broken(detail, kind, code)
        if job.failure:
            return self.failed(job.failure, job)
        return JSONResponse(job.output, headers={"x-fal-request-id": job.id, "x-fal-billable-units": "1"})

    def failed(self, failure: Failure, job: Job) -> Response:
        """Write the error of a model, or of the machine that it ran on."""
        if failure.why == "provider":
            return self.broken(failure.message, *BROKE)
        kind = "content_policy_violation" if failure.why == "content" else "value_error"
        at = {"loc": ["body", "prompt"], "input": job.order.get("prompt"), "ctx": None}
        detail = {"msg": failure.message, "type": kind, **at, "url": f"https://docs.fal.ai/errors#{kind}"}
        return JSONResponse({"detail": [detail]}, 422, {"x-fal-request-id": job.id, "x-fal-retryable": "false"})

    @staticmethod
    def broken(detail: str, kind: str, code: int) -> Response:
        """Write an error of the machine."""
        headers = {"x-fal-error-type": kind, "x-fal-retryable": "true" if code == 503 else "false"}
        return JSONResponse({"detail": detail, "error_type": kind}, code, headers)

    async def cancel(self, request: Request) -> Response:
        """Take a request out of the queue, or ask its runner to stop."""
        job = self.wanted(request)
        if job is None:
            return JSONResponse({"status": "NOT_FOUND"}, 404)
        if job.ended:
            return JSONResponse({"status": "ALREADY_COMPLETED"}, 400)
        waited, job.state = job.state == "queued", "cancelled"
        return JSONResponse({"status": "OK"}) if waited else JSONResponse({"status": "CANCELLATION_REQUESTED"}, 202)

    async def initiate(self, request: Request) -> Response:
        """Give two addresses: to put a file to, and to read it from."""
        wanted = await document(request, self.refuse(400, "the body is no JSON"))
        file_url = self.upload(wanted["file_name"], b"", wanted["content_type"])
        return JSONResponse({"upload_url": f"{self.url}/storage/put/{len(self.uploads)}", "file_url": file_url})

    async def put(self, request: Request) -> Response:
        """Take the content of a file; the address is the permission."""
        self.uploads[request.path_params["number"] - 1].content = await request.body()
        return Response()

    async def token(self, request: Request) -> Response:
        """Let a client upload in the other way."""
        del request
        told = {"token": "cdn-token", "token_type": "Bearer", "base_url": self.url}
        return JSONResponse({**told, "expires_at": "2100-01-01T00:00:00+00:00"})

    async def take(self, request: Request) -> Response:
        """Take a file, with the token."""
        if request.headers.get("authorization") != "Bearer cdn-token":
            return self.refuse(401, "")
        name = request.headers.get("x-fal-file-name", "upload.bin")
        url = self.upload(name, await request.body(), request.headers.get("content-type", ""))
        return JSONResponse({"access_url": url})


def outcome(job: Job) -> dict[str, Any]:
    """Write what a status tells of a request that did not end well."""
    if job.cancelled:
        return {"error": CANCELLED[0], "error_type": CANCELLED[1]}
    if job.state != "failed" or job.failure is None:
        return {}
    return {"error": job.failure.message} | ({"error_type": BROKE[0]} if job.failure.why == "provider" else {})
