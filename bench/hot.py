"""Processor time of one request beside its floor's, which a busy machine changes little: `python bench/hot.py`.

A create and a get over HTTP, and the bare ASGI application that does one INSERT or one SELECT, take turns in short
rounds. What the server's process and the database's processes used, user and system, is divided by the answers; the
medians of the rounds are printed, in microseconds. Claims of 64 tasks and settles follow, for which there is no floor;
with a create they are what a task costs the server from end to end.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Final

import orjson
import psutil
from core import BODY, KEY, OUTPUT, TOKEN, Bench, announce, create_request, databases, floor, make_keys, unitask
from load import Result, drive, request

from unitask.db.migrate import upgrade

_CLAIMS: Final = 16


def _used_s(process: psutil.Process, *, whole: bool = False) -> float:
    times = [one.cpu_times() for one in ([process, *process.children(recursive=True)] if whole else [process])]
    return sum(one.user + one.system for one in times)


def _cost(server: psutil.Process, store: psutil.Process | None, load: Callable[[], int]) -> tuple[float, float, float]:
    """Microseconds of the server and of the database for an answer, and answers a second."""
    server_s, store_s, began = _used_s(server), _used_s(store, whole=True) if store else 0.0, time.perf_counter()
    answers = load()
    took = time.perf_counter() - began
    stored = (_used_s(store, whole=True) if store else 0.0) - store_s
    return (_used_s(server) - server_s) / answers * 1e6, stored / answers * 1e6, answers / took


def _load(url: str, make: Callable[[int], bytes], seconds: float = 10.0, most: float = inf, keep: int = 0) -> Result:
    result = drive(url, make, seconds=seconds, most=most, keep=keep)
    assert not result.errors, result.bodies[-1]
    return result


def _post(path: str, message: dict[str, object]) -> bytes:
    return request("POST", f"/worker/v1/{path}", "", orjson.dumps(message), f"Authorization: Bearer {TOKEN}\r\n")


def _end_to_end(url: str, server: psutil.Process, store: psutil.Process | None, rounds: int) -> None:
    """Claim what was created, and settle it."""
    claims, settles = [], []
    ask = _post("claim", {"worker_id": "bench", "engines": ["preview"], "most": 64, "wait_s": 0})
    for _ in range(rounds):
        announce(url)
        held: list[dict[str, Any]] = []

        def claim(held: list[dict[str, Any]] = held) -> int:
            answers = _load(url, lambda _: ask, most=_CLAIMS, keep=_CLAIMS).bodies
            held += [task for one in answers for task in orjson.loads(one)["tasks"]]
            return len(held)

        def settle(held: list[dict[str, Any]] = held) -> int:
            return _load(url, lambda number: _end(held[number - 1]), most=len(held)).answers

        claims.append(_cost(server, store, claim))
        settles.append(_cost(server, store, settle))
    _show("claim, of 64", claims)
    _show("settle", settles)


def _end(task: dict[str, Any]) -> bytes:
    return _post("settle", {"task_id": task["task_id"], "attempt": task["attempt"], "output": OUTPUT})


def _show(
    name: str, rounds: list[tuple[float, float, float]], base: list[tuple[float, float, float]] | None = None
) -> None:
    server, store, per_s = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = ""
    if base:
        low = statistics.median(one[0] for one in base)
        low_both = statistics.median(one[0] + one[1] for one in base)
        ratio = f"  floor / this: server {low / server:4.2f}, both {low_both / (server + store):4.2f}"
    print(f"  {name:28} {server:6.0f} us  database {store:6.0f} us  {per_s:7,.0f}/s{ratio}", flush=True)


@contextmanager
def _servers(bench: Bench, known: str) -> Iterator[tuple[str, psutil.Process, str, psutil.Process]]:
    with unitask(bench) as (url, pid, _), floor(bench, known) as floor_url:
        (bare,) = (
            one.pid
            for one in psutil.net_connections("tcp")
            if one.status == "LISTEN" and one.laddr.port == int(floor_url.rsplit(":", 1)[1])
        )
        yield url, psutil.Process(pid), floor_url, psutil.Process(bare)


def measure(bench: Bench, keys: list[str], *, rounds: int, seconds: float, parts: list[str]) -> None:
    """Measure the requests of a task's life on one database."""
    store = None
    if bench.name == "PostgreSQL":
        store = psutil.Process(int((bench.folder / "data" / "postmaster.pid").read_text().split()[0]))
    first = request("POST", "/api/v1/task", KEY, BODY)
    with unitask(bench) as (url, _, _):
        announce(url)
        made = drive(url, lambda _: first, seconds=0.1, keep=1)
    task_id = json.loads(made.bodies[0])["data"]["task_id"]
    get, select = request("GET", f"/api/v1/task/{task_id}", KEY), request("GET", "/", KEY)
    insert = request("POST", "/", KEY, BODY)
    loads = {
        "create": (partial(create_request, bench, keys), lambda _: insert),
        "create, one account": (partial(create_request, bench, [KEY]), lambda _: insert),
        "get": (lambda _: get, lambda _: select),
    }
    with _servers(bench, task_id) as (url, server, floor_url, bare):
        for name in [one for one in loads if one.split(",")[0] in parts]:
            ours, base = loads[name]
            results, floors = [], []
            _load(url, ours, 0.2), _load(floor_url, base, 0.2)
            for _ in range(rounds):
                floors.append(_cost(bare, store, lambda: _load(floor_url, base, seconds).answers))  # noqa: B023 - same
                results.append(_cost(server, store, lambda: _load(url, ours, seconds).answers))  # noqa: B023 - same
            _show(f"floor of {name}", floors)
            _show(name, results, floors)
        if "settle" in parts:
            _end_to_end(url, server, store, rounds)


def main() -> None:
    """Measure both databases."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    options.add_argument("--parts", nargs="+", default=["create", "get", "settle"])
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=1.0)
    chosen = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="unitask-hot-") as folder,
        databases(Path(folder), chosen.databases) as benches,
    ):
        for bench in benches:
            print(bench.name)
            upgrade(bench.url)
            keys = asyncio.run(make_keys(bench))["limited"]
            measure(bench, keys, rounds=chosen.rounds, seconds=chosen.seconds, parts=chosen.parts)


if __name__ == "__main__":
    main()
