"""What of an attempt is told to the collector of traces: from claim to report, its run, and what that does.

An engine process is told whether anybody wants to know, and says over its socket what took how long: it has no address
of a collector, and may be killed at any time.
"""

from typing import Final

from unitask.kit import tracing
from unitask.spec import protocol
from unitask.worker import messages

_LOADING: Final = "loading"
"""Notes of engines that begin so say that weights are being read until the next word."""


def loads(word: messages.Word) -> bool:
    """Tell whether an engine says that it reads weights."""
    return isinstance(word, messages.Progress) and word.note.startswith(_LOADING)


class Spans:
    """The spans of one attempt."""

    def __init__(self, task: protocol.ClaimedTask) -> None:
        about: tracing.Attributes = {
            "task_id": task.task_id,
            "attempt": task.attempt,
            "product": f"{task.model}/{task.task_type}",
            "engine": task.engine,
            "queued_ms": round(1000 * task.waited_s),
        }
        self._attempt = tracing.span("attempt", about, parent=tracing.carried(task.trace), kind="consumer")
        self._run = tracing.NOTHING
        self._load = tracing.NOTHING
        self._engine = task.engine

    @property
    def is_recorded(self) -> bool:
        """Whether anybody wants to know more."""
        return self._attempt.is_recorded

    @property
    def trace(self) -> str | None:
        """What the attempt is part of, for what its run does."""
        return self._run.trace or self._attempt.trace

    def run(self) -> None:
        """Begin the engine's work."""
        self._run = tracing.span("run", {"engine": self._engine}, parent=self._attempt.trace)

    def step(self, name: str) -> tracing.Span:
        """Begin something that is done for the engine, to be left by `with`."""
        return tracing.span(name, parent=self.trace)

    def hear(self, word: messages.Word) -> None:
        """Take in what an engine process says."""
        self._load.end()
        match word:
            case messages.Started():
                self.run()
            case messages.Fetched():
                told: tracing.Attributes = {"media": word.media, "size_bytes": word.size_bytes}
                tracing.span("fetch", told, parent=self.trace, began_ns=word.began_ns).end(word.ended_ns)
            case messages.Done(level=level):
                self._run.set({"level": level})
                self._run.end()
            case messages.Broke(number=number):
                self._run.fail(str(number))
                self._run.end()
            case _ if loads(word):
                self._load = tracing.span("load", parent=self.trace)

    def reporting(self, report: protocol.SettleRequest) -> tracing.Span:
        """Begin the report of the end."""
        self._close(report)
        return tracing.span("report", parent=self._attempt.trace, kind="client")

    def end(self, outcome: str | None = None) -> None:
        """End what has not ended; `outcome`: how, if nobody has said so."""
        if outcome:
            self._attempt.set({"outcome": outcome})
            self._attempt.fail(outcome)
        self._close(None)
        self._attempt.end()

    def _close(self, report: protocol.SettleRequest | None) -> None:
        """Say how the attempt ended; an engine that was killed has not said so itself."""
        self._load.end()
        failure = report.failure if report else None
        if failure and not failure.given_back:
            self._run.fail(str(failure.number))
            self._attempt.fail(str(failure.number))
        self._run.end()
        if report:
            self._attempt.set({"outcome": _outcome(report), "level": report.level})


def _outcome(report: protocol.SettleRequest) -> str:
    if report.failure is None:
        return "completed"
    return "given back" if report.failure.given_back else "failed"
