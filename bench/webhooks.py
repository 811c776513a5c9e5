"""Measure webhooks against their floor in the same run: `make bench-webhooks`.

Signed deliveries per second from owed rows to a receiver on loopback, which is a process of its own, beside the bare
poster that sends the same bodies there with the same number of posts at a time and keeps no books. Two databases. The
rounds of the two alternate, the medians are printed, with the CPU time of the sending process for each message.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import uvloop
from core import KEY, PROMPT, Bench, beat, claim, databases, finish

from unitask.api.envelope import task_object
from unitask.api.webhooks import deliverer
from unitask.app import Services
from unitask.db.migrate import upgrade
from unitask.db.statements import parse
from unitask.kit.net import Guard
from unitask.settings import Settings
from unitask.webhooks import sign
from unitask.webhooks.lanes import HOST_LIMIT

SECRET = "a-secret-for-the-bench"
AGAIN = parse("-- name: it\nupdate deliveries set state = 'owed', tries = 0, next_at = due_at, settled_at = null")["it"]
ONE = parse("-- name: it\nselect task_id from deliveries limit 1")["it"]
LEFT = parse("-- name: it\nselect count(*) as number from deliveries where state = 'owed'")["it"]
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Receiver(asyncio.Protocol):
    """Reads each request whole and answers 200."""

    def __init__(self) -> None:
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (head := self._buffer.find(b"\r\n\r\n")) >= 0:
            lower = self._buffer[:head].lower() + b"\r\n"
            start = lower.index(b"content-length:") + 15
            end = head + 4 + int(lower[start : lower.index(b"\r", start)])
            if len(self._buffer) < end:
                return
            self.heard(self._buffer[head + 4 : end])
            self._buffer = self._buffer[end:]
            self._transport.write(ANSWER)

    def heard(self, body: bytes) -> None:
        """Do nothing with a message."""


def receive(listener: socket.socket, receiver: type[Receiver] = Receiver) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(receiver, sock=listener)
        await server.serve_forever()

    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(run())


@contextlib.contextmanager
def receiving(run: Callable[[socket.socket], None] = receive) -> Iterator[str]:
    """Let `run` receive webhooks in a process of its own, which ends with the block; gives the address."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        process = multiprocessing.get_context("fork").Process(target=run, args=(listener,), daemon=True)
        process.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
        finally:
            process.terminate()
            process.join()


@dataclass(frozen=True)
class Round:
    per_s: float
    cpu_us: float


async def owe(services: Services, url: str, number: int) -> None:
    """Let tasks with a webhook end."""
    order = {
        "model": "Qubico/flux1-dev",
        "task_type": "txt2img",
        "input": {"prompt": PROMPT},
        "config": {"webhook_config": {"endpoint": url, "secret": SECRET}},
    }
    await services.accounts.first_key(KEY)
    caller = await services.accounts.authenticate(KEY)
    for _ in range(0, number, 500):
        orders = [await services.orders.prepare(orjson.dumps(order), caller, None) for _ in range(500)]
        await asyncio.gather(*[services.tasks.create(order) for order in orders])
        await beat(services)
        await finish(services, await claim(services, 500))


async def _body(services: Services) -> bytes:
    """Build one of the bodies that are sent."""
    (row,) = await services.database.fetch(ONE)
    (task,) = await services.history.show_many([row["task_id"]])
    data = orjson.dumps(task_object(task, services.artifacts))
    return b'{"timestamp":1800000000,"data":%s}' % data


async def deliver(services: Services, number: int) -> Round:
    await services.database.write(lambda tx: tx.execute(AGAIN))
    began, cpu = time.perf_counter(), time.process_time()
    async with deliverer(services).running():
        while (await services.database.fetch(LEFT))[0]["number"]:  # noqa: ASYNC110 - as a stranger would look
            await asyncio.sleep(0.02)
        took, spent = time.perf_counter() - began, time.process_time() - cpu
    return Round(number / took, spent / number * 1e6)


async def _bare(guard: Guard, url: str, bodies: list[bytes]) -> Round:
    left = iter(bodies)
    async with guard.poster() as poster:

        async def post() -> None:
            for body in left:
                headers = sign.headers(secret=SECRET, message_id="msg-1", timestamp_s=0, body=body)
                answer = await poster.post(url, content=body, headers=headers, timeout_s=10, limit_bytes=1024)
                assert answer.status == 200

        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*[post() for _ in range(HOST_LIMIT)])
        took, spent = time.perf_counter() - began, time.process_time() - cpu
    return Round(len(bodies) / took, spent / len(bodies) * 1e6)


def _show(name: str, rounds: list[Round], base: list[Round] | None = None) -> float:
    per_s = statistics.median(one.per_s for one in rounds)
    cpu_us = statistics.median(one.cpu_us for one in rounds)
    ratio = f"  {per_s / statistics.median(one.per_s for one in base):5.2f} of the floor" if base else ""
    print(f"  {name:34} {per_s:8,.0f}/s  {cpu_us:6.0f} us of CPU each{ratio}")
    return per_s


async def _measure(bench: Bench, url: str, number: int, rounds: int) -> None:
    settings = Settings.load(
        database_url=bench.url, data=bench.folder / "data", secret="a-secret-for-the-bench", allow_private_networks=True
    )
    services = await Services.open(settings)
    await owe(services, url, number)
    body = await _body(services)
    floors, ours = [], []
    for _ in range(rounds):
        floors.append(await _bare(services.guard, url, [body] * number))
        ours.append(await deliver(services, number))
    print(f"  {number:,} messages of {len(body):,} bytes, {rounds} rounds, load {os.getloadavg()[0]:.1f}")
    _show("floor: the bare poster", floors)
    _show("signed deliveries from owed rows", ours, floors)
    await services.close()


def main() -> None:
    """Measure both databases, or the one that is named."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    options.add_argument("--messages", type=int, default=5000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="unitask-bench-") as folder,
        receiving() as url,
        databases(Path(folder), chosen.databases) as benches,
    ):
        for bench in benches:
            print(f"\n{bench.name}, {os.cpu_count()} cores, the receiver among them")
            upgrade(bench.url)
            uvloop.run(_measure(bench, url, chosen.messages, chosen.rounds))


if __name__ == "__main__":
    main()
