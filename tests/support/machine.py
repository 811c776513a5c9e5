"""The command `unitask` as a person or a supervisor runs it: real processes with settings and data of their own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil

from support.keys import API_KEY, WORKER_TOKEN
from support.plugin import install_plugin
from support.processes import runs
from support.wait import until

START_S = 20
END_S = 10


@dataclass
class Program:
    """A `unitask` command that runs until it is told to end."""

    process: subprocess.Popen[bytes]
    out_path: Path
    err_path: Path

    @property
    def out(self) -> str:
        """What it has printed."""
        return self.out_path.read_text()

    @property
    def err(self) -> str:
        """What it has logged."""
        return self.err_path.read_text(errors="replace")

    @property
    def address(self) -> str:
        """Where it says that it listens."""
        found = until(lambda: self._said(r"listens on (\S+)"), within_s=START_S, what=lambda: f"a start ({self.err})")
        return found[1]

    @property
    def first_key(self) -> str | None:
        """The key that it printed, if it did; what it prints is complete when the products are listed."""
        until(lambda: self._said("Products and who"), within_s=START_S)
        found = self._said(r"shown this once: (\S+)")
        return found[1] if found else None

    def _said(self, pattern: str) -> re.Match[str] | None:
        assert self.process.poll() is None, f"it ended with status {self.process.returncode}: {self.err}"
        return re.search(pattern, self.out)

    def logged(self, text: str, within_s: float = START_S) -> None:
        """Wait until this is in its log."""
        until(lambda: text in self.err, within_s=within_s, what=lambda: f"{text!r} in: {self.err}")

    def family(self) -> list[int]:
        """List the processes that it started, and those that they did."""
        return [child.pid for child in psutil.Process(self.process.pid).children(recursive=True)]

    def worker(self) -> int:
        """Give the process id of the worker that `up` keeps."""
        return until(lambda: psutil.Process(self.process.pid).children(), within_s=START_S, what="a worker")[0].pid

    def end(self, number: signal.Signals = signal.SIGTERM, within_s: float = END_S) -> float:
        """Tell it to end, wait until it and all that it started are gone, and give the seconds that this took."""
        family = self.family() if self.process.poll() is None else []
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(within_s)
        gone(family, within_s=2)
        return time.monotonic() - began

    def clear_away(self) -> None:
        """Leave nothing behind, whatever a test did."""
        family = self.family() if self.process.poll() is None else []
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(END_S)
        for pid in filter(runs, family):
            os.kill(pid, signal.SIGKILL)


def free_port() -> int:
    """Find a port of loopback on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def gone(pids: list[int], *, within_s: float) -> None:
    """Wait until none of these processes lives."""
    until(lambda: not any(map(runs, pids)), within_s=within_s, what=lambda: f"the end of {list(filter(runs, pids))}")


@dataclass
class Machine:
    """Where commands are run: a folder for data, the plug-in `tester`, and settings for every command.

    `template` is a database with the schema of this release; `settings` are written without UNITASK_.
    """

    folder: Path
    template: Path
    settings: dict[str, str] = field(default_factory=dict)
    programs: list[Program] = field(default_factory=list)
    clients: list["Api"] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        """Install the plug-in."""
        self.found_by = install_plugin(self.folder / "plugin")

    def environment(self, **settings: str) -> dict[str, str]:
        """Give what a command sees: nothing of the developer's own settings."""
        ours = {"DATA": str(self.folder / "data"), **self.settings, **settings}
        others = {name: value for name, value in os.environ.items() if not name.startswith("UNITASK_")}
        return {**others, **self.found_by, **{f"UNITASK_{name}": value for name, value in ours.items()}}

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "unitask", *arguments],
            cwd=self.folder,
            env=self.environment(**settings),
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )

    def start(self, *arguments: str, **settings: str) -> Program:
        """Start a command that goes on, in a group of its own as a shell would."""
        number = next(self._numbers)
        out, err = self.folder / f"{number}.out", self.folder / f"{number}.err"
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = subprocess.Popen(
                [sys.executable, "-m", "unitask", *arguments],
                cwd=self.folder,
                env=self.environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                start_new_session=True,
            )
        self.programs.append(Program(process, out, err))
        return self.programs[-1]

    def prepare(self) -> None:
        """Bring the database to the schema of this release, as `unitask migrate` would."""
        (self.folder / "data").mkdir()
        shutil.copy(self.template, self.folder / "data" / "unitask.db")

    def serve(self, **settings: str) -> tuple[Program, "Api"]:
        """Start an API without a worker, on the port of the one before if there was one."""
        if not (self.folder / "data").exists():
            self.prepare()
        program = self.start("serve", **{"WORKER_TOKEN": WORKER_TOKEN, **settings})
        self.settings["PORT"] = program.address.rpartition(":")[2]
        return program, self.client(program)

    def work(self, **settings: str) -> Program:
        """Start a worker of the API that was started last."""
        address = f"http://127.0.0.1:{self.settings['PORT']}"
        return self.start("worker", **{"API_URL": address, "WORKER_TOKEN": WORKER_TOKEN, **settings})

    def client(self, program: Program, key: str = API_KEY) -> "Api":
        """Open a client of a server, as soon as it has said where it listens."""
        self.clients.append(Api(program.address, key))
        return self.clients[-1]

    def clear_away(self) -> None:
        """End what still runs."""
        for client in self.clients:
            client.http.close()
        for program in self.programs:
            program.clear_away()


class Api:
    """A client of a running server."""

    def __init__(self, address: str, key: str = API_KEY) -> None:
        self.http = httpx.Client(base_url=address, headers={"X-API-Key": key}, trust_env=False, timeout=20)

    def order(self, do: str, *, task_type: str = "do", **inputs: Any) -> str:
        """Order a task of the engine `tester`; gives its id."""
        answer = self.try_order(do, task_type=task_type, **inputs)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["task_id"]

    def try_order(self, do: str, *, task_type: str = "do", **inputs: Any) -> httpx.Response:
        """Order a task that may be refused."""
        body = {"model": "tester", "task_type": task_type, "input": {"do": do, **inputs}}
        return self.http.post("/api/v1/task", json=body)

    def task(self, task_id: str) -> dict[str, Any]:
        """Read a task."""
        return self.http.get(f"/api/v1/task/{task_id}").json()["data"]

    def reaches(self, task_id: str, *statuses: str, within_s: float) -> dict[str, Any]:
        """Wait until the task has one of these statuses, and read it."""

        def look() -> dict[str, Any] | None:
            task = self.task(task_id)
            return task if task["status"] in statuses else None

        return until(look, within_s=within_s, what=lambda: f"{statuses} of {self.task(task_id)}")

    def ended(self, task_id: str, within_s: float = 20) -> dict[str, Any]:
        """Wait for the end of a task."""
        return self.reaches(task_id, "completed", "failed", within_s=within_s)

    def said(self, task_id: str, within_s: float = 20) -> dict[str, Any]:
        """Wait until a task is completed and read what its engine says it did."""
        task = self.ended(task_id, within_s)
        assert task["status"] == "completed", task["error"]
        return task["output"]["said"]
