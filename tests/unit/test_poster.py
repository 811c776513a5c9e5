"""Webhooks through the guard: the same policy, without redirects."""

import asyncio
import socket
import ssl
import threading
import time

import httpx
import pytest

from support.loopback import (
    METADATA,
    PUBLIC,
    Script,
    answer,
    chunked_without_end,
    dripping_body,
    dripping_head,
    redirect,
    resolver_of,
    serving,
    silent,
)
from support.loopback import says as raw
from support.sink import receiving, says
from support.wait import seen
from unitask.kit import connections, net
from unitask.kit.net import Answer, Guard, Refused, Unreachable

LOCAL = Guard(allow_private=True)


def post(guard: Guard, url: str, *, timeout_s: float = 5.0, limit_bytes: int = 100, **headers: str) -> Answer:
    """Send one webhook with limits that suit most tests."""

    async def run() -> Answer:
        async with guard.poster() as poster:
            return await poster.post(
                url, content=b'{"a":1}', headers=headers, timeout_s=timeout_s, limit_bytes=limit_bytes
            )

    return asyncio.run(run())


def test_webhook_is_posted_as_it_was_signed():
    """Body and headers arrive unchanged; status and body come back."""
    with serving(answer(b"thanks", "202 Accepted")) as server:
        result = post(LOCAL, server.url("/hook"), webhook_id="7", Host="evil.example")
    assert (result.status, result.body) == (202, b"thanks")
    assert server.heads[0].startswith(b"POST /hook HTTP/1.1\r\n")
    assert b"webhook_id: 7\r\n" in server.heads[0]
    assert b"evil" not in server.heads[0]


def test_webhook_redirect_is_an_answer():
    """A receiver cannot send a webhook on to another address."""
    with serving(redirect("/elsewhere")) as server:
        assert post(LOCAL, server.url()).status == 302
    assert len(server.heads) == 1


@pytest.mark.parametrize("answers", [["127.0.0.1"], [PUBLIC, "10.0.0.7"], [METADATA]])
def test_webhook_to_a_private_name_is_refused(answers: list[str]):
    """A webhook passes the same check of every address as a download."""
    with serving(answer(b"")) as server, pytest.raises(Refused, match=r"^the address is not allowed$"):
        post(Guard(resolve=resolver_of(answers)), server.url(host="hook.example"))
    assert server.heads == []


def test_webhook_to_a_private_address_is_refused():
    """A literal address out of bounds is refused before a connection."""
    with serving(answer(b"")) as server, pytest.raises(Refused):
        post(Guard(), server.url())
    assert server.heads == []


def test_webhook_to_a_name_resolves_once():
    """The checked address is the one connected to, and the name stays in the Host header."""
    guard = Guard(allow_private=True, resolve=resolver_of(["127.0.0.1"], [METADATA]))
    with serving(answer(b"")) as server:
        assert post(guard, server.url(host="hook.example")).status == 200
    assert b"host: hook.example:" in server.heads[0].lower()


def test_webhook_answer_is_cut_at_the_limit():
    """An endless answer costs no more than the limit."""
    with serving(chunked_without_end) as server:
        assert post(LOCAL, server.url(), limit_bytes=10).body == b"x" * 10


@pytest.mark.parametrize("script", [silent, dripping_head, dripping_body])
def test_slow_webhook_receiver_meets_the_deadline(script: Script):
    """A receiver that drips is given up at the deadline."""
    began_s = time.monotonic()
    with (
        serving(script) as server,
        pytest.raises(Unreachable, match=r"no complete answer .* within 0\.2 seconds"),
    ):
        post(LOCAL, server.url(), timeout_s=0.2, limit_bytes=10_000)
    assert time.monotonic() - began_s < 2


def test_webhook_to_a_closed_port_is_unreachable():
    """No connection is reported as such."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="no connection"):
        post(LOCAL, f"http://127.0.0.1:{port}/")


def test_webhook_with_a_slow_resolver_meets_the_deadline():
    """The wait for a name counts as well."""
    answered = threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        answered.wait()
        return [PUBLIC]

    with pytest.raises(Unreachable, match=r"no complete answer .* within 0\.1 seconds"):
        post(Guard(resolve=resolve), "http://hook.example/", timeout_s=0.1)
    answered.set()


OK = b"HTTP/1.1 200 OK\r\n"
LONG = b"x: " + b"y" * 1000 + b"\r\n"


@pytest.mark.parametrize(
    ("said", "status", "body"),
    [
        (OK + b"content-length: 2\r\n\r\nok", 200, b"ok"),
        (OK + b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, b"ok"),
        (OK + b"\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.0 200 OK\r\n\r\nold", 200, b"old"),
        (b"HTTP/1.1 103 Early Hints\r\nretry-after: 9\r\n\r\n" * 3 + OK + b"content-length: 2\r\n\r\nok", 200, b"ok"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nx", 101, b""),
        (OK + b"content-length: 2\r\n\r\nok" + OK + b"content-length: 4\r\n\r\nevil", 200, b"ok"),
        (OK + b"content-length: 2\r\nconnection: close\r\n\r\nok and more", 200, b"ok"),
    ],
)
def test_answers_of_all_kinds_are_understood(said: bytes, status: int, body: bytes):
    """What comes before the answer or after it is not taken for it."""
    with serving(raw(said)) as server:
        assert post(LOCAL, server.url()) == Answer(status, body)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"hello",
        OK,
        OK + b"content-length: 9\r\n\r\nshort",
        OK + b"content-length: 2\r\ncontent-length: 3\r\n\r\nok",
        OK + b"transfer-encoding: chunked\r\n\r\n2\r\nok\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nok\r\n",
        OK + LONG * 1000 + b"content-length: 2\r\n\r\nok",
        OK + b"transfer-encoding: chunked\r\n\r\n0\r\n" + LONG * 1000 + b"\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 10_000 + OK + b"content-length: 2\r\n\r\nok",
    ],
)
def test_what_is_no_answer_is_reported_as_such(said: bytes):
    """Whatever it is, and however long."""
    with serving(raw(said)) as server, pytest.raises(Unreachable, match="no complete and valid answer"):
        post(LOCAL, server.url())


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next():
    """A second answer behind the first ends the connection."""
    twice = b"".join(OK + b"content-length: 3\r\n\r\n" + body for body in (b"one", b"bad"))
    with serving(raw(twice), raw(OK + b"content-length: 3\r\n\r\ntwo")) as server:

        async def run() -> list[bytes]:
            async with LOCAL.poster() as poster:
                return [
                    (await poster.post(server.url(), content=b"{}", headers={}, timeout_s=5, limit_bytes=100)).body
                    for _ in range(2)
                ]

        assert asyncio.run(run()) == [b"one", b"two"]


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\0b"])
def test_a_header_cannot_end_before_its_end(value: str):
    """The client chose the secret that goes with its messages."""
    with serving(answer(b"")) as server, pytest.raises(Unreachable):
        post(LOCAL, server.url(), x_webhook_secret=value)
    assert server.heads == []


def test_a_connection_is_kept_for_the_next_webhook():
    """Ten messages to one receiver need one connection; another receiver needs its own."""
    with receiving(says(204, b"")) as sink, receiving() as other:

        async def run() -> None:
            async with LOCAL.poster() as poster:
                for url in [sink.url()] * 10 + [other.url()] * 2:
                    await poster.post(url, content=b"{}", headers={}, timeout_s=5, limit_bytes=100)

        asyncio.run(run())
    assert (sink.connections, other.connections) == (1, 1)


def test_a_connection_that_its_server_has_closed_is_not_used_again():
    """The next message opens another; none is lost to the old one."""
    kept_open = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"  # and then the server hangs up all the same
    with serving(raw(kept_open + b"one"), raw(kept_open + b"two")) as server:

        async def run() -> list[bytes]:
            bodies = []
            async with LOCAL.poster() as poster:
                for _ in range(2):
                    answered = await poster.post(server.url(), content=b"{}", headers={}, timeout_s=5, limit_bytes=100)
                    bodies.append(answered.body)
                    ((*_, kept),) = poster._connections._idle.values()
                    await seen(lambda kept=kept: not kept.usable, within_s=5, what="the end of the connection")
            return bodies

        assert asyncio.run(run()) == [b"one", b"two"]


def test_a_connection_whose_answer_was_not_read_to_its_end_is_not_kept():
    """What is left of an answer must not be taken for the next."""
    with receiving(says(200, b"x" * 5000)) as sink:

        async def run() -> list[bytes]:
            async with LOCAL.poster() as poster:
                return [
                    (await poster.post(sink.url(), content=b"{}", headers={}, timeout_s=5, limit_bytes=10)).body
                    for _ in range(3)
                ]

        assert asyncio.run(run()) == [b"x" * 10] * 3
    assert sink.connections == 3


def test_posts_beyond_the_limit_of_connections_wait():
    """Ten at a time through two connections."""
    with receiving() as sink:

        async def run() -> None:
            async with LOCAL.poster(limit_connections=2) as poster:
                posts = [
                    poster.post(sink.url(), content=b"{}", headers={}, timeout_s=5, limit_bytes=100) for _ in range(10)
                ]
                await asyncio.gather(*posts)

        asyncio.run(run())
    assert (len(sink.received), sink.connections) == (10, 2)


def test_connections_that_nobody_takes_are_closed_in_time(monkeypatch: pytest.MonkeyPatch):
    """Also where nothing is posted any more."""
    monkeypatch.setattr(net, "_KEEP_S", 0.05)
    with receiving() as sink, receiving() as other:

        async def run() -> None:
            async with LOCAL.poster() as poster:
                for url in (sink.url(), other.url()):
                    await poster.post(url, content=b"{}", headers={}, timeout_s=5, limit_bytes=100)
                kept = [one for those in poster._connections._idle.values() for one in those]
                assert kept
                await seen(lambda: not poster._connections._idle, within_s=5, what="no connection kept")
                assert not any(one.usable for one in kept)

        asyncio.run(run())


def test_no_more_connections_are_kept_than_may_be_in_use():
    """A client can name another host in each order, and each of them would keep a socket."""
    guard = Guard(allow_private=True, resolve=lambda *_: ["127.0.0.1"])
    with receiving() as sink:

        async def run() -> int:
            async with guard.poster(limit_connections=3) as poster:
                for number in range(9):
                    url = sink.url(host=f"host-{number}.example")
                    await poster.post(url, content=b"{}", headers={}, timeout_s=5, limit_bytes=100)
                return sum(map(len, poster._connections._idle.values()))

        assert asyncio.run(run()) == 3


def test_a_name_that_cannot_be_looked_up_is_unreachable():
    """Whatever the resolver raises, and whoever asks."""

    def away(*_: object) -> list[str]:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    async def run() -> None:
        kept = connections.KeptConnections(away, ssl.create_default_context, limit=1, keep_s=1)
        poster = net.Poster(httpx.URL, kept)
        await poster.post("http://api.example/", content=b"", headers={}, timeout_s=5, limit_bytes=1)

    with pytest.raises(Unreachable, match="no connection"):
        asyncio.run(run())
