"""Servers of both kinds of database, with the real commands; clients of both kinds before them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from support.clients import KINDS, opened
from support.hosted import API_KEY as HOSTED_KEY
from support.hosted import Hosted, hosting
from support.keys import API_KEY
from support.machine import Machine
from unitask.emulator.run import Emulator, emulator


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Give the kind of client."""
    return str(request.param)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def serving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path
) -> Iterator[Machine]:
    """Start `up` on one of the databases, for all tests of a module that leave it as it is."""
    settings = {"API_KEY": API_KEY, "PORT": "0", "SLOTS": "2", "ALLOW_PRIVATE_NETWORKS": "1"}
    if request.param == "postgres":
        base = request.getfixturevalue("postgres_server")
        asyncio.run(_new_database(base, "of_clients"))
        settings["DATABASE_URL"] = base.format(name="of_clients")
    machine = Machine(tmp_path_factory.mktemp("serving"), sqlite_template, settings)
    program = machine.start("up")
    assert program.address
    yield machine
    machine.clear_away()
    assert "Traceback" not in program.err
    if request.param == "postgres":
        asyncio.run(_drop(base, "of_clients"))


async def _new_database(base: str, name: str) -> None:
    admin = await asyncpg.connect(base.format(name="template1"))
    await admin.execute(f"create database {name} template postgres")
    await admin.close()


async def _drop(base: str, name: str) -> None:
    admin = await asyncpg.connect(base.format(name="template1"))
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture
def client(serving: Machine, kind: str) -> Iterator[Any]:
    """Open a client of that server."""
    with opened(kind, serving.programs[0].address, API_KEY) as one:
        yield one


@pytest.fixture
def hosted() -> Iterator[Hosted]:
    """Run a service that knows the two calls alone."""
    with hosting() as running:
        yield running


@pytest.fixture
def stranger(hosted: Hosted, kind: str) -> Iterator[Any]:
    """Open a client of that service."""
    with opened(kind, hosted.address, HOSTED_KEY) as one:
        yield one


@pytest.fixture
def machine(tmp_path: Path, sqlite_template: Path) -> Iterator[Machine]:
    """Make a machine with nothing running."""
    made = Machine(tmp_path, sqlite_template)
    yield made
    made.clear_away()


@pytest.fixture(scope="module")
def emulated() -> Iterator[Emulator]:
    """Run a server that answers every product at once, as its scripts say."""
    with emulator() as running:
        yield running
