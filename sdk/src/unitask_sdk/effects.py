"""What a call does, as data: a call is a generator that yields these and is sent the result of each.

The two clients differ only in the hands that carry them out (`unitask_sdk.client`, `unitask_sdk.async_client`).
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

from unitask_sdk.errors import NoAnswer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """Send it and give the `Answer`. Raises NoAnswer. A body that is a path is sent from the file, in pieces."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Path | None = None
    timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers with names in lower case, and the body; of a download and a stream the body only if refused."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is one from 200 to 299."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own boundaries


@dataclass(frozen=True, slots=True)
class Download:
    """Write the body of a good answer into a file, and give the `Answer`. Raises NoAnswer, TooLarge.

    Redirects are followed.
    """

    request: Request
    into: BinaryIO
    limit_bytes: int


@dataclass(frozen=True, slots=True)
class Listen:
    """Send a request and give the head of the answer as an `Answer`; its lines are then asked for by `NextLine`."""

    request: Request


@dataclass(frozen=True, slots=True)
class NextLine:
    """Give the next line of what is listened to, None at its end. Raises NoAnswer."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Let so many seconds pass."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Tell:
    """Call a function of the user's."""

    whom: Callable[[Any], Any]
    what: Any


@dataclass(frozen=True, slots=True)
class Emit:
    """Hand a value to who iterates."""

    value: Any


Effect = Request | Download | Listen | NextLine | Pause | Tell | Emit
Steps = Generator[Effect, Any, T]


class Course(Generic[T]):
    """Steps under way: `effect` is what is to be done now, None when all is done and `result` is there."""

    def __init__(self, steps: Steps[T]) -> None:
        self.effect: Effect | None = None
        self._steps = steps
        self._result: list[T] = []
        self._advance(lambda: next(steps))

    @property
    def result(self) -> T:
        """What came of it."""
        return self._result[0]

    def done(self, value: Any) -> None:
        """Say what came of the effect."""
        self._advance(lambda: self._steps.send(value))

    def failed(self, error: NoAnswer) -> None:
        """Say that the effect came to nothing."""
        self._advance(lambda: self._steps.throw(error))

    def _advance(self, step: Callable[[], Effect]) -> None:
        try:
            self.effect = step()
        except StopIteration as end:
            self.effect = None
            self._result.append(end.value)
