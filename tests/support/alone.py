"""A machine of its own on this one: a network that nobody else reaches, and processes that all end with it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
import pytest

from support.wait import until

ADDRESS: Final = "10.0.0.1"
_NAMESPACES: Final = ("--net", "--pid", "--mount")
_START_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Machine:
    """Where it is: the process that holds it. Its address is ADDRESS."""

    holder: int

    def within(self, folder: Path) -> list[str]:
        """Give what stands before a command that is to run on it, in this folder."""
        return ["nsenter", "--target", str(self.holder), *_NAMESPACES, f"--wd={folder}"]

    def _set_up(self) -> None:
        for command in (
            "ip link set lo up",
            f"ip address add {ADDRESS}/32 dev lo",
            f"ip route add default dev lo src {ADDRESS}",  # programs ask for a way out to learn their own address
        ):
            subprocess.run([*self.within(Path("/")), *command.split()], check=True, capture_output=True)


@contextmanager
def machine() -> Iterator[Machine]:
    """Run a machine until the end of the block; skips the test where that is not allowed."""
    if os.geteuid() or not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        pytest.skip("a machine of its own needs root, util-linux and iproute2")
    command = ["unshare", *_NAMESPACES, "--mount-proc", "--fork", "sleep", "infinity"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            (holder,) = until(lambda: _holder(process), within_s=_START_S, what="the start of a machine")
            made = Machine(holder.pid)
            made._set_up()
            yield made
        finally:
            # The first process of a namespace takes all others with it, and `unshare` ends after it.
            for one in psutil.Process(process.pid).children():
                one.kill()


def _holder(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    if process.poll() is not None:
        pytest.skip(f"a machine of its own is not allowed here: {process.stderr and process.stderr.read()}")
    return [one for one in psutil.Process(process.pid).children() if one.name() == "sleep"]
