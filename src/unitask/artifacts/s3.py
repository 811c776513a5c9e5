"""Files in an object store that speaks S3, through obstore."""

import contextlib
import logging
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from unitask.artifacts.model import DEFAULT_REGION, Bucket
from unitask.artifacts.store import Facts, Listed, Meter
from unitask.kit.clock import SECOND_US
from unitask.kit.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig
    from obstore.store import S3Store as Client

_PART_BYTES: Final = 8 * 2**20
_PARTS_AT_ONCE: Final = 2
_CLIENT: Final["ClientConfig"] = {"connect_timeout": "3s", "timeout": "60s"}
_RETRY: Final["RetryConfig"] = {"max_retries": 2, "retry_timeout": timedelta(seconds=15)}
_LOG_CHARACTERS: Final = 300
_CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")
log = logging.getLogger(__name__)


class S3Store:
    """One bucket; see `Store`. A stream is sent in parts, so that memory holds two of them and never the whole file.

    With `secret` None the credentials are those of the environment, as Amazon's own tools find them. `proxy` is the
    way to a stranger's server, see `unitask.kit.tunnel`.
    """

    def __init__(self, place: Bucket, secret: str | None, proxy: str | None = None) -> None:
        try:
            import obstore  # noqa: PLC0415 - only where files lie in an object store
            from obstore.exceptions import BaseError  # noqa: PLC0415 - same
        except ModuleNotFoundError as error:
            raise Unavailable("object stores need their client: pip install 'unitask[s3]'") from error
        self._library: Any = obstore
        self._errors = (BaseError, OSError)
        self._client = _client(place, secret, proxy)

    async def save(
        self, chunks: AsyncIterator[bytes], name: str, *, content_type: str, limit_bytes: int
    ) -> tuple[int, str]:
        """Write a file: in one request if it is small, else in parts, which are taken back if it breaks off."""
        meter = Meter(chunks, limit_bytes)
        stream = aiter(meter)
        first = bytearray()
        async for chunk in stream:
            first += chunk
            if len(first) > _PART_BYTES:
                break
        is_small = len(first) <= _PART_BYTES
        with self._reported("the file cannot be stored", missing=None):
            await self._library.put_async(
                self._client,
                name,
                bytes(first) if is_small else _joined(bytes(first), stream),
                attributes={"Content-Type": content_type},
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
                use_multipart=not is_small,
            )
        return meter.found

    async def locate(self, name: str, *, method: str, seconds: int) -> str:
        """Sign an address. Whether the file is there, the bucket tells who follows it."""
        return await self._sign(method, name, seconds)

    async def upload_address(self, name: str, *, seconds: int) -> str:
        """Sign an address that takes a file by PUT."""
        return await self._sign("PUT", name, seconds)

    async def _sign(self, method: str, name: str, seconds: int) -> str:
        with self._reported("no address of the file can be signed"):
            url: str = await self._library.sign_async(self._client, method, name, timedelta(seconds=seconds))
        return url

    async def facts(self, name: str) -> Facts:
        """Look at a file. The answer to GET, whose body stays unread, tells a missing file from a missing bucket."""
        with self._reported("the file cannot be looked at"):
            found = await self._library.get_async(self._client, name)
            return Facts(found.meta["size"], str(found.attributes.get("Content-Type", "")))

    async def read(self, name: str, start: int, size_bytes: int) -> bytes:
        """Read a part of a file."""
        with self._reported("the file cannot be read"):
            found = await self._library.get_async(self._client, name, options={"range": (start, start + size_bytes)})
            return bytes(await found.bytes_async())

    async def move(self, old: str, new: str) -> None:
        """Copy a file within the bucket and delete the first."""
        with self._reported("the file cannot be stored"):
            await self._library.rename_async(self._client, old, new)

    async def remove(self, names: Sequence[str]) -> set[str]:
        """Delete files, in one request; if that fails, one by one."""
        if not names or await self._delete(list(names)):
            return set()
        return {name for name in names if not await self._delete([name])} if len(names) > 1 else set(names)

    async def _delete(self, names: list[str]) -> bool:
        try:
            with self._reported("files cannot be deleted"):
                await self._library.delete_async(self._client, names)
        except NotFound:
            return len(names) == 1
        except Unavailable as error:
            log.warning("%s", error, extra={"files": len(names)})
            return False
        return True

    async def listing(self, after: str, most: int) -> list[Listed]:
        """List files by name."""
        with self._reported("files cannot be listed"):
            async for page in self._library.list(self._client, offset=after or None, chunk_size=most):
                return [Listed(one["path"], int(one["last_modified"].timestamp() * SECOND_US)) for one in page]
        return []

    @contextlib.contextmanager
    def _reported(self, what: str, missing: type[Exception] | None = NotFound) -> Iterator[None]:
        """Say what went wrong in a sentence of ours."""
        try:
            yield
        except self._errors as error:
            if isinstance(error, FileNotFoundError) and missing and "NoSuchBucket" not in str(error):
                raise missing("no such file; it may have expired") from error
            code = _CODE.search(str(error))
            why = f"the object store refuses: {code[1]}" if code else "the object store does not answer as it should"
            log.warning("%s: %s", what, _reason(error))
            raise Unavailable(f"{what}: {why}") from error


def _reason(error: Exception) -> str:
    """Take out of the library's sentence what went wrong.

    The address before it may open a file by itself, and what the server wrote behind it may hold anything.
    """
    _, _, reason = str(error).partition(" - ")
    return re.split(r"[<\n]", reason, maxsplit=1)[0].strip(" :")[:_LOG_CHARACTERS] or type(error).__name__


def _client(place: Bucket, secret: str | None, proxy: str | None) -> "Client":
    from obstore.store import S3Store as Client  # noqa: PLC0415 - only where files lie in an object store

    options: dict[str, Any] = {"client_options": {**_CLIENT, "allow_http": place.endpoint.startswith("http://")}}
    if proxy:
        options["client_options"] |= {"proxy_url": proxy, "http1_only": True}
    named = {"endpoint": place.endpoint, "region": place.region, "prefix": place.prefix.strip("/")}
    options |= {name: value for name, value in named.items() if value}
    if secret is not None:
        # By a provider: given as they are, the library would join them with a session token of the environment.
        keys = {"access_key_id": place.access_key_id, "secret_access_key": secret, "token": None, "expires_at": None}
        options["credential_provider"] = lambda: keys
        options |= {"region": place.region or DEFAULT_REGION, "endpoint": place.address}
    try:
        return Client(place.bucket, retry_config=_RETRY, **options)
    except Exception as error:
        raise Unavailable(f"the object store cannot be used: {error}") from error


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for start in range(0, len(first), _PART_BYTES):
        yield first[start : start + _PART_BYTES]
    async for chunk in rest:
        yield chunk
