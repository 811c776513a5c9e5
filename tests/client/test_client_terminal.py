"""`unitask run` and `watch` on a terminal: the bar, and what Ctrl-C does."""

import re
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.keys import API_KEY
from support.machine import Machine
from support.wait import until
from unitask_sdk import Client

pexpect = pytest.importorskip("pexpect", reason="pexpect is not installed")
LIMIT_S = 20
SLOW = ("run", "tester", "-t", "do", "-i", "do=slow_steps", "-i", "seconds=60", "-i", "steps=600")


@pytest.fixture(scope="module")
def server(serving: Machine) -> Iterator[Client]:
    """Look at the server from another side."""
    with Client(serving.programs[0].address, API_KEY) as client:
        yield client


@pytest.fixture
def terminal(serving: Machine) -> Iterator[Callable[..., Any]]:
    """Run commands in a terminal of their own."""
    opened: list[Any] = []

    def run(*words: str) -> Any:
        environment = serving.environment(ADDRESS=serving.programs[0].address)
        command = ["-m", "unitask", *words]
        child = pexpect.spawn(
            sys.executable, command, env=environment, timeout=LIMIT_S, dimensions=(24, 90), encoding="utf-8"
        )
        opened.append(child)
        return child

    yield run
    for child in opened:
        child.close(force=True)


def ended(child: Any) -> tuple[str, int]:
    """Wait for the end; gives what came since, and the exit status."""
    child.expect(pexpect.EOF)
    child.wait()
    return child.before, child.exitstatus


def test_a_bar_shows_how_far_it_is(terminal: Callable[..., Any]) -> None:
    """It grows on one line, with what is left, and ends full."""
    child = terminal("run", "tester", "-t", "do", "-i", "do=slow_steps", "-i", "seconds=4", "-i", "steps=20")
    child.expect(r"\r\x1b\[K\[#+-+\] +(\d+)%  processing, about \d+ s left")
    first = int(child.match[1])
    child.expect(r"\r\x1b\[K\[#+-+\] +(\d+)%  processing")
    assert 0 < first < int(child.match[1]) < 100
    child.expect(r"\[#{24}\] 100%  completed")
    after, status = ended(child)
    assert status == 0
    assert after.startswith("\r\n")


def test_the_place_in_the_queue_is_shown(terminal: Callable[..., Any], server: Client) -> None:
    """While both slots are taken."""
    busy = [server.create("tester", "do", {"do": "slow_steps", "seconds": 60, "steps": 600}) for _ in range(3)]
    child = terminal("run", "tester", "-t", "do", "-i", "do=ok")
    child.expect(r"\[-{24}\]   0%  waiting, 1 before it")
    for task in busy:
        server.cancel(task)
    child.expect("completed")
    assert ended(child)[1] == 0


@pytest.mark.parametrize(("answer", "end"), [("y", "failed"), ("n", "processing")])
def test_ctrl_c_asks_whether_to_cancel(terminal: Callable[..., Any], server: Client, answer: str, end: str) -> None:
    """Yes takes the order back, no leaves it; both say how it stands."""
    child = terminal(*SLOW)
    child.expect(r"task (\S+)")
    task_id = child.match[1]
    child.expect(r"[1-9]%  processing")
    child.sendintr()
    child.expect(re.escape("Cancel the task? [Y/n]: "))
    child.sendline(answer)
    said = "is being cancelled" if answer == "y" else f"goes on; see it with: unitask watch {task_id}"
    child.expect(re.escape(said))
    after, status = ended(child)
    assert (status, "Traceback" in after) == (130, False)
    if answer == "y":
        assert server.wait(task_id, timeout_s=LIMIT_S).status == end
    else:
        assert server.get(task_id).status == end
        server.cancel(task_id)
        server.wait(task_id, timeout_s=LIMIT_S)


def test_a_second_ctrl_c_leaves_the_task(terminal: Callable[..., Any], server: Client) -> None:
    """Who is in a hurry is not asked twice."""
    child = terminal(*SLOW)
    child.expect(r"task (\S+)")
    task_id = child.match[1]
    child.expect("processing")
    child.sendintr()
    child.expect(re.escape("[Y/n]: "))
    # What comes between the prompt and the reading of the answer is seen by the interpreter with the next key only.
    for _ in range(5):
        child.sendintr()
        if child.expect(["goes on", pexpect.TIMEOUT], timeout=3) == 0:
            break
    else:
        pytest.fail("it still asks")
    assert ended(child)[1] == 130
    server.cancel(task_id)
    server.wait(task_id, timeout_s=LIMIT_S)


def test_to_stop_watching_does_not_stop_the_task(terminal: Callable[..., Any], server: Client) -> None:
    """It may be somebody else's."""
    task = server.create("tester", "do", {"do": "slow_steps", "seconds": 60, "steps": 600})
    child = terminal("watch", task.id)
    child.expect("processing")
    child.sendintr()
    child.expect(f"The task {task.id} goes on")
    assert ended(child)[1] == 130
    assert server.get(task).status == "processing"
    server.cancel(task)
    server.wait(task, timeout_s=LIMIT_S)


def test_without_a_terminal_nobody_is_asked(serving: Machine, server: Client) -> None:
    """A script that is stopped does not go on to cost money; one that only watches stops nothing."""
    address = serving.programs[0].address
    ordering = serving.start(*SLOW, ADDRESS=address)
    ordering.logged("processing")
    found = re.search(r"task (\S+)", ordering.err)
    assert found
    watching = serving.start("watch", found[1], ADDRESS=address)
    watching.logged("processing")
    telling = serving.start("watch", found[1], "--json", ADDRESS=address)
    until(lambda: "processing" in telling.out, within_s=LIMIT_S)
    goes_on = f"The task {found[1]} goes on."
    for program, said in ((watching, goes_on), (telling, goes_on), (ordering, f"{found[1]}: is being cancelled")):
        program.process.send_signal(signal.SIGINT)
        assert program.process.wait(LIMIT_S) == 130
        assert program.err.endswith(f"{said}\n")
    assert server.wait(found[1], timeout_s=LIMIT_S).error.message == "the task was cancelled"
