"""An account's files: list, read, pin, delete; and uploads of large files, straight to where they will lie."""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from unitask.accounts.model import Scope
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import caller, message, number, route, services, text
from unitask.api.uploads import NAME_CHARACTERS, extension_of
from unitask.app import Services
from unitask.artifacts.model import Artifact
from unitask.artifacts.service import Asked
from unitask.kit.clock import rfc3339
from unitask.kit.errors import BodyTooLarge

_ARTIFACT: Final = "/api/v1/artifacts/{artifact_id}"
_LARGEST: Final = 2**53


class Announcement(BaseModel):
    """A large file that is about to come. Its name's extension says what it is."""

    model_config = ConfigDict(extra="ignore")

    file_name: str = Field(min_length=1, max_length=NAME_CHARACTERS)
    size_bytes: int = Field(ge=1, le=_LARGEST)


def shown(artifact: Artifact, unitask: Services) -> dict[str, Any]:
    """Show a file; one that is pinned does not expire."""
    return {
        "id": artifact.id,
        "task_id": artifact.task_id,
        "kind": artifact.kind,
        "url": unitask.artifacts.files_url + artifact.file.path,
        "content_type": artifact.file.content_type,
        "size_bytes": artifact.file.size_bytes,
        "created_at": rfc3339(artifact.created_at),
        "expires_at": None if artifact.pinned else rfc3339(artifact.expires_at),
        "pinned": artifact.pinned,
    }


def _artifact_id(request: Request) -> str:
    return str(request.path_params["artifact_id"]).strip()


async def listing(request: Request) -> JsonAnswer:
    """`GET /api/v1/artifacts`: newest first, by a cursor."""
    who = await caller(request, Scope.FILES)
    unitask = services(request)
    asked = Asked(
        before=text(request, "cursor"),
        size=number(request, "limit", 20),
        task_id=text(request, "task_id").strip(),
        kind=text(request, "kind"),
    )
    found, cursor = await unitask.artifacts.newest(who.account_id, asked)
    return success({"artifacts": [shown(one, unitask) for one in found], "next_cursor": cursor})


async def read(request: Request) -> JsonAnswer:
    """`GET /api/v1/artifacts/{id}`."""
    who = await caller(request, Scope.FILES)
    unitask = services(request)
    return success(shown(await unitask.artifacts.get(_artifact_id(request), who.account_id), unitask))


async def delete(request: Request) -> JsonAnswer:
    """`DELETE /api/v1/artifacts/{id}`: gone at once, also for those who know its address."""
    who = await caller(request, Scope.FILES)
    await services(request).artifacts.delete(_artifact_id(request), who.account_id)
    return success(None)


async def pin(request: Request) -> JsonAnswer:
    """`POST /api/v1/artifacts/{id}/pin`: keep it until it is unpinned or deleted."""
    who = await caller(request, Scope.FILES)
    unitask = services(request)
    return success(shown(await unitask.artifacts.pin(_artifact_id(request), who.account_id), unitask))


async def unpin(request: Request) -> JsonAnswer:
    """`DELETE /api/v1/artifacts/{id}/pin`: let it expire, in a day at the earliest."""
    who = await caller(request, Scope.FILES)
    unitask = services(request)
    return success(shown(await unitask.artifacts.unpin(_artifact_id(request), who.account_id), unitask))


async def announce(request: Request) -> JsonAnswer:
    """`POST /api/v1/uploads`: get an address that takes a large file by PUT."""
    who = await caller(request, Scope.FILES)
    asked = await message(request, Announcement)
    unitask = services(request)
    announced = await unitask.uploads.announce(
        extension=extension_of(asked.file_name), size_bytes=asked.size_bytes, account_id=who.account_id
    )
    file = announced.artifact.file
    return success(
        {
            "id": announced.artifact.id,
            "upload_url": announced.address,
            "method": "PUT",
            "headers": {"Content-Type": file.content_type},
            "url": unitask.artifacts.files_url + file.path,
            "expires_at": rfc3339(announced.artifact.expires_at),
        }
    )


async def receive(request: Request) -> JsonAnswer:
    """`PUT /uploads/{token}`: take a large file, where the store is a folder. Whoever knows the address may send it."""
    announced = request.headers.get("content-length", "0")
    unitask = services(request)
    if announced.isdigit() and int(announced) > unitask.artifacts.keeping.upload_limit_bytes:
        raise BodyTooLarge(f"the file is larger than {unitask.artifacts.keeping.upload_limit_bytes} bytes")
    size = await unitask.uploads.receive(request.path_params["token"], request.stream())
    return success({"size_bytes": size})


async def complete(request: Request) -> JsonAnswer:
    """`POST /api/v1/uploads/{id}/complete`: have the file looked at; then its `url` can be an input."""
    who = await caller(request, Scope.FILES)
    unitask = services(request)
    upload_id = request.path_params["upload_id"].strip()
    return success(shown(await unitask.uploads.complete(upload_id, who.account_id), unitask))


ROUTES = [
    route("GET", "/api/v1/artifacts", listing),
    route("GET", _ARTIFACT, read),
    route("DELETE", _ARTIFACT, delete),
    route("POST", f"{_ARTIFACT}/pin", pin),
    route("DELETE", f"{_ARTIFACT}/pin", unpin),
    route("POST", "/api/v1/uploads", announce),
    route("POST", "/api/v1/uploads/{upload_id}/complete", complete),
    route("PUT", "/uploads/{token}", receive),
]
