"""What both databases promise, what each does in its own way, and the schema on them."""

import asyncio
import logging
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from support.sql import rows, sql
from support.wait import answered
from unitask.app import Services
from unitask.db import Database, Transaction, open_database
from unitask.db.migrate import HEAD, check, upgrade
from unitask.db.schema import metadata
from unitask.db.sqlite import SqliteDatabase
from unitask.kit.errors import Unavailable
from unitask.settings import Settings

ADD = sql("insert into notes (id, text) values (:id, :text)")
CHANGE = sql("update notes set text = :text where id = :id")
READ = "select id, text from notes order by id"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Either database, with a table to play with."""
    opened = await open_database(database_url)
    table = sql("create table notes (id integer primary key check (id > 0), text varchar(100) not null)")
    await opened.write(lambda tx: tx.execute(table))
    yield opened
    await opened.close()


@pytest.fixture
async def sqlite(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """SQLite alone, with the same table."""
    opened = SqliteDatabase(str(tmp_path / "notes.db"))
    await opened.write(lambda tx: tx.execute(sql("create table notes (id integer primary key, text text)")))
    yield opened
    await opened.close()


def adding(note_id: int, text: str = "a note") -> Any:
    """Make work that writes one note."""
    return lambda tx: tx.execute(ADD, id=note_id, text=text)


async def notes(database: Database) -> list[int]:
    """Read the ids of all notes."""
    return [row["id"] for row in await rows(database, READ)]


async def test_what_is_acknowledged_is_visible_to_reads(database: Database) -> None:
    """Also with many writers at once: each reads its own row as soon as it is told that it was written."""

    async def write_then_read(note_id: int) -> str:
        await database.write(adding(note_id, f"note {note_id}"))
        (row,) = await rows(database, "select text from notes where id = :id", id=note_id)
        return str(row["text"])

    numbers = range(1, 101)
    assert await asyncio.gather(*map(write_then_read, numbers)) == [f"note {number}" for number in numbers]


async def test_the_result_of_the_work_is_the_result_of_the_write(database: Database) -> None:
    """A transaction reads its own changes and may return what it read."""

    async def work(tx: Transaction) -> tuple[int, str, Any]:
        await tx.execute(ADD, id=1, text="first")
        found = await tx.fetch(sql(READ))
        row = await tx.fetch_one(sql("select text from notes where id = :id"), id=1)
        none = await tx.fetch_one(sql("select text from notes where id = :id"), id=2)
        assert row is not None
        return len(found), row["text"], none

    assert await database.write(work) == (1, "first", None)


@pytest.mark.parametrize("error", [ValueError("no"), Unavailable("no")])
async def test_work_that_raises_leaves_nothing(database: Database, error: Exception) -> None:
    """Its error reaches the caller as it is."""

    async def work(tx: Transaction) -> None:
        await tx.execute(ADD, id=1, text="lost")
        raise error

    with pytest.raises(type(error), match="no"):
        await database.write(work)
    assert await notes(database) == []
    await database.write(adding(1))
    assert await notes(database) == [1]


async def test_a_statement_that_fails_undoes_its_transaction_alone(database: Database) -> None:
    """Writers of the same moment are not touched by a neighbour's broken constraint."""

    async def broken(tx: Transaction) -> None:
        await tx.execute(ADD, id=50, text="written, then undone")
        await tx.execute(ADD, id=-1, text="against the constraint")

    writes = [database.write(broken if number == 5 else adding(number)) for number in range(1, 11)]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert [number for number, answer in enumerate(answers, 1) if isinstance(answer, Exception)] == [5]
    assert await notes(database) == [1, 2, 3, 4, 6, 7, 8, 9, 10]


async def test_a_hint_reaches_every_listener(database: Database) -> None:
    """Each channel has its own; a hint on another is not heard."""
    heard: list[str] = []
    await database.listen("bell", lambda: heard.append("one"))
    await database.listen("bell", lambda: heard.append("two"))
    await database.listen("other", lambda: heard.append("three"))
    await database.notify("bell")
    assert heard[:2] == ["one", "two"]
    assert "three" not in heard


class TestSqlite:
    """The one writer."""

    async def test_writes_that_wait_share_a_commit_and_a_failing_one_takes_no_other(
        self, sqlite: SqliteDatabase
    ) -> None:
        """Three transactions wait while a first one runs: one begin, one commit, three savepoints."""
        seen: list[str] = []
        sqlite._writer.set_trace_callback(seen.append)
        running, go_on = threading.Event(), threading.Event()

        async def slow(_: Transaction) -> None:
            running.set()
            go_on.wait(5)

        async def broken(tx: Transaction) -> None:
            await tx.execute(ADD, id=2, text="x")
            await tx.execute(ADD, id=2, text="x")

        first = asyncio.create_task(sqlite.write(slow))
        await asyncio.to_thread(running.wait, 5)
        waiting = [asyncio.create_task(sqlite.write(work)) for work in (adding(1), broken, adding(3))]
        await asyncio.sleep(0)
        go_on.set()
        answers = await asyncio.gather(first, *waiting, return_exceptions=True)
        sqlite._writer.set_trace_callback(None)
        assert [type(answer) for answer in answers] == [type(None), type(None), sqlite3.IntegrityError, type(None)]
        assert await notes(sqlite) == [1, 3]
        assert [seen.count(text) for text in ("begin immediate", "commit", "rollback to one")] == [2, 2, 1]

    async def test_work_that_awaits_something_else_is_refused(self, sqlite: SqliteDatabase) -> None:
        """It would hold up every other writer; what it wrote before is undone."""

        async def work(tx: Transaction) -> None:
            await tx.execute(ADD, id=1, text="x")
            await asyncio.sleep(0)

        with pytest.raises(RuntimeError, match="may await nothing but its own statements"):
            await sqlite.write(work)
        assert await notes(sqlite) == []

    async def test_a_file_that_another_process_locks_is_unavailable_and_comes_back(
        self, sqlite: SqliteDatabase, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The error is one that a client may repeat, and nothing is left half done."""
        sqlite._writer.execute("pragma busy_timeout=20")
        with sqlite3.connect(tmp_path / "notes.db", isolation_level=None) as other:
            other.execute("begin immediate")
            with caplog.at_level(logging.CRITICAL), pytest.raises(Unavailable, match="cannot be written"):
                await sqlite.write(adding(1))
            other.execute("rollback")
        other.close()
        await sqlite.write(adding(2))
        assert await notes(sqlite) == [2]

    async def test_a_file_that_cannot_be_read_is_unavailable_and_a_wrong_statement_is_not(
        self, sqlite: SqliteDatabase, tmp_path: Path
    ) -> None:
        """Of one the operator hears and a client may repeat it; the other is ours to mend."""
        await sqlite.write(adding(1))
        sqlite._writer.execute("pragma wal_checkpoint(truncate)")
        with (tmp_path / "notes.db").open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 4096)
        with pytest.raises(Unavailable, match="cannot be read or written: database disk image is malformed"):
            await notes(sqlite)
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await rows(sqlite, "select 1 from elsewhere")
        with pytest.raises(sqlite3.ProgrammingError):
            await sqlite.fetch(sql("select :never_given"))

    async def test_closing_finishes_what_was_accepted_and_refuses_the_rest(self, tmp_path: Path) -> None:
        """A write that was accepted before the close is durable; a later one is told to come again."""
        database = SqliteDatabase(str(tmp_path / "notes.db"))
        await database.write(lambda tx: tx.execute(sql("create table notes (id integer primary key, text text)")))
        writes = [asyncio.create_task(database.write(adding(number))) for number in range(1, 6)]
        await asyncio.sleep(0)
        await database.close()
        await asyncio.gather(*writes)
        with pytest.raises(Unavailable, match="shutting down"):
            await database.write(adding(6))
        await database.close()
        with sqlite3.connect(tmp_path / "notes.db") as connection:
            assert connection.execute("select count(*) from notes").fetchone() == (5,)
        connection.close()

    async def test_a_commit_is_on_disk_before_it_is_acknowledged(self, sqlite: SqliteDatabase) -> None:
        """Durability is a setting of each connection, so it is checked on the one that writes."""
        assert sqlite._writer.execute("pragma synchronous").fetchone()[0] == 2
        assert sqlite._writer.execute("pragma journal_mode").fetchone()[0] == "wal"


@pytest.fixture
async def postgres_url(postgres_server: str) -> AsyncIterator[str]:
    """Make an empty PostgreSQL database in which a deadlock is noticed at once."""
    admin = await asyncpg.connect(postgres_server.format(name="template1"))
    await admin.execute("create database notes template template0")
    await admin.execute("alter database notes set deadlock_timeout = '20ms'")
    yield postgres_server.format(name="notes")
    await admin.execute("drop database notes with (force)")
    await admin.close()


class TestPostgres:
    """Concurrent transactions."""

    async def test_a_deadlock_is_run_again(self, postgres_url: str) -> None:
        """Two transactions lock two rows crosswise: both come through, one of them at its second run."""
        database = await open_database(postgres_url)
        await database.write(lambda tx: tx.execute(sql("create table notes (id integer primary key, text text)")))
        await database.write(adding(1))
        await database.write(adding(2))
        both_hold_one = asyncio.Barrier(2)
        runs = []

        async def change(tx: Transaction, first: int, second: int) -> None:
            runs.append(first)
            await tx.execute(CHANGE, id=first, text=f"by {first}")
            if runs.count(first) == 1:
                await both_hold_one.wait()
            await tx.execute(CHANGE, id=second, text=f"by {first}")

        async with asyncio.timeout(10):
            await asyncio.gather(
                database.write(lambda tx: change(tx, 1, 2)), database.write(lambda tx: change(tx, 2, 1))
            )
        assert len(runs) >= 3
        assert len({row["text"] for row in await rows(database, READ)}) == 1
        await database.close()

    async def test_a_lost_connection_is_unavailable_and_comes_back(self, postgres_url: str) -> None:
        """An error of the network becomes one that a client may repeat; the pool mends itself."""
        database = await open_database(postgres_url)
        kill = sql("select pg_terminate_backend(pg_backend_pid())")
        with pytest.raises(Unavailable):
            await database.write(lambda tx: tx.execute(kill))
        assert await rows(database, "select 1 as one") == [{"one": 1}]
        await database.close()

    async def test_a_hint_crosses_processes(self, postgres_url: str) -> None:
        """Two processes on one database: the second hears what the first accepts."""
        here, there = await open_database(postgres_url), await open_database(postgres_url)
        heard = asyncio.Event()
        await there.listen("bell", heard.set)

        async def listens() -> list[Any]:
            return await rows(here, "select 1 from pg_stat_activity where query ilike 'listen%'")

        await answered(listens, within_s=10, what="that the second process listens")
        await here.notify("bell")
        async with asyncio.timeout(10):
            await heard.wait()
        await here.close()
        await there.close()


class TestSchema:
    """What the migrations build."""

    def test_the_release_names_the_newest_migration(self) -> None:
        """`HEAD` spares the start of the server Alembic's import; it must not drift."""
        config = Config()
        config.set_main_option("script_location", "unitask.db:migrations")
        assert ScriptDirectory.from_config(config).get_heads() == [HEAD]

    async def test_the_migrations_build_the_schema(self, postgres_url: str) -> None:
        """Alembic finds no difference between the migrated database and `schema.py`."""
        await asyncio.to_thread(upgrade, postgres_url)
        engine = create_async_engine(postgres_url.replace("postgresql://", "postgresql+asyncpg://", 1))

        def ours(name: str | None, kind: str, _: Any) -> bool:
            """Leave out the months of tasks."""
            return kind != "table" or not str(name).startswith("tasks_")

        def compare(connection: Connection) -> list[Any]:
            return list(compare_metadata(MigrationContext.configure(connection, opts={"include_name": ours}), metadata))

        async with engine.connect() as connection:
            assert await connection.run_sync(compare) == []
        await engine.dispose()

    async def test_migrating_twice_changes_nothing(self, database_url: str) -> None:
        """`unitask up` migrates at every start."""
        database = await open_database(database_url)
        await database.write(
            lambda tx: tx.execute(sql("insert into leases (name, holder, until) values ('kept', 'x', 1)"))
        )
        await asyncio.to_thread(upgrade, database_url)
        assert await check(database_url) is None
        assert await rows(database, "select name from leases") == [{"name": "kept"}]
        await database.close()

    async def test_a_database_of_another_release_is_refused(self, database_url: str) -> None:
        """The sentence names what was found, what is needed and the way out: the command, or a later release."""
        database = await open_database(database_url)
        await database.write(lambda tx: tx.execute(sql("update alembic_version set version_num = '0000'")))
        assert await check(database_url) == (
            f"the database has schema 0000, this release needs {HEAD}: run `unitask migrate`"
        )
        await database.write(lambda tx: tx.execute(sql("update alembic_version set version_num = '9999'")))
        await database.write(lambda tx: tx.execute(sql("update compatibility set oldest = '9998'")))
        await database.close()
        assert await check(database_url) == (
            f"the database has schema 9999, which this release ({HEAD}) is too old for: install a later one"
        )

    async def test_a_database_of_the_next_release_is_used_if_that_says_so(
        self, database_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """While machines are brought to it one after another, those of this release may start again."""
        database = await open_database(database_url)
        await database.write(lambda tx: tx.execute(sql("update alembic_version set version_num = '9999'")))
        await database.close()
        assert await check(database_url) is None
        assert "the database has schema 9999 of a later release" in caplog.text

    async def test_an_empty_postgres_is_refused_until_migrated(self, postgres_url: str, tmp_path: Path) -> None:
        """The services do not open on it; the command named in the sentence helps."""
        settings = Settings.load(data=tmp_path, database_url=postgres_url)
        with pytest.raises(Unavailable, match="run `unitask migrate`"):
            await Services.open(settings)
        await asyncio.to_thread(upgrade, postgres_url)
        await (await Services.open(settings)).close()

    @pytest.mark.parametrize("there_is_a_file", [True, False])
    def test_serving_without_a_schema_ends_with_one_sentence(self, tmp_path: Path, *, there_is_a_file: bool) -> None:
        """The command line: no traceback, the way out, and no file made by merely looking."""
        path = tmp_path / "unitask.db"
        if there_is_a_file:
            sqlite3.connect(path).close()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("UNITASK_")}
        ended = subprocess.run(
            [sys.executable, "-m", "unitask", "serve", "--port", "0", "--data", str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert ended.returncode == 1
        assert ended.stderr.splitlines()[-1] == (
            f"unitask: the database has schema none, this release needs {HEAD}: run `unitask migrate`"
        )
        assert ended.stdout == ""
        assert path.exists() == there_is_a_file
