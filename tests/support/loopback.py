"""A server on loopback that says exactly what a test wants, and stand-ins for DNS and the public internet."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpcore

PUBLIC = "93.184.216.34"
METADATA = "169.254.169.254"


def resolver_of(*answers: list[str]) -> Callable[[str, int], list[str]]:
    """Give one answer after the other, and fail when asked once more."""
    left = list(answers)
    return lambda _host, _port: left.pop(0)


class LoopbackBackend(httpcore.SyncBackend):
    """Notes what it was asked for and connects to loopback: the public internet, for a test."""

    def __init__(self, *, dead: tuple[str, ...] = ()) -> None:
        self.asked: list[str] = []
        self.timeouts_s: list[float | None] = []
        self.dead = dead

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ):
        """Connect to loopback, unless the address is one of the dead."""
        self.asked.append(host)
        self.timeouts_s.append(timeout)
        if host in self.dead:
            raise httpcore.ConnectTimeout
        return super().connect_tcp("127.0.0.1", port, timeout, local_address, socket_options)


@dataclass
class Server:
    """A server that answers each connection with the bytes of the next script, exactly."""

    port: int
    heads: list[bytes] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/file", host: str = "127.0.0.1") -> str:
        """Write an address of this server."""
        return f"http://{host}:{self.port}{path}"


Script = Callable[[Server], Iterable[bytes]]


def says(*parts: bytes) -> Script:
    """Say these bytes and hang up."""
    return lambda _server: parts


def answer(body: bytes, status: str = "200 OK", **headers: str) -> Script:
    """Answer completely; a header's underscores stand for dashes."""
    fields = {"content-length": str(len(body)), "connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return says(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)


def redirect(location: str) -> Script:
    """Send the client on, with a body that it should not read."""
    return answer(b"gone there", "302 Found", location=location)


@contextmanager
def serving(*scripts: Script) -> Iterator[Server]:
    """Serve one connection after the other, one script each, the last one again and again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, server, scripts))
        thread.start()
        try:
            yield server
        finally:
            server.stop.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listener: socket.socket, server: Server, scripts: tuple[Script, ...]) -> None:
    left = list(scripts)
    while not server.stop.is_set():
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(5)
            script = left.pop(0) if len(left) > 1 else left[0]
            try:
                _converse(connection, server, script)
            except OSError:
                continue  # the client hung up, as many tests want it to


def _converse(connection: socket.socket, server: Server, script: Script) -> None:
    head = connection.recv(65536)
    server.heads.append(head)
    for part in script(server):
        connection.sendall(part)


def chunked_without_end(server: Server) -> Iterator[bytes]:
    """Send chunks for as long as the client takes them."""
    yield b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    while not server.stop.is_set():
        yield b"400\r\n" + b"x" * 1024 + b"\r\n"


def unsized_without_end(server: Server) -> Iterator[bytes]:
    """Send a body of no known size for as long as the client takes it."""
    yield b"HTTP/1.1 200 OK\r\n\r\n"
    while not server.stop.is_set():
        yield b"x" * 1024


def announced_only(server: Server) -> Iterator[bytes]:
    """Announce 1001 bytes and send none."""
    yield b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n"
    server.stop.wait()


def silent(server: Server) -> Iterator[bytes]:
    """Keep the connection open and say nothing."""
    server.stop.wait()
    yield b""


def dripping_head(server: Server) -> Iterator[bytes]:
    """Send a header that does not end, a byte at a time."""
    yield b"HTTP/1.1 200 OK\r\nx: "
    while not server.stop.wait(0.01):
        yield b"y"


def dripping_body(server: Server) -> Iterator[bytes]:
    """Send a body a byte at a time."""
    yield b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n"
    while not server.stop.wait(0.01):
        yield b"y"


def dripping_notices(server: Server) -> Iterator[bytes]:
    """Send preliminary answers and never the real one."""
    while not server.stop.wait(0.01):
        yield b"HTTP/1.1 103 Early Hints\r\n\r\n"


@dataclass
class Trap:
    """A port of loopback, v4 and v6, to which nobody must come."""

    port: int
    visits: list[str] = field(default_factory=list)


@contextmanager
def trap() -> Iterator[Trap]:
    """Listen; whoever connects is written down and hung up on."""
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as sixth:
        set_up = Trap(sixth.getsockname()[1])
        # Every address of 127.0.0.0/8 is this machine.
        with socket.create_server(("", set_up.port)) as fourth:
            threads = [
                threading.Thread(target=_watch, args=(listener, set_up), daemon=True) for listener in (fourth, sixth)
            ]
            for thread in threads:
                thread.start()
            try:
                yield set_up
            finally:
                for listener in (fourth, sixth):
                    listener.shutdown(socket.SHUT_RDWR)
                for thread in threads:
                    thread.join()


def _watch(listener: socket.socket, trap: Trap) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, address = listener.accept()
            trap.visits.append(address[0])
            connection.close()
