"""Webhooks to receivers behind TLS, on both event loops that we run on."""

import asyncio
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import uvloop

from support.loopback import resolver_of, says, serving, silent
from support.tls import serving_tls
from unitask.kit.net import Answer, Guard, Unreachable

LOOPS = [asyncio.run, uvloop.run]


class Receiver(BaseHTTPRequestHandler):
    """Answers with what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Send the body back."""
        body = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Run it with a certificate for localhost."""
    with serving_tls(tmp_path, Receiver) as (port, _):
        yield port


async def post(url: str, *bodies: bytes, timeout_s: float = 5.0) -> list[Answer]:
    """Send webhooks to an address one after the other, wherever its name leads."""
    guard = Guard(allow_private=True, resolve=resolver_of(["127.0.0.1"]))
    async with guard.poster() as poster:
        return [
            await poster.post(url, content=body, headers={}, timeout_s=timeout_s, limit_bytes=10**6) for body in bodies
        ]


@pytest.mark.parametrize("run", LOOPS)
def test_a_receiver_that_an_authority_vouches_for_is_posted_to(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any]
) -> None:
    """A small message, and one of many packets over the same connection."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    large = b"x" * 500_000
    answers = run(post(f"https://localhost:{port}/hook", b"{}", large))
    assert answers == [Answer(200, b"{}"), Answer(200, large)]


@pytest.mark.parametrize("run", LOOPS)
@pytest.mark.parametrize(("trusted", "host"), [(False, "localhost"), (True, "another.example")])
def test_a_certificate_of_nobody_or_of_another_is_refused(
    port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Callable[..., Any], *, trusted: bool, host: str
) -> None:
    """Nothing is sent to who cannot prove the name."""
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    with pytest.raises(Unreachable, match=r"^no TLS connection to the address; check its certificate$"):
        run(post(f"https://{host}:{port}/hook", b"{}"))


@pytest.mark.parametrize("run", LOOPS)
def test_a_receiver_that_does_not_speak_tls_is_reported(run: Callable[..., Any]) -> None:
    """The greeting names the host that was asked for, not its address."""
    with serving(says(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server, pytest.raises(Unreachable, match="TLS"):
        run(post(f"https://hook.example:{server.port}/", b"{}"))
    assert b"hook.example" in server.heads[0]


@pytest.mark.parametrize("run", LOOPS)
def test_a_greeting_that_is_never_answered_meets_the_deadline(run: Callable[..., Any]) -> None:
    """As everything else does."""
    with serving(silent) as server, pytest.raises(Unreachable, match=r"within 0\.2 seconds"):
        run(post(f"https://hook.example:{server.port}/", b"{}", timeout_s=0.2))
