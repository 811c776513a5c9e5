"""From the release before this one to this one, machine by machine, while orders come in."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from support.books import troubles
from support.keys import API_KEY
from support.machine import Api, Machine
from support.previous import previous_release
from support.sql import rows
from support.tester import PRICE_POINTS
from unitask.db import open_database
from unitask.db.migrate import HEAD

SECRET = "a-secret-that-both-releases-share"


@pytest.fixture(params=["sqlite_template", "postgres_server"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give an empty database of either kind."""
    source = str(request.getfixturevalue(request.param))
    if request.param == "sqlite_template":
        yield f"sqlite:///{tmp_path}/shared.db"
        return
    url = source.format(name="template1")
    asyncio.run(executed(url, "create database rolling template template0"))
    yield source.format(name="rolling")
    asyncio.run(executed(url, "drop database rolling with (force)"))


async def executed(url: str, statement: str) -> None:
    """Run a statement of the server's owner."""
    admin = await asyncpg.connect(url)
    await admin.execute(statement)
    await admin.close()


def release(folder: Path, template: Path, **settings: str) -> Machine:
    """Have a machine of an installation that several share."""
    folder.mkdir()
    return Machine(folder, template, {"API_KEY": API_KEY, "PORT": "0", "SECRET": SECRET, **settings})


@pytest.fixture
def releases(tmp_path: Path, sqlite_template: Path, empty_url: str) -> Iterator[tuple[Machine, Machine]]:
    """Have a machine of the release before this one and one of this one, on one database and the same files."""
    shared = {"DATABASE_URL": empty_url, "DATA": str(tmp_path / "data"), "ENGINES": "tester", "LEASE_S": "3"}
    (tmp_path / "data").mkdir()
    imports = previous_release(tmp_path / "previous")
    old, new = (release(tmp_path / name, sqlite_template, **shared) for name in ("old", "new"))
    old.found_by = {"PYTHONPATH": os.pathsep.join([*map(str, imports), old.found_by["PYTHONPATH"]])}
    for machine in (old, new):
        (machine.folder / "data").mkdir()
    yield old, new
    for machine in (old, new):
        machine.clear_away()


def made(api: Api, number: int) -> list[str]:
    """Order and wait for the end of each."""
    tasks = [api.order("save_file") for _ in range(number)]
    for task_id in tasks:
        api.said(task_id)
    return tasks


def test_a_database_of_the_release_before_opens_and_works(releases: tuple[Machine, Machine], empty_url: str) -> None:
    """Stopped, migrated, started: what was made stays, what waited is made."""
    old, new = releases
    assert old.run("migrate").returncode == 0
    program, before = old.serve()
    worker = old.work()
    tasks = made(before, 2)
    worker.end()
    waits = before.order("save_file")
    program.end()
    assert new.run("migrate").returncode == 0
    _, after = new.serve()
    new.work()
    after.said(waits)
    assert {after.task(task_id)["status"] for task_id in tasks} == {"completed"}
    audit(empty_url, [*tasks, waits, *made(after, 1)])


@pytest.mark.parametrize("empty_url", ["postgres_server"], indirect=True)
def test_machines_change_over_one_by_one(releases: tuple[Machine, Machine], empty_url: str) -> None:
    """The old API and its worker go on while the schema changes under them; then each works with the other's."""
    old, new = releases
    assert old.run("migrate").returncode == 0
    program, before = old.serve()
    worker = old.work()
    tasks = made(before, 3)
    gate = new.folder / "gate"
    through = before.order("wait_for_file", marker=str(gate))
    before.reaches(through, "processing", within_s=20)
    assert "has schema 0001" in new.run("serve").stderr

    assert new.run("migrate").returncode == 0
    gate.touch()
    before.said(through)
    tasks += [through, *made(before, 3)]

    fresh, after = new.serve()
    tasks += made(after, 3)
    assert before.task(tasks[-1])["status"] == "completed"
    new.work()
    worker.end()
    tasks += made(before, 3)
    program.end()
    tasks += made(after, 3)
    old.settings["PORT"] = new.settings["PORT"]
    older = old.work()
    new.programs[-1].end()
    tasks += made(after, 3)
    assert all(program.process.poll() is None for program in (fresh, older))
    audit(empty_url, tasks)


def audit(url: str, tasks: list[str]) -> None:
    """Check that every order was made once and paid once."""

    async def look() -> None:
        opened = await open_database(url)
        assert await troubles(opened) == []
        found = await rows(opened, "select id, status, charged_points, attempt from tasks order by id")
        assert [row["id"] for row in found] == sorted(tasks)
        assert {(row["status"], row["charged_points"]) for row in found} == {("completed", PRICE_POINTS)}
        assert {row["attempt"] for row in found} == {1}
        (version,) = await rows(opened, "select version_num from alembic_version")
        assert version == {"version_num": HEAD}
        await opened.close()

    asyncio.run(look())
