"""The job that an engine gets in its child process."""

import threading
import time
from functools import cached_property
from math import inf
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Protocol

import httpx

from unitask.artifacts.model import is_stored_name
from unitask.kit.errors import Cancelled, EngineFailure, MediaFailure
from unitask.kit.ids import drawn_seed
from unitask.kit.media import HEAD_BYTES, sniff
from unitask.kit.net import Guard, Refused, Unreachable
from unitask.spec.media import Media
from unitask.spec.product import Input, Recipe
from unitask.worker import messages

_PHRASES: Final = {
    "image": "failed to get valid image",
    "video": "failed to get valid video",
    "audio": "failed to get input audio",
}
_FETCH_TIMEOUT_S: Final = 60.0
_SAVE_TIMEOUT_S: Final = 900.0
_LIMIT_WARNINGS: Final = 100
_SHOW_EVERY_S: Final = 2.0
_SHOW_EVERY_FRACTION: Final = 0.1


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
        self._guard = Guard(allow_private=order.allow_private)
        self._until = time.monotonic() + order.seconds_left
        self._files = 0
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
        asked = getattr(inputs, inputs.seed_field, None)
        if isinstance(asked, int) and asked >= 0:
            self.seed = asked

    def fetch(self, source: str, media: Media) -> Path:
        """Put the file behind a URL into scratch, within the field's limits."""
        path = self._new_path("input")
        timeout_s = max(1.0, min(_FETCH_TIMEOUT_S, self.seconds_left))
        try:
            name = source.removeprefix(self._order.files_url)
            if name != source and is_stored_name(name):
                self._fetch_own(name, path, media.limit_bytes, timeout_s)
            else:
                self._guard.download(source, path, limit_bytes=media.limit_bytes, timeout_s=timeout_s)
        except (Refused, Unreachable) as error:
            raw_message = error.raw_message if isinstance(error, Unreachable) else ""
            raise MediaFailure(f"{_PHRASES[media.kind]}: {error}", raw_message=raw_message) from error
        with path.open("rb") as file:
            found = sniff(file.read(HEAD_BYTES))
        if found is None or found.kind != media.kind:
            seen = f"it is {found.content_type}" if found else "its format is unknown"
            raise MediaFailure(f"{_PHRASES[media.kind]}: the address must lead to {media.kind} data, {seen}")
        return path

    def _fetch_own(self, name: str, into: Path, limit_bytes: int, timeout_s: float) -> None:
        """Read a file of our own store from the API, which the worker trusts, however clients reach it.

        As a download it never sends us on: an account's own bucket is a stranger's server.
        """
        size = 0
        try:
            with (
                httpx.Client(trust_env=False, timeout=timeout_s) as client,
                client.stream("GET", self._order.own_files_url + name, params={"download": "1"}) as answer,
                into.open("wb") as file,
            ):
                if not answer.is_success:
                    raise Unreachable("the file is not there; it may have expired")
                for chunk in answer.iter_bytes():
                    size += len(chunk)
                    if size > limit_bytes:
                        raise Unreachable(f"the file is larger than {limit_bytes} bytes; send a smaller one")
                    file.write(chunk)
        except httpx.HTTPError as error:
            raise Unreachable("the store did not answer") from error

    def save(self, content: bytes | Path, extension: str) -> str:
        """Store an output file; returns its reference."""
        path = content if isinstance(content, Path) else self._new_path(f"output.{extension}")
        if isinstance(content, bytes):
            path.write_bytes(content)
        self._parent.say(messages.Save(of=self._order.of, path=str(path), extension=extension))
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
            self._parent.say(messages.Show(of=self._order.of, path=str(path), extension=extension))

    def warn(self, sentence: str) -> None:
        """Tell the client something about the result, once; further sentences than the first hundred are dropped."""
        if sentence not in self.warnings and len(self.warnings) < _LIMIT_WARNINGS:
            self.warnings.append(sentence)

    def _new_path(self, name: str) -> Path:
        self._files += 1
        return self.scratch / f"{self._files:03d}-{name}"
