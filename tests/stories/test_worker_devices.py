"""A worker with devices, as a person runs it: the settings, and tasks from order to result."""

import httpx
import pytest

from support.keys import ADMIN_KEY
from support.machine import WORKER_TOKEN, Machine
from support.plugin import install_plugin

ELSEWHERE = {"API_URL": "http://127.0.0.1:9", "WORKER_TOKEN": WORKER_TOKEN}

OURS = "keeper,tester"
"""Not those of real models, which have devices of their own where they are installed."""


@pytest.fixture(autouse=True)
def keeper(machine: Machine) -> None:
    """Install the engine `keeper` too, which runs on fake:0 and fake:1."""
    machine.found_by = install_plugin(machine.folder / "kept", keeper=True)


def test_tasks_that_wait_go_together_on_a_device(machine: Machine) -> None:
    """Ordered one by one over HTTP; one device is in use, and nothing of the worker is left at its end."""
    _, api = machine.serve()
    orders = [api.order("ok", task_type="kept", together="a") for _ in range(3)]
    worker = machine.work(DEVICES="fake:1", BATCH="4", ENGINES=OURS)
    said = [api.said(task_id) for task_id in orders]
    assert [one["together"] for one in said] == [orders] * 3
    assert {one["device"] for one in said} == {"fake:1"}
    assert api.said(api.order("ok"))["device"] == ""
    worker.end()


def test_one_task_after_another_where_the_operator_wants_it(machine: Machine) -> None:
    """A device is given no more tasks than UNITASK_BATCH."""
    _, api = machine.serve()
    orders = [api.order("ok", task_type="kept", together="a") for _ in range(3)]
    machine.work(DEVICES="fake:0", ENGINES=OURS)
    assert [api.said(task_id)["together"] for task_id in orders] == [[task_id] for task_id in orders]


def test_operators_see_the_devices_of_a_worker_and_where_time_went(machine: Machine) -> None:
    """Only those that are in use; of a task that saved a file, the parts of its time are all measured."""
    program, api = machine.serve(ADMIN_KEY=ADMIN_KEY)
    machine.work(DEVICES="fake:1", ENGINES=OURS)
    assert api.said(api.order("save_file", task_type="kept"))
    admin = {"X-API-Key": ADMIN_KEY}
    (worker,) = httpx.get(f"{program.address}/api/v1/admin/workers", headers=admin).json()["data"]
    assert (worker["alive"], worker["engines"], worker["devices"]) == (True, ["keeper", "tester"], ["fake:1"])
    (pace,) = httpx.get(f"{program.address}/api/v1/admin/queue", headers=admin).json()["data"]["timings"]
    assert min(pace[part] for part in ("queue_s", "load_s", "run_s")) >= 0
    assert pace["upload_s"] > 0


def test_a_killed_device_process_costs_one_attempt(machine: Machine) -> None:
    """The task that ran in it runs again; the one that waited behind it has never been begun twice."""
    _, api = machine.serve()
    marker = machine.folder / "crashed"
    runs = api.order("crash_once", task_type="kept", marker=str(marker))
    waits = api.order("ok", task_type="kept")
    machine.work(DEVICES="fake:0", ENGINES=OURS)
    assert api.said(runs)["crashed"]
    assert api.said(waits)
    assert api.task(runs)["logs"] == ["attempt 1: engine keeper: signal 6"]
    assert api.task(waits)["logs"] == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"DEVICES": "cuda:7", "ENGINES": OURS}, "no engine runs on 'cuda:7'; there are: fake:0, fake:1"),
        ({"DEVICES": "", "ENGINES": OURS}, "it leaves the engine keeper no device; there are: fake:0, fake:1"),
        ({"DEVICES": "fake:0", "ENGINES": "tester"}, "no engine runs on 'fake:0'; there are: none"),
    ],
)
def test_a_device_that_is_not_there_is_refused(machine: Machine, settings: dict[str, str], sentence: str) -> None:
    """A typing error would silently leave a card idle."""
    ended = machine.run("worker", **ELSEWHERE, **settings)
    assert ended.returncode == 1
    assert ended.stderr == f"unitask: UNITASK_DEVICES is wrong: {sentence}\n"
