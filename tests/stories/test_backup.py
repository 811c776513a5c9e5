"""A backup of a running installation, restored into an empty one, also on the other database."""

import asyncio
import gzip
import os
import threading
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import orjson
import pytest
from pydantic import SecretStr

from support.answers import accepted
from support.books import troubles
from support.clock import ManualClock
from support.customer import Customer
from support.keys import WORKER_TOKEN
from support.media import PNG
from support.objects import SECRET, Objects
from support.orders import CAT, cat
from support.providers import providers_file
from support.sql import rows, sql
from support.worker import HandWorker
from unitask import backup as backups
from unitask.api import Application
from unitask.app import Services
from unitask.backup import BackupRefused, Restored, Saved
from unitask.db.migrate import upgrade, versions
from unitask.db.transfer import TransferFailed
from unitask.settings import Settings

_numbers = count()
WORDS = 'a cat\twith "tabs",\nlines, \\N and back\\slashes: ½ 猫 🐈'
DOOR = {"Authorization": f"Bearer {WORKER_TOKEN}"}


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest) -> str:
    """Where files lie."""
    return str(request.param)


@pytest.fixture
def settings(settings: Settings, place: str, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Let the installation be one of each kind, on a machine with its own settings."""
    return placed(settings.model_copy(update={"providers": providers_file(tmp_path, "fal")}), place, request)


def placed(settings: Settings, place: str, request: pytest.FixtureRequest) -> Settings:
    """Put files into the data folder, or into a bucket of their own."""
    if place == "folder":
        return settings
    objects: Objects = request.getfixturevalue("objects")
    bucket = objects.make(f"backup-{next(_numbers)}")
    return settings.model_copy(update={**objects.settings(bucket), "s3_secret_access_key": SecretStr(SECRET)})


@pytest.fixture
async def elsewhere(
    settings: Settings, place: str, request: pytest.FixtureRequest, tmp_path: Path, postgres_server: str
) -> AsyncIterator[Callable[[str], Any]]:
    """Make the settings of an installation that is not there yet, on the database that is asked for."""
    made: list[str] = []
    admin = await asyncpg.connect(postgres_server.format(name="template1"))

    async def make(database: str) -> Settings:
        name, data = f"restored_{next(_numbers)}", tmp_path / f"restored-{next(_numbers)}"
        url = f"sqlite:///{data / 'unitask.db'}"
        if database == "postgres":
            await admin.execute(f"create database {name} template template0")
            made.append(name)
            url = postgres_server.format(name=name)
        return placed(settings.model_copy(update={"data": data, "database_url": url}), place, request)

    yield make
    for name in made:
        await admin.execute(f"drop database {name} with (force)")
    await admin.close()


def client_of(services: Services, customer: Customer) -> httpx.AsyncClient:
    """Speak to an installation as its customer."""
    transport = httpx.ASGITransport(Application(services))
    return httpx.AsyncClient(transport=transport, base_url="http://unitask.test", headers=customer.headers)


async def made(client: httpx.AsyncClient, worker: HandWorker, task_id: str, content: bytes = PNG) -> str:
    """Let a worker send a picture for the task that is next; gives its name."""
    (work,) = await worker.claim()
    assert work.task_id == task_id
    sent = await client.put(f"/worker/v1/tasks/{task_id}/{work.attempt}/files/png", content=content, headers=DOOR)
    assert await worker.complete(work, {"image_url": sent.json()["reference"]})
    return str(sent.json()["reference"]).partition(":")[2]


async def fetched(client: httpx.AsyncClient, url: str) -> bytes:
    """Read a file where its address leads."""
    answer = await client.get(url)
    if answer.status_code == 307:
        async with httpx.AsyncClient(trust_env=False) as plain:
            return (await plain.get(answer.headers["location"])).content
    assert answer.is_success, answer.text
    return answer.content


def silent(_: str) -> None:
    """Say nothing."""


async def save(services: Services, folder: Path, say: Callable[[str], None] = silent) -> Saved:
    """Make a backup of a running installation."""
    return await backups.save(services.settings, folder, services.clock, say)


async def restored(settings: Settings, folder: Path, clock: ManualClock) -> Restored:
    """Restore it."""
    return await backups.restore(settings, folder, clock, silent)


@pytest.mark.parametrize("target", ["sqlite", "postgres"])
async def test_what_is_restored_goes_on_where_it_was(
    services: Services,
    customer: Customer,
    clock: ManualClock,
    elsewhere: Callable[[str], Any],
    *,
    tmp_path: Path,
    target: str,
) -> None:
    """Old tasks and files are answered as before, to the same key; waiting ones run; numbers go on."""
    worker, order = HandWorker(services), cat(input={**CAT["input"], "prompt": WORDS})
    done, _, waiting = [(await customer.order(order, key)).id for key in ("a", "B", "c")]
    async with client_of(services, customer) as client:
        await made(client, worker, done)
        (work,) = await worker.claim()
        assert await worker.fail(work)
        before = accepted(await client.get(f"/api/v1/task/{done}"))
        await services.provider_keys.give(customer.caller.account_id, "fal", "of the customer", actor="a test")
        saved = await save(services, tmp_path / "backup")
        assert (saved.manifest.files, saved.troubles) == (1, [])
    newest = (await rows(services.database, "select max(id) as id from ledger"))[0]["id"]

    there = await elsewhere(target)
    result = await restored(there, tmp_path / "backup", clock)
    assert (result.troubles, result.stored, result.references.present) == ([], 1, 1)
    opened = await Services.open(there, clock)
    worker = HandWorker(opened, "worker-of-the-restored")
    async with client_of(opened, customer) as client:
        assert accepted(await client.get(f"/api/v1/task/{done}")) == before
        assert before["input"]["prompt"] == WORDS
        assert await fetched(client, before["output"]["image_url"]) == PNG
        await made(client, worker, waiting)
        new = accepted(await client.post("/api/v1/task", json=order))["task_id"]
        await made(client, worker, new)
        other = await Customer.of(opened, "another")
    assert other.caller.account_id > customer.caller.account_id
    assert await opened.credentials.find(customer.caller.account_id, "fal") == "of the customer"
    assert min(row["id"] for row in await rows(opened.database, f"select id from ledger where id > {newest}")) > newest
    assert await troubles(opened.database) == []
    await opened.close()


async def test_a_backup_under_orders_has_right_books(
    services: Services, customer: Customer, clock: ManualClock, elsewhere: Callable[[str], Any], tmp_path: Path
) -> None:
    """Orders come in, end and are paid while it is made; the copy is one moment of all that."""
    ordered = await customer.orders(3)

    async def trade() -> None:
        replica = await Services.open(services.settings, clock)
        ordered.append((await Customer(replica, customer.caller, customer.headers).order()).id)
        (work,) = await HandWorker(replica).claim()
        assert await HandWorker(replica).complete(work)
        await replica.close()

    def meanwhile(_: str) -> None:
        other = threading.Thread(target=lambda: asyncio.run(trade()))
        other.start()
        other.join()

    await save(services, tmp_path / "backup", meanwhile)
    assert len(ordered) > 10, "one after each table"
    there = await elsewhere("sqlite")
    result = await restored(there, tmp_path / "backup", clock)
    assert result.troubles == []
    opened = await Services.open(there, clock)
    assert await troubles(opened.database) == []
    (found,) = await rows(opened.database, "select count(*) as number from tasks")
    assert found["number"] == 3, "the moment was held before the first table"
    await opened.close()


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    """Keep the first half of a file."""
    os.truncate(path, path.stat().st_size // 2)


def forge(path: Path) -> None:
    """Change a word in a compressed file, as if it had been written so."""
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"completed", b"cancelled")))


def change_number(path: Path) -> None:
    """Let the manifest promise fewer files, and be JSON all the same."""
    document = orjson.loads(path.read_bytes())
    document["backup"]["files"] = 0
    path.write_bytes(orjson.dumps(document))


def the_file(folder: Path, pattern: str) -> Path:
    """Find the one file of this pattern."""
    (found,) = folder.glob(pattern)
    return found


@pytest.fixture
async def backup(services: Services, customer: Customer, tmp_path: Path) -> Path:
    """Make a backup with one completed task and its file."""
    (task_id,) = await customer.orders(1)
    async with client_of(services, customer) as client:
        await made(client, HandWorker(services), task_id)
    await save(services, tmp_path / "backup")
    return tmp_path / "backup"


@pytest.mark.parametrize("place", ["folder"], indirect=True)
@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("pattern", "damage"),
    [
        ("tables/tasks.rows.gz", flip),
        ("tables/tasks.rows.gz", cut),
        ("tables/tasks.rows.gz", forge),
        ("tables/ledger.rows.gz", Path.unlink),
        ("files/**/*.png", flip),
        ("files/**/*.png", cut),
        ("files/**/*.png", Path.unlink),
        ("files.jsonl.gz", flip),
        ("files.jsonl.gz", Path.unlink),
        ("manifest.json", flip),
        ("manifest.json", cut),
        ("manifest.json", change_number),
        ("manifest.json", Path.unlink),
    ],
)
async def test_a_damaged_backup_is_refused_by_the_name_of_the_file(
    backup: Path, elsewhere: Callable[[str], Any], clock: ManualClock, pattern: str, damage: Callable[[Path], Any]
) -> None:
    """Before anything is written anywhere."""
    backups.check_whole(backup)
    damaged = the_file(backup, pattern)
    damage(damaged)
    there = await elsewhere("sqlite")
    with pytest.raises(BackupRefused) as refused:
        await restored(there, backup, clock)
    assert damaged.name in str(refused.value)
    assert not there.data.exists(), "nothing was written"


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_a_database_that_holds_anything_is_left_alone(
    backup: Path, services: Services, clock: ManualClock
) -> None:
    """Not a row is added to it or taken from it."""
    before = await rows(services.database, "select * from tasks")
    with pytest.raises(TransferFailed, match="not empty: the table"):
        await restored(services.settings, backup, clock)
    assert await rows(services.database, "select * from tasks") == before


@pytest.mark.parametrize("place", ["folder"], indirect=True)
@pytest.mark.parametrize("target", ["sqlite", "postgres"])
@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_rows_that_do_not_fit_leave_an_empty_database(
    services: Services,
    customer: Customer,
    clock: ManualClock,
    elsewhere: Callable[[str], Any],
    *,
    tmp_path: Path,
    target: str,
) -> None:
    """All rows come in one transaction; the same command may be given again."""
    await customer.orders(2)
    await services.database.write(lambda tx: tx.execute(sql("insert into turns values ('an engine', 'many')")))
    await save(services, tmp_path / "backup")
    there = await elsewhere(target)
    with pytest.raises(TransferFailed, match=r"the rows of turns: .*no row was restored"):
        await restored(there, tmp_path / "backup", clock)
    opened = await Services.open(there, clock)
    assert await rows(opened.database, "select * from tasks") == []
    plans = "select name from plans order by name"
    assert await rows(opened.database, plans) == await rows(services.database, plans)
    await opened.close()


@pytest.mark.parametrize("place", ["folder"], indirect=True)
@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_files_that_are_there_stay_and_others_are_mended(
    backup: Path, services: Services, elsewhere: Callable[[str], Any], clock: ManualClock
) -> None:
    """A store that outlived its database is not written anew; what is not equal there is."""
    there = await elsewhere("sqlite")
    file = the_file(backup, "files/**/*.png")
    kept = there.data / "files" / file.relative_to(backup / "files")
    kept.parent.mkdir(parents=True)
    kept.write_bytes(file.read_bytes())
    os.utime(kept, (1, 1))
    result = await restored(there, backup, clock)
    assert (result.stored, result.found, kept.stat().st_mtime) == (0, 1, 1)
    other = (await elsewhere("sqlite")).model_copy(update={"data": there.data, "secret": services.settings.secret})
    flip(kept)
    result = await restored(other, backup, clock)
    assert (result.stored, result.found, kept.read_bytes()) == (1, 0, PNG)


@pytest.mark.parametrize("place", ["folder"], indirect=True)
async def test_files_that_expire_meanwhile_are_no_trouble(
    services: Services, customer: Customer, clock: ManualClock, elsewhere: Callable[[str], Any], tmp_path: Path
) -> None:
    """They are gone from the copy too, for whoever asks for them and for the check of completed tasks."""
    (task_id,) = await customer.orders(1)
    async with client_of(services, customer) as client:
        name = await made(client, HandWorker(services), task_id)

    def pass_time(said: str) -> None:
        if said.startswith("table credit_packs"):
            clock.pass_s(30 * 24 * 3600)
            (services.settings.data / "files" / name).unlink()

    saved = await save(services, tmp_path / "backup", pass_time)
    assert (saved.manifest.files, saved.manifest.expired, saved.troubles) == (0, 1, [])
    there = await elsewhere("sqlite")
    clock.pass_s(-30 * 24 * 3600)
    result = await restored(there, tmp_path / "backup", clock)
    assert (result.troubles, result.references.expired) == ([], 1)
    opened = await Services.open(there, clock)
    async with client_of(opened, customer) as client:
        assert (await client.get(f"/files/{name}")).status_code == 404
    await opened.close()


@pytest.mark.parametrize("place", ["folder"], indirect=True)
@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_files_that_were_lost_or_changed_before_are_told(
    services: Services, customer: Customer, tmp_path: Path
) -> None:
    """Nobody should learn of it from the restored copy."""
    lost, changed = await customer.orders(2)
    async with client_of(services, customer) as client:
        names = [await made(client, HandWorker(services), task_id) for task_id in (lost, changed)]
    (services.settings.data / "files" / names[0]).unlink()
    flip(services.settings.data / "files" / names[1])
    saved = await save(services, tmp_path / "backup")
    assert (saved.manifest.files, saved.manifest.lost) == (1, 1)
    assert [trouble.partition(" is ")[0] for trouble in sorted(saved.troubles)] == sorted(names)


@pytest.mark.parametrize("place", ["folder"], indirect=True)
@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_the_secret_must_be_the_one_of_the_backup(
    backup: Path, elsewhere: Callable[[str], Any], clock: ManualClock
) -> None:
    """With another no key in the copy would open anything; so nothing is restored."""
    there = await elsewhere("sqlite")
    other = there.model_copy(update={"secret": SecretStr("another-secret-entirely")})
    with pytest.raises(BackupRefused, match="is not the secret"):
        await restored(other, backup, clock)
    with pytest.raises(BackupRefused, match="set UNITASK_SECRET"):
        await restored(there.model_copy(update={"secret": None}), backup, clock)
    assert not there.data.exists()


@pytest.mark.parametrize("place", ["folder"], indirect=True)
@pytest.mark.parametrize("target", ["sqlite", "postgres"])
async def test_a_backup_of_an_older_release_is_brought_up_to_date(
    database_source: str, elsewhere: Callable[[str], Any], clock: ManualClock, *, tmp_path: Path, target: str
) -> None:
    """Its rows go into the schema that they were written in, and that is migrated then."""
    old = await elsewhere("sqlite" if "sqlite" in database_source else "postgres")
    await asyncio.to_thread(upgrade, old.database, "0001")
    await backups.save(old, tmp_path / "old", clock, silent)
    there = await elsewhere(target)
    result = await restored(there, tmp_path / "old", clock)
    assert (result.manifest.db_schema, result.troubles) == ("0001", [])
    await (await Services.open(there, clock)).close()
    upgraded, _ = await versions(there.database)
    assert upgraded != "0001"
