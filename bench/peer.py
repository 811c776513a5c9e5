"""One server under test: what a file in `bench/peers` says of it, how it is installed, started and stopped.

Each file is an application as the documentation of its library would have it, and begins with a block of metadata: the
pinned requirements, as tools that run scripts read them, and a table `tool.bench` with the fields of `Peer`.
"""

import contextlib
import functools
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

HERE = Path(__file__).parent
FOLDER = HERE / "peers"
CACHE = HERE.parent / ".bench"
KEY = "a-key-for-the-bench"
_BLOCK = re.compile(r"^# /// script\n(?P<lines>(?:#.*\n)+?)# ///$", re.MULTILINE)
_READY_S = 60.0
_STOP_S = 5.0
_INSTALL_S = 600.0


class Unfit(Exception):
    """A server could not be installed or started, or did not answer as it should; says why."""


@dataclass(frozen=True)
class Peer:
    """`api` and `worker` are commands; `{port}` and `{database}` are put in. `body` is the order if it is empty.

    `get` is empty where nothing can be asked for later; `durable`: an answered create survives a crash of the server.
    `lacks`: what it does not do of what Unitask does. `ends`: the file of marks that says that a task has ended.
    """

    name: str
    title: str
    api: tuple[str, ...]
    create: str
    settings: str
    lacks: str = ""
    pages: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    needs: str = ""
    prepare: tuple[str, ...] = ()
    worker: tuple[str, ...] = ()
    ready: str = "/"
    body: Mapping[str, Any] | None = None
    id: str = ""
    get: str = ""
    key: str = KEY
    durable: bool = False
    ends: str = "BENCH_MARKS"
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Its own virtual environment; none for what runs in ours."""
        return CACHE / "venvs" / self.name if self.dependencies else Path(sys.prefix)

    def command(self, words: tuple[str, ...], **values: object) -> list[str]:
        first, *rest = (word.format(**values) for word in words)
        return [str(self.folder / "bin" / first), *rest]

    def install(self) -> None:
        """Make its virtual environment, once for each list of requirements.

        Raises:
            Unfit: the package manager could not.

        """
        stamp, wanted = self.folder / "installed", "\n".join(self.dependencies)
        if not self.dependencies or (stamp.exists() and stamp.read_text() == wanted):
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        venv.create(self.folder, with_pip=True, symlinks=True)
        command = self.command(("pip", "install", "--quiet", *self.dependencies))
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
        if done.returncode:
            raise Unfit(f"not installed: {_last(done.stderr)}")
        stamp.write_text(wanted)

    def version(self) -> str:
        """Say what runs: the pinned package, or nothing for what is not one."""
        return self.dependencies[0] if self.dependencies else ""


def without_paths(text: str) -> str:
    """Leave out where files lie on this machine, as messages of errors say it: it tells a reader nothing."""
    return re.sub(r"\s*[\"'(<]*(?<!\w)/\S+", "", text)


def _last(text: str) -> str:
    lines = [line for one in text.splitlines() if (line := without_paths(one).strip())]
    return lines[-1][:200] if lines else "nothing was said"


def read(path: Path) -> Peer:
    """Read the metadata of a file in `bench/peers`."""
    block = _BLOCK.search(path.read_text("utf-8"))
    assert block, path
    metadata = tomllib.loads(re.sub(r"^# ?", "", block["lines"], flags=re.MULTILINE))
    bench = {
        name: tuple(value) if isinstance(value, list) else value for name, value in metadata["tool"]["bench"].items()
    }
    return Peer(name=path.stem.removesuffix("_app"), dependencies=tuple(metadata["dependencies"]), **bench)


def peers() -> list[Peer]:
    """Read all, in the order of their names."""
    return [read(path) for path in sorted(FOLDER.glob("*_app.py"))]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Running:
    """A started server. Its processes are known by a word in their environment, whoever their parent is."""

    def __init__(self, peer: Peer, environment: Mapping[str, str], log: Path) -> None:
        self.peer = peer
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.ready_s = 0.0
        self._token = secrets.token_hex(8)
        self._log = log
        self._environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH" or not peer.dependencies},
            **({"PYTHONPATH": str(FOLDER)} if peer.dependencies else {}),
            **environment,
            **peer.environment,
            "BENCH_RUN": self._token,
            "BENCH_URL": self.url,
            "UNITASK_API_URL": self.url,
        }
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, which: str) -> None:
        """Start `api` or `worker`, if it has one."""
        words = {"api": self.peer.api, "worker": self.peer.worker}[which]
        if not words:
            return
        command = self.peer.command(words, port=self.port, database=self._environment["BENCH_DATABASE"])
        with self._log.open("ab") as log:
            self._started[which] = subprocess.Popen(
                command, env=self._environment, cwd=FOLDER, stdout=log, stderr=log, start_new_session=True
            )

    def wait_ready(self, began: float) -> None:
        """Wait for the API's first good answer.

        Raises:
            Unfit: it ended, or did not answer in time.

        """
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(self.url + self.peer.ready, timeout=5).status_code == 200:
                    self.ready_s = time.perf_counter() - began
                    return
            if self._started["api"].poll() is not None or time.perf_counter() - began > _READY_S:
                raise Unfit(f"not started: {_last(self._log.read_text(errors='replace'))}")
            time.sleep(0.02)

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("BENCH_RUN") == self._token:
                    found.append(process)
        return found

    def memory_mib(self) -> float:
        """Add up the memory of its processes; pages that they share count once."""
        total = 0
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total / 2**20

    def cpu_s(self) -> float:
        """Add up the processor time of its processes so far."""
        total = 0.0
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                total += sum(process.cpu_times()[:2])
        return total

    def stop(self, which: str) -> None:
        """Ask a part to end, and make it."""
        process = self._started.pop(which, None)
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """End everything, also what has left its group."""
        for which in list(self._started):
            self.stop(which)
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
                process.wait(_STOP_S)


@contextlib.contextmanager
def started(peer: Peer, environment: Mapping[str, str], log: Path) -> Iterator[Running]:
    """Run its API and its worker.

    Raises:
        Unfit: it did not start.

    """
    running = Running(peer, environment, log)
    began = time.perf_counter()
    try:
        running.start("api")
        running.start("worker")
        running.wait_ready(began)
        yield running
    finally:
        running.close()


@functools.cache
def redis_program() -> str | None:
    """Find the Redis server."""
    return shutil.which("redis-server")
