"""A load generator that costs little: raw HTTP/1.1 over kept connections, one request in flight on each."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from urllib.parse import urlsplit

import uvloop

_HANGS_S = 60.0


@dataclass(frozen=True)
class Result:
    """What a run came to; latencies in milliseconds."""

    per_s: float
    p50_ms: float
    p99_ms: float
    answers: int
    errors: int
    bodies: list[bytes]


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last one is complete."""

    def __init__(self, run: "_Run") -> None:
        self._run = run
        self._buffer = bytearray()
        self._sent = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._send()

    def connection_lost(self, _: Exception | None) -> None:
        self._run.lost()

    def _send(self) -> None:
        request = self._run.next_request()
        if request is None:
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        lower = bytes(self._buffer[:head]).lower()
        start = lower.find(b"content-length:") + 15
        if start < 15:  # in chunks, the last of which is empty
            length = len(self._buffer) - head - 4
            if not self._buffer.endswith(b"0\r\n\r\n"):
                return
        else:
            length = int(lower[start : lower.find(b"\r", start) if lower.find(b"\r", start) > 0 else None])
        if len(self._buffer) < head + 4 + length:
            return
        self._run.answered(
            time.perf_counter() - self._sent, lower[9:12], bytes(self._buffer[head + 4 : head + 4 + length])
        )
        del self._buffer[: head + 4 + length]
        self._send()


class _Run:
    def __init__(self, make: Callable[[int], bytes], until: float, most: float, keep: int) -> None:
        self._make = make
        self._until = until
        self._most = most
        self._keep = keep
        self._number = 0
        self._open = 0
        self.done = asyncio.Event()
        self.latencies: list[float] = []
        self.errors = 0
        self.bodies: list[bytes] = []

    def opened(self) -> None:
        self._open += 1

    def lost(self) -> None:
        self._open -= 1
        if self._open == 0:
            self.done.set()

    def next_request(self) -> bytes | None:
        if time.perf_counter() >= self._until or self._number >= self._most:
            return None
        self._number += 1
        return self._make(self._number)

    def answered(self, latency_s: float, status: bytes, body: bytes) -> None:
        self.latencies.append(latency_s)
        if status != b"200":
            self.errors += 1
        if len(self.bodies) < self._keep or status != b"200":
            self.bodies.append(body)


def request(method: str, path: str, key: str, body: bytes = b"", extra: str = "") -> bytes:
    """Write a request as bytes."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: bench\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n{extra}\r\n"
    )
    return head.encode() + body


async def _drive(
    url: str, make: Callable[[int], bytes], *, connections: int, seconds: float, most: float, keep: int
) -> Result:
    parts = urlsplit(url)
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    run = _Run(make, began + seconds, most, keep)
    for _ in range(connections):
        run.opened()
        await loop.create_connection(lambda: _Connection(run), parts.hostname, parts.port)
    await asyncio.wait_for(run.done.wait(), seconds + _HANGS_S)
    took = time.perf_counter() - began
    ordered = sorted(run.latencies)
    return Result(
        per_s=len(ordered) / took,
        p50_ms=ordered[len(ordered) // 2] * 1e3,
        p99_ms=ordered[int(len(ordered) * 0.99)] * 1e3,
        answers=len(ordered),
        errors=run.errors,
        bodies=run.bodies,
    )


def drive(
    url: str,
    make: Callable[[int], bytes],
    *,
    connections: int = 32,
    seconds: float = 3.0,
    most: float = inf,
    keep: int = 0,
) -> Result:
    """Load an address for some seconds, or with so many requests at most; `make` gives the n-th.

    `keep` bodies are kept, and all bad ones.
    """
    return uvloop.run(_drive(url, make, connections=connections, seconds=seconds, most=most, keep=keep))
