"""The way out for other libraries: where it leads, and whom it lets in."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.loopback import METADATA, PUBLIC, resolver_of
from support.machine import free_port
from support.media import base64_of
from support.objects import ACCESS_KEY_ID, REGION, SECRET, Objects
from support.tls import serving_tls
from unitask.artifacts.model import Bucket
from unitask.artifacts.s3 import S3Store
from unitask.artifacts.store import trouble
from unitask.kit.errors import Unavailable
from unitask.kit.net import Guard
from unitask.kit.tunnel import ANSWER_BYTES, Tunnel

NAME = "2027/01/15/0123456789abcdef0123456789abcdef.png"


@asynccontextmanager
async def opened(guard: Guard) -> AsyncIterator[httpx.URL]:
    """Open a tunnel; gives its address."""
    tunnel = Tunnel(guard)
    try:
        yield httpx.URL(await tunnel.address())
    finally:
        await tunnel.close()


async def said(tunnel: httpx.URL, head: bytes) -> bytes:
    """Send the first lines of a connection; gives the first line of the answer."""
    reader, writer = await asyncio.open_connection(tunnel.host, tunnel.port)
    writer.write(head)
    line = await reader.readline()
    writer.close()
    return line.strip()


def asking(tunnel: httpx.URL, server: str, *, password: str | None = None) -> bytes:
    """Write the first lines of a connection to a server."""
    known = base64_of(f"{tunnel.username}:{tunnel.password if password is None else password}".encode())
    return f"CONNECT {server} HTTP/1.1\r\nHost: {server}\r\nProxy-Authorization: Basic {known}\r\n\r\n".encode()


async def test_it_leads_to_allowed_servers(safe_objects: Objects) -> None:
    """TLS is spoken with the server itself; what is sent arrives as it is."""
    async with (
        opened(Guard(allow_private=True)) as tunnel,
        httpx.AsyncClient(proxy=str(tunnel), verify=False, trust_env=False) as client,  # noqa: S501 - our own server
    ):
        for _ in range(3):
            answer = await client.put(f"{safe_objects.address}/through-a-tunnel/it", content=b"x" * 2**20)
            assert answer.status_code == 404, "there is no such bucket, says the store"
            assert "NoSuchBucket" in answer.text


@pytest.mark.parametrize(
    "server",
    ["127.0.0.1:443", "10.0.0.8:443", "[::1]:443", "[::ffff:10.0.0.8]:443", "169.254.169.254:80", "localhost:443"],
)
async def test_it_leads_nowhere_else(server: str) -> None:
    """403, before a connection is made."""
    async with opened(Guard()) as tunnel:
        assert await said(tunnel, asking(tunnel, server)) == b"HTTP/1.1 403 Forbidden"


async def test_a_name_that_leads_inside_is_refused() -> None:
    """Whatever else it means."""
    async with opened(Guard(resolve=resolver_of([METADATA], [PUBLIC, "10.0.0.8"]))) as tunnel:
        for _ in range(2):
            assert await said(tunnel, asking(tunnel, "files.example.com:443")) == b"HTTP/1.1 403 Forbidden"


@pytest.fixture
def trusted(safe_objects: Objects, monkeypatch: pytest.MonkeyPatch) -> Objects:
    """Trust the authority that vouches for the object store."""
    monkeypatch.setenv("SSL_CERT_FILE", safe_objects.trust)
    return safe_objects


async def test_a_bucket_is_asked_where_its_name_leads_now(trusted: Objects) -> None:
    """The client library would resolve by itself: a name that meant the bucket and now means a machine inside."""
    meaning = ["127.0.0.1"]
    guard = Guard(allow_private=True, resolve=lambda _host, _port: meaning)
    place = Bucket(trusted.make("once-outside"), "", trusted.address, REGION, ACCESS_KEY_ID)
    async with opened(guard) as tunnel:
        assert await trouble(S3Store(place, SECRET, str(tunnel)), NAME) is None
        meaning[:] = [METADATA]
        wrong = await trouble(S3Store(place, SECRET, str(tunnel)), NAME)
    assert wrong == "the file cannot be stored: the object store does not answer as it should"


class Hostile(BaseHTTPRequestHandler):
    """Sends those who read on to a machine inside, and talks without end to those who write."""

    sent_bytes = 0

    def do_GET(self) -> None:
        """Send on."""
        self.send_response(307)
        self.send_header("Location", "https://inside.example.com/secrets")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_PUT(self) -> None:
        """Talk."""
        self.send_response(403)
        self.end_headers()
        with contextlib.suppress(OSError):
            while Hostile.sent_bytes < 2**30:
                Hostile.sent_bytes += self.wfile.write(b"x" * 2**20)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run it behind TLS; gives its address."""
    with serving_tls(tmp_path, Hostile) as (port, authority):
        monkeypatch.setenv("SSL_CERT_FILE", authority)
        yield f"https://localhost:{port}"


async def test_a_bucket_cannot_fill_our_memory(hostile: str) -> None:
    """The client library reads an answer to its end; the tunnel ends it before that."""
    place = Bucket("bucket", "", hostile, REGION, ACCESS_KEY_ID)
    async with opened(Guard(allow_private=True)) as tunnel:
        wrong = await trouble(S3Store(place, SECRET, str(tunnel)), NAME)
    assert wrong is not None
    assert 0 < Hostile.sent_bytes < 8 * ANSWER_BYTES


async def test_a_bucket_cannot_send_us_inside(hostile: str) -> None:
    """The client library follows redirects; through the tunnel, where they lead is checked like all else."""
    asked = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if host == "localhost" else [METADATA]

    place = Bucket("bucket", "", hostile, REGION, ACCESS_KEY_ID)
    async with opened(Guard(allow_private=True, resolve=resolve)) as tunnel:
        with pytest.raises(Unavailable, match="the object store does not answer as it should"):
            await S3Store(place, SECRET, str(tunnel)).read(NAME, 0, 1)
    assert asked[:2] == ["localhost", "inside.example.com"]


@pytest.mark.parametrize("password", ["", "0" * 32])
async def test_it_lets_nobody_else_in(password: str) -> None:
    """Other users of this machine may find its port; without its secret they get 407."""
    refusal = b"HTTP/1.1 407 Proxy Authentication Required"
    async with opened(Guard(allow_private=True)) as tunnel:
        assert await said(tunnel, asking(tunnel, "127.0.0.1:80", password=password)) == refusal
        assert await said(tunnel, b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n") == refusal
        assert await said(tunnel, b"GET http://127.0.0.1/ HTTP/1.1\r\n\r\n") == refusal
        assert await said(tunnel, b"x" * 10_000 + b"\r\n\r\n") == b""


async def test_a_server_that_is_not_there() -> None:
    """502."""
    async with opened(Guard(allow_private=True)) as tunnel:
        assert await said(tunnel, asking(tunnel, f"127.0.0.1:{free_port()}")) == b"HTTP/1.1 502 Bad Gateway"


@pytest.mark.parametrize("turns", range(12))
async def test_closing_it_closes_what_is_just_ending(turns: int) -> None:
    """The server behind it hears of it, however many turns of the loop before its client hung up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with opened(Guard(allow_private=True)) as tunnel:
            reader, writer = await asyncio.open_connection(tunnel.host, tunnel.port)
            writer.write(asking(tunnel, f"127.0.0.1:{listener.getsockname()[1]}"))
            await reader.readuntil(b"\r\n\r\n")
            writer.close()
            for _ in range(turns):
                await asyncio.sleep(0)
        with listener.accept()[0] as connection:
            connection.setblocking(False)
            async with asyncio.timeout(5):
                assert await asyncio.get_running_loop().sock_recv(connection, 1) == b""
