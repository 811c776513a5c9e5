"""The worker's side of the protocol with the API."""

import base64
import hashlib
import json
import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from unitask.kit.connections import KeptConnections
from unitask.kit.errors import Unavailable, UnitaskError
from unitask.kit.net import Poster, Unreachable, system_resolver
from unitask.spec import protocol

Answer = TypeVar("Answer", bound=BaseModel)
_TIMEOUT_S = 30.0
_UPLOAD_TIMEOUT_S = 600.0
_SHOW_TIMEOUT_S = 3.0
_CONNECT_S = 5.0
_AROUND_S = 300.0
_CALLS = 256
_KEEP_S = 4.0
_ANSWER_BYTES = 2**28
_JSON = {"Content-Type": "application/json"}
_CHUNK = 1 << 18
log = logging.getLogger(__name__)
_LATER = frozenset({408, 425, 429})


class Rejected(UnitaskError):
    """The API understood and said no: the attempt was lost, or the token is wrong."""


class ApiClient:
    """Speaks to one API. Every method raises `Unavailable` when it cannot be reached and `Rejected` when it refuses."""

    def __init__(self, api_url: str, token: str) -> None:
        tls = httpx.create_ssl_context()
        self._url = api_url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(
            base_url=api_url, headers=self._headers, timeout=_TIMEOUT_S, trust_env=False, verify=tls
        )
        # The store is another server: it must not see the token.
        self._store = httpx.AsyncClient(
            timeout=httpx.Timeout(_UPLOAD_TIMEOUT_S, connect=_CONNECT_S), trust_env=False, verify=tls
        )
        # What is said for every task goes by the client of our webhooks, which costs a fourth.
        self._kept = KeptConnections(system_resolver, lambda: tls, limit=_CALLS, keep_s=_KEEP_S)
        self._poster = Poster(lru_cache(httpx.URL), self._kept)
        self._around_until = 0.0

    async def claim(self, request: protocol.ClaimRequest) -> list[protocol.ClaimedTask]:
        """Ask for tasks; waits for them as long as the request says."""
        timeout_s = request.wait_s + _TIMEOUT_S
        return (await self._send("claim", request, protocol.ClaimAnswer, timeout_s=timeout_s)).tasks

    async def beat(self, request: protocol.BeatRequest) -> protocol.BeatAnswer:
        """Give a sign of life."""
        return await self._send("beat", request, protocol.BeatAnswer)

    async def settle(self, request: protocol.SettleRequest) -> bool:
        """Report the end of an attempt; False if it was lost."""
        return (await self._send("settle", request, protocol.SettleAnswer)).accepted

    async def settle_many(self, reports: Sequence[protocol.SettleRequest]) -> list[bool]:
        """Report the ends of several attempts; an API of the release before refuses."""
        request = protocol.SettleManyRequest(ends=list(reports))
        return (await self._send("settle-many", request, protocol.SettleManyAnswer)).accepted

    async def upload(self, task_id: str, attempt: int, path: Path, extension: str) -> str:
        """Store a file that an attempt made: straight where files lie if that can be, else through the API.

        Gives its reference.
        """
        url = f"{protocol.PREFIX}/tasks/{task_id}/{attempt}/files/{extension}"
        if time.monotonic() >= self._around_until and (reference := await self._put_in_place(url, path)):
            return reference
        with path.open("rb") as file:
            answer = await self._request("PUT", url, content=_chunks(file), timeout=_UPLOAD_TIMEOUT_S)
        return _understood(answer, protocol.UploadAnswer).reference

    async def _put_in_place(self, url: str, path: Path) -> str | None:
        """Put a file where the API says; None where it says nowhere, is too old to say, or the store cannot be reached.

        What the store does not take goes through the API for some minutes: this machine may have no way to it.
        """
        try:
            place = _understood(await self._request("POST", f"{url}/place"), protocol.PlaceAnswer)
        except Rejected:
            return None
        if not place.url:
            return None
        digest = hashlib.sha256()
        try:
            with path.open("rb") as file:
                size_bytes = os.fstat(file.fileno()).st_size
                headers = {"Content-Type": place.content_type, "Content-Length": str(size_bytes)}
                content = _hashed(_chunks(file), digest)
                answer = await self._store.put(place.url, content=content, headers=headers)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            self._around_until = time.monotonic() + _AROUND_S
            log.warning("the store does not take files from here, they go through the API: %s", type(error).__name__)
            return None
        told = protocol.PlacedRequest(reference=place.reference, size_bytes=size_bytes, sha256=digest.hexdigest())
        heard = await self._request("POST", f"{url}/placed", content=told.model_dump_json().encode(), headers=_JSON)
        return _understood(heard, protocol.UploadAnswer).reference

    async def keep(self, task_id: str, attempt: int, remote: dict[str, Any] | None) -> None:
        """Write down what is known of an attempt's job at its provider."""
        content = protocol.KeepRequest(remote=remote).model_dump_json().encode()
        url = f"{protocol.PREFIX}/tasks/{task_id}/{attempt}/remote"
        await self._request("PUT", url, content=content, headers=_JSON)

    async def show(self, task_id: str, attempt: int, path: Path, extension: str) -> None:
        """Send a preview of what an attempt makes."""
        url = f"{protocol.PREFIX}/tasks/{task_id}/{attempt}/preview/{extension}"
        with path.open("rb") as file:
            await self._request("PUT", url, content=_chunks(file), timeout=_SHOW_TIMEOUT_S)

    async def marks(self) -> protocol.MarksAnswer:
        """Ask how files are to be marked; an API of the release before refuses."""
        return _understood(await self._request("GET", f"{protocol.PREFIX}/marks"), protocol.MarksAnswer)

    async def sign(self, content: bytes, chain_sha256: str) -> bytes:
        """Have a manifest signed by those certificates."""
        request = protocol.SignRequest(content=base64.b64encode(content).decode(), chain_sha256=chain_sha256)
        return base64.b64decode((await self._send("sign", request, protocol.SignAnswer)).signature)

    async def close(self) -> None:
        """Close the connections."""
        await self._kept.aclose()
        await self._http.aclose()
        await self._store.aclose()

    async def _send(
        self, name: str, message: BaseModel, kind: type[Answer], *, timeout_s: float = _TIMEOUT_S
    ) -> Answer:
        try:
            answer = await self._poster.post(
                f"{self._url}{protocol.PREFIX}/{name}",
                content=message.model_dump_json().encode(),
                headers=self._headers | _JSON,
                timeout_s=timeout_s,
                limit_bytes=_ANSWER_BYTES,
            )
        except Unreachable as error:
            raise Unavailable(f"the API does not answer: {error.raw_message}") from error
        return _understood(_taken(answer.status, answer.body), kind)

    async def _request(self, method: str, url: str, **options: object) -> bytes:
        try:
            answer = await self._http.request(method, url, **options)  # type: ignore[arg-type]
        except httpx.HTTPError as error:
            raise Unavailable(f"the API does not answer: {type(error).__name__} {error}") from error
        return _taken(answer.status_code, answer.content)


def _taken(status: int, content: bytes) -> bytes:
    """Give what was answered, if that was no error; who sends us on is no API, and its answer is not understood."""
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in _LATER:
        raise Unavailable(f"the API answered {status}: {_sentence(content)}")
    if httpx.codes.is_error(status):
        raise Rejected(f"the API answered {status}: {_sentence(content)}")
    return content


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


async def _hashed(chunks: AsyncIterator[bytes], digest: "hashlib._Hash") -> AsyncIterator[bytes]:
    async for chunk in chunks:
        digest.update(chunk)
        yield chunk


def _sentence(content: bytes) -> str:
    """Read why the API refuses; a proxy before it may answer with anything."""
    try:
        return str(json.loads(content)["message"])
    except (ValueError, LookupError, TypeError):
        return _beginning(content)


def _understood(content: bytes, kind: type[Answer]) -> Answer:
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise Unavailable(f"the answer is not from a Unitask API: {_beginning(content)}") from error


def _beginning(content: bytes) -> str:
    return content[:300].decode("utf-8", "replace")
