"""The installation that suffers: APIs, workers, a database and a store, each with its own host, disk and clock."""

import asyncio
import contextlib
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import httpx

from support.accounts import Person, open_account
from support.chaos.machines import Clock, Disk
from support.chaos.network import Host, Loopback, Network, NotAllowed
from support.chaos.postgres import Postgres, signal_all
from support.chaos.store import Store
from support.installation import Installation
from support.objects import ACCESS_KEY_ID, REGION, SECRET, Objects
from support.wait import answered
from unitask.db.migrate import upgrade

CUSTOMERS: Final = 10
LEASE_S: Final = 2.0
POINTS: Final = 10**10
START_S: Final = 60.0
_BUCKET: Final = "chaos"
_LOOK_S: Final = 0.2
_UNUSUAL: Final = re.compile(r'"level":"(warning|error)"| (ERROR|FATAL|PANIC): |^unitask: |HTTP/1.1" 5')
_LONGEST_LINE: Final = 400
_DONE: Final = '"accepted":true'


class Kind(StrEnum):
    """What a part is."""

    API = "API"
    WORKER = "worker"
    DATABASE = "database"
    STORE = "store"


@dataclass
class Part:
    """One process that is started again when it ends.

    `busy` is held by whoever does something to it; `is_taken` until it has recovered from that.
    """

    name: str
    kind: Kind
    host: Host
    begin: Callable[[], "subprocess.Popen[bytes]"]
    answers: Callable[[], Awaitable[bool]]
    clock: Clock | None = None
    disk: Disk | None = None
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    is_taken: bool = False
    restarts: int = 0

    def start(self) -> None:
        """Start it, at first or again."""
        self.process = self.begin()

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it as hard as a power cut would."""
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Stop it: a database with all that it started; the engines of a worker work on."""
        if self.kind is Kind.DATABASE:
            signal_all(self.process.pid, signal.SIGSTOP)
        else:
            self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        signal_all(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        """Kill it and all that it started."""
        signal_all(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass
class Cluster:
    """All parts. `lacking`: why this machine cannot do some of what is to be done to them."""

    folder: Path
    network: Network
    parts: list[Part] = field(default_factory=list)
    apis: list[Installation] = field(default_factory=list)
    workers: list[Installation] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    lacking: dict[str, str] = field(default_factory=dict)
    disks: list[Disk] = field(default_factory=list)
    postgres: Postgres | None = None
    objects: Objects | None = None
    database_url: str = ""

    def of(self, kind: Kind) -> list[Part]:
        """List the parts of a kind."""
        return [part for part in self.parts if part.kind is kind]

    def urls(self) -> list[str]:
        """List where the APIs are."""
        return [api.url for api in self.apis]

    def disk(self, name: str, megabytes: int) -> Disk | None:
        """Give a small disk, or an ordinary folder where none may be mounted."""
        folder = self.folder / "disks" / name
        try:
            self.disks.append(Disk.mount(folder, megabytes))
        except NotAllowed as error:
            self.lacking["disk"] = str(error)
            return None
        return self.disks[-1]

    def clock(self, name: str) -> Clock | None:
        """Give a clock that can be set, if there are such."""
        try:
            return Clock.make(self.folder / "clocks" / name)
        except NotAllowed as error:
            self.lacking["clock"] = str(error)
            return None

    async def supervise(self) -> None:
        """Start again whatever ended while nobody does anything to it, as an operating system would."""
        while True:
            for part in self.parts:
                if not part.busy.locked() and not part.runs:
                    part.restarts += 1
                    part.start()
            await asyncio.sleep(_LOOK_S)

    def said(self, lines: int) -> str:
        """Read what all processes said last, beside what is usual."""
        logs = [log for log in sorted(self.folder.rglob("*.log")) if log.is_file()]
        return "\n".join(f"--- {log.name}\n" + "\n".join(_tail(log, lines)) for log in logs)

    def end(self) -> None:
        """Kill all of it."""
        for part in self.parts:
            part.end()
        for disk in self.disks:
            disk.unmount()


def _tail(log: Path, lines: int) -> list[str]:
    unusual = [line for line in log.read_text(errors="replace").splitlines() if _UNUSUAL.search(line)]
    return [line[:_LONGEST_LINE] for line in unusual[-lines:]]


@contextlib.asynccontextmanager
async def built(folder: Path, network: Network, database: str, *, workers: int, slots: int) -> AsyncIterator[Cluster]:
    """Build it on `postgres`, with two APIs and an object store, or on `sqlite`, with one API and its own files."""
    cluster = Cluster(folder, network)
    if isinstance(network, Loopback):
        cluster.lacking["network"] = network.why
    try:
        settings = await (_postgres(cluster) if database == "postgres" else _sqlite(cluster))
        for number in range(2 if cluster.postgres else 1):
            _add_api(cluster, f"api{number + 1}", settings)
        services = await cluster.apis[0].open_services()
        for number in range(CUSTOMERS):
            limit = 4 + 2 * number
            cluster.people.append(await open_account(services, f"customer {number}", points=POINTS, task_limit=limit))
        await services.close()
        for number in range(workers):
            _add_worker(cluster, f"worker{number + 1}", cluster.apis[number % len(cluster.apis)], slots)
        for part in cluster.parts:
            if part.kind in {Kind.API, Kind.WORKER}:
                part.start()
        for part in cluster.of(Kind.API):
            await answered(part.answers, within_s=START_S, what=f"an answer of {part.name}")
        yield cluster
    finally:
        cluster.end()


async def _postgres(cluster: Cluster) -> dict[str, str]:
    disk = cluster.disk("database", 700)
    host = cluster.network.host("database")
    postgres = Postgres(host, disk.folder if disk else cluster.folder / "database", cluster.folder / "postgres.log")
    await asyncio.to_thread(postgres.make)
    cluster.postgres, cluster.database_url = postgres, postgres.url
    cluster.parts.append(Part("database", Kind.DATABASE, host, postgres.start, postgres.answers, disk=disk))
    disk, host = cluster.disk("store", 200), cluster.network.host("store")
    folder = disk.folder if disk else cluster.folder / "store"
    folder.mkdir(exist_ok=True)
    store = Store(host, folder, cluster.folder / "store.log")
    part = Part(
        "store", Kind.STORE, host, store.start, lambda: _is_up(f"http://{host.address}:{store.port}/"), disk=disk
    )
    cluster.parts.append(part)
    for part in cluster.parts:
        part.start()
        await answered(part.answers, within_s=START_S, what=f"an answer of the {part.name}")
    cluster.objects = store.client(part.process)
    cluster.objects.make(_BUCKET)
    return {
        "UNITASK_STORE": f"s3://{_BUCKET}",
        "UNITASK_S3_ENDPOINT": cluster.objects.address,
        "UNITASK_S3_REGION": REGION,
        "UNITASK_S3_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "UNITASK_S3_SECRET_ACCESS_KEY": SECRET,
    }


async def _sqlite(cluster: Cluster) -> dict[str, str]:
    disk = cluster.disk("data", 200)
    folder = disk.folder if disk else cluster.folder / "data"
    folder.mkdir(exist_ok=True)
    cluster.database_url = f"sqlite:///{folder / 'unitask.db'}"
    await asyncio.to_thread(upgrade, cluster.database_url)
    return {"UNITASK_DATA": str(folder)}


def _add_api(cluster: Cluster, name: str, settings: dict[str, str]) -> None:
    # On SQLite its clock is the only one, and threads wait in it, which libfaketime disturbs.
    host, clock = cluster.network.host(name), cluster.clock(name) if cluster.postgres else None
    own = {**settings, "UNITASK_MAX_ATTEMPTS": "100", "UNITASK_LEASE_S": str(LEASE_S), "UNITASK_LOG_LEVEL": "info"}
    api = Installation(
        cluster.folder / name,
        cluster.database_url,
        {**own, **(clock.environment if clock else {})},
        address=host.address,
        within=host.within,
    )
    cluster.apis.append(api)
    disk = None if cluster.postgres or not cluster.disks else cluster.disks[0]
    part = Part(
        name, Kind.API, host, lambda: api.start("serve").process, lambda: _is_up(f"{api.url}/readyz"), clock, disk
    )
    cluster.parts.append(part)


def _add_worker(cluster: Cluster, name: str, api: Installation, slots: int) -> None:
    host, clock, disk = cluster.network.host(name), cluster.clock(name), cluster.disk(name, 8)
    settings = {
        "UNITASK_API_URL": api.url,
        "UNITASK_SLOTS": str(slots),
        **({"TMPDIR": str(disk.folder)} if disk else {}),
        **(clock.environment if clock else {}),
    }
    worker = Installation(cluster.folder / name, cluster.database_url, settings, within=host.within)
    cluster.workers.append(worker)
    seen: dict[str, Any] = {}

    async def ends_a_task() -> bool:
        """Whether it had a report accepted since it was asked last."""
        before = seen.get("count", 0)
        seen["count"] = sum(program.log.read_text(errors="replace").count(_DONE) for program in worker.programs)
        return bool(seen["count"] > before)

    cluster.parts.append(
        Part(name, Kind.WORKER, host, lambda: worker.start("worker").process, ends_a_task, clock, disk)
    )


async def _is_up(url: str) -> bool:
    try:
        async with httpx.AsyncClient(trust_env=False, verify=False, timeout=3) as client:  # noqa: S501 - on this machine
            return (await client.get(url)).is_success
    except httpx.TransportError:
        return False
