"""A real server for a test: `unitask up` on a free port, with its worker, in a folder of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from support.shell import lasting
from support.wait import until

PATH: Final = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
START_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0


class Server(NamedTuple):
    """Where it is, and the key that it knows."""

    address: str
    api_key: str


@contextmanager
def throw_away_server(
    folder: Path, api_key: str = "a-key-for-this-server", *, script: str = "unitask up", **settings: str
) -> Iterator[Server]:
    """Run a server in this folder until the end of the block. `settings` are environment variables.

    Nothing of the environment's own UNITASK_... settings reaches it. `script`: what the shell is given to start it.
    """
    own = {"UNITASK_API_KEY": api_key, "UNITASK_DATA": str(folder / "data"), "UNITASK_PORT": "0"}
    with lasts(folder, "server", script, **{"UNITASK_LOG_LEVEL": "warning", **own, **settings}) as log:
        address = log.find(r"listens on (\S+)")
        until(lambda: _ready(address), within_s=START_LIMIT_S, what="an answer of /readyz")
        yield Server(address, api_key)


@dataclass(frozen=True, slots=True)
class Log:
    """What a process says."""

    process: "subprocess.Popen[bytes]"
    path: Path

    def find(self, pattern: str) -> str:
        """Wait until it says something like this; gives the first group."""
        found = until(
            lambda: self._found(pattern),
            within_s=START_LIMIT_S,
            what=lambda: f"{pattern!r} in what it said, {self.path.read_text()!r},",
        )
        return found[1]

    def _found(self, pattern: str) -> re.Match[str] | None:
        said = self.path.read_text()
        assert self.process.poll() is None, f"it ended at once: {said}"
        return re.search(pattern, said)


@contextmanager
def lasts(folder: Path, name: str, script: str, **settings: str) -> Iterator[Log]:
    """Run the commands of a script, the last of which runs until the end of the block; `name`: of its log."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UNITASK_")}
    environment |= {"PATH": PATH, "PYTHONUNBUFFERED": "1", **settings}
    path = folder / f"{name}.log"
    with (
        path.open("wb") as output,
        subprocess.Popen(
            ["/bin/sh", "-euc", lasting(script)], cwd=folder, env=environment, stdout=output, stderr=output
        ) as process,
    ):
        try:
            yield Log(process, path)
        finally:
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", trust_env=False, timeout=5).is_success
    except httpx.TransportError:
        return False
