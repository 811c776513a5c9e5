"""The calls, each once, as steps that both clients carry out: what is sent and tried again, how answers are read."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote as quoted
from urllib.parse import urlencode
from uuid import uuid4

from unitask_sdk import answers, clock
from unitask_sdk.effects import Answer, Emit, Pause, Request, Steps
from unitask_sdk.errors import NoAnswer, UnitaskError
from unitask_sdk.model import Account, Delivery, Document, Page, Product, Quote, Task, documents
from unitask_sdk.session import TASK, Session

TRIES: Final = 4
"""How often a request is sent at most."""
_WEBHOOKS: Final = "/api/v1/webhooks"
_PAGE: Final = 100


def ask(session: Session, request: Request, *, repeatable: bool = True) -> Steps[Answer]:
    """Send a request, again after a lost connection, a 429 or a 5xx, until patience or tries are at their end.

    One that is not repeatable by itself is repeated after what may have reached the server only if that is a Unitask,
    which knows idempotency keys.

    Raises:
        NoAnswer: none came.

    """
    deadline = clock.Deadline.after(session.patience_s)
    for tries in range(1, TRIES + 1):
        answer: Answer | None = None
        lost: NoAnswer | None = None
        try:
            answer = yield request
        except NoAnswer as error:
            lost = error
        pause_s = _pause_s(answer, tries)
        if pause_s is None or tries == TRIES or pause_s > deadline.left_s:
            break
        yield Pause(pause_s)
        if not repeatable and _may_have_arrived(answer, lost) and not (yield from _knows_keys(session)):
            break
    if answer is not None:
        return answer
    assert lost is not None  # noqa: S101 - one of the two came
    raise lost


def _pause_s(answer: Answer | None, tries: int) -> float | None:
    """Say how long to wait before the next try; None if the answer is one to keep."""
    if answer is None or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return clock.backoff_s(tries)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        asked = answers.retry_after_s(answer)
        return clock.backoff_s(tries) if asked is None else asked
    return None


def _may_have_arrived(answer: Answer | None, lost: NoAnswer | None) -> bool:
    return lost.sent if lost else answer is not None and answer.status != HTTPStatus.TOO_MANY_REQUESTS


def _knows_keys(session: Session) -> Steps[bool]:
    """Tell whether this is a Unitask: only it can list tasks."""
    if session.is_unitask is None:
        answer: Answer = yield from ask(session, session.request("GET", f"{TASK}?limit=1"))
        if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return False
        body = answers.document(answer)
        listed = body.get("data") if answer.is_success and isinstance(body, dict) else None
        session.is_unitask = isinstance(listed, dict) and isinstance(listed.get("tasks"), list)
    return session.is_unitask


def _task(session: Session, raw: Any) -> Task:
    """Read a task; by what it tells we know what kind of server this is."""
    task = Task.read(raw if isinstance(raw, dict) else {})
    if not task.id:
        raise UnitaskError("the server's answer holds no task: is this the address of the API?")
    meta = task.raw.get("meta")
    session.is_unitask = isinstance(meta, dict) and "engine_level" in meta
    return task


def task_id(task: Task | str) -> str:
    """Give the id of a task, escaped for a path."""
    return quoted(task.id if isinstance(task, Task) else task.strip(), safe="")


def order(model: str, task_type: str, inputs: Mapping[str, Any], config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Write the body of a create."""
    body: dict[str, Any] = {"model": model, "task_type": task_type, "input": dict(inputs)}
    return {**body, "config": dict(config)} if config else body


def create(session: Session, body: Document, idempotency_key: str | None) -> Steps[Task]:
    """Order a task; the same key never orders twice."""
    headers = {"Idempotency-Key": idempotency_key or uuid4().hex}
    request = session.request("POST", TASK, json_body=body, headers=headers)
    answer = yield from ask(session, request, repeatable=False)
    return _task(session, answers.data(answer))


def get(session: Session, task: Task | str) -> Steps[Task]:
    """Read a task."""
    answer = yield from ask(session, session.request("GET", f"{TASK}/{task_id(task)}"))
    return _task(session, answers.data(answer))


def cancel(session: Session, task: Task | str) -> Steps[Task]:
    """Take an order back; servers that answer without the task are asked for it."""
    answer = yield from ask(session, session.request("DELETE", f"{TASK}/{task_id(task)}"))
    raw = answers.supported(answer, "cancel a task")
    if isinstance(raw, dict) and raw.get("task_id"):
        return _task(session, raw)
    return (yield from get(session, task))


def page(session: Session, filters: Mapping[str, str], cursor: str | None, limit: int) -> Steps[Page]:
    """List some tasks."""
    query = {name: value for name, value in {**filters, "cursor": cursor or ""}.items() if value}
    path = f"{TASK}?{urlencode({**query, 'limit': limit})}"
    answer = yield from ask(session, session.request("GET", path))
    found = answers.supported(answer, "list tasks")
    return Page.read(found if isinstance(found, dict) else {})


def every(session: Session, filters: Mapping[str, str]) -> Steps[None]:
    """Emit all tasks, newest first."""
    cursor: str | None = None
    while True:
        some = yield from page(session, filters, cursor, _PAGE)
        for task in some.tasks:
            yield Emit(task)
        cursor = some.next_cursor
        if not cursor or not some.tasks:
            return


def quote(session: Session, body: Document) -> Steps[Quote]:
    """Price a create."""
    answer = yield from ask(session, session.request("POST", "/api/v1/quote", json_body=body))
    return Quote.read(answers.supported(answer, "quote a price") or {})


def products(session: Session) -> Steps[tuple[Product, ...]]:
    """List what the server makes."""
    answer = yield from ask(session, session.request("GET", "/api/v1/catalogue"))
    found = answers.supported(answer, "list its products")
    return tuple(Product.read(one) for one in documents({"products": found}, "products"))


def account(session: Session) -> Steps[Account]:
    """Read whose key it is."""
    answer = yield from ask(session, session.request("GET", "/account/info"))
    return Account.read(answers.supported(answer, "show the account") or {})


def statement(session: Session, start_s: float | None, end_s: float | None) -> Steps[Document]:
    """Read what came in and went out."""
    times = {"start_time": start_s, "end_time": end_s}
    query = urlencode({name: int(value) for name, value in times.items() if value is not None})
    answer = yield from ask(session, session.request("GET", f"/api/v1/statement?{query}"))
    found = answers.supported(answer, "write a statement")
    return found if isinstance(found, dict) else {}


def deliveries(session: Session, filters: Mapping[str, str]) -> Steps[None]:
    """Emit webhook messages, newest first."""
    cursor = ""
    while True:
        query = {name: value for name, value in {**filters, "cursor": cursor}.items() if value}
        request = session.request("GET", f"{_WEBHOOKS}/deliveries?{urlencode(query)}")
        found = answers.supported((yield from ask(session, request)), "list webhook messages") or {}
        for raw in documents(found, "deliveries"):
            yield Emit(Delivery.read(raw))
        cursor = str(found.get("next_cursor") or "")
        if not cursor:
            return


def replay(session: Session, delivery_id: str) -> Steps[Delivery]:
    """Send a webhook message again."""
    path = f"{_WEBHOOKS}/deliveries/{quoted(delivery_id.strip(), safe='')}/replay"
    request = session.request("POST", path)
    answer = yield from ask(session, request)
    return Delivery.read(answers.supported(answer, "send webhook messages again") or {})
