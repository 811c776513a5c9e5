"""PgBouncer in transaction mode before a PostgreSQL of the tests, with few connections, so that clients share them."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from support.machine import free_port
from support.wait import until

CONNECTIONS = 3
_START_S = 10.0
_SETTINGS = """[databases]
* = host={folder} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {connections}
"""


def program() -> str:
    """Find PgBouncer; a test is skipped without it."""
    found = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if found is None:
        pytest.skip("PgBouncer is not installed; on Debian: make pgbouncer, or apt-get install pgbouncer")
    return found


@contextmanager
def pooler(server: str, *, connections: int = CONNECTIONS) -> Iterator[str]:
    """Run one until the end of the block; gives its address, with a place for the name of the database.

    It refuses to run as root, so there it runs as the user whom the server's folder belongs to.
    """
    (folder,) = parse_qs(urlsplit(server).query)["host"]
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="unitask-pooler-") as own:
        settings, log = Path(own) / "pgbouncer.ini", Path(own) / "log"
        settings.write_text(_SETTINGS.format(folder=folder, port=port, connections=connections))
        Path(own).chmod(0o755)
        user = ["-u", pwd.getpwuid(Path(folder).stat().st_uid).pw_name] if os.getuid() == 0 else []
        with (
            log.open("wb") as output,
            subprocess.Popen([program(), *user, str(settings)], stdout=output, stderr=output) as process,
        ):
            try:
                until(lambda: _is_up(process, log), within_s=_START_S, what=lambda: f"its start: {log.read_text()}")
                yield f"postgresql://postgres@127.0.0.1:{port}/{{name}}"
            finally:
                process.terminate()


def _is_up(process: "subprocess.Popen[bytes]", log: Path) -> bool:
    said = log.read_text()
    assert process.poll() is None, said
    return "process up" in said
