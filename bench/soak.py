"""Keep a server busy at a modest, steady rate and watch the memory of each of its processes: `make bench-soak`.

Every order has a webhook and is asked for until it has ended; a process of its own receives the webhooks. After a
warm-up, resident memory is sampled, and the least squares line through the samples of each process gives MB an hour
with twice its standard error: a slope smaller than that is no slope. `make bench-soak MINUTES=3` is a short one.
Writes docs/benchmarks.json and docs/benchmarks.md.
"""

import argparse
import asyncio
import os
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import page
import psutil
import results
from backends import backends
from peer import Running, Unfit, started
from peers import UNITASK, hooks, order, plugin, read_marks

_SAMPLE_S = 5.0
_END_S = 30.0


@dataclass
class Counts:
    """What was done so far; `samples` by process: hours since the first sample, MiB."""

    ordered: int = 0
    ended: int = 0
    errors: int = 0
    samples: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


async def _one(client: httpx.AsyncClient, hook: str, counts: Counts) -> None:
    """Order, and ask until it has ended."""
    try:
        created = await client.post(UNITASK.create, json=order(hook))
        created.raise_for_status()
        counts.ordered += 1
        path, until = UNITASK.get.format(id=created.json()["data"]["task_id"]), time.monotonic() + _END_S
        while time.monotonic() < until:
            await asyncio.sleep(0.1)
            if (await client.get(path)).json()["data"]["status"] == "completed":
                counts.ended += 1
                return
        counts.errors += 1
    except (httpx.HTTPError, KeyError, TypeError):
        counts.errors += 1


def _named(processes: list[psutil.Process]) -> dict[str, psutil.Process]:
    """Tell the processes apart: API, worker, and the engines' in the order of their ids."""
    found: dict[str, psutil.Process] = {}
    for process in sorted(processes, key=lambda one: one.pid):
        words = process.cmdline()
        if "serve" in words:
            found["API"] = process
        elif "worker" in words:
            found["worker"] = process
        else:
            found[f"engine process {len([name for name in found if name.startswith('engine')]) + 1}"] = process
    return found


def slope(samples: list[tuple[float, float]]) -> tuple[float, float]:
    """Fit a line; gives its slope and twice the standard error of that, in units of the samples."""
    n = len(samples)
    mean_x, mean_y = (sum(one[axis] for one in samples) / n for axis in (0, 1))
    spread = sum((x - mean_x) ** 2 for x, _ in samples)
    found = sum((x - mean_x) * (y - mean_y) for x, y in samples) / spread
    left = sum((y - mean_y - found * (x - mean_x)) ** 2 for x, y in samples)
    return found, 2 * (left / max(n - 2, 1) / spread) ** 0.5


async def _sample(running: Running, counts: Counts, until: float) -> None:
    processes, began = _named(running.processes()), time.monotonic()
    while time.monotonic() < until:
        for name, process in processes.items():
            mib = process.memory_info().rss / 2**20
            counts.samples.setdefault(name, []).append(((time.monotonic() - began) / 3600, mib))
        await asyncio.sleep(_SAMPLE_S)


async def _soak(running: Running, hook: str, warm_s: float, measured_s: float, per_s: float) -> Counts:
    counts, began = Counts(), time.monotonic()
    until = began + warm_s + measured_s
    headers = {"X-API-Key": UNITASK.key}
    sampling: asyncio.Task[None] | None = None
    async with (
        httpx.AsyncClient(base_url=running.url, headers=headers, timeout=_END_S) as client,
        asyncio.TaskGroup() as orders,
    ):
        for number in range(int((warm_s + measured_s) * per_s)):
            await asyncio.sleep(max(0.0, began + number / per_s - time.monotonic()))
            orders.create_task(_one(client, hook, counts))
            if sampling is None and time.monotonic() > began + warm_s:
                sampling = orders.create_task(_sample(running, counts, until))
    return counts


def _summary(counts: Counts) -> dict[str, Any]:
    found = {}
    for name, samples in counts.samples.items():
        mb_per_h, plus_minus = slope(samples)
        first, last = samples[0][1], samples[-1][1]
        found[name] = {"first_mib": first, "last_mib": last, "mb_per_h": mb_per_h, "plus_minus": plus_minus}
    return found


def main() -> None:
    """Soak for some minutes."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--minutes", type=float, default=15.0)
    options.add_argument("--per-s", type=float, default=20.0)
    options.add_argument("--database", choices=["sqlite", "postgres"], default="postgres")
    chosen = options.parse_args()
    results.machine()
    peer = replace(UNITASK, name=f"unitask_{chosen.database}", needs=chosen.database)
    warm_s = chosen.minutes * 60 / 5
    with tempfile.TemporaryDirectory(prefix="unitask-bench-") as folder, backends(Path(folder)) as stores:
        os.environ |= plugin(Path(folder) / "plugin")
        stores.prepare(peer)
        environment = stores.fresh(peer)
        log = Path(environment["BENCH_HOME"]) / "log"
        with hooks(environment["BENCH_HOOKS"]) as hook, started(peer, environment, log) as running:
            counts = asyncio.run(_soak(running, hook, warm_s, chosen.minutes * 60 - warm_s, chosen.per_s))
            delivered = len(read_marks(Path(environment["BENCH_HOOKS"])))
            if not counts.ended:
                raise Unfit(log.read_text())
    found = _summary(counts)
    for name, one in found.items():
        print(f"{name:20} {one['first_mib']:7.1f} MiB  {one['mb_per_h']:+7.2f} ± {one['plus_minus']:.2f} MB/h")
    print(f"{counts.ordered} orders, {counts.ended} ended, {delivered} webhooks, {counts.errors} errors")
    results.save(
        "soak",
        {
            "database": chosen.database,
            "minutes": (chosen.minutes * 60 - warm_s) / 60,
            "warm_minutes": warm_s / 60,
            "per_s": chosen.per_s,
            "ordered": counts.ordered,
            "ended": counts.ended,
            "delivered": delivered,
            "errors": counts.errors,
            "processes": found,
        },
    )
    page.write()


if __name__ == "__main__":
    main()
