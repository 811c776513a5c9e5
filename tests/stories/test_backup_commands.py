"""`unitask backup` and `unitask restore` as an operator types them."""

import contextlib
import shutil
import sqlite3
import stat
import subprocess
import sys

from support.machine import Machine
from unitask import backup as backups
from unitask.kit.clock import Clock
from unitask.settings import Settings


def test_an_installation_moves_to_another_folder(machine: Machine) -> None:
    """Made while the server runs; the copy knows the same keys without being told the secret, and goes on."""
    del machine.settings["API_KEY"]
    server = machine.start("up")
    key = server.first_key or ""
    api = machine.client(server, key)
    task_id = api.order("save_file")
    file = api.ended(task_id)["output"]["image_url"].partition("/files/")[2]
    content = api.http.get(f"/files/{file}").content
    done = machine.run("backup", "copy")
    assert done.returncode == 0, done.stderr
    assert "1 files" in done.stdout
    assert "table tasks: 1 rows" in done.stderr, "progress is no result"
    secret = machine.folder / "copy" / "secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert str(secret.relative_to(machine.folder)) in done.stdout
    server.end()

    there = {"DATA": str(machine.folder / "there")}
    done = machine.run("restore", "copy", **there)
    assert done.returncode == 0, done.stderr
    assert "1 completed tasks name 1 files that are there" in done.stdout
    assert "The books are right." in done.stdout
    server = machine.start("up", **there)
    assert server.first_key is None
    api = machine.client(server, key)
    assert api.task(task_id)["status"] == "completed"
    assert api.http.get(f"/files/{file}").content == content
    assert api.said(api.order("ok"))


def test_the_exit_status_tells(machine: Machine) -> None:
    """One sentence and no traceback, whatever is wrong."""
    machine.prepare()
    nothing = machine.run("restore", "nowhere", "--check")
    assert machine.run("backup", "copy").returncode == 0
    whole = machine.run("restore", "copy", "--check")
    again, full = machine.run("backup", "copy"), machine.run("restore", "copy")
    assert (whole.returncode, whole.stdout[:20]) == (0, "The backup is whole:")
    assert full.returncode == 0, "a database with a schema and nothing else is empty"
    (machine.folder / "copy" / "tables" / "plans.rows.gz").write_bytes(b"")
    damaged = machine.run("restore", "copy", "--check")
    for refused, sentence in (
        (nothing, "manifest.json is missing"),
        (again, "copy is not empty"),
        (damaged, "plans.rows.gz is damaged"),
    ):
        assert refused.returncode == 1
        assert sentence in refused.stderr
        assert "Traceback" not in refused.stderr


def test_where_there_is_no_installation_nothing_is_made(machine: Machine) -> None:
    """From another shell than the server's: a sentence names the database and the setting, and the next try is free."""
    empty = machine.folder / "empty"
    empty.mkdir()
    for data in (machine.folder / "nowhere", empty):
        done = machine.run("backup", "copy", DATA=str(data))
        assert (done.returncode, done.stdout) == (1, "")
        assert f"the database {data / 'unitask.db'} is not there or is empty: set UNITASK_DATA" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (machine.folder / "copy").exists()
    assert not (machine.folder / "nowhere").exists()
    assert list(empty.iterdir()) == []
    elsewhere = machine.run("backup", "copy", DATABASE_URL=f"sqlite:///{empty}/unitask.db")
    assert "the database of UNITASK_DATABASE_URL has no schema" in elsewhere.stderr
    machine.prepare()
    assert machine.run("backup", "copy").returncode == 0


def test_a_folder_in_which_nothing_was_saved_goes_again(machine: Machine) -> None:
    """Where a copy of the database does not fit on the disk: the next try is free, an operator's own folder stays."""
    machine.prepare()
    command = f"ulimit -f 128; exec {sys.executable} -m unitask backup"  # no file gets larger, as on a full disk
    (machine.folder / "own").mkdir()
    for name in ("copy", "own"):
        done = subprocess.run(
            ["/bin/sh", "-c", f"{command} {name}"],
            cwd=machine.folder,
            env=machine.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 1, done.stdout
        assert "the database cannot be copied" in done.stderr
    assert not (machine.folder / "copy").exists()
    assert list((machine.folder / "own").iterdir()) == []
    assert machine.run("backup", "copy").returncode == 0


def test_files_that_were_lost_before_are_told(machine: Machine) -> None:
    """The backup is made all the same, and the exit status tells."""
    server = machine.start("up")
    api = machine.client(server)
    api.ended(api.order("save_file"))
    server.end()
    for file in (machine.folder / "data" / "files").rglob("*.png"):
        file.unlink()
    done = machine.run("backup", "copy")
    assert done.returncode == 1
    assert "is lost: the database names it" in done.stderr
    restored = machine.run("restore", "copy", DATA=str(machine.folder / "there"))
    assert restored.returncode == 0, restored.stderr
    assert "1 lost before" in restored.stdout


def test_rows_that_the_database_changed_are_told(machine: Machine) -> None:
    """What was restored is read back: here by a database that adds a point to every movement."""
    server = machine.start("up")
    api = machine.client(server)
    api.ended(api.order("ok"))
    server.end()
    assert machine.run("backup", "copy").returncode == 0
    (machine.folder / "there").mkdir()
    shutil.copy(machine.template, machine.folder / "there" / "unitask.db")
    with contextlib.closing(sqlite3.connect(machine.folder / "there" / "unitask.db")) as database:
        database.execute(
            "create trigger generous after insert on ledger "
            "begin update ledger set points = points + 1 where id = new.id; end"
        )
    done = machine.run("restore", "copy", DATA=str(machine.folder / "there"))
    assert done.returncode == 1
    assert "the rows of ledger are not those of the backup" in done.stderr
    assert "the books: " in done.stderr
    assert "The books are right" not in done.stdout


async def test_a_file_that_is_gone_again_is_told(machine: Machine) -> None:
    """Completed tasks name it, and it was stored, and then it is not there."""
    server = machine.start("up")
    api = machine.client(server)
    api.ended(api.order("save_file"))
    server.end()
    assert machine.run("backup", "copy").returncode == 0
    there = Settings.load(data=machine.folder / "there")

    def lose(said: str) -> None:
        if said.startswith("looking at the files"):
            for file in (there.data / "files").rglob("*.png"):
                file.unlink()

    result = await backups.restore(there, machine.folder / "copy", Clock(), lose)
    assert [sentence.partition(" is ")[2] for sentence in result.troubles] == [
        "named by a completed task and is not in the store"
    ]
