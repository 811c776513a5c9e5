"""The one client for addresses that a stranger chose: inputs and webhooks.

A name is resolved once, every address found is checked, and the connection goes to a checked address, so that
a name that changes its answer between the check and the connection wins nothing. TLS and the Host header keep
the name. Nothing comes from the environment: no proxy, no cookies, no netrc. Only the plain encoding is asked
for, so that a small answer cannot unpack into a large one.

    Refused (ValueError)   policy: this address is never read; the same request fails again
    Unreachable            the address may be read and could not be: name, connection, TLS, time, status, size

The text of both is a sentence for the client and names neither the address nor what a name resolved to.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import httpcore
import httpx

from unitask.kit.addresses import is_allowed, is_allowed_name, is_allowed_port, literal
from unitask.kit.connections import (
    CONNECT_TIMEOUT_S,
    CheckedBackend,
    Deadline,
    KeptConnections,
    Resolver,
    Server,
    reach,
)
from unitask.kit.exchange import header

LIMIT_URL_CHARACTERS: Final = 8192
LIMIT_REDIRECTS: Final = 5
# A name may have any number of addresses; trying them all would turn one task into a port scan.
_ADDRESSES_TRIED: Final = 4
_HOST_NAME: Final = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_KEEP_S: Final = 15.0
_REMEMBERED: Final = 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PACKED: Final = frozenset({"br", "compress", "deflate", "gzip", "x-gzip", "zstd"})
_HEADERS: Final = (("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", "unitask"))
_PORTS: Final = {"http": 80, "https": 443}
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_NOT_ALLOWED: Final = "the address is not allowed"


class Refused(ValueError):
    """The address is against the policy, now and always."""


class Unreachable(Exception):
    """The address may be read and could not be. `raw_message` is for the operator, never for the client.

    `status`: what its server answered, where that is why.
    """

    def __init__(self, sentence: str, cause: Exception | None = None, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        # Kept as text: httpcore's pool drops the cause of what passes through it.
        self.raw_message = f"{type(cause).__name__}: {cause}" if cause else sentence


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What was read. `content_type` is the server's claim without parameters, "" where it makes none."""

    size_bytes: int
    content_type: str
    final_url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a webhook's receiver answered; `body` is cut at the limit that the caller gave.

    `retry_after` is the header of that name as it came, "" where there is none.
    """

    status: int
    body: bytes
    retry_after: str = ""


def system_resolver(host: str, port: int) -> list[str]:
    """Ask the system for all addresses of a name.

    Raises:
        OSError, UnicodeError: the name has none, or is none.

    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


def host_and_port(url: str) -> str:
    """Tell which server a checked address leads to, as `host:port`."""
    target = httpx.URL(url)
    return f"{target.raw_host.decode('ascii')}:{target.port or _PORTS[target.scheme]}"


class Guard:
    """Reads and writes addresses chosen by clients, within the policy of `unitask.kit.addresses`.

    `allow_private` lets loopback and private addresses through, for development. `resolve` finds the
    addresses of a name, `backend` makes the connections of `download`. Threads may share one guard.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        resolve: Resolver = system_resolver,
        backend: httpcore.NetworkBackend | None = None,
    ) -> None:
        self.allow_private = allow_private
        self._resolve = resolve
        self._backend = backend or httpcore.SyncBackend()
        # An endpoint is checked with each order and each message: what its text says does not change.
        self._target = lru_cache(maxsize=_REMEMBERED)(self._check)

    def check_url(self, url: str) -> None:
        """Check what can be told from the text alone; no name is resolved.

        Raises:
            Refused: too long, not http or https, with a user name, without a host, or with one not allowed.

        """
        self._target(url)

    async def connect(self, url: str) -> httpcore.AsyncNetworkStream:
        """Connect to the server of an address, for what another library will say to it.

        Raises:
            Refused: see `check_url`; or its name leads to an address that is not allowed.
            Unreachable: no name, or no connection.

        """
        target = self._target(url)
        port = target.port or _PORTS[target.scheme]
        with _reported(CONNECT_TIMEOUT_S):
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                return await reach(
                    self._addresses,
                    target.raw_host.decode("ascii"),
                    port,
                    lambda address: httpcore.AnyIOBackend().connect_tcp(address, port),
                )

    def download(self, url: str, into: Path, *, limit_bytes: int, timeout_s: float) -> Downloaded:
        """Write what `url` answers to the file `into`, following up to five redirects.

        `timeout_s` is the time for everything together, from the name to the last byte. After an error the
        file does not exist.

        Raises:
            Refused: this address, or one that it redirects to, is not allowed.
            Unreachable: no name, no connection, a status other than success, too large or too slow.

        """
        backend = CheckedBackend(self._addresses, self._backend, Deadline(timeout_s))
        target = self._target(url)
        with (
            _reported(timeout_s),
            httpcore.ConnectionPool(ssl_context=self._tls, network_backend=backend) as pool,
        ):
            for _ in range(LIMIT_REDIRECTS + 1):
                with pool.stream("GET", _core_url(target), headers=[*_HEADERS, _host(target)]) as response:
                    location = header(response.headers, b"location")
                    if response.status not in _REDIRECTS or not location:
                        return _save(response, into, limit_bytes, str(target))
                target = self._check(location, target)
        raise Unreachable(f"the address redirects more than {LIMIT_REDIRECTS} times")

    @asynccontextmanager
    async def poster(self, *, limit_connections: int = 100) -> AsyncIterator["Poster"]:
        """Open a client for webhooks; idle connections live 15 seconds, all are closed at the end."""
        connections = KeptConnections(self._addresses, lambda: self._tls, limit=limit_connections, keep_s=_KEEP_S)
        try:
            yield Poster(self._target, connections)
        finally:
            await connections.aclose()

    def _addresses(self, host: str, port: int) -> list[str]:
        """Resolve a host and check every address; one that is not allowed spoils the name."""
        ip = literal(host)
        try:
            found = [str(ip)] if ip is not None else self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise Unreachable("the host name of the address cannot be resolved", error) from error
        if not found:
            raise Unreachable("the host name of the address cannot be resolved")
        if not all(is_allowed(ip_address(text), allow_private=self.allow_private) for text in found):
            raise Refused(_NOT_ALLOWED)
        return found[:_ADDRESSES_TRIED]

    def _check(self, url: str, base: httpx.URL | None = None) -> httpx.URL:
        """Parse and check an address. What was checked is what is requested: two parsers could disagree."""
        if len(url) > LIMIT_URL_CHARACTERS:
            raise Refused(f"the address is longer than {LIMIT_URL_CHARACTERS} characters")
        try:
            target = httpx.URL(url) if base is None else base.join(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise Refused("the address is not a valid URL") from error
        if target.scheme not in {"http", "https"}:
            raise Refused("the address must begin with http:// or https://")
        if target.userinfo:
            raise Refused("the address must not hold a user name or a password")
        if target.port is not None and not is_allowed_port(target.port):
            raise Refused("the address has a port out of range or of another protocol than HTTP")
        if base is not None and (base.scheme, target.scheme) == ("https", "http"):
            raise Refused("the address redirects from https to http")
        self._check_host(target.raw_host.decode("ascii"))
        return target

    def _check_host(self, host: str) -> None:
        ip = literal(host)
        if ip is None and not _HOST_NAME.fullmatch(host.removesuffix(".")):
            raise Refused("the address has no valid host name")
        if ip is not None and not is_allowed(ip, allow_private=self.allow_private):
            raise Refused(_NOT_ALLOWED)
        if ip is None and not is_allowed_name(host, allow_private=self.allow_private):
            raise Refused(_NOT_ALLOWED)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()


class Poster:
    """Sends webhooks; made by `Guard.poster`."""

    def __init__(self, target: Callable[[str], httpx.URL], connections: KeptConnections) -> None:
        self._target = target
        self._connections = connections

    async def post(
        self, url: str, *, content: bytes, headers: Mapping[str, str], timeout_s: float, limit_bytes: int
    ) -> Answer:
        """Send `content` and read at most `limit_bytes` of the answer. Redirects are not followed.

        `timeout_s` is the time for everything together. `headers` go before our own of the same name.

        Raises:
            Refused: the address is not allowed.
            Unreachable: no name, no connection, or no complete answer in time. Any status is an answer.

        """
        target = self._target(url)
        port = target.port or _PORTS[target.scheme]
        server = Server(target.raw_host.decode("ascii"), port, target.scheme == "https")
        with _reported(timeout_s):
            request = _request(target, content, headers)
            async with asyncio.timeout(timeout_s):
                answered = await self._connections.ask(server, request, limit_bytes)
        return Answer(answered.status, bytes(answered.body), header(answered.headers, b"retry-after"))


def _request(target: httpx.URL, content: bytes, headers: Mapping[str, str]) -> bytes:
    """Write a request; a value may hold any characters but those that would end it."""
    ours = (_host(target), ("Content-Length", str(len(content))))
    sent = {name.lower(): (name, value) for name, value in (*_HEADERS, *headers.items(), *ours)}
    lines = [b"%s: %s" % (name.encode(), value.encode()) for name, value in sent.values()]
    if any(_CONTROL.search(line) for line in lines):
        raise httpcore.LocalProtocolError("a header holds a control character")
    return b"POST %s HTTP/1.1\r\n%s\r\n\r\n%s" % (target.raw_path, b"\r\n".join(lines), content)


def _core_url(target: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=target.raw_scheme, host=target.raw_host, port=target.port, target=target.raw_path)


def _host(target: httpx.URL) -> tuple[str, str]:
    # httpcore would write an IPv6 address without its brackets.
    return ("Host", target.netloc.decode("ascii"))


def _save(response: httpcore.Response, into: Path, limit_bytes: int, final_url: str) -> Downloaded:
    if not 200 <= response.status < 300:  # noqa: PLR2004 - success, in HTTP
        raise Unreachable(f"the address answers with status {response.status}", status=response.status)
    if header(response.headers, b"content-encoding").lower() in _PACKED:
        raise Unreachable("the address answers with a compressed body though none was asked for")
    if int(header(response.headers, b"content-length") or 0) > limit_bytes:
        raise Unreachable(_too_large(limit_bytes))
    try:
        size_bytes = _write(response.iter_stream(), into, limit_bytes)
    except BaseException:
        into.unlink(missing_ok=True)
        raise
    content_type = header(response.headers, b"content-type").partition(";")[0].strip().lower()
    return Downloaded(size_bytes, content_type, final_url)


def _write(chunks: Iterable[bytes], into: Path, limit_bytes: int) -> int:
    size_bytes = 0
    with into.open("wb") as file:
        for chunk in chunks:
            size_bytes += len(chunk)
            if size_bytes > limit_bytes:
                raise Unreachable(_too_large(limit_bytes))
            file.write(chunk)
    return size_bytes


def _too_large(limit_bytes: int) -> str:
    return f"the file at the address is larger than the limit of {limit_bytes} bytes"


@contextmanager
def _reported(timeout_s: float) -> Iterator[None]:
    try:
        yield
    except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
        if any(isinstance(reason, ssl.SSLError) for reason in error.args):
            raise Unreachable("no TLS connection to the address; check its certificate", error) from error
        raise Unreachable("no connection to the server of the address could be made", error) from error
    except (httpcore.TimeoutException, TimeoutError) as error:
        raise Unreachable(f"no complete answer from the address within {timeout_s:g} seconds", error) from error
    except (httpcore.NetworkError, httpcore.ProtocolError) as error:
        raise Unreachable("the server of the address gave no complete and valid answer", error) from error
