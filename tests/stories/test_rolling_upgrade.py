"""From the release before this one to this one, machine by machine, while orders come in."""

import asyncio
from pathlib import Path

import pytest

from support.books import troubles
from support.machine import Api, Machine
from support.previous import schema_of
from support.sql import rows
from support.tester import PRICE_POINTS
from unitask.db import open_database
from unitask.db.migrate import HEAD


def made(api: Api, number: int) -> list[str]:
    """Order and wait for the end of each."""
    tasks = [api.order("save_file") for _ in range(number)]
    for task_id in tasks:
        api.said(task_id)
    return tasks


@pytest.mark.parametrize("empty_url", ["postgres_server"], indirect=True)
def test_machines_change_over_one_by_one(
    releases: tuple[Machine, Machine], previous: list[Path], empty_url: str
) -> None:
    """The old API and its worker go on while the schema changes under them; then each works with the other's."""
    old, new = releases
    assert old.run("migrate").returncode == 0
    program, before = old.serve()
    worker = old.work()
    tasks = made(before, 3)
    gate = new.folder / "gate"
    through = before.order("wait_for_file", marker=str(gate))
    before.reaches(through, "processing", within_s=20)
    assert f"has schema {schema_of(previous)}, this release needs {HEAD}" in new.run("serve").stderr

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
