"""`unitask serve` and `unitask worker` apart, as on two machines: nothing but HTTP and a token between them."""

import signal

import pytest

from support.machine import WORKER_TOKEN, Machine, free_port, gone
from support.wait import until


def test_a_worker_elsewhere_makes_what_the_api_takes(machine: Machine) -> None:
    """With the address and the token; it needs no database and no key."""
    _, api = machine.serve()
    worker = machine.work(DATA="/proc/nowhere", DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert api.said(api.order("save_file", size_bytes=100_000))
    worker.end()
    assert worker.process.returncode == 0


def test_an_api_without_a_token_says_that_no_worker_can_take_part(machine: Machine) -> None:
    """It starts all the same: the token may be missing by mistake."""
    machine.prepare()
    server = machine.start("serve")
    assert machine.client(server).http.get("/readyz").status_code == 200
    assert server.err.startswith("UNITASK_WORKER_TOKEN is not set: no worker can take part")


def test_a_wrong_token_ends_the_worker_with_a_sentence(machine: Machine) -> None:
    """It does not ask again and again."""
    machine.serve()
    worker = machine.work(WORKER_TOKEN="not-the-token-of-the-api")
    worker.process.wait(10)
    assert worker.process.returncode == 1
    assert worker.err == (
        "unitask: the API answered 401: the worker token is missing or wrong; set UNITASK_WORKER_TOKEN to the API's\n"
    )


def test_a_token_that_changes_ends_the_worker_with_a_sentence(machine: Machine) -> None:
    """Also in the middle of its work, and with it the engines that it runs."""
    server, api = machine.serve()
    worker = machine.work()
    api.reaches(api.order("hang"), "processing", within_s=10)
    family = worker.family()
    server.end()
    machine.serve(WORKER_TOKEN="another-token-since-the-restart")
    worker.process.wait(10)
    gone(family, within_s=2)
    assert worker.process.returncode == 1
    assert "unitask: the API answered 401: the worker token is missing or wrong" in worker.err
    assert "Traceback" not in worker.err


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "UNITASK_API_URL is not set: where is the API? For example http://127.0.0.1:8000"),
        ({"API_URL": "http://127.0.0.1:9"}, "UNITASK_WORKER_TOKEN is not set: it must be the one that the API has"),
        ({"API_URL": "127.0.0.1:9"}, "UNITASK_API_URL is wrong: must be an address that begins with http"),
        (
            {"API_URL": "http://127.0.0.1:9", "WORKER_TOKEN": WORKER_TOKEN, "ENGINES": "needy"},
            "no engine can run here; `unitask doctor` says what is missing",
        ),
        (
            {"API_URL": "http://127.0.0.1:9", "WORKER_TOKEN": WORKER_TOKEN, "ENGINES": "testr"},
            "UNITASK_ENGINES is wrong: no engine 'testr' is installed; there are: ",
        ),
    ],
)
def test_a_worker_that_cannot_work_says_why(machine: Machine, settings: dict[str, str], sentence: str) -> None:
    """One sentence that names the setting."""
    ended = machine.run("worker", **settings)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"unitask: {sentence}"), ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_worker_waits_for_its_api(machine: Machine) -> None:
    """The two may be started in any order."""
    machine.settings["PORT"] = str(free_port())
    worker = machine.work()
    worker.logged("waiting for the API")
    _, api = machine.serve()
    assert api.said(api.order("ok"))


def test_a_running_task_survives_a_restart_of_the_api(machine: Machine) -> None:
    """What runs goes on; its file and its result are handed in when the API is back."""
    server, api = machine.serve()
    worker = machine.work()
    task_id = api.order("slow_save", seconds=2)
    api.reaches(task_id, "processing", within_s=10)
    server.end()
    worker.logged("cannot upload yet")
    _, api = machine.serve()
    assert api.said(task_id)
    assert api.task(task_id)["logs"] == []


def test_a_claim_whose_answer_was_lost_is_given_back(machine: Machine) -> None:
    """A task that was given to a worker that never heard of it does not wait for its deadline."""
    server, api = machine.serve(FAULT="claim.after_commit")
    task_id = api.order("ok")
    machine.work()
    assert server.process.wait(10) == -signal.SIGKILL
    _, api = machine.serve()
    assert api.said(task_id, within_s=10)


def test_a_result_that_the_api_refuses_fails_the_task_at_once(machine: Machine) -> None:
    """It does not count as running until its deadline, and the worker goes on."""
    _, api = machine.serve(BODY_LIMIT_BYTES=str(2**20))
    machine.work()
    task = api.ended(api.order("big_result", size_bytes=2 * 2**20), within_s=10)
    assert task["error"]["message"] == "the result could not be reported"
    assert "the API answered 413" in task["error"]["raw_message"]
    assert api.said(api.order("ok"))


def test_a_worker_that_is_stopped_finishes_what_it_can_in_time(machine: Machine) -> None:
    """It makes its task to the end and is gone then; another that is free has nothing to do."""
    _, api = machine.serve()
    worker = machine.work()
    task_id = api.order("slow_steps", seconds=1, steps=10)
    api.reaches(task_id, "processing", within_s=10)
    other = machine.work()
    worker.end()
    assert api.said(task_id, within_s=6)
    assert "done" in worker.err
    assert task_id not in other.err


def test_a_worker_that_is_stopped_gives_its_task_back(machine: Machine) -> None:
    """Another worker begins with it at once, and the stopped one leaves nothing behind."""
    _, api = machine.serve()
    worker = machine.work(DRAIN_S="0")
    task_id = api.order("slow_steps", seconds=2, steps=20)
    api.reaches(task_id, "processing", within_s=10)
    other = machine.work()
    worker.end()
    assert api.said(task_id, within_s=14)
    assert task_id in other.err
    assert api.task(task_id)["logs"] == ["attempt 1: the worker was stopped"]


def test_engines_die_with_their_worker(machine: Machine) -> None:
    """A worker that is killed leaves none behind, not even one that cannot hear of it; another takes the task."""
    _, api = machine.serve(LEASE_S="2")
    worker = machine.work()
    task_id = api.order("hang_in_c")
    until(lambda: api.task(task_id)["meta"]["progress"], within_s=10, what="progress")
    worker.end(signal.SIGKILL)
    machine.work()
    task = until(lambda: (task := api.task(task_id))["logs"] and task, within_s=10, what="the second attempt")
    assert task["logs"] == ["attempt 1: the worker stopped answering"]
