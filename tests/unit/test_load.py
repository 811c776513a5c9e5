"""What a process knows of its database without asking: how much is under way, for how long, and how the last went."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from support.sql import sql
from support.wait import seen
from unitask.api.health import judged
from unitask.db import Transaction, open_database
from unitask.db.load import Load
from unitask.kit.errors import Conflict

FINE = Load(writes=1, oldest_s=1.0, busy=1, places=10, failed="", free_bytes=None)


async def nothing(tx: Transaction) -> None:
    """Write without changing anything."""
    await tx.execute(sql("update compatibility set oldest = oldest"))


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_a_write_that_somebody_else_holds_up_is_seen(database_url: str) -> None:
    """While another program has the file, and not afterwards."""
    database = await open_database(database_url)
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
        other.execute("begin immediate")
        writing = asyncio.create_task(database.write(nothing))
        await seen(lambda: database.load().oldest_s > 0.2, within_s=5)
        assert (database.load().writes, database.load().busy) == (1, 1)
        other.execute("rollback")
        await writing
    load = database.load()
    assert (load.writes, load.oldest_s, load.failed) == (0, 0.0, "")
    assert load.free_bytes
    await database.close()


async def test_a_refusal_of_ours_is_no_failure_of_the_database(database_url: str) -> None:
    """It was asked and it answered."""
    database = await open_database(database_url)

    async def refuse(_: Transaction) -> None:
        raise Conflict("no")

    with pytest.raises(Conflict):
        await database.write(refuse)
    assert (database.load().writes, database.load().failed) == (0, "")
    await database.close()


@pytest.mark.parametrize(
    ("load", "writes", "disk"),
    [
        (FINE, "ok", "ok"),
        (Load(9, 16.0, 1, 10, "", 2**30), "under way for 16 seconds", "ok"),
        (Load(0, 0.0, 0, 10, "disk is full", None), "refused by the database", "ok"),
        (Load(0, 0.0, 0, 1, "", 2**20), "ok", "is full: 1048576 bytes are free"),
    ],
)
def test_readiness_says_what_is_wrong_and_what_to_do(load: Load, writes: str, disk: str) -> None:
    """A sentence for each, with a remedy behind the semicolon."""
    for said, expected in zip(judged(load), (writes, disk), strict=True):
        assert expected in said
        assert said == "ok" or ";" in said
