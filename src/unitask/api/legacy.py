"""The older face swap routes, on top of the task that replaced them."""

import base64
from typing import Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request

from unitask.accounts.model import Scope
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import caller, message, route, services
from unitask.app import Services
from unitask.kit.errors import NotFound
from unitask.tasks.model import Status, Task
from unitask.tasks.place import place

MODEL: Final = "Qubico/image-toolkit"
TASK_TYPE: Final = "face-swap"
_MODE: Final = "legacy-"
_WORDS: Final = {
    Status.STAGED: "pending",
    Status.PENDING: "pending",
    Status.PROCESSING: "processing",
    Status.COMPLETED: "success",
    Status.FAILED: "failed",
}


class Swap(BaseModel):
    """The older body: two pictures, and in which form the result is wanted."""

    model_config = ConfigDict(extra="ignore")

    target_image: str
    swap_image: str
    result_type: Literal["url", "base64"] = "base64"


class Fetch(BaseModel):
    """Which swap."""

    model_config = ConfigDict(extra="ignore")

    task_id: str


async def start(request: Request) -> JsonAnswer:
    """`POST /api/face_swap/v1/async`: order a swap."""
    who = await caller(request, Scope.TASKS)
    swap = await message(request, Swap)
    unitask = services(request)
    order = {
        "model": MODEL,
        "task_type": TASK_TYPE,
        "input": {"target_image": swap.target_image, "swap_image": swap.swap_image},
        "config": {"service_mode": _MODE + swap.result_type},
    }
    task = await place(unitask.orders, unitask.tasks, orjson.dumps(order), who, None)
    return success({"task_id": task.id})


async def _image(task: Task, unitask: Services) -> str:
    """Give the result as the order asked for it: an address, or the file as base64."""
    url: str = orjson.loads(unitask.artifacts.with_urls(task.output or "{}"))["image_url"]
    if orjson.loads(task.config)["service_mode"] == f"{_MODE}url":
        return url
    artifact = await unitask.artifacts.find(url.removeprefix(unitask.artifacts.files_url))
    return base64.b64encode(b"".join([chunk async for chunk in unitask.artifacts.content(artifact)])).decode()


async def fetch(request: Request) -> JsonAnswer:
    """`POST /api/face_swap/v1/fetch`: read a swap."""
    who = await caller(request, Scope.TASKS)
    asked = await message(request, Fetch)
    unitask = services(request)
    task = await unitask.tasks.get(asked.task_id.strip(), who)
    if (task.model, task.task_type) != (MODEL, TASK_TYPE):
        raise NotFound("task not found")
    error = orjson.loads(task.error)["message"] if task.error else ""
    return success(
        {
            "task_id": task.id,
            "status": _WORDS[task.status],
            "image": await _image(task, unitask) if task.status is Status.COMPLETED else "",
            "error_messages": [error] if error else [],
        }
    )


ROUTES = [
    route("POST", "/api/face_swap/v1/async", start),
    route("POST", "/api/face_swap/v1/fetch", fetch),
]
