"""Replicate: predictions that are asked for again and again, or waited for in the request that orders them.

A request that may wait (`Prefer: wait`) gets the end of its prediction, and while jobs are held its beginning.
Models are looked up among those that our tables name; predictions are taken of any.
"""

import base64
import re
import tomllib
from pathlib import Path
from typing import Any, ClassVar, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from sim.provider import Failure, Job, Refused, Simulator, Stored, document, fields

CREATED: Final = "2026-02-03T04:05:06.789Z"
STARTED: Final = "2026-02-03T04:05:07.123456Z"
COMPLETED: Final = "2026-02-03T04:05:09.654321Z"
STATUSES: Final = {
    "queued": "starting",
    "running": "processing",
    "done": "succeeded",
    "failed": "failed",
    "cancelled": "canceled",
}
TITLES: Final = {401: "Unauthenticated", 402: "Insufficient credit", 404: "Not found", 422: "Invalid input"}
WAIT: Final = re.compile(r"wait(=\d+)?")
CANCEL_AFTER: Final = re.compile(r"(\d+h)?(\d+m)?(\d+s)?|\d+")
TABLES: Final = Path(__file__).parents[2] / "src" / "unitask" / "engines" / "replicate" / "products.toml"
BAR: Final = " {percent}%|{bar:<10}| {done}/{total} [00:01<00:01,  1.00it/s]\n"


class Replicate(Simulator):
    """The service. `models`: those that it has, as `owner/name`."""

    key = "r8_of_the_provider"
    usual: ClassVar = {
        "image": ["$png"],
        "video": "$mp4",
        "audio": "$wav",
        "model": {"model_file": "$glb", "color_video": "$mp4", "no_background_images": ["$png"]},
    }

    def __init__(self, *, looks: int = 2) -> None:
        super().__init__(looks=looks)
        self.models = {table["call"].partition(":")[0] for table in tomllib.loads(TABLES.read_text("utf-8")).values()}

    def routes(self) -> list[BaseRoute]:
        """List what is used to run a model."""
        return [
            Route("/v1/account", self.account, name="ping"),
            Route("/v1/predictions", self.create, methods=["POST"], name="submit"),
            Route("/v1/predictions", self.predictions, methods=["GET"], name="look"),
            Route("/v1/models/{owner}/{model}", self.model, methods=["GET"], name="ping"),
            Route("/v1/models/{owner}/{model}/predictions", self.create, methods=["POST"], name="submit"),
            Route("/v1/predictions/{id}", self.read, methods=["GET"], name="look"),
            Route("/v1/predictions/{id}/cancel", self.cancel, methods=["POST"], name="cancel"),
            Route("/v1/files", self.take, methods=["POST"], name="upload"),
            Route("/v1/files/{id}", self.uploaded, methods=["GET"], name="upload"),
            Route("/v1/files/{id}", self.forget_upload, methods=["DELETE"], name="upload"),
        ]

    def new_id(self) -> str:
        """Make an id: 26 letters and digits."""
        return base64.b32encode(bytes.fromhex(super().new_id().replace("-", ""))).decode().lower().rstrip("=")

    def refuse(self, code: int, message: str) -> Response:
        """Write a problem; of those that throttle only the detail is told."""
        if code == 401:
            message = "You did not pass a valid authentication token"
        title = {} if code not in TITLES else {"title": TITLES[code]}
        return JSONResponse({**title, "detail": message, "status": code}, code)

    def invalid(self, field: str, sentence: str) -> Response:
        """Refuse an input."""
        found = {"type": "invalid", "field": field, "description": sentence}
        told = {"title": "Input validation failed", "detail": f"- {field}: {sentence}\n", "status": 422}
        return JSONResponse({**told, "invalid_fields": [found]}, 422)

    async def account(self, request: Request) -> Response:
        """Tell whose key it is."""
        del request
        return JSONResponse({"type": "user", "username": "somebody", "name": "Somebody", "github_url": ""})

    async def model(self, request: Request) -> Response:
        """Describe a model."""
        owner, name = request.path_params["owner"], request.path_params["model"]
        if f"{owner}/{name}" not in self.models:
            return self.unknown()
        version = {"id": "ab" * 32, "created_at": CREATED, "cog_version": "0.16.9", "openapi_schema": {}}
        about = {"description": "It makes pictures.", "visibility": "public", "run_count": 1000}
        links = dict.fromkeys(("github_url", "paper_url", "license_url", "cover_image_url"))
        whose = {"url": f"https://replicate.com/{owner}/{name}", "owner": owner, "name": name}
        return JSONResponse({**whose, **about, **links, "default_example": None, "latest_version": version})

    async def create(self, request: Request) -> Response:
        """Take an order, and perhaps wait."""
        name, order = await self.ordered(request)
        job = self.make(name, order, request.headers)
        if not WAIT.fullmatch(request.headers.get("prefer", "")):
            return JSONResponse(self.prediction(job), 201)
        self.look(job)
        if not self.held:
            self.finish(job)
        return JSONResponse(self.prediction(job), 201 if job.ended else 202)

    async def ordered(self, request: Request) -> tuple[str, dict[str, Any]]:
        """Read an order: of a version, or of the newest one of a model."""
        order = await document(request, self.refuse(400, "the body is no JSON"))
        path = request.path_params
        name = f"{path['owner']}/{path['model']}" if path else order.get("version")
        if not name:
            raise Refused(self.invalid("version", "version is required"))
        if not isinstance(order.get("input"), dict):
            raise Refused(self.invalid("input", "input is required"))
        if not CANCEL_AFTER.fullmatch(request.headers.get("cancel-after", "")):
            raise Refused(self.refuse(400, "Cancel-After is no duration"))
        if bad := self.bad_input():
            raise Refused(self.invalid("input", bad.message))
        return name, order

    async def predictions(self, request: Request) -> Response:
        """List the newest."""
        del request
        known = [self.prediction(job) for job in reversed(self.jobs) if not job.forgotten]
        return JSONResponse({"next": None, "previous": None, "results": known[:100]})

    async def read(self, request: Request) -> Response:
        """Tell how a prediction stands."""
        job = self.find(request.path_params["id"])
        return JSONResponse(self.prediction(self.look(job))) if job else self.unknown()

    async def cancel(self, request: Request) -> Response:
        """End a prediction; one that has ended stays as it is."""
        job = self.find(request.path_params["id"])
        if job is None:
            return self.unknown()
        job.state = job.state if job.ended else "cancelled"
        return JSONResponse(self.prediction(job))

    def unknown(self) -> Response:
        """Refuse an id."""
        return self.refuse(404, "The requested resource could not be found.")

    async def take(self, request: Request) -> Response:
        """Keep an input for a day."""
        _, files = await fields(request)
        if "content" not in files:
            return self.refuse(400, "Missing content")
        (file,) = files["content"]
        self.upload(file.name, file.content, file.content_type)
        return JSONResponse(self.described(len(self.uploads), file.name), 201)

    async def uploaded(self, request: Request) -> Response:
        """Describe an input."""
        number = int(request.path_params["id"].removeprefix("file-"))
        return JSONResponse(self.described(number, "file")) if number <= len(self.uploads) else self.unknown()

    async def forget_upload(self, request: Request) -> Response:
        """Take an input away."""
        del request
        return Response(status_code=204)

    def described(self, number: int, name: str) -> dict[str, Any]:
        """Write an uploaded file."""
        stored: Stored = self.uploads[number - 1]
        return {
            "id": f"file-{number}",
            "name": name,
            "content_type": stored.content_type,
            "size": len(stored.content),
            "etag": f"etag-{number}",
            "checksums": {"sha256": "", "md5": ""},
            "metadata": {},
            "created_at": CREATED,
            "expires_at": "2026-02-04T04:05:06.789Z",
            "urls": {"get": f"{self.url}/v1/files/file-{number}"},
        }

    def prediction(self, job: Job) -> dict[str, Any]:
        """Write a prediction."""
        at = f"{self.url}/v1/predictions/{job.id}"
        ran = job.state not in {"queued", "cancelled"}
        deadline = {"deadline": "2026-02-03T04:10:06.789Z"} if "cancel-after" in job.headers else {}
        return {
            "id": job.id,
            "model": job.name.partition(":")[0],
            "version": job.order.get("version", "hidden").rpartition(":")[2],
            "input": job.order["input"],
            "logs": self.logs(job) if ran else "",
            "output": job.output,
            "data_removed": False,
            "error": reason(job.failure) if job.failure and job.state == "failed" else None,
            "source": "api",
            "status": STATUSES[job.state],
            "created_at": CREATED,
            **({"started_at": STARTED} if ran else {}),
            **({"completed_at": COMPLETED} if job.ended else {}),
            **deadline,
            "urls": {"get": at, "cancel": f"{at}/cancel", "web": f"https://replicate.com/p/{job.id}"},
            "metrics": {"predict_time": 2.530865, "total_time": 2.865321} if job.ended and ran else {},
        }

    def logs(self, job: Job) -> str:
        """Write the bar of a model that counts its steps."""
        done = round(10 * self.progress(job))
        return "Using seed: 7\n" + BAR.format(percent=10 * done, bar="#" * done, done=done, total=10)


def reason(failure: Failure) -> str:
    """Write what a model ended with; checkers of content have a code."""
    return f"{failure.message} (E005)" if failure.why == "content" else failure.message
