"""Measure Unitask beside its peers in the same run: `make bench-peers`.

In every round each server is started anew on empty data, measured and stopped, one after the other: seconds until it
answers and until it has made its first task; the time from an order to the beginning of its work on an idle system;
a thousand tasks, ordered as fast as they are taken, until the last has ended; gets; creates while no worker
runs; the memory of its processes. Peers are the files in `bench/peers`, each in a virtual environment of its own under
`.bench`, made at the first run. What they do not do is said there, and stands in the table.

Writes docs/benchmarks.json after every server, and docs/benchmarks.md from it.
"""

import argparse
import functools
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import httpx
import orjson
import page
import results
from backends import Backends, backends
from load import Result, drive, request
from peer import CACHE, FOLDER, KEY, Peer, Running, Unfit, peers, started, without_paths
from webhooks import Receiver, receive, receiving

import unitask

sys.path.append(str(FOLDER))
from marks import mark
from marks import read as read_marks

PROMPT = "a little cat sits in the grass and looks at the clouds, " * 5
CONNECTIONS = 32
ORDERS = 1000
ORDERS_S = 12.0
SETTLE_S = 1.0
STARTS = 100
STARTS_S = 4.0
FIRST_S = 30.0
UNITASK = Peer(
    name="unitask_postgres",
    title="Unitask, PostgreSQL",
    settings="`unitask serve` and one `unitask worker` with 2 slots, a process each; all else as it comes",
    needs="postgres",
    prepare=("python", "-m", "unitask", "migrate"),
    api=("python", "-m", "unitask", "serve", "--port={port}"),
    worker=("python", "-m", "unitask", "worker", "--slots=2"),
    ready="/readyz",
    create="/api/v1/task",
    id="task_id",
    get="/api/v1/task/{id}",
    durable=True,
    ends="BENCH_HOOKS",
    environment={
        "UNITASK_API_KEY": KEY,
        "UNITASK_SECRET": "a-secret-for-the-bench",
        "UNITASK_WORKER_TOKEN": "a-worker-token-for-the-bench",
        "UNITASK_LOG_LEVEL": "warning",
        "UNITASK_ALLOW_PRIVATE_NETWORKS": "true",
        "UNITASK_ENGINES": "noop",
    },
)
FLOOR = Peer(
    name="floor_postgres",
    title="floor, PostgreSQL",
    settings="a bare ASGI application that does one INSERT, or one SELECT, of the same row (`bench/floor.py`)",
    needs="postgres",
    prepare=("python", "-m", "unitask", "migrate"),
    api=(
        "python",
        "-m",
        "uvicorn",
        "--app-dir=..",
        "floor:app",
        "--port={port}",
        "--no-access-log",
        "--log-level=error",
    ),
    create="/",
    get="/",
    lacks="checks, prices and runs nothing",
)


def _ours() -> list[Peer]:
    together = {**UNITASK.environment, "UNITASK_ENGINES": "together", "UNITASK_BATCH": "64"}
    return [
        found
        for database in ("sqlite", "postgres")
        for found in (
            replace(UNITASK, name=f"unitask_{database}", title=f"Unitask, {_NAMES[database]}", needs=database),
            replace(
                UNITASK,
                name=f"unitask_{database}_together",
                title=f"Unitask, {_NAMES[database]}, batches",
                needs=database,
                settings="the same, but its one engine process is given up to 64 tasks at a time (`UNITASK_BATCH`)",
                environment=together,
            ),
            _floor(database),
        )
    ]


def _floor(database: str) -> Peer:
    floor = replace(FLOOR, name=f"floor_{database}", title=f"floor, {_NAMES[database]}", needs=database)
    if database == "sqlite":
        return floor
    works = (
        "; its worker claims and completes up to 64 tasks with two statements and posts a webhook each, which is not "
        "signed (`bench/floor_work.py`)"
    )
    return replace(floor, worker=("python", "../floor_work.py"), settings=floor.settings + works, ends="BENCH_HOOKS")


_NAMES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}


class Hooks(Receiver):
    """Notes the messages that say that a task has ended well."""

    def heard(self, body: bytes) -> None:
        if b'"status":"completed"' in body:
            mark("0", "BENCH_HOOKS")


def hooks(path: str) -> AbstractContextManager[str]:
    """Receive webhooks in a process of its own and note the ends in this file; gives the address."""

    def run(listener: socket.socket) -> None:
        os.environ["BENCH_HOOKS"] = path
        receive(listener, Hooks)

    return receiving(run)


def order(hook: str) -> dict[str, Any]:
    """Write an order that says when it was sent; `hook` is where a webhook is wanted, or empty."""
    return {
        "model": "bench/noop",
        "task_type": "make",
        "input": {"prompt": f"{time.time():.6f} {PROMPT}", "width": 1024, "height": 1024},
        "config": {"webhook_config": {"endpoint": hook, "secret": "a-secret" if hook else ""}},
    }


def _filled(form: Any, document: dict[str, Any]) -> Any:
    """Put the order, or its prompt, into the body that a peer wants."""
    if isinstance(form, dict):
        return {name: _filled(value, document) for name, value in form.items()}
    if isinstance(form, list):
        return [_filled(value, document) for value in form]
    return {"{order}": document, "{prompt}": document["input"]["prompt"]}.get(form, form)


def _found(document: Any, name: str) -> str:
    """Find the id of a task in an answer, in its `data` or beside it."""
    return str(document.get("data", document)[name])


class Round:
    """One server, once."""

    def __init__(self, running: Running, environment: dict[str, str], hook: str, seconds: float) -> None:
        self._running = running
        self._peer = running.peer
        self._ends = Path(environment[running.peer.ends])
        self._begins = Path(environment["BENCH_MARKS"])
        self._seconds = seconds
        self._client = httpx.Client(base_url=running.url, timeout=30)
        self._hook = hook if running.peer.ends == "BENCH_HOOKS" else ""

    def _body(self) -> bytes:
        document = order(self._hook)
        return orjson.dumps(_filled(self._peer.body, document) if self._peer.body else document)

    def _request(self, method: str, path: str, body: bytes = b"") -> bytes:
        return request(method, path, self._peer.key, body, f"Authorization: Bearer {self._peer.key}\r\n")

    def _create(self) -> Any:
        headers = {
            "X-API-Key": self._peer.key,
            "Authorization": f"Bearer {self._peer.key}",
            "Content-Type": "application/json",
        }
        answer = self._client.post(self._peer.create, content=self._body(), headers=headers)
        if answer.status_code != 200:
            raise Unfit(f"answered {answer.status_code}: {answer.text[:200]}")
        return answer.json()

    def _wait(self, path: Path, number: int, until: float) -> bool:
        while len(read_marks(path)) < number:
            if time.perf_counter() > until:
                return False
            time.sleep(0.001)
        return True

    def run(self, began: float) -> dict[str, Any]:
        peer, found = self._peer, dict[str, Any](ready_s=self._running.ready_s)
        is_floor = peer.name.startswith("floor")
        has_handler = peer.name != "litellm" and (bool(peer.worker) or not is_floor)
        if has_handler:
            found |= self._first(began) | self._starts()
        elif not is_floor:
            self._create()
        found["idle_mib"] = self._running.memory_mib()
        if has_handler or not peer.get:
            found |= self._ended(has_handler=has_handler)
        found["loaded_mib"] = self._running.memory_mib()
        if peer.get:
            path = peer.get.format(id=_found(self._create(), peer.id) if peer.id else "")
            get = self._request("GET", path)
            found["get"] = _plain(drive(self._running.url, lambda _: get, seconds=self._seconds))
            self._running.stop("worker")
            found["create"] = _plain(self._drive(self._seconds))
        return found

    def _drive(self, seconds: float, most: float = inf) -> Result:
        return drive(
            self._running.url,
            lambda _: self._request("POST", self._peer.create, self._body()),
            connections=CONNECTIONS,
            seconds=seconds,
            most=most,
            keep=1,
        )

    def _first(self, began: float) -> dict[str, Any]:
        self._create()
        if not self._wait(self._ends, 1, time.perf_counter() + FIRST_S):
            raise Unfit(f"its first task did not end within {FIRST_S:g} s")
        first_s = time.perf_counter() - began
        time.sleep(SETTLE_S)
        return {"first_s": first_s}

    def _starts(self) -> dict[str, Any]:
        """Order one task at a time and see when the work on it begins."""
        known, until = len(read_marks(self._begins)), time.perf_counter() + STARTS_S
        number = 0
        while number < STARTS and time.perf_counter() < until:
            self._create()
            number += 1
            if not self._wait(self._begins, known + number, time.perf_counter() + STARTS_S):
                break
            time.sleep(0.01)
        took = [(begun - sent) * 1e3 for sent, begun in read_marks(self._begins)[known:]]
        return {"starts_ms": [round(one, 2) for one in took]}

    def _ended(self, *, has_handler: bool) -> dict[str, Any]:
        """Order a number of tasks as fast as they are taken, and wait until the last has ended."""
        known, until = len(read_marks(self._ends)), time.perf_counter() + ORDERS_S
        before, began = self._running.cpu_s(), time.time()
        result = self._drive(ORDERS_S, ORDERS)
        good = result.answers - result.errors
        if has_handler:
            self._wait(self._ends, known + good, until)
        ends = [noted for _, noted in read_marks(self._ends)[known:]]
        number = len(ends) if has_handler else good
        return {
            "ended_per_s": number / (max(ends) - began) if ends else result.per_s if not has_handler else 0.0,
            "ended": number,
            "ordered": good,
            "errors": result.errors,
            "cpu_ms": (self._running.cpu_s() - before) / max(number, 1) * 1e3,
        }


def _plain(result: Result) -> dict[str, Any]:
    return {"per_s": result.per_s, "p50_ms": result.p50_ms, "p99_ms": result.p99_ms, "errors": result.errors}


def plugin(folder: Path) -> dict[str, str]:
    """Install the engines that do nothing as a package of others would be."""
    metadata = folder / "noop_engine-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: noop_engine\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[unitask.engines]\nnoop = noop_engine:NOOP\ntogether = noop_engine:TOGETHER\n"
        "[unitask.products]\nbench = noop_engine:PRODUCTS\n"
    )
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(FOLDER), str(Path(unitask.__file__).parents[1])])}


def _measure(peer: Peer, stores: Backends, seconds: float) -> dict[str, Any]:
    environment = stores.fresh(peer)
    log = CACHE / f"{peer.name}.log"
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(b"")
    with hooks(environment["BENCH_HOOKS"]) as hook:
        began = time.perf_counter()
        with started(peer, environment, log) as running:
            return Round(running, environment, hook, seconds).run(began)


def _row(peer: Peer) -> dict[str, Any]:
    return {
        "title": peer.title,
        "packages": list(peer.dependencies),
        "pages": list(peer.pages),
        "settings": peer.settings,
        "lacks": peer.lacks,
        "tasks": bool(peer.get),
        "durable": peer.durable,
        "rounds": [],
    }


def _try(rows: dict[str, Any], peer: Peer, do: Callable[[], object]) -> bool:
    """Do it; a server that cannot is left out from here on, and its row says why."""
    try:
        do()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one must not end the run of all
        said = str(error) if isinstance(error, Unfit) else f"{type(error).__name__}: {error}"
        rows[peer.name]["failed"] = without_paths(said)
        print(f"  {peer.title}: {rows[peer.name]['failed']}")
        return False
    return True


def _show(peer: Peer, found: dict[str, Any]) -> None:
    parts = [
        f"{name} {value['per_s']:,.0f}/s" + (f" ({value['errors']} errors)" if value["errors"] else "")
        for name, value in found.items()
        if isinstance(value, dict)
    ]
    if "ended_per_s" in found:
        parts.append(
            f"ended {found['ended_per_s']:,.0f}/s ({found['ended']} of {found['ordered']}, {found['cpu_ms']:.1f} ms)"
        )
    if found.get("starts_ms"):
        parts.append(f"start {sorted(found['starts_ms'])[len(found['starts_ms']) // 2]:.1f} ms")
    parts.append(f"{found['idle_mib']:.0f}, {found['loaded_mib']:.0f} MiB  ready {found['ready_s']:.1f} s")
    print(f"  {peer.title:30} {'  '.join(parts)}", flush=True)


def _rounds(chosen: list[Peer], stores: Backends, rounds: int, seconds: float, *, keep: bool) -> None:
    rows = {peer.name: _row(peer) for peer in chosen}
    settings = {
        "seconds": seconds,
        "connections": CONNECTIONS,
        "rounds": rounds,
        "orders": ORDERS,
        "orders_s": ORDERS_S,
    }
    fit = [
        peer
        for peer in chosen
        if _try(rows, peer, peer.install) and _try(rows, peer, functools.partial(stores.prepare, peer))
    ]
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}, load {os.getloadavg()[0]:.1f}")
        for peer in list(fit):

            def measure(peer: Peer = peer) -> None:
                found = _measure(peer, stores, seconds)
                rows[peer.name]["rounds"].append(found)
                _show(peer, found)

            if not _try(rows, peer, measure):
                fit.remove(peer)
            if keep:
                results.save("peers", {**settings, "rows": rows})
                page.write()


def main() -> None:
    """Measure all, or those that are named."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument(
        "names", nargs="*", help="parts of names of servers, which are measured and not written down; default: all"
    )
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=2.0)
    chosen = options.parse_args()
    wanted = [
        peer for peer in [*_ours(), *peers()] if not chosen.names or any(name in peer.name for name in chosen.names)
    ]
    results.machine()
    with tempfile.TemporaryDirectory(prefix="unitask-bench-") as folder, backends(Path(folder)) as stores:
        os.environ |= plugin(Path(folder) / "plugin")
        _rounds(wanted, stores, chosen.rounds, chosen.seconds, keep=not chosen.names)


if __name__ == "__main__":
    main()
