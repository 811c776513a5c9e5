"""A customer and two workers on either database; and machines on which the real commands run."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from support.books import troubles
from support.customer import Customer
from support.keys import API_KEY
from support.machine import Api, Machine
from support.piapi import Cli
from support.previous import previous_release
from support.worker import HandWorker
from unitask.app import Services


@pytest.fixture
async def customer(services: Services) -> AsyncIterator[Customer]:
    """Someone with points enough and no limit of tasks; after the story the books must be right."""
    yield await Customer.of(services)
    assert await troubles(services.database) == []


@pytest.fixture
async def limited(services: Services) -> AsyncIterator[Customer]:
    """Someone who may run two tasks at a time; after the story the books must be right."""
    yield await Customer.of(services, "limited", task_limit=2)
    assert await troubles(services.database) == []


@pytest.fixture
def worker(services: Services) -> HandWorker:
    """Give the worker of most stories."""
    return HandWorker(services)


@pytest.fixture
def other(services: Services) -> HandWorker:
    """Give another worker, which takes over."""
    return HandWorker(services, "worker-2")


@pytest.fixture
def machine(tmp_path: Path, sqlite_template: Path) -> Iterator[Machine]:
    """Make a machine with nothing running."""
    made = Machine(tmp_path, sqlite_template, {"API_KEY": API_KEY, "PORT": "0"})
    yield made
    made.clear_away()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Machine]:
    """Make a machine with a running `up` that has two slots, for all tests of a module that leave it as it is."""
    settings = {"API_KEY": API_KEY, "PORT": "0", "SLOTS": "2"}
    made = Machine(tmp_path_factory.mktemp("shared"), sqlite_template, settings)
    program = made.start("up")
    yield made
    made.clear_away()
    assert "Traceback" not in program.err, "what clients and engines do wrong is a sentence in the log"


@pytest.fixture(scope="module")
def api(shared: Machine) -> Api:
    """Open a client of the shared server."""
    return shared.client(shared.programs[0])


@pytest.fixture(scope="module")
def cli(api: Api) -> Cli:
    """Set up the command `piapi-cli` for the shared server."""
    return Cli.of(api)


@pytest.fixture(params=["sqlite_template", "postgres_server"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give an empty database of either kind, without a schema."""
    source = str(request.getfixturevalue(request.param))
    if request.param == "sqlite_template":
        yield f"sqlite:///{tmp_path}/shared.db"
        return

    async def execute(statement: str) -> None:
        admin = await asyncpg.connect(source.format(name="template1"))
        await admin.execute(statement)
        await admin.close()

    asyncio.run(execute("create database empty template template0"))
    yield source.format(name="empty")
    asyncio.run(execute("drop database empty with (force)"))


@pytest.fixture(scope="session")
def previous(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Unpack the release before this one; gives the folders from which Python imports it."""
    return previous_release(tmp_path_factory.mktemp("previous") / "release")


@pytest.fixture
def releases(
    tmp_path: Path, sqlite_template: Path, empty_url: str, previous: list[Path]
) -> Iterator[tuple[Machine, Machine]]:
    """Have a machine of the release before this one and one of this one, on one database and the same files."""
    settings = {"API_KEY": API_KEY, "PORT": "0", "SECRET": "a-secret-that-both-releases-share", "ENGINES": "tester"}
    settings |= {"DATABASE_URL": empty_url, "DATA": str(tmp_path / "data"), "LEASE_S": "3"}
    (tmp_path / "data").mkdir()
    machines = []
    for name in ("old", "new"):
        (tmp_path / name / "data").mkdir(parents=True)
        machines.append(Machine(tmp_path / name, sqlite_template, dict(settings)))
    old, new = machines
    old.found_by = {"PYTHONPATH": os.pathsep.join([*map(str, previous), old.found_by["PYTHONPATH"]])}
    yield old, new
    for machine in machines:
        machine.clear_away()
