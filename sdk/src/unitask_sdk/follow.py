"""Following a task to its end: by the server's events where it has them, else by asking, less and less often."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from unitask_sdk import calls, clock
from unitask_sdk.effects import Answer, Effect, Emit, Listen, NextLine, Pause, Steps, Tell
from unitask_sdk.errors import NoAnswer, NotFinished, TaskFailed
from unitask_sdk.model import Event, Task
from unitask_sdk.session import TASK, Session

SHORTEST_S: Final = 0.5
LONGEST_S: Final = 10.0
SHARE: Final = 0.1
"""A task that runs for a minute is asked for every six seconds: nobody waits a tenth longer than needed."""

Announce = Callable[[Event], Effect | None]


def pause_s(spent_s: float) -> float:
    """Say how long to wait before asking again, after having followed for so long."""
    return min(max(SHORTEST_S, SHARE * spent_s), LONGEST_S)


def wait(
    session: Session, task: Task | str, timeout_s: float | None, progress: Callable[[Event], Any] | None
) -> Steps[Task]:
    """Wait for the end of a task, and tell of every change on the way."""
    if isinstance(task, Task) and task.finished:
        return task
    return (yield from _follow(session, task, timeout_s, lambda event: Tell(progress, event) if progress else None))


def run(
    session: Session, creation: Steps[Task], timeout_s: float | None, progress: Callable[[Event], Any] | None
) -> Steps[Task]:
    """Order a task, wait for its end, and give it if it has a result."""
    task = yield from wait(session, (yield from creation), timeout_s, progress)
    if not task.completed:
        raise TaskFailed(task)
    return task


def events(session: Session, task: Task | str, timeout_s: float | None) -> Steps[Task]:
    """Emit every change of a task until its end."""
    return (yield from _follow(session, task, timeout_s, Emit))


def _follow(session: Session, task: Task | str, timeout_s: float | None, announce: Announce) -> Steps[Task]:
    story = _Story(announce)
    deadline = clock.Deadline.after(timeout_s)
    began = clock.stopwatch()
    while True:
        ended = None
        if session.has_events and session.is_unitask is not False:
            ended = yield from _listen(session, task, deadline, story)
        if ended is None:
            seen = yield from calls.get(session, task)
            yield from story.tell(Event.of(seen))
            ended = seen if seen.finished else None
        if ended is not None:
            return ended
        if deadline.left_s <= 0:
            raise NotFinished(seen, deadline.after_s)
        yield Pause(min(pause_s(clock.stopwatch() - began), max(deadline.left_s, 0.01)))


class _Story:
    """What was told of a task already, so that nothing is told twice."""

    def __init__(self, announce: Announce) -> None:
        self.last_id = ""
        self._announce = announce
        self._last: tuple[Any, ...] = ()

    def tell(self, event: Event) -> Steps[None]:
        """Tell it if it is new."""
        known = (event.status, event.progress or 0.0, event.queue_position, event.preview_url)
        if known != self._last:
            self._last = known
            effect = self._announce(event)
            if effect is not None:
                yield effect


def _listen(session: Session, task: Task | str, deadline: clock.Deadline, story: _Story) -> Steps[Task | None]:
    """Follow the server's events; gives the task at its end, None where there are none, they broke off, or time is up.

    The server says something every second, so a deadline is kept to a second, and a silent connection is found out.
    """
    headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": story.last_id} if story.last_id else {})
    request = session.request("GET", f"{TASK}/{calls.task_id(task)}/events", headers=headers)
    try:
        answer: Answer = yield Listen(request)
        if not answer.is_success or "text/event-stream" not in answer.headers.get("content-type", ""):
            session.has_events = answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            return None
        fields: dict[str, str] = {}
        while deadline.left_s > 0:
            line: str | None = yield NextLine()
            if line is None:
                return None
            if line:
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
                continue
            event, fields = _event(fields, story), {}
            if event is not None:
                yield from story.tell(event)
                if event.task is not None:
                    return event.task
    except NoAnswer:
        pass
    return None


def _event(fields: dict[str, str], story: _Story) -> Event | None:
    """Read a block of lines; None if it holds no event, as one that only says that the server is still there."""
    try:
        raw = json.loads(fields["data"])
    except (KeyError, ValueError):
        return None
    story.last_id = fields.get("id", story.last_id)
    return Event.read(raw) if isinstance(raw, dict) else None
