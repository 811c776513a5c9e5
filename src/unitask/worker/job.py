"""The job that an engine gets in its child process."""

import threading
import time
from functools import cached_property
from math import inf
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, Protocol

from unitask.kit import tracing
from unitask.kit.errors import Cancelled, EngineFailure
from unitask.kit.ids import drawn_seed
from unitask.provenance.manifest import Input as File
from unitask.provenance.statement import statement
from unitask.spec.media import Media
from unitask.spec.product import Input, Recipe
from unitask.worker import messages
from unitask.worker.sources import Sources

FETCH_S: Final = 60.0
_SAVE_TIMEOUT_S: Final = 900.0
LIMIT_WARNINGS: Final = 100
_SHOW_EVERY_S: Final = 2.0
_SHOW_EVERY_FRACTION: Final = 0.1


def seed_of(task_id: str, inputs: Input) -> int:
    """Give the seed that the client named, or the one that is drawn from the task's id."""
    asked = getattr(inputs, inputs.seed_field, None)
    return asked if isinstance(asked, int) and asked >= 0 else drawn_seed(task_id)


class Parent(Protocol):
    """Whoever ordered the attempt: hears what is said, answers what was saved."""

    cancelled: threading.Event
    saved: SimpleQueue[messages.Saved]

    def say(self, word: messages.Word) -> None:
        """Hear how far the attempt is, or which file it wants stored."""


class ChildJob:
    """Satisfies `unitask.spec.engine.Job` by way of the parent process."""

    def __init__(self, *, parent: Parent, order: messages.Run, recipe: Recipe) -> None:
        self.task_id = order.of.task_id
        self.recipe = recipe
        self.models = Path(order.models)
        self.warnings: list[str] = []
        self.seed = drawn_seed(self.task_id)
        self._parent = parent
        self._order = order
        self._sources = Sources(
            files_url=order.files_url, own_files_url=order.own_files_url, allow_private=order.allow_private
        )
        self._until = time.monotonic() + order.seconds_left
        self._files = 0
        self._taken: list[File] = []
        self._fraction = 0.0
        self._shown = (-inf, 0.0)

    @cached_property
    def scratch(self) -> Path:
        """The attempt's folder; it is there as soon as somebody asks."""
        path = Path(self._order.scratch)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    @property
    def cancelled(self) -> bool:
        """Whether the client took the order back."""
        return self._parent.cancelled.is_set()

    @property
    def seconds_left(self) -> float:
        """Seconds until the attempt is ended."""
        return self._until - time.monotonic()

    def choose_seed(self, inputs: Input) -> None:
        """Take the client's seed if it named one."""
        self.seed = seed_of(self.task_id, inputs)

    def fetch(self, source: str, media: Media) -> Path:
        """Put the file behind a URL into scratch, within the field's limits."""
        path = self._new_path("input")
        began_ns = tracing.now_ns()
        found = self._sources.fetch(source, media, path, timeout_s=max(1.0, min(FETCH_S, self.seconds_left)))
        if self._order.traced:
            ended_ns, size_bytes = tracing.now_ns(), path.stat().st_size
            self._parent.say(
                messages.Fetched(
                    of=self._order.of, began_ns=began_ns, ended_ns=ended_ns, media=media.kind, size_bytes=size_bytes
                )
            )
        self._taken.append(File(path=path, extension=found.extension))
        return path

    def save(self, content: bytes | Path, extension: str) -> str:
        """Store an output file; returns its reference."""
        path = content if isinstance(content, Path) else self._new_path(f"output.{extension}")
        if isinstance(content, bytes):
            path.write_bytes(content)
        self._parent.say(messages.Save(**self._file(path, extension)))
        saved = self._parent.saved.get(timeout=_SAVE_TIMEOUT_S)
        if not saved.reference:
            raise EngineFailure("the result could not be stored", raw_message=saved.why, retryable=True)
        return saved.reference

    def progress(self, fraction: float, note: str = "") -> None:
        """Report how far the work is; raises `Cancelled` when the client took the order back."""
        if self.cancelled:
            raise Cancelled("the task was cancelled")
        fraction = min(1.0, max(0.0, fraction))
        self._fraction = fraction
        self._parent.say(messages.Progress(of=self._order.of, fraction=fraction, note=note[:200]))

    @property
    def shows(self) -> bool:
        """Whether the client wants to see what there is so far, and has not just done so."""
        at, fraction = self._shown
        due = time.monotonic() - at >= _SHOW_EVERY_S and self._fraction - fraction >= _SHOW_EVERY_FRACTION
        return self._order.preview and due

    def show(self, content: bytes, extension: str) -> None:
        """Let the client see a small picture of what there is so far, if `shows`."""
        if self.shows:
            self._shown = (time.monotonic(), self._fraction)
            path = self._new_path(f"preview.{extension}")
            path.write_bytes(content)
            self._parent.say(messages.Show(**self._file(path, extension)))

    def warn(self, sentence: str) -> None:
        """Tell the client something about the result, once; further sentences than the first hundred are dropped."""
        if sentence not in self.warnings and len(self.warnings) < LIMIT_WARNINGS:
            self.warnings.append(sentence)

    def _file(self, path: Path, extension: str) -> dict[str, Any]:
        """Tell of a file what it is and of what it was made."""
        taken = [one.extension for one in self._taken]
        said = statement(self.recipe, self._order.model, extension, taken, has_media=bool(taken))
        return {
            "of": self._order.of,
            "path": str(path),
            "extension": extension,
            "said": said,
            "inputs": self._taken,
        }

    def _new_path(self, name: str) -> Path:
        self._files += 1
        return self.scratch / f"{self._files:03d}-{name}"
