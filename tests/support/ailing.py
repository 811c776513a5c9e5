"""Machines on which something is wrong: each trouble that `unitask doctor` knows, made for real."""

import contextlib
import importlib.util
import json
import os
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from support.keys import WORKER_TOKEN
from support.machine import Machine, free_port
from support.threaded import threaded
from unitask.accounts.credentials import SEALED_AS
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.ids import new_id
from unitask.kit.seal import Seal

LONG_AGO = Clock().now_us() - 7200 * SECOND_US
LATER = Clock().now_us() + 7200 * SECOND_US
PUBLIC = "https://unitask.example.com"
Scene = Callable[[Machine], AbstractContextManager[dict[str, str]]]
SCENES: dict[str, Scene] = {}


def scene(name: str) -> Callable[[Callable[[Machine], Iterator[dict[str, str]]]], None]:
    """Register how a trouble is made: a context that gives settings for the command."""

    def register(make: Callable[[Machine], Iterator[dict[str, str]]]) -> None:
        SCENES[name] = contextmanager(make)

    return register


def set_to(name: str, **settings: str) -> None:
    """Register a trouble that settings alone make."""

    @scene(name)
    def _(_: Machine) -> Iterator[dict[str, str]]:
        yield settings


set_to("setting-unknown", LOGLEVEL="debug")
set_to("engine-unknown", ENGINES="cpu,preview,espeak,testr")
set_to("key-weak", WORKER_TOKEN="1111111111111111")
set_to("private-open", HOST="0.0.0.0", PUBLIC_URL=PUBLIC, TRUSTED_PROXIES="::1", ALLOW_PRIVATE_NETWORKS="true")
set_to("public-unset", HOST="0.0.0.0")
set_to("public-plain", PUBLIC_URL=PUBLIC.replace("https", "http"))
set_to("proxy-unknown", PUBLIC_URL=PUBLIC)
set_to("previews", PUBLIC_URL=PUBLIC, TRUSTED_PROXIES="127.0.0.1")
set_to("marks-off", MARKS="false")
set_to("marks-certificate", MARK_CERTIFICATE="/nowhere/chain.pem", MARK_KEY="/nowhere/key.pem")
set_to("server-away", PORT=str(free_port()))
set_to("api-away", API_URL=f"http://127.0.0.1:{free_port()}", WORKER_TOKEN=WORKER_TOKEN)
set_to("database-away", DATABASE_URL="postgresql://127.0.0.1:1/unitask", SECRET="a-secret-of-the-doctor")


@scene("database-schema")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    yield {"DATABASE_URL": f"sqlite:///{machine.folder / 'nothing-there.db'}"}


@contextmanager
def disk(machine: Machine, options: str) -> Iterator[Path]:
    """Mount a small disk in memory, which takes root."""
    place = machine.folder / "disk"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "none", place], check=False, capture_output=True
    ).returncode:
        pytest.skip("this user may not mount a disk")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True, timeout=10)


def its_database(machine: Machine) -> dict[str, str]:
    """Leave the database where it is, wherever the data folder is."""
    return {"DATABASE_URL": f"sqlite:///{machine.folder / 'data' / 'unitask.db'}"}


@scene("data-no-folder")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    (machine.folder / "file").touch()
    yield {**its_database(machine), "DATA": str(machine.folder / "file")}


@scene("data-read-only")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    with disk(machine, "size=2g,ro") as place:
        yield {**its_database(machine), "DATA": str(place / "data")}


@scene("disk-full")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    with disk(machine, "size=2m") as place:
        yield {**its_database(machine), "DATA": str(place)}


@scene("files-full")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    with disk(machine, "size=2g,nr_inodes=100") as place:
        yield {**its_database(machine), "DATA": str(place)}


@scene("scratch-full")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    with disk(machine, "size=2m") as place:
        machine.found_by = {"TMPDIR": str(place)}
        yield {}


@scene("secret-readable")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    secret = machine.folder / "data" / "secret"
    secret.write_text("0123456789abcdef")
    secret.chmod(0o640)
    yield {}


@scene("data-readable")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    (machine.folder / "data").chmod(0o755)
    yield {}


@scene("files-few")
def _(_: Machine) -> Iterator[dict[str, str]]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, hard))
    try:
        yield {}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def with_cards(machine: Machine) -> None:
    """Install a driver that lists two cards."""
    program = machine.folder / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf '0, 81559\\n1, 81559\\n'\n")
    program.chmod(0o755)
    machine.found_by = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


@scene("gpu-no-torch")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    if importlib.util.find_spec("torch"):
        pytest.skip("torch is installed here")
    with_cards(machine)
    yield {}


@scene("gpu-unseen")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    with_cards(machine)
    torch = machine.folder / "without" / "torch"
    torch.mkdir(parents=True)
    (torch / "__init__.py").write_text("class cuda:\n    device_count = staticmethod(lambda: 0)\n")
    machine.found_by["PYTHONPATH"] = f"{torch.parent}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    yield {}


@contextmanager
def answering(document: object, status: int = 200, **headers: str) -> Iterator[int]:
    """Run a server that answers everything in this way; gives its port."""

    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return headers.get("Date", super().date_time_string(timestamp))

        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name != "Date":
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Log nothing."""

    with threaded(Handler) as port:
        yield port


@scene("clock-off")
def _(_: Machine) -> Iterator[dict[str, str]]:
    with answering({"server": "unitask"}, Date="Sun, 06 Nov 1994 08:49:37 GMT") as port:
        yield {"API_URL": f"http://127.0.0.1:{port}", "WORKER_TOKEN": WORKER_TOKEN}


@scene("worker-no-token")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    _, api = machine.serve()
    yield {"API_URL": str(api.http.base_url)}


@scene("worker-token")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    _, api = machine.serve()
    yield {"API_URL": str(api.http.base_url), "WORKER_TOKEN": "another-token-than-that-of-the-api"}


@scene("port-taken")
def _(_: Machine) -> Iterator[dict[str, str]]:
    with answering({}) as port:
        yield {"PORT": str(port)}


@scene("not-ready")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    machine.serve()
    changed(machine, "update compatibility set oldest = '9999'")
    yield {}


@scene("public-away")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    machine.serve()
    yield {"PUBLIC_URL": f"http://127.0.0.1:{free_port()}"}


@scene("public-other")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    machine.serve()
    with answering({"status": "ok"}) as port:
        yield {"PUBLIC_URL": f"http://127.0.0.1:{port}"}


@scene("public-moved")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    machine.serve()
    with answering({}, 301, Location=f"{PUBLIC}/healthz") as port:
        yield {"PUBLIC_URL": f"http://127.0.0.1:{port}"}


def opened(machine: Machine) -> sqlite3.Connection:
    """Open the database."""
    return sqlite3.connect(machine.folder / "data" / "unitask.db", isolation_level=None)


def changed(machine: Machine, statement: str, *values: object) -> None:
    """Change the database behind everyone's back."""
    with contextlib.closing(opened(machine)) as database:
        database.execute(statement, values)


@scene("database-locked")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    with contextlib.closing(opened(machine)) as database:
        database.execute("begin immediate")
        yield {}


@scene("database-read-only")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    with disk(machine, "size=2g") as place:
        (machine.folder / "data" / "unitask.db").rename(machine.folder / "moved.db")
        subprocess.run(["cp", machine.folder / "moved.db", place / "unitask.db"], check=True)
        subprocess.run(["mount", "-o", "remount,ro", place], check=True)
        yield {"DATABASE_URL": f"sqlite:///{place / 'unitask.db'}"}


def move_and_fill(machine: Machine, place: Path) -> str:
    """Let the database lie on a small disk, and fill it; gives its address."""
    database = place / "unitask.db"
    subprocess.run(["cp", machine.folder / "data" / "unitask.db", database], check=True)
    with contextlib.suppress(OSError), (place / "another").open("wb", buffering=0) as another:
        while True:
            another.write(b"0" * 4096)
    return f"sqlite:///{database}"


@scene("database-fails")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    with disk(machine, "size=4m") as place:
        yield {"DATABASE_URL": move_and_fill(machine, place)}


@scene("database-no-wal")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    changed(machine, "pragma journal_mode=delete")
    yield {}


@scene("secret-lost")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    key = "insert into api_keys (account_id, key_hash, hint, name, scopes, created_at) values (1, 'h', 'h', 'k', '', 0)"
    changed(machine, key)
    yield {}


@scene("secret-other")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    sealed = Seal("the secret before", SEALED_AS).close("a key")
    changed(machine, "insert into credentials values (1, 'fal', ?, 'a key', 0)", sealed)
    yield {"SECRET": "another-secret-than-before"}


@scene("books-wrong")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    assert machine.run("accounts", "add", "studio").returncode == 0
    changed(machine, "update accounts set used_points = 5")
    yield {}


def waiting(machine: Machine, at: int) -> None:
    """Let a task wait since then."""
    program, api = machine.serve()
    task_id, old = api.order("ok"), new_id(at)
    program.end()
    for table, column in (("queue", "task_id"), ("tasks", "id"), ("ledger", "task_id")):
        changed(machine, f"update {table} set {column} = ? where {column} = ?", old, task_id)


@scene("no-worker")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    waiting(machine, LONG_AGO)
    yield {}


@scene("no-maker")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    waiting(machine, LONG_AGO)
    worker = "insert into workers (id, name, engines, started_at, lease_until) values ('w', 'w', '[\"cpu\"]', 0, ?)"
    changed(machine, worker, LATER)
    yield {}


@scene("no-housekeeping")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    waiting(machine, Clock().now_us())
    changed(machine, "update queue set deadline = ?", LONG_AGO)
    yield {}


@scene("messages-late")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    columns = "id, account_id, task_id, event, endpoint, secret, host, due_at, next_at, created_at"
    row = (new_id(LONG_AGO), 1, new_id(LONG_AGO), "task.completed", "https://a.test/", "", "a.test", *[LONG_AGO] * 3)
    changed(machine, f"insert into deliveries ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *row)
    yield {}


@scene("endpoints-off")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    changed(machine, "insert into endpoints values (1, 'x', 'https://a.test/', 0, 0, 1)")
    yield {}


@scene("leftovers")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    changed(machine, "insert into leftovers values (?, 'fal', 1, '{}', ?)", new_id(LONG_AGO), LONG_AGO)
    yield {}


@scene("store-fails")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    (machine.folder / "data" / "files").write_text("a file where a folder should be")
    yield {}


@scene("product-unmade")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    machine.found_by = Machine(machine.folder / "another", machine.template).found_by
    yield {}


def provided(machine: Machine, text: str) -> dict[str, str]:
    """Write the file of providers."""
    (machine.folder / "providers.toml").write_text(text)
    return {"PROVIDERS": str(machine.folder / "providers.toml")}


@scene("provider-down")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    yield provided(machine, f'[provider.box]\nengine = "comfyui"\nurl = "http://127.0.0.1:{free_port()}"\n')


@scene("provider-no-key")
def _(machine: Machine) -> Iterator[dict[str, str]]:
    yield provided(machine, '[provider.fal]\nengine = "fal"\nproducts = ["Qubico/flux1-dev"]\n')
