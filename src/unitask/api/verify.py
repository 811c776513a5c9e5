"""What the marks of a file say, for any file that can be reached by an address."""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Final

from starlette.requests import Request

from unitask.accounts.model import Scope
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import caller, route, services, text
from unitask.app import Services
from unitask.artifacts.model import Artifact
from unitask.kit.errors import InvalidRequest, TooManyRequests
from unitask.kit.media import HEAD_BYTES, Sniffed, sniff
from unitask.kit.net import Refused, Unreachable
from unitask.provenance.clerk import Clerk, Gone
from unitask.provenance.manifest import Input, Trust

LIMIT_BYTES: Final = 100 * 2**20
_FETCH_S: Final = 20
_WAIT_S: Final = 5.0


async def verify(request: Request) -> JsonAnswer:
    """`GET /api/v1/verify?url=...`: read and check the marks of a file of ours, or of one elsewhere."""
    who = await caller(request, Scope.FILES)
    unitask = services(request)
    url = text(request, "url").strip()
    if not url:
        raise InvalidRequest("invalid request: url must be the address of a file")
    name = unitask.artifacts.own_path(url)
    artifact = await unitask.artifacts.find(name) if name else None
    if artifact is None:
        _check(unitask, url)
    try:
        async with asyncio.timeout(_WAIT_S):
            await unitask.signing.readers.acquire()
    except TimeoutError:
        raise TooManyRequests("too many files are being verified; try again", retry_after_s=_FETCH_S) from None
    try:
        with tempfile.TemporaryDirectory(prefix="unitask-") as folder:
            path = Path(folder) / "file"
            await _bring(unitask, url, artifact, path)
            found = await _seen(unitask, path)
    finally:
        unitask.signing.readers.release()
    is_theirs = artifact is not None and artifact.account_id == who.account_id
    return success({**found, "task_id": artifact.task_id if artifact and is_theirs else None})


def _check(unitask: Services, url: str) -> None:
    try:
        unitask.guard.check_url(url)
    except Refused as error:
        raise InvalidRequest(f"invalid request: url: {error}") from error


async def _bring(unitask: Services, url: str, artifact: Artifact | None, path: Path) -> None:
    """Put the file into a folder of its own."""
    if artifact is not None:
        if artifact.file.size_bytes > LIMIT_BYTES:
            raise InvalidRequest(f"invalid request: url: the file is larger than {LIMIT_BYTES} bytes")
        with path.open("wb") as file:
            async for chunk in unitask.artifacts.content(artifact):
                await asyncio.to_thread(file.write, chunk)
        return
    try:
        await asyncio.to_thread(unitask.guard.download, url, path, limit_bytes=LIMIT_BYTES, timeout_s=_FETCH_S)
    except (Refused, Unreachable) as error:
        raise InvalidRequest(f"invalid request: url: {error}") from error


async def _seen(unitask: Services, path: Path) -> dict[str, Any]:
    """Have the marks read in a process of their own, which ends with the request."""
    kind = await asyncio.to_thread(_sniffed, path)
    signer = await asyncio.to_thread(unitask.signing.signer)
    try:
        async with Clerk() as clerk:
            found = await clerk.read(Input(path=path, extension=kind.extension), signer.trust if signer else Trust())
    except Gone as error:
        raise InvalidRequest(f"invalid request: url: {error}") from error
    return {"content_type": kind.content_type, **found}


def _sniffed(path: Path) -> Sniffed:
    with path.open("rb") as file:
        found = sniff(file.read(HEAD_BYTES))
    if found is None:
        raise InvalidRequest("invalid request: url: the address must lead to a picture, a video, a sound or a model")
    return found


ROUTES = [route("GET", "/api/v1/verify", verify)]
