"""Everything that can go wrong, in one tree. The text is a sentence for people, the server's own where it said one.

UnitaskError
  NoAnswer               the server cannot be reached, or the connection broke
  Refused                it answered with an error; has `status`
    InvalidRequest       400, 413 or 422: the request must be changed
    Unauthorized         401
    InsufficientCredits  402
    Forbidden            403
    NotFound             404
    Conflict             409
    TooManyRequests      429; has `retry_after_s`
    ServerFailure        500 and above
  TooLarge               a file or an answer is larger than the limit
  Unsupported            this server has no such route
  TaskFailed             a task ended without a result; has `task`
  NotFinished            a task goes on after the time that was given to it; has `task`
  WrongSignature         a webhook was not sent by who knows the secret, or was changed, or is old
"""

from typing import Any

from unitask_sdk.model import Task


class UnitaskError(Exception):
    """The root of the tree."""


class NoAnswer(UnitaskError):
    """No answer came. `sent` says whether the request may have reached the server."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Refused(UnitaskError):
    """The server answered with an error.

    `status` is the HTTP status, `body` what came with it: a JSON document, or a text if it was none.
    """

    def __init__(self, message: str, *, status: int, body: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class InvalidRequest(Refused):
    """The request must be changed; the sentence says what."""


class Unauthorized(Refused):
    """The key is missing or wrong."""


class InsufficientCredits(Refused):
    """The account has too little left."""


class Forbidden(Refused):
    """The key or the account may not do this."""


class NotFound(Refused):
    """There is nothing with this id."""


class Conflict(Refused):
    """The thing is in a state in which this cannot be done."""


class TooManyRequests(Refused):
    """Too much came at once. `retry_after_s` is what the server asked for, None if it did not say."""

    def __init__(self, message: str, *, status: int, body: Any = None, retry_after_s: float | None = None) -> None:
        super().__init__(message, status=status, body=body)
        self.retry_after_s = retry_after_s


class ServerFailure(Refused):
    """The server failed."""


class TooLarge(UnitaskError):
    """A file or an answer is larger than the limit."""


class Unsupported(UnitaskError):
    """The server has no such route; Unitask has it."""


class TaskFailed(UnitaskError):
    """A task ended without a result."""

    def __init__(self, task: Task) -> None:
        super().__init__(task.error.message if task.error else "the task failed")
        self.task = task


class NotFinished(UnitaskError):
    """A task goes on after the time that was given to it."""

    def __init__(self, task: Task, timeout_s: float) -> None:
        super().__init__(f"the task {task.id} is {task.status} after {timeout_s:g} s; it goes on")
        self.task = task


class WrongSignature(UnitaskError):
    """A webhook that must not be believed."""
