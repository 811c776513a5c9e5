"""The SDK against a real server with a real worker, on both databases, with both clients."""

import json
from pathlib import Path
from typing import Any

import pytest

from support.clients import opened
from support.door import door_before
from support.keys import API_KEY
from support.machine import Machine
from support.sink import receiving
from support.tester import PNG_HEAD, PRICE_POINTS
from support.wait import until
from unitask_sdk import (
    Client,
    Conflict,
    Event,
    InvalidRequest,
    NotFinished,
    NotFound,
    TaskFailed,
    TooLarge,
    Unauthorized,
    verify,
)
from unitask_sdk.files import INLINE_BYTES


def test_a_task_is_run_and_its_file_saved(client: Any, tmp_path: Path) -> None:
    """Create, wait, read; with what it cost and who made it."""
    task = client.run("tester", "do", {"do": "save_file", "size_bytes": 5000})
    assert (task.status, task.engine, task.engine_level) == ("completed", "tester", "basic")
    assert (task.usage.charged, task.usage.held, task.error) == (PRICE_POINTS, 0, None)
    (file,) = task.files
    assert file.field == "image_url"
    path = client.download(file.url, tmp_path / "result.png")
    assert path.read_bytes().startswith(PNG_HEAD)
    assert path.stat().st_size == 5000
    assert [one.name for one in tmp_path.iterdir()] == ["result.png"]
    with pytest.raises(TooLarge, match="larger than 4999 bytes"):
        client.download(file.url, tmp_path / "cut-off.png", limit_bytes=4999)
    assert [one.name for one in tmp_path.iterdir()] == ["result.png"], "it is there whole or not at all"
    content, kind = client.read(file.url, limit_bytes=5000)
    assert (content, kind) == (path.read_bytes(), "image/png")


def test_progress_is_told_while_it_runs(client: Any) -> None:
    """Each change once, in order, with a guess of what is left; the last one is the end."""
    seen: list[Event] = []
    client.run("tester", "do", {"do": "slow_steps", "seconds": 4, "steps": 20}, progress=seen.append)
    shares = [event.progress for event in seen if event.status == "processing" and event.progress]
    assert shares == sorted(set(shares))
    assert len(shares) >= 2
    assert any(event.eta_s for event in seen)
    assert [event.status for event in seen].count("completed") == 1
    assert seen[-1].task is not None
    assert [event.task for event in seen[:-1]] == [None] * (len(seen) - 1)


def test_events_can_be_iterated(client: Any) -> None:
    """From acceptance to the end, also of a task that has ended."""
    task = client.create("tester", "do", {"do": "ok"})
    events = list(client.events(task))
    assert events[0].status == "accepted"
    assert events[-1].task.completed
    assert [event.status for event in client.events(task.id)][-1] == "completed"


def test_a_failed_task_raises_from_run_and_comes_back_from_wait(client: Any) -> None:
    """With the engine's sentence, and for nothing."""
    with pytest.raises(TaskFailed, match="the model is away") as failed:
        client.run("tester", "do", {"do": "fail"})
    task = client.wait(failed.value.task.id)
    assert (task.status, task.error.detail, task.usage.charged) == ("failed", "it answered 503", 0)
    assert task.warnings == ("something was odd",)


def test_waiting_ends_at_the_deadline_and_the_task_goes_on(client: Any, serving: Machine) -> None:
    """The error has the task; a task that was cancelled is failed."""
    marker = serving.folder / "never"
    task = client.create("tester", "do", {"do": "wait_for_file", "marker": str(marker)})
    with pytest.raises(NotFinished, match="it goes on") as late:
        client.wait(task, timeout_s=0.3)
    assert late.value.task.id == task.id
    assert not late.value.task.finished
    client.cancel(task)
    assert client.wait(task, timeout_s=20).error.message == "the task was cancelled"
    with pytest.raises(Conflict):
        client.cancel(task)


@pytest.mark.parametrize("lost", [1, 2])
def test_an_order_whose_answer_was_lost_is_made_once(serving: Machine, kind: str, lost: int) -> None:
    """It is sent again with the same key, and gives the first task."""
    address = serving.programs[0].address
    with door_before(address) as door, opened(kind, door.address, API_KEY) as client, Client(address, API_KEY) as plain:
        before = len(list(plain.tasks(model="tester")))
        door.lose = lost
        task = client.create("tester", "do", {"do": "ok", "seed": 7})
        assert [method for method, path in door.passed if path == "/api/v1/task"] == ["POST"] * (lost + 1)
        assert len(list(plain.tasks(model="tester"))) == before + 1
        assert plain.get(task).id == task.id


def test_the_same_key_gives_the_same_task(client: Any) -> None:
    """And another order under it is refused."""
    key = f"key-{id(client)}"
    first = client.create("tester", "do", {"do": "ok"}, idempotency_key=key)
    assert client.create("tester", "do", {"do": "ok"}, idempotency_key=key).id == first.id
    with pytest.raises(InvalidRequest):
        client.create("tester", "do", {"do": "fail"}, idempotency_key=key)


def test_tasks_are_listed_page_by_page(client: Any) -> None:
    """The iterator gives what the pages give."""
    made = [client.create("tester", "brief", {"do": "ok", "seed": seed}).id for seed in range(3)]
    page = client.list(model="tester", task_type="brief", limit=2)
    assert [task.id for task in page.tasks] == [made[2], made[1]]
    rest = client.list(model="tester", task_type="brief", limit=2, cursor=page.next_cursor)
    assert rest.tasks[0].id == made[0]
    assert [task.id for task in client.tasks(model="tester", task_type="brief")][:3] == made[::-1]


@pytest.mark.parametrize("size", [1000, INLINE_BYTES + 1])
def test_a_file_goes_the_way_that_fits_its_size(client: Any, tmp_path: Path, size: int) -> None:
    """A small one inside the order, a large one to an address of its own; from a path and from memory."""
    content = PNG_HEAD + b"x" * (size - len(PNG_HEAD))
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    for stands_for in (client.upload(path), client.upload(str(path)), client.upload(content, name="picture.png")):
        assert stands_for.startswith("data:image/png;base64," if size <= INLINE_BYTES else "http://")
        task = client.run("tester", "do", {"do": "fetch", "image": stands_for})
        assert task.output.raw["said"]["size_bytes"] == size


def test_money_and_products(client: Any) -> None:
    """A quote, the account, the statement, and what there is with its schema."""
    quote = client.quote("tester", "do", {})
    assert (quote.points, quote.covered, quote.engine) == (PRICE_POINTS, True, "tester")
    before = client.account().used_points
    client.run("tester", "do", {})
    assert client.account().used_points == before + PRICE_POINTS
    assert client.statement()["totals"]["capture"]["points"] == before + PRICE_POINTS
    found = {(one.model, one.task_type): one for one in client.products()}
    assert found["tester", "do"].input_schema["properties"]["image"]["x-media"] == "image"
    assert found["tester", "needy"].missing == "needy: install the package needy-weights"


def test_errors_say_what_the_server_says(client: Any, serving: Machine, kind: str) -> None:
    """Each kind of its own."""
    with pytest.raises(NotFound, match="task not found"):
        client.get("00000000-0000-0000-0000-000000000000")
    with pytest.raises(InvalidRequest, match=r"do: ") as wrong:
        client.create("tester", "do", {"do": "sing"})
    assert wrong.value.status == 400
    with opened(kind, serving.programs[0].address, "a-wrong-key") as other, pytest.raises(Unauthorized):
        other.create("tester", "do", {})


def test_webhooks_are_listed_verified_and_sent_again(client: Any) -> None:
    """What the server signs is what the SDK believes."""
    with receiving() as sink:
        config = {"webhook_config": {"endpoint": sink.url(), "secret": "a secret"}}
        task = client.run("tester", "do", {"do": "ok"}, config=config)

        def told() -> list[Any]:
            return [one for one in client.deliveries(task_id=task.id) if one.state == "delivered"]

        (delivery,) = until(told, within_s=10, what="a delivery")
        first = sink.received[0]
        message = verify(first.headers, first.body, "a secret")
        assert (message.id, message.task.id, message.task.status) == (delivery.id, task.id, "completed")
        client.replay(delivery.id)
        until(lambda: len(sink.received) == 2, within_s=10, what="the message again")
        assert json.loads(sink.received[1].body)["data"]["task_id"] == task.id
