"""A media server that speaks as OpenAI's does: images, videos and speech; also SGLang, vLLM-Omni and LocalAI do.

Images and speech are the answer of the request itself, so they take no look; while jobs are held they wait.

In style `vllm` errors are `detail`s, videos are ordered by forms alone, and a look at one that failed is answered with
the status of its failure. In style `sglang` errors are `detail`s too, a form must bring a picture, and a video that is
taken away is made all the same.
"""

import base64
from typing import Any, Final, Literal

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sim.provider import Failure, Job, Refused, Simulator, Stored, fields
from sim.results import SOUNDS, TYPES, content

CREATED: Final = 1770091506
MODELS: Final = ("gpt-image-2", "sora-2", "gpt-4o-mini-tts")
Style = Literal["openai", "vllm", "sglang"]
STATUSES: Final = {"queued": "queued", "running": "in_progress", "done": "completed", "failed": "failed"}
VARIANTS: Final = {"video": "mp4", "thumbnail": "webp", "spritesheet": "jpg"}
FORMS: Final = {"png": "png", "jpeg": "jpg", "webp": "webp"}
REFUSED: Final = "moderation_blocked"


def error(code: int, message: str, kind: str, *, param: str | None = None, word: str | None = None) -> Response:
    """Write an error."""
    told = {"message": message, "type": kind, "param": param, "code": word}
    return JSONResponse({"error": told}, code, {"x-request-id": "req_0123456789abcdef"})


class OpenAIMedia(Simulator):
    """The server."""

    def __init__(self, *, looks: int = 2, style: Style = "openai") -> None:
        super().__init__(looks=looks)
        self.style = style

    def routes(self) -> list[BaseRoute]:
        """List what a media engine uses."""
        return [
            Route("/v1/models", self.models, name="ping"),
            Route("/v1/images/generations", self.draw, methods=["POST"], name="submit"),
            Route("/v1/images/edits", self.draw, methods=["POST"], name="submit"),
            Route("/v1/audio/speech", self.speak, methods=["POST"], name="submit"),
            Route("/v1/videos", self.film, methods=["POST"], name="submit"),
            Route("/v1/videos", self.films, methods=["GET"], name="look"),
            Route("/v1/videos/{id}", self.read, methods=["GET"], name="look"),
            Route("/v1/videos/{id}", self.delete, methods=["DELETE"], name="cancel"),
            Route("/v1/videos/{id}/content", self.content, methods=["GET"], name="result"),
        ]

    def new_id(self) -> str:
        """Make an id."""
        return f"video_{super().new_id().replace('-', '')}"

    def refuse(self, code: int, message: str) -> Response:
        """Write an error of this status; a wrong key is quoted but for its middle, as the real one does."""
        if self.style != "openai":
            return JSONResponse({"detail": message}, code)
        if code == 401:
            return error(
                401, "Incorrect API key provided: sk-wr***ong.", "invalid_request_error", word="invalid_api_key"
            )
        if code == 429:
            return error(429, message, "requests", word="rate_limit_exceeded")
        return error(code, message, "server_error" if code >= 500 else "invalid_request_error")

    def missing(self, param: str) -> Response:
        """Refuse an order without a field."""
        sentence = f"Missing required parameter: '{param}'."
        if self.style != "openai":
            return self.refuse(400, sentence)
        return error(400, sentence, "invalid_request_error", param=param, word="missing_required_parameter")

    def failed(self, failure: Failure) -> Response:
        """Answer an order whose result is the answer."""
        if self.style != "openai":
            return self.refuse(500 if failure.why == "provider" else 400, failure.message)
        if failure.why == "provider":
            return error(500, failure.message, "server_error")
        if failure.why == "content":
            return error(400, failure.message, "image_generation_user_error", word=REFUSED)
        return error(400, failure.message, "invalid_request_error", param="prompt", word="invalid_value")

    async def models(self, request: Request) -> Response:
        """List some models; others are taken too."""
        del request
        data = [{"id": name, "object": "model", "created": CREATED, "owned_by": "system"} for name in MODELS]
        return JSONResponse({"object": "list", "data": data})

    async def order(self, request: Request, *wanted: str) -> dict[str, Any]:
        """Read an order and its files; a field that is missing refuses it."""
        plain, files = await fields(request)
        for name, sent in files.items():
            plain[name.removesuffix("[]")] = [one.described() for one in sent]
        for name in wanted:
            if not plain.get(name):
                raise Refused(self.missing(name))
        return plain

    async def draw(self, request: Request) -> Response:
        """Make images."""
        wanted = ("image", "prompt") if request.url.path.endswith("edits") else ("prompt",)
        order = await self.order(request, *wanted)
        job = self.make(order.get("model", MODELS[0]), order, request.headers)
        job.kind = "image"
        if not await self.unheld(request):
            return self.refuse(500, "the client is gone")
        job.state = "failed" if job.failure else "done"
        if job.failure:
            return self.failed(job.failure)
        form = order.get("output_format", "png")
        extension = FORMS[form]
        if order.get("response_format") == "url":
            data = [{"url": self.filled(f"${extension}", job)} for _ in range(int(order.get("n", 1)))]
        else:
            text = base64.b64encode(content(extension)).decode()
            data = [{"b64_json": text} for _ in range(int(order.get("n", 1)))]
        tokens = {"image_tokens": 0, "text_tokens": 5}
        usage = {"input_tokens": 5, "input_tokens_details": tokens, "output_tokens": 272, "total_tokens": 277}
        about = {
            "background": "opaque",
            "output_format": form,
            "quality": "low",
            "size": order.get("size", "1024x1024"),
        }
        return JSONResponse({"created": CREATED, "data": data, **about, "usage": usage})

    async def speak(self, request: Request) -> Response:
        """Say something."""
        order = await self.order(request, "model", "input", *(["voice"] if self.style == "openai" else []))
        form = order.get("response_format", "mp3")
        if form not in SOUNDS:
            return error(400, f"Invalid value: '{form}'.", "invalid_request_error", param="response_format")
        job = self.make(order["model"], order, request.headers)
        job.kind = "audio"
        if not await self.unheld(request):
            return self.refuse(500, "the client is gone")
        job.state = "failed" if job.failure else "done"
        return self.failed(job.failure) if job.failure else Response(content(form), media_type=TYPES[form])

    async def film(self, request: Request) -> Response:
        """Take the order of a video."""
        form = "multipart/form-data" in request.headers.get("content-type", "")
        if self.style == "vllm" and not form:
            lacking = {"type": "missing", "loc": ["body", "prompt"], "msg": "Field required", "input": None}
            return JSONResponse({"detail": [lacking]}, 422)
        if self.style == "sglang" and not (form or "json" in request.headers.get("content-type", "")):
            return self.refuse(400, "Invalid JSON body")
        order = await self.order(request, "prompt")
        if self.style == "sglang" and form and not order.get("input_reference"):
            return self.refuse(400, "input_reference file is required")
        if bad := self.bad_input():
            return self.failed(bad)
        job = self.make(order.get("model", MODELS[1]), order, request.headers)
        job.kind = "video"
        return JSONResponse(self.video(job))

    async def films(self, request: Request) -> Response:
        """List the videos that there are, the newest first."""
        del request
        data = [self.video(job) for job in reversed(self.jobs) if job.kind == "video" and self.there(job)]
        ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
        return JSONResponse({"object": "list", "data": data, **ends, "has_more": False})

    async def read(self, request: Request) -> Response:
        """Tell how a video stands."""
        job = self.find(request.path_params["id"])
        if job is None or not self.there(job):
            return self.unknown(request)
        told = self.video(self.look(job))
        return JSONResponse(told, told["error"]["code"] if self.style == "vllm" and told["error"] else 200)

    async def delete(self, request: Request) -> Response:
        """Take a video away, ready or not."""
        job = self.find(request.path_params["id"])
        if job is None or not self.there(job):
            return self.unknown(request)
        job.forgotten = True
        if self.style == "sglang":
            return JSONResponse({**self.video(job), "status": "deleted"})
        job.state = job.state if job.ended else "cancelled"
        return JSONResponse({"id": job.id, "object": "video.deleted", "deleted": True})

    async def content(self, request: Request) -> Response:
        """Give a video out, or a picture of it."""
        job = self.find(request.path_params["id"])
        if job is None or not self.there(job):
            return self.unknown(request)
        if job.state != "done":
            return self.refuse(404, "Video is not ready yet, use GET /v1/videos/{video_id} to check status.")
        if job.expired:
            return self.refuse(404, "The content of this video has expired.")
        extension = VARIANTS[request.query_params.get("variant", "video")]
        return self.give(Stored(content(extension), TYPES[extension], job))

    def unknown(self, request: Request) -> Response:
        """Refuse an id."""
        return self.refuse(404, f"Video with id '{request.path_params['id']}' not found.")

    @staticmethod
    def there(job: Job) -> bool:
        """Tell whether nobody took it away."""
        return not (job.forgotten or job.cancelled)

    def video(self, job: Job) -> dict[str, Any]:
        """Write a job."""
        done = job.state == "done"
        return {
            "id": job.id,
            "object": "video",
            "created_at": CREATED,
            "completed_at": CREATED + 60 if done else None,
            "expires_at": CREATED + 3600 if done else None,
            "status": STATUSES[job.state],
            "progress": round(100 * self.progress(job)) if job.state != "failed" else 0,
            "model": job.name,
            "prompt": job.order["prompt"],
            "seconds": str(job.order.get("seconds", "4")),
            "size": job.order.get("size", "720x1280"),
            "remixed_from_video_id": None,
            "error": self.reason(job),
        }

    def reason(self, job: Job) -> dict[str, Any] | None:
        """Write what went wrong."""
        if job.state != "failed" or job.failure is None:
            return None
        refused = job.failure.why == "content"
        codes: dict[Style, dict[str, Any]] = {
            "openai": {"code": REFUSED if refused else "server_error"},
            "vllm": {"code": 400 if refused else 500},
            "sglang": {},
        }
        return {**codes[self.style], "message": job.failure.message}
