"""Backups of every table that the schema has, whatever a later migration adds; and what the size of a file says."""

import contextlib
import sqlite3
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Column

from support.clock import ManualClock
from support.machine import Machine
from support.sql import rows, sql
from unitask import backup as backups
from unitask.app import Services
from unitask.backup import BackupRefused
from unitask.db.schema import metadata
from unitask.db.transfer import SEEDED
from unitask.kit.clock import Clock
from unitask.settings import Settings

TEXT = 'tab\there, "quotes", back\\slash, \\N, ½ 猫'
_numbers = count()


def value(column: "Column[Any]") -> Any:
    """Make up a value that no column has by itself; keys are those to which others refer."""
    kind = type(column.type).__name__
    number = next(_numbers)
    if column.name in {"plan", "capacity"}:
        return {"plan": "open", "capacity": 2**50}[column.name]
    if kind == "Uuid":
        return f"00000000-0000-7000-8000-{1 if column.name == 'id' else number:012}"
    if column.foreign_keys or column.name == "id":
        return "1" if kind == "String" else 1
    made = {
        "Boolean": True,
        "Float": 0.25,
        "Integer": 1000 + number,
        "BigInteger": 2**40 + number,
        "JSON": orjson.dumps({"text": TEXT, "number": number}).decode(),
    }
    return made[kind] if kind in made else TEXT[: getattr(column.type, "length", None)]


async def fill(services: Services) -> None:
    """Put a row into every table of the schema; checks of money hold for it, the books do not."""

    async def work(tx: Any) -> None:
        for table in metadata.sorted_tables:
            if table.name in SEEDED:
                continue
            made = {column.name: value(column) for column in table.columns}
            given = {column.replace("256", "_sum"): one for column, one in made.items()}
            values = ", ".join(f":{name}" for name in given)
            await tx.execute(sql(f"insert into {table.name} ({', '.join(made)}) values ({values})"), **given)

    await services.database.write(work)


async def contents(services: Services) -> dict[str, list[dict[str, Any]]]:
    """Read every table of the schema."""
    return {
        table.name: sorted(await rows(services.database, f"select * from {table.name}"), key=str)
        for table in metadata.sorted_tables
    }


async def test_every_column_of_every_table_comes_back(settings: Settings, clock: ManualClock, tmp_path: Path) -> None:
    """A table or a column that a migration adds tomorrow is in tomorrow's backup, or this is red."""
    services = await Services.open(settings, clock)
    await fill(services)
    before = await contents(services)
    await services.close()
    assert before.keys() == {table.name for table in metadata.sorted_tables}
    assert all(found and None not in found[0].values() for found in before.values()), "every column has something"
    await backups.save(settings, tmp_path / "backup", clock, print)
    there = settings.model_copy(update={"data": tmp_path / "there", "database_url": f"sqlite:///{tmp_path}/there.db"})
    result = await backups.restore(there, tmp_path / "backup", clock, print)
    opened = await Services.open(there, clock)
    assert await contents(opened) == before
    await opened.close()
    assert all("the books" in said or "named by a completed task" in said for said in result.troubles), result.troubles


def shortened(path: Path) -> int:
    """Cut the last byte off; gives how many are left."""
    content = path.read_bytes()[:-1]
    path.write_bytes(content)
    return len(content)


def one(folder: Path, pattern: str) -> Path:
    """Find the one file of this pattern."""
    (found,) = folder.rglob(pattern)
    return found


@pytest.fixture
def backed_up(machine: Machine) -> Machine:
    """Have a machine that has made a file, and a backup of it."""
    server = machine.start("up")
    api = machine.client(server)
    api.ended(api.order("save_file"))
    server.end()
    assert machine.run("backup", "copy").returncode == 0
    return machine


def test_a_file_that_is_too_short_is_told_with_both_sizes(backed_up: Machine) -> None:
    """An operator sees at once that a copy was cut off, and where."""
    file = one(backed_up.folder / "copy", "*.png")
    left = shortened(file)
    with pytest.raises(BackupRefused, match=rf"{file.name} is damaged: it has {left} bytes, not {left + 1}"):
        backups.check_whole(backed_up.folder / "copy")


async def test_a_stored_file_of_another_size_is_missing(backed_up: Machine) -> None:
    """What a completed task names is there only in full: a disk that filled up after the file was compared is seen."""
    there = Settings.load(data=backed_up.folder / "there")

    def cut(said: str) -> None:
        if said.startswith("looking at the files"):
            shortened(one(there.data / "files", "*.png"))

    result = await backups.restore(there, backed_up.folder / "copy", Clock(), cut)
    assert [said.partition(" is ")[2] for said in result.troubles] == [
        "named by a completed task and is not in the store"
    ]


def test_a_file_without_a_sum_is_known_by_its_size(backed_up: Machine) -> None:
    """Files that were stored before sums were kept are compared by what is known of them."""
    with contextlib.closing(sqlite3.connect(backed_up.folder / "data" / "unitask.db")) as database:
        database.execute("update artifacts set sha256 = ''")
        database.commit()
    assert backed_up.run("backup", "whole").returncode == 0
    shortened(one(backed_up.folder / "data" / "files", "*.png"))
    done = backed_up.run("backup", "changed")
    assert done.returncode == 1
    assert "is not what was stored once" in done.stderr
