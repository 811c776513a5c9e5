"""docs/guide/cluster.md: its commands as they stand, one after the other, on a machine of their own."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from support.alone import ADDRESS, Machine, machine
from support.keys import API_KEY, WORKER_TOKEN
from support.pools import LIMIT_S
from support.server import PATH
from support.shell import lasting
from support.source import ROOT, text_of
from support.texts import blocks
from support.wait import until

GUIDE: Final = text_of(ROOT / "docs/guide/cluster.md") or ""
EXPORTS, *START, RUN = (block.body for block in blocks(GUIDE) if block.info == "sh ray")
POOLS: Final = next(block.body for block in blocks(GUIDE) if block.info == "toml")
ORDERS: Final = 10
URL: Final = f"http://{ADDRESS}:8000"
ORDER: Final = {"model": "Qubico/flux1-schnell", "task_type": "txt2img", "input": {"prompt": "a red boat"}}


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who types the commands of the guide into a shell of the machine."""

    machine: Machine
    folder: Path
    environment: dict[str, str]

    def types(self, script: str, **settings: str) -> str:
        """Run commands to their end; gives what they printed."""
        ran = subprocess.run(
            self._shell(script),
            env={**self.environment, **settings},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        assert ran.returncode == 0, f"{script}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    @contextmanager
    def leaves_running(self, script: str, **settings: str) -> Iterator[None]:
        """Run commands the last of which does not end; what they say is shown if the test fails."""
        log = self.folder / f"{script.split()[-2]}.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                self._shell(lasting(script)), env={**self.environment, **settings}, stdout=output, stderr=output
            ) as process,
        ):
            try:
                yield
                assert process.poll() is None, "it ended by itself"
            finally:
                for one in psutil.Process(process.pid).children():
                    one.terminate()  # `nsenter` itself passes no signal on
                process.wait(LIMIT_S)
                sys.stdout.write(log.read_text())

    def asks(self, path: str, body: Any = None, *, who: str = f"X-API-Key: {API_KEY}") -> Any:
        """Speak to the API as a client, or with another header."""
        data = [] if body is None else ["-d", json.dumps(body)]
        command = ["curl", "-sf", f"{URL}{path}", "-H", who, *data]
        ran = subprocess.run([*self.machine.within(self.folder), *command], capture_output=True, check=False)
        return json.loads(ran.stdout) if ran.returncode == 0 else None

    def clusters(self) -> list[dict[str, Any]]:
        """Read what controllers have said."""
        found: list[dict[str, Any]] = self.asks("/worker/v1/clusters", who=f"Authorization: Bearer {WORKER_TOKEN}")[
            "clusters"
        ]
        return found

    def _shell(self, script: str) -> list[str]:
        return [*self.machine.within(self.folder), "sh", "-euc", script]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Sit down at a machine of one's own, with a home and a folder for what Ray writes."""
    # It is not imported here: what it is told in the environment of the other tests is read when it is.
    if find_spec("ray") is None:
        pytest.skip("the tests of workers on Ray need the extra ray")
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("UNITASK_", "RAY_"))}
    # Short: the names of Ray's sockets may not be long.
    with tempfile.TemporaryDirectory(prefix="unitask-ray-", ignore_cleanup_errors=True) as of_ray, machine() as made:
        settings = {"HOME": str(tmp_path), "RAY_TMPDIR": of_ray, "PATH": PATH}
        yield Reader(made, tmp_path, {**outside, **settings})


def test_two_nodes_make_what_is_ordered_and_workers_go_again(reader: Reader) -> None:
    """The token is put in, and for a small machine: fewer workers, which wait for less than half a minute."""
    small = {"most = 4": "most = 2", "idle_s = 30": "idle_s = 8\ncooldown_s = 2"}
    pools = reduce(lambda text, change: text.replace(*change), small.items(), POOLS)
    (reader.folder / "cluster.toml").write_text(pools)
    reader.types(EXPORTS + "".join(START))
    assert (reader.folder / ".ray/auth_token").stat().st_mode & 0o777 == 0o600
    settings = {"UNITASK_WORKER_TOKEN": WORKER_TOKEN, "UNITASK_API_KEY": API_KEY, "UNITASK_HOST": ADDRESS}
    run = EXPORTS + RUN.replace("=...", f"={WORKER_TOKEN}")
    before, command, _ = run.partition("unitask cluster ")
    with reader.leaves_running("unitask migrate\nunitask serve", **settings):
        until(lambda: reader.asks("/readyz"), within_s=LIMIT_S, what="an answer of /readyz")
        with reader.leaves_running(run):
            until(reader.clusters, within_s=LIMIT_S, what="a controller")
            tasks = [reader.asks("/api/v1/task", ORDER)["data"]["task_id"] for _ in range(ORDERS)]
            until(lambda: "running" in _states(reader), within_s=LIMIT_S, what="a worker")
            check_status(reader.types(before + command + "status"))
            ended = until(lambda: _all_ended(reader, tasks), within_s=LIMIT_S, what="the end of all tasks")
            assert ended == {"completed"}
            until(lambda: _states(reader) == [], within_s=LIMIT_S, what="the end of the workers")
        reader.types(before + command + "stop")


def check_status(status: str) -> None:
    """Check that a status looks like the guide's, with a worker in it."""
    (block,) = (block.body for block in blocks(GUIDE) if block.body.startswith("$ unitask cluster status"))
    shown, printed = block.splitlines()[1:], status.splitlines()
    assert shown[0].partition("Unitask")[0] == printed[0].partition("Unitask")[0]
    assert shown[2].split() in [line.split() for line in printed]
    assert [line for line in printed if "  running  " in line and f"  {ADDRESS}  " in line], status


def _states(reader: Reader) -> list[str]:
    return [actor["state"] for cluster in reader.clusters() for pool in cluster["pools"] for actor in pool["actors"]]


def _all_ended(reader: Reader, tasks: list[str]) -> set[str]:
    found = {reader.asks(f"/api/v1/task/{task}")["data"]["status"] for task in tasks}
    return found if found <= {"completed", "failed"} else set()
