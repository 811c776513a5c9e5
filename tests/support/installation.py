"""A whole installation of real processes on loopback: servers and workers that tests start, kill, stop and resume."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr

from support.keys import API_KEY, WORKER_TOKEN
from support.machine import free_port
from support.plugin import install_plugin
from support.wait import answered, seen
from unitask.app import Services
from unitask.kit.clock import Clock
from unitask.settings import Settings

SECRET: Final = "a-secret-for-installations"
HOOK: Final = "http://127.0.0.1:9/hook"
LIMIT_S: Final = 60.0
FINAL: Final = {"completed", "failed"}


@dataclass
class Program:
    """One process; what it says is in `log`."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    @property
    def was_killed(self) -> bool:
        """Whether SIGKILL ended it."""
        return self.process.poll() == -signal.SIGKILL

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as hard as a power cut would."""
        self.process.kill()
        self.process.wait()

    async def dies(self) -> None:
        """Wait for its end by SIGKILL."""
        await seen(lambda: self.process.poll() is not None, within_s=LIMIT_S, what=f"the end of {self.log.name}")
        assert self.was_killed, f"ended with {self.process.returncode}: {self.log.read_text()}"


@dataclass
class Installation:
    """Processes that share a data folder, a database and a port; only the engine `tester` is on.

    `within`: what stands before a command that is to run on another machine, whose address this one then needs.
    """

    folder: Path
    database_url: str
    settings: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    programs: list[Program] = field(default_factory=list)
    address: str = "127.0.0.1"
    within: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Install the plug-in; nothing of the environment's own UNITASK_... settings reaches the processes."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith("UNITASK_")}
        self._environment = {
            **outside,
            **install_plugin(self.folder / "plugin"),
            "UNITASK_DATA": str(self.folder / "data"),
            "UNITASK_DATABASE_URL": self.database_url,
            "UNITASK_HOST": self.address,
            "UNITASK_PORT": str(self.port),
            "UNITASK_API_URL": self.url,
            "UNITASK_API_KEY": API_KEY,
            "UNITASK_WORKER_TOKEN": WORKER_TOKEN,
            "UNITASK_SECRET": SECRET,
            "UNITASK_ENGINES": "tester",
            "UNITASK_ALLOW_PRIVATE_NETWORKS": "true",
            "UNITASK_LEASE_S": "1",
            "UNITASK_LOG_JSON": "true",
            **self.settings,
        }

    def set(self, **settings: str) -> None:
        """Change settings for the processes that start from now on."""
        self._environment |= settings

    def provide(self, tables: str, **keys: str) -> None:
        """Give them a file of providers, and keys for these."""
        path = self.folder / "providers.toml"
        path.write_text(tables)
        self.set(UNITASK_PROVIDERS=str(path), UNITASK_ENGINES=",".join(["tester", *keys]))
        self.set(**{f"UNITASK_KEY_{name.upper()}": key for name, key in keys.items()})

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://{self.address}:{self.port}"

    async def open_services(self, clock: Clock | None = None) -> Services:
        """Open the services on the same database, for what no process offers; perhaps at another time."""
        settings: dict[str, Any] = {
            "data": self.folder / "data",
            "database_url": self.database_url,
            "secret": SecretStr(SECRET),
            "engines": ("tester",),
        }
        own = {name: value for name, value in self.settings.items() if name.startswith("UNITASK_")}
        settings |= {name.removeprefix("UNITASK_").lower(): value for name, value in own.items()}
        return await Services.open(Settings.load(**settings), clock)

    def start(self, *arguments: str, fault: str = "") -> Program:
        """Start `unitask ...`, perhaps with a crash point armed in it and its children."""
        log = self.folder / f"{len(self.programs):02d}-{arguments[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*self.within, sys.executable, "-m", "unitask", *arguments],
                env={**self._environment, **({"UNITASK_FAULT": fault} if fault else {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        program = Program(process, log)
        self.programs.append(program)
        return program

    async def serve(self, *, fault: str = "", with_worker: bool = False) -> Program:
        """Start the server, alone or with the embedded worker, and wait until it answers."""
        program = self.start("up" if with_worker else "serve", fault=fault)

        async with self.client() as client:

            async def ready() -> bool:
                assert program.process.poll() is None, program.log.read_text()
                try:
                    return (await client.get("/readyz")).is_success
                except httpx.TransportError:
                    return False

            await answered(ready, within_s=LIMIT_S, what="an answer of /readyz")
        return program

    def client(self, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
        """Speak to the API; without the certificates that loopback does not need and that take long to read."""
        return httpx.AsyncClient(base_url=self.url, headers=headers, trust_env=False, verify=False, timeout=LIMIT_S)  # noqa: S501

    def work(self, *, fault: str = "") -> Program:
        """Start a worker."""
        return self.start("worker", fault=fault)

    def end(self) -> None:
        """Kill all processes that still run."""
        for program in self.programs:
            if program.process.poll() is None:
                program.send(signal.SIGCONT)
                program.kill()

    def said(self) -> str:
        """Read what all processes said."""
        return "\n".join(f"--- {program.log.name}\n{program.log.read_text()}" for program in self.programs)


@contextmanager
def installing(database_url: str, folder: Path) -> Iterator[Callable[..., Installation]]:
    """Install with settings of one's own; whatever runs at the end is killed, and its words are shown on a failure."""
    made: list[Installation] = []

    def make(**settings: str) -> Installation:
        made.append(Installation(folder, database_url, settings))
        return made[-1]

    try:
        yield make
    finally:
        for installation in made:
            installation.end()
            sys.stdout.write(installation.said())


def order(do: str = "ok", *, endpoint: str = HOOK, **how: Any) -> dict[str, Any]:
    """Order something of the engine `tester`."""
    body: dict[str, Any] = {"model": "tester", "task_type": "do", "input": {"do": do, **how}}
    return {**body, "config": {"webhook_config": {"endpoint": endpoint}}}


async def read(client: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    """Read a task over HTTP."""
    answer = await client.get(f"/api/v1/task/{task_id}")
    assert answer.is_success, answer.text
    task: dict[str, Any] = answer.json()["data"]
    return task


async def ended(client: httpx.AsyncClient, task_ids: list[str], *, within_s: float = LIMIT_S) -> list[dict[str, Any]]:
    """Wait until tasks have ended; gives them."""

    async def all_final() -> list[dict[str, Any]] | None:
        tasks = [await read(client, task_id) for task_id in task_ids]
        return tasks if all(task["status"] in FINAL for task in tasks) else None

    return await answered(all_final, within_s=within_s, what="the end of all tasks") or []
