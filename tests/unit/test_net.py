"""Downloads through the guard: where they may go, and what ends them."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.loopback import (
    METADATA,
    PUBLIC,
    LoopbackBackend,
    Script,
    announced_only,
    answer,
    chunked_without_end,
    dripping_body,
    dripping_head,
    dripping_notices,
    redirect,
    resolver_of,
    says,
    serving,
    silent,
    unsized_without_end,
)
from unitask.kit.net import LIMIT_REDIRECTS, LIMIT_URL_CHARACTERS, Guard, Refused, Unreachable

LOCAL = Guard(allow_private=True)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """Name a file that does not exist yet."""
    return tmp_path / "file"


def fetch(guard: Guard, url: str, into: Path, *, limit_bytes: int = 1000, timeout_s: float = 5.0):
    """Download with limits that suit most tests."""
    return guard.download(url, into, limit_bytes=limit_bytes, timeout_s=timeout_s)


def test_download_writes_the_body_to_the_file(into: Path):
    """The bytes land on disk; size, claimed type and address come back."""
    with serving(answer(b"pixels", content_type="image/PNG; charset=x")) as server:
        result = fetch(LOCAL, server.url("/a%20b?q=1#part"), into)
    assert into.read_bytes() == b"pixels"
    assert (result.size_bytes, result.content_type) == (6, "image/png")
    assert result.final_url.startswith(server.url("/a%20b?q=1"))
    assert b"GET /a%20b?q=1 HTTP/1.1" in server.heads[0]


def test_download_asks_for_plain_bytes_and_tells_nothing(into: Path, monkeypatch: pytest.MonkeyPatch):
    """No proxy, no cookie and no password from the environment, and no compression is asked for."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving(
        answer(b"", "302 Found", location="/next", set_cookie="a=b"), answer(b"x", connection="close")
    ) as server:
        fetch(LOCAL, server.url(), into)
    for head in server.heads:
        assert b"accept-encoding: identity" in head.lower()
        assert b"cookie" not in head.lower()
        assert b"authorization" not in head.lower()
        assert b"\r\nhost: 127.0.0.1:%d\r\n" % server.port in head.lower()


def test_private_server_is_never_connected_to(into: Path):
    """Without the setting, a loopback address is refused before the server sees anything."""
    with serving(answer(b"secret")) as server:
        for url in (server.url(), server.url(host="0x7f.1"), server.url(host="[::ffff:127.0.0.1]")):
            with pytest.raises(Refused, match=r"^the address is not allowed$"):
                fetch(Guard(), url, into)
    assert server.heads == []
    assert not into.exists()


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["::1"],
        ["10.0.0.7", PUBLIC],
        [PUBLIC, "10.0.0.7"],
        [PUBLIC, "fe80::1%eth0"],
        [METADATA],
    ],
)
def test_name_with_one_refused_address_is_refused(into: Path, answers: list[str]):
    """One address out of bounds spoils the whole name, and the sentence does not tell which it was."""
    backend = LoopbackBackend()
    guard = Guard(resolve=resolver_of(answers), backend=backend)
    with pytest.raises(Refused) as refusal:
        fetch(guard, "http://rebind.example/", into)
    assert str(refusal.value) == "the address is not allowed"
    assert backend.asked == []


def test_rebinding_name_reaches_the_checked_address(into: Path):
    """A name that is public when checked and private a moment later is connected to at the public address."""
    backend = LoopbackBackend()
    guard = Guard(resolve=resolver_of([PUBLIC], ["127.0.0.1"]), backend=backend)
    with serving(answer(b"public")) as server:
        fetch(guard, server.url(host="rebind.example"), into)
    assert backend.asked == [PUBLIC]
    assert b"\r\nhost: rebind.example:%d\r\n" % server.port in server.heads[0].lower()


def test_ipv6_host_keeps_its_brackets(into: Path):
    """The Host header of a literal IPv6 address is written as in the URL."""
    with serving(answer(b"x")) as server:
        fetch(Guard(backend=LoopbackBackend()), server.url(host="[2606:4700::1111]"), into)
    assert b"\r\nhost: [2606:4700::1111]:%d\r\n" % server.port in server.heads[0].lower()


def test_name_that_turns_private_is_refused_at_the_next_hop(into: Path):
    """A redirect to the same name resolves and checks it again."""
    guard = Guard(resolve=resolver_of([PUBLIC], ["127.0.0.1"]), backend=LoopbackBackend())
    with serving(redirect("/again"), answer(b"secret")) as server, pytest.raises(Refused):
        fetch(guard, server.url(host="rebind.example"), into)
    assert len(server.heads) == 1


def test_dead_address_gives_way_to_the_next(into: Path):
    """Where the first address of a name does not answer, the next one is tried in the time that it was left."""
    backend = LoopbackBackend(dead=("93.184.216.1",))
    guard = Guard(resolve=resolver_of(["93.184.216.1", PUBLIC]), backend=backend)
    with serving(answer(b"x")) as server:
        fetch(guard, server.url(host="media.example"), into, timeout_s=5)
    assert backend.asked == ["93.184.216.1", PUBLIC]
    first_s, second_s = backend.timeouts_s
    assert first_s <= 2.5 < second_s <= 5


def test_name_with_many_dead_addresses_is_given_up(into: Path):
    """No more than four addresses of a name are tried: a name is no means to scan a network."""
    dead = [f"93.184.216.{number}" for number in range(1, 9)]
    backend = LoopbackBackend(dead=tuple(dead))
    with pytest.raises(Unreachable, match="no connection"):
        fetch(Guard(resolve=resolver_of(dead), backend=backend), "http://media.example/", into)
    assert backend.asked == dead[:4]


def test_redirect_is_followed_to_the_end(into: Path):
    """Relative and absolute redirects lead to the file, and the last address comes back."""
    with serving(redirect("/one"), redirect("two?x=1"), answer(b"x")) as server:
        assert fetch(LOCAL, server.url("/a/b"), into).final_url == server.url("/two?x=1")


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/",
        "//169.254.169.254/latest/",
        "http://metadata.google.internal/",
        "http://turned.example/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "http://user:secret@127.0.0.1/",
        "http://[::1",
        "http://127.0.0.1:0/",
        "http://127.0.0.1/" + "a" * LIMIT_URL_CHARACTERS,
    ],
)
def test_redirect_out_of_bounds_is_refused(into: Path, location: str):
    """Each hop passes the same checks as the first address."""
    guard = Guard(allow_private=True, resolve=resolver_of([METADATA]))
    with serving(redirect(location)) as server, pytest.raises(Refused):
        fetch(guard, server.url(), into)
    assert not into.exists()


def test_redirect_from_public_to_private_is_refused(into: Path):
    """A public server cannot send us to the machine we run on."""
    backend = LoopbackBackend()
    guard = Guard(resolve=resolver_of([PUBLIC]), backend=backend)
    with serving(answer(b"secret")) as inner:
        with serving(redirect(inner.url())) as outer, pytest.raises(Refused):
            fetch(guard, outer.url(host="media.example"), into)
        assert inner.heads == []
    assert backend.asked == [PUBLIC]


def test_endless_redirects_end(into: Path):
    """After five redirects the download gives up."""
    with serving(redirect("/again")) as server, pytest.raises(Unreachable, match="more than 5 times"):
        fetch(LOCAL, server.url(), into)
    assert len(server.heads) == LIMIT_REDIRECTS + 1


@pytest.mark.parametrize("status", ["400 Bad", "404 Not Found", "410 Gone", "500 Oops", "304 Not Modified"])
def test_status_other_than_success_is_reported(into: Path, status: str):
    """The sentence names the status, and no file is left."""
    with (
        serving(says(f"HTTP/1.1 {status}\r\nconnection: close\r\n\r\n".encode())) as server,
        pytest.raises(Unreachable, match=f"answers with status {status[:3]}$"),
    ):
        fetch(LOCAL, server.url(), into)
    assert not into.exists()


def test_body_of_exactly_the_limit_is_accepted(into: Path):
    """The limit itself is allowed."""
    with serving(answer(b"x" * 1000)) as server:
        assert fetch(LOCAL, server.url(), into, limit_bytes=1000).size_bytes == 1000


@pytest.mark.parametrize("script", [chunked_without_end, unsized_without_end, announced_only])
def test_body_over_the_limit_is_cut_off(into: Path, script: Script):
    """Too large is found out from the announced size, or while reading where none is announced."""
    with serving(script) as server, pytest.raises(Unreachable, match="larger than the limit of 1000 bytes"):
        fetch(LOCAL, server.url(), into, limit_bytes=1000)
    assert not into.exists()


@pytest.mark.parametrize(
    "parts",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n400\r\nshort",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000,
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
    ],
)
def test_broken_answer_is_reported(into: Path, parts: bytes):
    """A size that lies, endless headers, another protocol or silence end as one clear sentence."""
    with serving(says(parts)) as server, pytest.raises(Unreachable, match="no complete and valid answer"):
        fetch(LOCAL, server.url(), into)
    assert not into.exists()


def test_announced_size_below_the_body_bounds_the_body(into: Path):
    """What a server sends beyond the announced size is not read."""
    with serving(says(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody and much more")) as server:
        assert fetch(LOCAL, server.url(), into).size_bytes == 4
    assert into.read_bytes() == b"body"


def test_compressed_body_is_refused(into: Path):
    """Compression that nobody asked for would unpack to any size."""
    with (
        serving(answer(b"\x1f\x8b", content_encoding="gzip")) as server,
        pytest.raises(Unreachable, match="compressed"),
    ):
        fetch(LOCAL, server.url(), into)


@pytest.mark.parametrize("script", [silent, dripping_head, dripping_body, dripping_notices])
def test_slow_answer_meets_the_deadline(into: Path, script: Script):
    """A byte now and then does not win time: the deadline is for the whole download."""
    began_s = time.monotonic()
    with (
        serving(script) as server,
        pytest.raises(Unreachable, match=r"no complete answer .* within 0\.2 seconds"),
    ):
        fetch(LOCAL, server.url(), into, timeout_s=0.2)
    assert time.monotonic() - began_s < 2
    assert not into.exists()


def test_slow_resolver_meets_the_deadline(into: Path):
    """A resolver that does not answer is given up at the deadline."""
    answered = threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        answered.wait()
        return [PUBLIC]

    with pytest.raises(Unreachable, match=r"no complete answer .* within 0\.1 seconds"):
        fetch(Guard(resolve=resolve), "http://media.example/", into, timeout_s=0.1)
    answered.set()


def resolver_that_raises(error: Exception) -> Callable[[str, int], list[str]]:
    """Fail as the system's resolver does."""

    def resolve(_host: str, _port: int) -> list[str]:
        raise error

    return resolve


@pytest.mark.parametrize(
    "resolve",
    [
        resolver_that_raises(socket.gaierror(-2, "Name or service not known")),
        resolver_that_raises(UnicodeError("label too long")),
        resolver_of([]),
    ],
)
def test_unknown_name_is_reported(into: Path, resolve: Callable[[str, int], list[str]]):
    """A name without an address is unreachable, not refused."""
    with pytest.raises(Unreachable, match="cannot be resolved"):
        fetch(Guard(resolve=resolve), "http://nobody.example/", into)


def test_closed_port_is_reported_without_the_address(into: Path):
    """The sentence for the client does not say what the name resolved to."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    guard = Guard(allow_private=True, resolve=resolver_of(["127.0.0.1"]))
    with pytest.raises(Unreachable, match="no connection") as failure:
        fetch(guard, f"http://inner.example:{port}/", into)
    assert "127.0.0.1" not in str(failure.value)
    assert "Connection refused" in failure.value.raw_message


def test_tls_greets_with_the_name_and_checks_certificates(into: Path):
    """The TLS greeting holds the name, not the address, and an answer that is no TLS is reported."""
    guard = Guard(resolve=resolver_of([PUBLIC]), backend=LoopbackBackend())
    with (
        serving(says(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server,
        pytest.raises(Unreachable, match="TLS"),
    ):
        fetch(guard, f"https://media.example:{server.port}/", into)
    assert b"media.example" in server.heads[0]
    assert guard._tls.check_hostname


def test_tls_without_an_end_meets_the_deadline(into: Path):
    """A server that never answers the TLS greeting is given up at the deadline."""
    with serving(silent) as server, pytest.raises(Unreachable):
        fetch(LOCAL, f"https://127.0.0.1:{server.port}/", into, timeout_s=0.2)


def test_failure_of_the_disk_is_not_blamed_on_the_server(tmp_path: Path):
    """An error of our own file system keeps its type."""
    with serving(answer(b"x")) as server, pytest.raises(FileNotFoundError):
        fetch(LOCAL, server.url(), tmp_path / "missing" / "file")
