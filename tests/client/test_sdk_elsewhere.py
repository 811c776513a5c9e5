"""The SDK against a service that knows the two calls alone; files and proxies that are elsewhere."""

from pathlib import Path
from typing import Any

import pytest

from support.clients import opened
from support.hosted import API_KEY, RESULT, STORY, Hosted
from support.objects import Objects
from support.server import throw_away_server
from support.tester import PNG_HEAD
from unitask_sdk import Event, InvalidRequest, NoAnswer, NotFound, TaskFailed, TooLarge, Unauthorized, Unsupported
from unitask_sdk.files import FALLBACK_BYTES, INLINE_BYTES

ORDER = ("Qubico/flux1-schnell", "txt2img", {"prompt": "a cat"})


def test_a_task_is_run_by_asking(stranger: Any, hosted: Hosted, tmp_path: Path) -> None:
    """The story is told from what the reads show; events are tried once at most."""
    seen: list[Event] = []
    task = stranger.run(*ORDER, progress=seen.append)
    assert [event.status for event in seen] == list(STORY[1:])
    assert (task.usage.charged, task.started_at, task.engine) == (20000, None, None)
    assert task.created_at is not None
    assert task.ended_at is not None
    assert (task.created_at.microsecond, task.ended_at.hour) == (123456, 12)
    assert stranger.download(task.files[0].url, tmp_path / "cat.png").read_bytes() == RESULT
    assert len([path for _, path in hosted.asked if path.endswith("/events")]) == 0
    stranger.create(*ORDER)
    list(stranger.events(task.id))
    assert len([path for _, path in hosted.asked if path.endswith("/events")]) == 0


def test_a_task_of_another_program_is_followed(stranger: Any, hosted: Hosted) -> None:
    """Nothing is known of the service then, so its events are tried, once."""
    task = hosted.create({"model": "m", "task_type": "t", "input": {}})
    assert [event.status for event in stranger.events(task["task_id"])] == list(STORY[1:])
    assert len([path for _, path in hosted.asked if path.endswith("/events")]) == 1


def test_what_fails_there_fails_here(stranger: Any) -> None:
    """Task, order, key, id: with the service's sentence wherever it stands."""
    with pytest.raises(TaskFailed, match="task failed") as failed:
        stranger.run("m", "t", {"prompt": "fail"})
    assert failed.value.task.error.detail == "backend 7"
    with pytest.raises(InvalidRequest, match="invalid request"):
        stranger.create("test", "t", {})
    with pytest.raises(NotFound, match="task not found"):
        stranger.get("nothing")


def test_a_wrong_key_is_told(hosted: Hosted, kind: str) -> None:
    """In the two shapes that such answers have."""
    with opened(kind, hosted.address, "sk-wrong") as client:
        with pytest.raises(Unauthorized, match="the key is wrong"):
            client.create(*ORDER)
        with pytest.raises(Unauthorized, match="Unauthorized"):
            client.get("nothing")


def test_an_order_that_may_have_arrived_is_not_sent_twice(stranger: Any, hosted: Hosted) -> None:
    """The service does not know idempotency keys: a second order would be paid twice."""
    hosted.lose = 1
    with pytest.raises(NoAnswer):
        stranger.create(*ORDER)
    assert len(hosted.orders) == 1


def test_an_order_that_was_refused_for_now_is_sent_again(stranger: Any, hosted: Hosted) -> None:
    """A 429 says that nothing was ordered."""
    hosted.busy = 2
    assert stranger.create(*ORDER).status == "pending"
    assert len(hosted.orders) == 1


def test_a_read_whose_answer_was_lost_is_repeated(stranger: Any, hosted: Hosted) -> None:
    """Reading changes nothing."""
    task = stranger.create(*ORDER)
    hosted.lose = 1
    assert stranger.get(task).id == task.id


def test_files_go_inside_the_order_where_there_are_no_uploads(stranger: Any) -> None:
    """Also larger ones, up to what such services take."""
    assert stranger.upload(b"x" * (INLINE_BYTES + 1), name="a.png").startswith("data:image/png;base64,")
    with pytest.raises(TooLarge, match="takes no uploads"):
        stranger.upload(b"x" * (FALLBACK_BYTES + 1), name="a.mp4")


def test_what_the_service_has_not_is_said(stranger: Any) -> None:
    """Not as an error of the network."""
    task = stranger.create(*ORDER)
    calls = {
        "list tasks": lambda: list(stranger.tasks()),
        "quote a price": lambda: stranger.quote(*ORDER),
        "cancel a task": lambda: stranger.cancel(task),
        "show the account": stranger.account,
        "list its products": stranger.products,
        "write a statement": stranger.statement,
        "list webhook messages": lambda: list(stranger.deliveries()),
        "send webhook messages again": lambda: stranger.replay("x"),
    }
    for what, call in calls.items():
        with pytest.raises(Unsupported, match=f"this server cannot {what}"):
            call()


@pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
def test_proxies_are_used_but_not_for_this_machine(
    hosted: Hosted, kind: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service is on this machine and is reached at once; a file that lies elsewhere comes through the proxy."""
    for other in ("http_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, hosted.address)
    with opened(kind, hosted.address, API_KEY) as client:
        task = client.create(*ORDER)
        with pytest.raises(NotFound):
            client.read("http://files.test/a.png", limit_bytes=100)
    assert hosted.asked == [("POST", "/api/v1/task"), ("GET", "http://files.test/a.png")]
    assert task.id in hosted.tasks


@pytest.mark.parametrize("size", [INLINE_BYTES + 1, 6 * 2**20])
def test_files_go_straight_to_a_bucket(objects: Objects, bucket: str, kind: str, size: int, tmp_path: Path) -> None:
    """In pieces from a path, and from memory."""
    store = {f"UNITASK_{name.upper()}": str(value) for name, value in objects.settings(bucket).items()}
    content = PNG_HEAD + b"x" * (size - len(PNG_HEAD))
    path = tmp_path / "picture.png"
    path.write_bytes(content)
    with throw_away_server(tmp_path, **store) as server, opened(kind, *server) as client:
        for address in (client.upload(path), client.upload(content, name="picture.png")):
            assert address.startswith(server.address)
            assert client.read(address, limit_bytes=size) == (content, "image/png")
    assert len(objects.names(bucket)) == 2
