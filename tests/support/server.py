"""A real server for a test: `unitask up` on a free port, with its worker, in a folder of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from support.wait import until

START_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0


class Server(NamedTuple):
    """Where it is, and the key that it knows."""

    address: str
    api_key: str


@contextmanager
def throw_away_server(folder: Path, api_key: str = "a-key-for-this-server", **settings: str) -> Iterator[Server]:
    """Run a server in this folder until the end of the block. `settings` are environment variables.

    Nothing of the environment's own UNITASK_... settings reaches it.
    """
    log = folder / "server.log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UNITASK_")}
    environment |= {"UNITASK_API_KEY": api_key, "UNITASK_LOG_LEVEL": "warning", **settings}
    command = [sys.executable, "-u", "-m", "unitask", "up", "--port", "0", "--data", str(folder / "data")]
    with log.open("wb") as output, subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
        try:
            address = until(
                lambda: _address(process, log),
                within_s=START_LIMIT_S,
                what=lambda: f"the start of the server; it said: {log.read_text()!r}:",
            )
            until(lambda: _ready(address), within_s=START_LIMIT_S, what="an answer of /readyz")
            yield Server(address, api_key)
        finally:
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    said = log.read_text()
    assert process.poll() is None, f"the server ended at once: {said}"
    found = re.search(r"listens on (\S+)", said)
    return found[1] if found else ""


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz", trust_env=False, timeout=5).is_success
    except httpx.TransportError:
        return False
