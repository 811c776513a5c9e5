"""Clients that are slow on purpose, against a started server: they are hung up on, and nobody else notices."""

import contextlib
import socket
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import psutil
import pytest

from support.keys import API_KEY
from support.machine import Api, Machine
from support.orders import raw
from support.wait import until

WAIT_S: Final = 2
END_S: Final = 30
OF_EACH: Final = 40
MIB: Final = 2**20
FILE_BYTES: Final = 50 * MIB
PIECES: Final = 150
PIECE: Final = b" " * 100
HEAD: Final = b"POST /api/v1/task HTTP/1.1\r\nHost: unitask\r\n"
AUTHORISED: Final = HEAD + b"X-API-Key: " + API_KEY.encode() + b"\r\n"


class Slow:
    """A client on a socket of its own that sends a beginning, and then a little at a time."""

    def __init__(self, port: int, begins: bytes, drip: bytes, *, reads: bool) -> None:
        self._socket = socket.socket()
        if not reads:
            # Before the connection is made, or the system would take megabytes on behalf of us.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(5)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)
        self.drip = drip
        self._reads = reads
        self.said = b""
        self.gone = False
        self._send(begins)

    def step(self) -> bool:
        """Send one drip more; tell whether the server has hung up."""
        if not self.gone:
            self._send(self.drip)
        if not self.gone and self._reads:
            self._read()
        return self.gone

    def _send(self, content: bytes) -> None:
        try:
            if content:
                self._socket.send(content)
            elif self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                self.gone = True
        except BlockingIOError:
            pass
        except OSError:
            self.gone = True
            self._read()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while part := self._socket.recv(65536):
                self.said += part
            self.gone = True

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Machine:
    """Make a machine whose server has little patience."""
    settings = {"API_KEY": API_KEY, "PORT": "0", "SLOW_CLIENT_S": str(WAIT_S)}
    return Machine(tmp_path_factory.mktemp("slow"), sqlite_template, settings)


@pytest.fixture(scope="module")
def server(api: Api, machine: Machine) -> psutil.Process:
    """Look at the server from outside."""
    return psutil.Process(machine.programs[0].process.pid)


@pytest.fixture(scope="module")
def api(machine: Machine) -> Iterator[Api]:
    """Start the server."""
    program = machine.start("up")
    yield machine.client(program)
    machine.clear_away()
    assert "Traceback" not in program.err


@pytest.fixture(scope="module")
def large(api: Api) -> bytes:
    """Name the path of a large file."""
    task = api.ended(api.order("save_file", size_bytes=FILE_BYTES))
    return str(task["output"]["image_url"]).removeprefix(str(api.http.base_url).rstrip("/")).encode()


def kinds(large: bytes) -> dict[str, tuple[bytes, bytes, bool]]:
    """List what slow clients begin with, what they drip, and whether they read."""
    return {
        "silent": (b"", b"", True),
        "empty lines": (b"", b"\r\n", True),
        "head": (HEAD, b"x", True),
        "fields": (HEAD, b"A: b\r\n", True),
        "body": (AUTHORISED + b"Content-Length: 100000\r\n\r\n{", b" ", True),
        "chunks": (AUTHORISED + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", True),
        "reader": (b"GET " + large + b" HTTP/1.1\r\nHost: unitask\r\n\r\n", b"", False),
        "second request": (b"GET /healthz HTTP/1.1\r\nHost: unitask\r\n\r\nGET /he", b"a", True),
    }


def test_slow_clients_are_hung_up_on_and_nobody_else_notices(api: Api, large: bytes) -> None:
    """Three hundred of them, of eight kinds: each is gone after a while, and in between every order is served."""
    port = api.http.base_url.port
    assert port
    slow = {
        name: [Slow(port, begins, drip, reads=reads) for _ in range(OF_EACH)]
        for name, (begins, drip, reads) in kinds(large).items()
    }
    everyone = [one for those in slow.values() for one in those]
    served = 0

    def all_gone() -> bool:
        nonlocal served
        assert api.http.get("/healthz").status_code == 200
        assert api.try_order("ok").status_code == 200
        served += 1
        gone = [one.step() for one in everyone]
        return all(gone)

    try:
        left = lambda: {name: sum(not one.gone for one in those) for name, those in slow.items()}  # noqa: E731
        until(all_gone, within_s=END_S, what=lambda: f"the end of {left()}")
        assert served > 1
        for name in ("body", "chunks", "head", "fields"):
            assert all(one.said.startswith(b"HTTP/1.1 408 Request Timeout\r\n") for one in slow[name]), name
            assert all(b"the request came too slowly" in one.said for one in slow[name]), name
        assert all(one.said == b"" for one in slow["silent"])
    finally:
        for one in everyone:
            one.close()
    assert api.said(api.order("ok"))


def test_nothing_is_read_for_a_client_that_has_hung_up(api: Api, large: bytes, server: psutil.Process) -> None:
    """A large file is not read to its end for somebody who asks for it and leaves."""
    port = api.http.base_url.port
    before = server.io_counters().read_chars
    for _ in range(OF_EACH):
        with socket.create_connection(("127.0.0.1", port), timeout=END_S) as leaving:
            leaving.sendall(b"GET " + large + b" HTTP/1.1\r\nHost: unitask\r\n\r\n")
            assert leaving.recv(1024)
    read = [before]

    def rests() -> bool:
        assert api.said(api.order("ok"))
        read.append(server.io_counters().read_chars)
        return read[-1] - read[-2] < MIB

    until(rests, within_s=END_S, what="the end of reading")
    assert read[-1] - before < OF_EACH * FILE_BYTES / 2


def test_a_client_that_is_slow_and_goes_on_is_served(api: Api, large: bytes) -> None:
    """It takes longer than anyone may keep us waiting, to send an order and to read a file, and nobody minds."""
    port = api.http.base_url.port
    assert port
    order = raw({"model": "tester", "task_type": "do", "input": {"do": "ok"}})
    length = PIECES * len(PIECE) + len(order)
    sender = Slow(port, AUTHORISED + b"Content-Length: %d\r\n\r\n" % length, PIECE, reads=True)
    reader = socket.create_connection(("127.0.0.1", port), timeout=END_S)
    reader.sendall(b"GET " + large + b" HTTP/1.1\r\nHost: unitask\r\n\r\n")
    began_s, pieces = time.monotonic(), count(1)

    def sent() -> bool:
        assert reader.recv(1024), "the reader was hung up on"
        assert not sender.step(), sender.said
        return next(pieces) == PIECES

    with contextlib.closing(sender), reader:
        until(sent, within_s=END_S, what="the end of the body")
        assert time.monotonic() - began_s > WAIT_S
        sender.drip = order
        until(lambda: sender.step() or b"task_id" in sender.said, within_s=END_S, what="an answer")
        assert sender.said.startswith(b"HTTP/1.1 200 OK\r\n")
