"""The way to one provider over HTTP: bounded, patient where that is safe, and silent about keys."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Final

import httpx
import orjson
from pydantic import SecretStr

from unitask.kit import tracing
from unitask.kit.errors import JobFailed, ProviderAway, ProviderRefused, ProviderUnsure
from unitask.kit.net import Guard, Refused, Unreachable
from unitask.remote.breaker import Breaker
from unitask.remote.redact import redact
from unitask.remote.threads import in_thread
from unitask.spec.remote import CALL_S, Provider, RemoteEngine, Reply

_TRIES: Final = 4
_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_CONNECT_S: Final = 10.0
_ANSWER_BYTES: Final = 96 * 2**20
_QUOTED: Final = 300
_READ: Final = 8000
_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529})
_BEGUN_PERHAPS: Final = frozenset({408, 500, 502, 504, 520, 524})
"""What servers answer that broke on the way, and gateways that lost theirs: the order may have been taken."""
_GONE: Final = frozenset({403, 404, 410})
_OF_OPERATOR: Final = frozenset({401, 402, 403})
_quiet = logging.getLogger(f"{__name__}.socket")
_quiet.setLevel(logging.INFO)  # below that it tells every header, and so the key
_NO_CONNECTION: Final = "no connection"
_IDLE: Final = httpx.Timeout(60.0, connect=_CONNECT_S)
_RESULT_S: Final = 900.0
_Pause = Callable[[float], Awaitable[None]]


class HttpCalls:
    """Satisfies `unitask.spec.remote.Calls`. `own_key`: the account's, in place of the operator's.

    Each call is a span below `trace`. Most providers are not told of it: it is nobody's business.
    """

    def __init__(
        self,
        provider: Provider,
        engine: RemoteEngine,
        http: httpx.AsyncClient,
        *,
        guard: Guard,
        breaker: Breaker,
        own_key: SecretStr | None = None,
        trace: str | None = None,
        pause: _Pause = asyncio.sleep,
    ) -> None:
        self.provider = provider
        self._http = http
        self._url = httpx.URL(provider.url or engine.url)
        self._guard = guard
        self._breaker = breaker
        self._pause = pause
        self._trace = trace
        self._is_own = own_key is not None
        key = own_key or provider.key
        self._keys = [one.get_secret_value() for one in (own_key, provider.key) if one]
        self._headers = engine.headers(key.get_secret_value()) if key else {}

    def clean(self, text: str) -> str:
        """Take keys, and what looks like one, out of a text."""
        return redact(text, self._keys)

    async def wait(self, seconds: float) -> None:
        """Wait before something is asked again."""
        await self._pause(seconds)

    def address(self, path: str) -> str:
        """Write the whole address of a path of the provider."""
        return str(self._target(path))

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        files: Sequence[tuple[str, Path]] = (),
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        reads_json: bool = True,
        accepts: Callable[[Any], bool] | None = None,
        joins_trace: bool = False,
        limit_s: float = CALL_S,
    ) -> Reply:
        """Send a request to a path of the provider, or to a whole address of the same server."""
        url = self._target(path)
        may_repeat = method == "GET" if repeatable is None else repeatable
        why, perhaps_done, answered = "", False, False
        for number in range(_TRIES):
            wait_s = None
            try:
                with ExitStack() as opened:
                    parts = [(name, (file.name, opened.enter_context(file.open("rb")))) for name, file in files]
                    span = opened.enter_context(self._span(method))
                    joined = tracing.headers(span.trace) if joins_trace else {}
                    request = self._request(method, url, json, form, parts, {**(headers or {}), **joined})
                    reply, why, wait_s = await self._try(request, accepts, reads_json=reads_json, limit_s=limit_s)
                    span.set({"http.response.status_code": reply.status if reply else None, "is_answered": bool(reply)})
                if reply:
                    return reply
            except _Unsure as error:
                why, perhaps_done = str(error), method != "GET"
                answered = error.answered
                if not may_repeat:
                    break
            if number < _TRIES - 1:
                await self._pause(min(_LONGEST_PAUSE_S, wait_s or _PAUSE_S * 2**number))
        raise self._unsure(why, answered=answered) if perhaps_done else self.away(why)

    async def download(self, address: str, into: Path, *, limit_bytes: int) -> None:
        """Read a file: with the key from the provider's own server, without from any other, which must be allowed."""
        why = ""
        for number in range(_TRIES):
            try:
                is_theirs = self._is_of_provider(httpx.URL(address))
                with self._span("download"):
                    elsewhere = await self._read(address, into, limit_bytes) if is_theirs else address
                    return await in_thread(self._fetch, elsewhere, into, limit_bytes) if elsewhere else None
            except (httpx.HTTPError, Unreachable) as error:
                why = f"{type(error).__name__}: {error}"
            except httpx.InvalidURL as error:
                raise JobFailed(f"{self.provider.name} names a result that is no address") from error
            if number < _TRIES - 1:
                await self._pause(_PAUSE_S * 2**number)
        raise self.away(f"a result could not be read: {why}")

    async def socket(self, path: str) -> AsyncIterator[str | bytes]:
        """Hear what the provider says over a websocket, until it ends or breaks."""
        from websockets.exceptions import WebSocketException  # noqa: PLC0415 - for engines that listen

        from unitask.remote.direct import Direct  # noqa: PLC0415 - same

        url = self._target(path)
        address = str(url.copy_with(scheme="wss" if url.scheme == "https" else "ws"))
        with contextlib.suppress(WebSocketException, OSError):
            async with Direct(
                address,
                additional_headers=self._headers,
                max_size=_ANSWER_BYTES,
                open_timeout=_CONNECT_S,
                proxy=None,
                logger=_quiet,
            ) as socket:
                async for message in socket:
                    yield message

    def _span(self, what: str) -> tracing.Span:
        """Begin the span of one request; its address is left out, for it may open something by itself."""
        name = self.provider.name
        return tracing.span(f"{what} {name}", {"provider": name}, parent=self._trace, kind="client")

    def _target(self, path: str) -> httpx.URL:
        """Find the whole address; the key goes to no other server, whoever names it."""
        if not path.startswith(("http://", "https://")):
            return httpx.URL(f"{str(self._url).rstrip('/')}/{path.lstrip('/')}")
        url = httpx.URL(path)
        if not self._is_of_provider(url):
            sentence = f"{self.provider.name} names another server than its own"
            raise ProviderAway(sentence, raw_message=self.clean(path)[:_QUOTED])
        return url

    def ordered(self, why: str = "") -> None:
        """Note that an order was answered, or why it was not."""
        if not (why and self._is_own):
            self._breaker.ordered(self.clean(why))

    def _failed(self, why: str) -> None:
        """Note a failure, unless it may be of one account's key."""
        if not self._is_own or why.startswith(_NO_CONNECTION):
            self._breaker.failed(why)

    def _is_of_provider(self, url: httpx.URL) -> bool:
        return (url.scheme, url.host, url.port) == (self._url.scheme, self._url.host, self._url.port)

    def _request(  # noqa: PLR0917 - the parts of a request
        self,
        method: str,
        url: httpx.URL,
        json: Any,
        form: Mapping[str, Any] | None,
        files: Sequence[tuple[str, tuple[str, BinaryIO]]],
        headers: Mapping[str, str] | None,
    ) -> httpx.Request:
        content = None if json is None else orjson.dumps(json)
        kind = {} if json is None else {"Content-Type": "application/json"}
        return self._http.build_request(
            method,
            url,
            content=content,
            files=None if form is None and not files else [*_fields(form or {}), *files],
            headers={"User-Agent": "unitask", **kind, **self._headers, **(headers or {})},
        )

    async def _try(
        self, request: httpx.Request, accepts: Callable[[Any], bool] | None, *, reads_json: bool, limit_s: float
    ) -> tuple[Reply | None, str, float | None]:
        """Send once: the reply, or why there is none though nothing was done, and when to send it again.

        Raises:
            _Unsure: something may have been done.

        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(limit_s):
                response = await self._http.send(request, stream=True)
                try:
                    content = await _bounded(response, _ANSWER_BYTES)
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return None, f"{_NO_CONNECTION}: {error}", None
        except (httpx.HTTPError, TimeoutError, _TooLarge) as error:
            raise _Unsure(f"no complete answer: {type(error).__name__} {error}") from error
        status = response.status_code
        if accepts and accepts(found := _json(content)):
            self._breaker.answered(time.monotonic() - began)
            return Reply(status, "application/json", content, found), "", None
        if status not in _LATER:
            reply = self._judged(status, response, content, time.monotonic() - began)
            if reads_json and reply.document is None:
                raise _Unsure(f"its answer is not JSON: {self._quoted(content)}")
            return reply, "", None
        why = f"it answered {status}: {self._quoted(content)}"
        if status in _BEGUN_PERHAPS:
            raise _Unsure(why, answered=True)
        return None, why, _seconds(response.headers.get("retry-after", ""))

    def _judged(self, status: int, response: httpx.Response, content: bytes, took_s: float) -> Reply:
        if response.is_success:
            self._breaker.answered(took_s)
            kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            return Reply(status, kind, content, _json(content))
        said = self._quoted(content)
        name = self.provider.name
        if status in _OF_OPERATOR and self._is_own:
            raise ProviderRefused(f"{name} does not serve your own key: {said}", answered=status)
        if status in _OF_OPERATOR or response.is_redirect:
            raise self.away(f"it answered {status}: {said}")
        self._breaker.answered(took_s)
        sentence, is_plain = f"{name} refused the order: {said}", _json(content) is not None
        raise ProviderRefused(sentence, answered=status, raw_message=f"{status}: {said}", is_plain=is_plain)

    def _quoted(self, content: bytes) -> str:
        """Quote an answer; keys are taken out before it is cut, for half of one is none that is known."""
        return self.clean(_sentence(content))[:_QUOTED]

    async def _read(self, address: str, into: Path, limit_bytes: int) -> str:
        """Read a file from the provider's own server; gives the address where that says that it lies instead."""
        size = 0
        headers = {"User-Agent": "unitask", **self._headers}
        async with self._http.stream("GET", address, headers=headers, timeout=_IDLE) as response:
            if response.next_request is not None:
                return str(response.next_request.url)
            if response.status_code in _GONE:
                raise ProviderRefused(
                    f"{self.provider.name} does not give the result any more", answered=response.status_code
                )
            if not response.is_success:
                raise Unreachable(f"status {response.status_code}", status=response.status_code)
            with into.open("wb") as file:
                async for chunk in response.aiter_bytes():
                    size += len(chunk)
                    if size > limit_bytes:
                        raise JobFailed(f"a result of {self.provider.name} is too large")
                    file.write(chunk)
        return ""

    def _fetch(self, address: str, into: Path, limit_bytes: int) -> None:
        try:
            self._guard.download(address, into, limit_bytes=limit_bytes, timeout_s=_RESULT_S)
        except Refused as error:
            raise JobFailed(f"{self.provider.name} names a result that is not read: {error}") from error
        except Unreachable as error:
            if error.status in _GONE:
                raise ProviderRefused(
                    f"{self.provider.name} does not give the result any more", answered=410, raw_message=str(error)
                ) from error
            raise

    def away(self, why: str) -> ProviderAway:
        """Say that the provider cannot serve at present, and note it."""
        why = self.clean(why)[:1000]
        self._failed(why)
        return ProviderAway(f"the provider {self.provider.name} is not available at present", raw_message=why)

    def _unsure(self, why: str, *, answered: bool) -> ProviderUnsure:
        why = self.clean(why)[:1000]
        self._failed(why)
        name = self.provider.name
        what = f"the provider {name} broke" if answered else f"contact with the provider {name} was lost"
        return ProviderUnsure(what, raw_message=why, answered=answered)


def _fields(form: Mapping[str, Any]) -> list[tuple[str, tuple[None, str]]]:
    """Write the fields of a form as parts: servers read no other kind of form, also where no file is in it."""
    values = [(name, one) for name, value in form.items() for one in (value if isinstance(value, list) else [value])]
    return [(name, (None, str(value))) for name, value in values]


class _Unsure(Exception):
    """What was asked for may have been done; `answered`: the server said that it broke."""

    def __init__(self, why: str, *, answered: bool = False) -> None:
        super().__init__(why)
        self.answered = answered


class _TooLarge(Exception):
    """An answer without end."""


async def _bounded(response: httpx.Response, limit_bytes: int) -> bytes:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > limit_bytes:
            raise _TooLarge(f"more than {limit_bytes} bytes")
    return bytes(content)


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _sentence(content: bytes) -> str:
    """Find what an error answer says, in the forms that are usual."""
    found = _json(content)
    for name in ("error", "detail", "message", "title"):
        said = found.get(name) if isinstance(found, dict) else None
        if isinstance(said, dict):
            said = said.get("message") or said.get("type")
        if isinstance(said, list):
            said = "; ".join(_fault(one) for one in said[:5])
        if isinstance(said, str) and said:
            return said[:_READ]
    return content[:_READ].decode("utf-8", "replace")


def _fault(one: Any) -> str:
    if not isinstance(one, dict):
        return str(one)
    where = ".".join(str(step) for step in one.get("loc", ()))
    return f"{where}: {one.get('msg', one.get('message', one))}".lstrip(": ")


def _seconds(text: str) -> float | None:
    return float(text) if text.replace(".", "", 1).isdigit() else None
