"""How `unitask up` begins and ends, also against its will."""

import asyncio
import itertools
import os
import signal
import socket
from collections.abc import Iterator

import asyncpg
import pytest
from pydantic import SecretStr

from support.clock import ManualClock
from support.keys import API_KEY
from support.machine import END_S, Machine, gone
from support.wait import until
from unitask.accounts import repository
from unitask.app import Services
from unitask.settings import Settings

_numbers = itertools.count()


def test_the_first_key_is_printed_once_and_works(machine: Machine) -> None:
    """At the first start only; the key, the tasks and the files are there after the next."""
    del machine.settings["API_KEY"]
    first = machine.start("up")
    key = first.first_key
    assert key
    assert key not in first.err
    api = machine.client(first, key)
    task_id = api.order("save_file")
    made = api.ended(task_id)["output"]["image_url"].partition("/files/")[2]
    first.end()
    second = machine.start("up")
    assert second.first_key is None
    api = machine.client(second, key)
    assert api.task(task_id)["status"] == "completed"
    assert api.http.get(f"/files/{made}").status_code == 200


@pytest.mark.parametrize("preset", [None, SecretStr(API_KEY)], ids=["made", "preset"])
async def test_servers_that_start_together_make_one_key(
    settings: Settings, clock: ManualClock, *, preset: SecretStr | None
) -> None:
    """On an empty database; whichever is first."""
    servers = [await Services.open(settings.model_copy(update={"api_key": preset}), clock) for _ in range(4)]
    made = await asyncio.gather(*[one.first_key() for one in servers])
    assert len([key for key in made if key]) == 1
    (key,) = await repository.list_keys(servers[0].database, after=0, most=10)
    assert key.account_id
    for one in servers:
        await one.close()


def test_a_preset_key_works_and_is_never_printed(machine: Machine) -> None:
    """Who sets the key knows it, and what a server prints ends up in logs."""
    program = machine.start("up", API_KEY="a-key-that-was-preset")
    assert program.first_key is None
    assert "a-key-that-was-preset" not in program.out + program.err
    assert machine.client(program, "a-key-that-was-preset").http.get("/api/v1/task/none").status_code == 404
    assert machine.client(program, "another-key-entirely").http.get("/api/v1/task/none").status_code == 401


def test_an_end_loses_nothing(machine: Machine) -> None:
    """No process is left, nothing is said but sentences, and what ran is done after the next start."""
    program = machine.start("up")
    api = machine.client(program)
    task_id = api.order("slow_steps", steps=20)
    api.reaches(task_id, "processing", within_s=10)
    assert program.end() < END_S
    assert program.process.returncode == 0
    assert "Traceback" not in program.err
    api = machine.client(machine.start("up"))
    assert api.said(task_id)
    assert api.task(task_id)["logs"] == ["attempt 1: the worker was stopped"]


def test_ctrl_c_in_a_terminal_ends_everything(machine: Machine) -> None:
    """A terminal sends the signal to all that it sees; no process is left, and no noise."""
    program = machine.start("up")
    api = machine.client(program)
    api.reaches(api.order("slow_steps", seconds=60, steps=600), "processing", within_s=10)
    family = program.family()
    os.killpg(program.process.pid, signal.SIGINT)
    assert program.process.wait(END_S) == 0
    gone(family, within_s=2)
    assert "Traceback" not in program.err
    assert "starting another" not in program.err


def test_an_end_by_force_takes_everything_along(machine: Machine) -> None:
    """A server that is killed leaves no worker and no engine behind, however busy."""
    program = machine.start("up")
    api = machine.client(program)
    task_id = api.order("hang")
    until(lambda: api.task(task_id)["meta"]["progress"], within_s=10, what="progress")
    program.end(signal.SIGKILL)


def test_a_worker_that_dies_is_replaced(machine: Machine) -> None:
    """Its engines die with it, and its task is run again after its lease, to the end."""
    program = machine.start("up", LEASE_S="3")
    api = machine.client(program)
    task_id = api.order("slow_steps", steps=20)
    api.reaches(task_id, "processing", within_s=10)
    worker = program.worker()
    family = program.family()
    os.kill(worker, signal.SIGKILL)
    gone(family, within_s=2)
    program.logged("the worker ended with status -9; starting another")
    assert api.said(task_id)
    assert api.task(task_id)["logs"] == ["attempt 1: the worker stopped answering"]
    assert program.worker() != worker


@pytest.fixture
def postgres_url(postgres_server: str) -> str:
    """Make an empty database, without a schema."""
    name = f"story_{next(_numbers)}"

    async def create() -> None:
        admin = await asyncpg.connect(postgres_server.format(name="template1"))
        await admin.execute(f"create database {name}")
        await admin.close()

    asyncio.run(create())
    return postgres_server.format(name=name)


def test_it_runs_on_postgresql_too(machine: Machine, postgres_url: str) -> None:
    """The schema is made at the start and a task runs to its end, without a file of SQLite."""
    program = machine.start("up", DATABASE_URL=postgres_url)
    api = machine.client(program)
    task_id = api.order("save_file")
    assert api.said(task_id)
    program.end()
    assert not (machine.folder / "data" / "unitask.db").exists()


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("PORT", "70000", "UNITASK_PORT is wrong: "),
        ("ENGINES", "tester,diffuser", "UNITASK_ENGINES is wrong: no engine 'diffuser' is installed"),
        ("DATABASE_URL", "postgresql://unitask:hush-hush@127.0.0.1:1/unitask", "the database cannot be reached"),
        ("DATA", "/proc/nowhere", "the database /proc/nowhere/unitask.db cannot be opened: "),
        ("HOST", "nowhere.invalid", "cannot listen on nowhere.invalid:"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_a_sentence(
    machine: Machine, setting: str, value: str, sentence: str
) -> None:
    """One line that names the setting or what it leads to, no traceback, and no secret."""
    ended = machine.run("up", **{setting: value})
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"unitask: {sentence}"), ended.stderr
    assert ended.stderr.count("\n") == 1
    assert "hush-hush" not in ended.stderr
    assert ended.stdout == ""


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Listen on a port, as another program would."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_port_in_use_stops_the_start_with_a_sentence(machine: Machine, taken_port: int) -> None:
    """It says which, and how to choose another."""
    ended = machine.run("up", "--port", str(taken_port))
    assert ended.returncode == 1
    assert ended.stderr == (
        f"unitask: cannot listen on 127.0.0.1:{taken_port}: Address already in use; choose another with --port\n"
    )


def test_a_worker_that_cannot_start_is_not_started_all_the_time(machine: Machine) -> None:
    """The pauses grow, so that the log stays readable; the API answers all the same."""
    program = machine.start("up", ENGINES="needy")
    program.logged("unitask: no engine can run here; `unitask doctor` says what is missing")
    program.logged("starting another in 2 s")
    assert machine.client(program).try_order("ok").status_code == 503
