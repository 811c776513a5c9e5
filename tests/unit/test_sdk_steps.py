"""The SDK's calls as steps: what is sent, what is tried again and when, without a network or a clock."""

import inspect
import json
import re
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest

from unitask.kit.clock import SECOND_US, Clock
from unitask.webhooks import sign
from unitask_sdk import (
    AsyncClient,
    Client,
    File,
    NoAnswer,
    Refused,
    ServerFailure,
    Task,
    UnitaskError,
    WrongSignature,
    calls,
    clock,
    files,
    follow,
    verify,
)
from unitask_sdk.answers import refusal
from unitask_sdk.effects import Answer, Course, Download, Emit, Listen, Pause, Request
from unitask_sdk.errors import TooManyRequests
from unitask_sdk.session import Session

LOST, UNSENT = NoAnswer("it broke", sent=True), NoAnswer("nobody there", sent=False)
TASK = {"task_id": "t", "status": "pending", "meta": {"engine_level": "full", "new_field": [1]}, "newer": {"a": 1}}


def says(data: Any = None, status: int = 200, **headers: str) -> Answer:
    """Write an answer in the envelope."""
    body = json.dumps({"code": status, "data": data, "message": "said" if status != 200 else "success"})
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body.encode())


def session(**more: Any) -> Session:
    """Open a session that is patient for a minute."""
    return Session("http://server.test", "a-key", 60.0, **more)


def play(steps: Any, *answers: Answer | NoAnswer) -> tuple[list[Request], list[float], Course[Any]]:
    """Carry steps out with these answers to their requests; gives the requests and the pauses."""
    left, requests, pauses = list(answers), [], []
    course: Course[Any] = Course(steps)
    while course.effect is not None:
        match course.effect:
            case Pause(seconds):
                pauses.append(seconds)
                course.done(None)
            case Request() as request:
                requests.append(request)
                answer = left.pop(0)
                course.failed(answer) if isinstance(answer, NoAnswer) else course.done(answer)
            case _:
                raise AssertionError(f"not expected: {course.effect}")
    assert not left, "more would have been asked"
    return requests, pauses, course


def create(of: Session) -> Any:
    """Order something."""
    return calls.create(of, calls.order("m", "t", {"prompt": "x"}, None), None)


@pytest.mark.parametrize("trouble", [LOST, UNSENT, says(status=500), says(status=503), says(status=429)])
def test_an_order_is_sent_again_under_one_key(trouble: Answer | NoAnswer) -> None:
    """To a server that is known to keep such keys, whatever went wrong, after a pause that grows."""
    requests, pauses, course = play(create(session(is_unitask=True)), trouble, trouble, trouble, says(TASK))
    assert len({request.headers["Idempotency-Key"] for request in requests}) == 1
    assert [request.body for request in requests] == [requests[0].body] * 4
    for tries, pause in enumerate(pauses, 1):
        assert 0.125 * 2**tries <= pause <= 0.25 * 2**tries
    assert course.result.id == "t"


@pytest.mark.parametrize("trouble", [LOST, says(status=502)])
def test_an_unknown_server_is_asked_before_an_order_is_sent_twice(trouble: Answer | NoAnswer) -> None:
    """One that lists tasks keeps keys; one that does not is not sent the order again."""
    requests, _, _ = play(create(session()), trouble, says({"tasks": [], "next_cursor": None}), says(TASK))
    assert [request.method for request in requests] == ["POST", "GET", "POST"]
    with pytest.raises(NoAnswer if trouble is LOST else ServerFailure):
        play(create(session()), trouble, Answer(404, {}, b"404 page not found"))
    requests, _, _ = play(create(session(is_unitask=False)), UNSENT, says(status=429), says(TASK))
    assert len(requests) == 3, "nothing can have arrived"


def test_retry_after_is_kept_and_patience_ends() -> None:
    """The server's own time, and no longer than the client waits at all."""
    _, pauses, _ = play(calls.get(session(), "t"), says(status=429, retry_after="17"), says(TASK))
    assert pauses == [17.0]
    with pytest.raises(TooManyRequests) as refused:
        play(calls.get(session(), "t"), says(status=429, retry_after="61"))
    assert refused.value.retry_after_s == 61
    with pytest.raises(ServerFailure):
        play(calls.get(session(), "t"), *[says(status=500)] * calls.TRIES)
    with pytest.raises(NoAnswer):
        play(calls.get(session(), "t"), *[LOST] * calls.TRIES)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 422])
def test_what_will_not_get_better_is_not_tried_again(status: int) -> None:
    """One request, one error with status and sentence."""
    with pytest.raises(Refused, match="said") as refused:
        play(create(session(is_unitask=True)), says(status=status))
    assert refused.value.status == status
    assert type(refused.value) is not Refused


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"code": 400, "message": "a"}, "a"),
        ({"code": 400, "message": "", "data": {"error": {"message": "", "raw_message": "b"}}}, "b"),
        ({"error": "c"}, "c"),
        ({"error": {"message": "d"}}, "d"),
        ({"description": "e"}, "e"),
        ("404 page not found", "404 page not found"),
        ({}, "the server answered 418"),
        ([1], "the server answered 418"),
    ],
)
def test_the_sentence_of_an_error_is_found_wherever_it_stands(body: Any, sentence: str) -> None:
    """In all the shapes that servers of this API have."""
    assert str(refusal(418, body, None)) == sentence


@pytest.mark.parametrize("body", [b"<html>hello</html>", b'{"code": 200, "data": {"status": "pending"}}', b"{}"])
def test_what_is_no_task_is_not_taken_for_one(body: bytes) -> None:
    """A wrong address often answers 200 with something."""
    with pytest.raises(UnitaskError, match="is this the address of the API"):
        play(calls.get(session(), "t"), Answer(200, {}, body))


def test_fields_of_a_newer_server_are_kept() -> None:
    """In the document beside what is typed; and odd values break nothing."""
    task = Task.read(TASK)
    assert task.raw["newer"] == {"a": 1}
    assert task.raw["meta"]["new_field"] == [1]
    odd = Task.read({"task_id": 7, "meta": {"usage": {"consume": "much"}, "progress": "half", "created_at": 5}})
    assert (odd.id, odd.usage.charged, odd.progress, odd.created_at) == ("7", 0, None, None)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://files.test/2026/a%20cat.png?x=1/y", "a_20cat.png"),
        ("https://files.test/..", "file"),
        ("https://files.test/..%2f..\\.bashrc", "_2f.._.bashrc"),
        ("https://files.test/" + "x" * 300 + ".png", "x" * 124 + ".png"),
        ("https://files.test/\x1b[2J.png", "__2J.png"),
    ],
)
def test_the_name_of_a_file_stays_in_its_folder(url: str, name: str) -> None:
    """Whatever an address ends in."""
    assert File("image_url", url).name == name


def test_the_key_is_shown_to_the_server_alone() -> None:
    """Not to the bucket that an upload goes to, and not where a result lies."""
    place = {
        "id": "u",
        "upload_url": "https://bucket.test/x",
        "method": "PUT",
        "headers": {"Content-Type": "image/png"},
        "url": "http://server.test/files/x.png",
    }
    content = b"x" * (files.INLINE_BYTES + 1)
    steps = files.upload(session(), content, "a.png")
    requests, _, course = play(steps, says(place), Answer(200, {}, b""), says({"url": place["url"]}))
    assert course.result == place["url"]
    assert [(one.method, one.url, "X-API-Key" in one.headers) for one in requests] == [
        ("POST", "http://server.test/api/v1/uploads", True),
        ("PUT", "https://bucket.test/x", False),
        ("POST", "http://server.test/api/v1/uploads/u/complete", True),
    ]
    assert requests[1].headers == {"Content-Type": "image/png", "Content-Length": str(len(content))}
    reading: Course[Any] = Course(files.download("https://elsewhere.test/x.png", BytesIO(), 100))
    assert isinstance(reading.effect, Download)
    assert reading.effect.request.headers == {}


def test_asking_gets_rarer_the_longer_it_takes() -> None:
    """Half a second at first, a tenth of the time later, ten seconds at most."""
    assert [follow.pause_s(spent) for spent in (0, 4, 20, 60, 3600)] == [0.5, 0.5, 2.0, 6.0, 10.0]


@pytest.mark.parametrize("status", [200, 404, 429])
def test_events_that_do_not_come_are_asked_for_once(status: int) -> None:
    """A proxy may swallow what the server has; then the task is read, and what has not changed is told once."""
    told: list[tuple[str, float | None]] = []
    ours = session(is_unitask=True)
    course: Course[Any] = Course(
        follow.wait(ours, "t", None, lambda event: told.append((event.status, event.progress)))
    )
    assert isinstance(course.effect, Listen)
    course.done(Answer(status, {"content-type": "text/html"}, b"<html>hello</html>"))
    shares = [0.0, 0.0, 0.5, 0.5]
    for share in shares:
        assert isinstance(course.effect, Request)
        course.done(says({**TASK, "status": "processing", "meta": {"progress": share, "engine_level": "full"}}))
        while not _wants_a_line(course):
            pass
        assert isinstance(course.effect, Pause)
        course.done(None)
    course.done(says({**TASK, "status": "completed"}))
    while not _wants_a_line(course):
        pass
    assert course.result.completed
    assert told == [("processing", 0.0), ("processing", 0.5), ("completed", None)]


def test_all_tasks_are_listed_from_page_to_page() -> None:
    """By the cursor of each, until there is none."""
    course: Course[Any] = Course(calls.every(session(), {"status": "failed"}))
    pages = [
        {"tasks": [{"task_id": "a"}], "next_cursor": "after a"},
        {"tasks": [{"task_id": "b"}], "next_cursor": None},
    ]
    asked, given = [], []
    while course.effect is not None:
        if isinstance(course.effect, Request):
            asked.append(course.effect.url.partition("?")[2])
            course.done(says(pages.pop(0)))
        else:
            assert isinstance(course.effect, Emit)
            given.append(course.effect.value.id)
            course.done(None)
    assert given == ["a", "b"]
    assert asked == ["status=failed&limit=100", "status=failed&cursor=after+a&limit=100"]


def test_a_broken_stream_is_taken_up_where_it_was() -> None:
    """The next one begins behind the last event; in between the task is read once."""
    told: list[str] = []
    course: Course[Any] = Course(follow.wait(session(), "t", None, lambda event: told.append(event.status)))
    stream = Answer(200, {"content-type": "text/event-stream"}, b"")
    heads: list[str] = []

    def lines(*more: str) -> None:
        for line in more:
            while not _wants_a_line(course):
                pass
            course.done(line)

    assert isinstance(course.effect, Listen)
    heads.append(course.effect.request.headers.get("Last-Event-ID", ""))
    course.done(stream)
    lines("id: 1-2-500", "event: processing", 'data: {"status": "processing", "progress": 0.5}', "", ": still here", "")
    course.failed(LOST)
    assert isinstance(course.effect, Request)
    course.done(says({**TASK, "status": "processing", "meta": {"progress": 0.5, "engine_level": "full"}}))
    assert isinstance(course.effect, Pause)
    course.done(None)
    assert isinstance(course.effect, Listen)
    heads.append(course.effect.request.headers.get("Last-Event-ID", ""))
    course.done(stream)
    final = json.dumps({"status": "completed", "task": {**TASK, "status": "completed"}})
    lines("id: 1-9-0", f"data: {final}", "")
    _wants_a_line(course)
    assert course.result.completed
    assert (heads, told) == (["", "1-2-500"], ["processing", "completed"])


def _wants_a_line(course: Course[Any]) -> bool:
    """Carry out what is told, until the next line is asked for."""
    effect = course.effect
    if effect is not None and hasattr(effect, "whom"):
        effect.whom(effect.what)
        course.done(None)
        return False
    return True


@pytest.mark.parametrize("secret", ["whsec_Zm9yIHlvdXIgZXllcyBvbmx5ISE=", "any other text", "whsec_?"])
def test_what_the_server_signs_is_verified(secret: str) -> None:
    """And nothing else is: not what was changed, not what is old, not what another signed, not without a secret."""
    now_s = Clock().now_us() // SECOND_US
    body = json.dumps({"timestamp": now_s, "data": TASK}).encode()

    def headers(at_s: int = now_s, key: str = secret) -> dict[str, str]:
        return sign.headers(secret=key, message_id="msg-1", timestamp_s=at_s, body=body)

    message = verify({name.title(): value for name, value in headers().items()}, body, secret)
    assert (message.id, message.timestamp_s, message.task.id) == ("msg-1", now_s, "t")
    wrong: dict[str, tuple[dict[str, str], bytes, str]] = {
        "the signature is wrong": (headers(), body + b" ", secret),
        "signature is wrong": (headers(key="another"), body, secret),
        "the message is old": (headers(now_s - 400), body, secret),
        "message is old": (headers(now_s + 400), body, secret),
        "there is no secret": (headers(), body, ""),
        "does not say when": ({}, body, secret),
    }
    for sentence, given in wrong.items():
        with pytest.raises(WrongSignature, match=sentence):
            verify(*given)
    changing = headers() | {"webhook-signature": f"v1,AAAA {headers()['webhook-signature']}"}
    assert verify(changing, body, secret).id == "msg-1"
    assert verify(headers(now_s - 400), body, secret, now_s=now_s - 390).id == "msg-1"


@pytest.mark.parametrize("address", ["ftp://server.test", "server.test", "http://", ""])
def test_an_address_or_a_key_that_cannot_be_is_said_at_once(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is sent; both may come from the environment."""
    monkeypatch.delenv("UNITASK_API_KEY", raising=False)
    monkeypatch.setenv("UNITASK_ADDRESS", "https://from.environment.test/")
    if address:
        with pytest.raises(UnitaskError, match=re.escape(repr(address))):
            Session.open(address, "a-key", 1.0)
    with pytest.raises(UnitaskError, match="set UNITASK_API_KEY"):
        Session.open(None, None, 1.0)
    monkeypatch.setenv("UNITASK_API_KEY", "key-of-environment")
    opened = Session.open(None, None, 1.0)
    assert (opened.address, opened.api_key) == ("https://from.environment.test", "key-of-environment")
    with pytest.raises(UnitaskError, match="characters that no key has"):
        Session.open(None, "a\r\nb", 1.0)


def test_both_clients_have_the_same_calls() -> None:
    """Names, arguments, defaults; what the one gives at once, the other gives when awaited."""

    def public(kind: type) -> dict[str, Callable[..., Any]]:
        return {name: one for name, one in vars(kind).items() if not name.startswith("_") and callable(one)}

    ours, theirs = public(Client), public(AsyncClient)
    assert ours.keys() == theirs.keys()
    for name, call in ours.items():
        assert inspect.signature(call).parameters == inspect.signature(theirs[name]).parameters, name
    assert clock.Deadline.after(None).left_s == float("inf")
