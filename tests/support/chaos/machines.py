"""What a machine has that can fail by itself: its clock and its disk."""

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support.chaos.network import NotAllowed

_FILLING: Final = "filling"
_BLOCK: Final = 2**20


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of one process, by libfaketime: what time it shows stands in a file that it reads again and again."""

    file: Path
    library: Path

    @classmethod
    def make(cls, folder: Path) -> "Clock":
        """Make one that goes right.

        Raises:
            NotAllowed: libfaketime is not installed.

        """
        found = sorted(Path("/usr/lib").glob("**/faketime/libfaketimeMT.so.1"))
        if not found:
            raise NotAllowed("clocks are set by libfaketime; on Debian: apt-get install faketime")
        folder.mkdir(parents=True, exist_ok=True)
        clock = cls(folder / "clock", found[0])
        clock.set(0)
        return clock

    def set(self, seconds: int) -> None:
        """Show a time that is so many seconds ahead."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.replace(self.file)

    @property
    def environment(self) -> dict[str, str]:
        """Give what a process needs to go by this clock; waiting and measuring go on evenly, as they do for real."""
        return {
            "LD_PRELOAD": str(self.library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
            "NO_FAKE_STAT": "1",
        }


@dataclass(frozen=True, slots=True)
class Disk:
    """A small disk in memory."""

    folder: Path

    @classmethod
    def mount(cls, folder: Path, megabytes: int) -> "Disk":
        """Make one.

        Raises:
            NotAllowed: only root may.

        """
        folder.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=1777", "tmpfs", str(folder)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=20)
        except (OSError, subprocess.CalledProcessError) as error:
            raise NotAllowed("small disks that can be filled are mounted by root alone") from error
        return cls(folder)

    def fill(self) -> None:
        """Leave no room, to the last byte."""
        block = b"\0" * _BLOCK
        with (self.folder / _FILLING).open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while block:
                written = file.write(block)
                block = block[:written] if written < len(block) else block

    def free(self) -> None:
        """Give the room back."""
        (self.folder / _FILLING).unlink(missing_ok=True)

    def unmount(self) -> None:
        """Take it away, whoever still looks at it."""
        subprocess.run(["umount", "-l", str(self.folder)], check=False, capture_output=True, timeout=20)


def is_root() -> bool:
    """Whether this process may do anything."""
    return os.geteuid() == 0
