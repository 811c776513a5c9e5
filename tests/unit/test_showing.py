"""How often an engine may show what it has so far."""

from pathlib import Path
from queue import SimpleQueue
from threading import Event
from types import SimpleNamespace

import pytest

from support.attempts import attempt
from unitask.spec.product import Recipe
from unitask.worker import job as module
from unitask.worker.job import ChildJob
from unitask.worker.messages import Saved, Show, Word


class Hears:
    """A parent that remembers what was shown."""

    def __init__(self) -> None:
        self.cancelled = Event()
        self.saved: SimpleQueue[Saved] = SimpleQueue()
        self.shown: list[bytes] = []

    def say(self, word: Word) -> None:
        """Look at a picture while it is there."""
        if isinstance(word, Show):
            self.shown.append(Path(word.path).read_bytes())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stop the clock of jobs at `now`."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def job(parent: Hears, scratch: Path, *, preview: bool = True) -> ChildJob:
    """Begin an attempt."""
    order = attempt(scratch, preview=preview)
    return ChildJob(parent=parent, order=order, recipe=Recipe("cpu", "full", "upscale"))


def test_previews_come_after_two_seconds_and_a_tenth_of_the_work_whichever_is_later(
    tmp_path: Path, clock: SimpleNamespace
) -> None:
    """The first after a tenth of the work; what comes too soon is dropped."""
    parent = Hears()
    made = job(parent, tmp_path)
    offered = [(0, 0.0), (0, 0.1), (0, 0.9), (1.9, 0.9), (2, 0.19), (2, 0.2), (3, 0.9), (9, 0.29), (9, 0.31)]
    for seconds, fraction in offered:
        clock.now = 100.0 + seconds
        made.progress(fraction)
        made.show(f"{seconds} {fraction}".encode(), "jpg")
        assert not made.shows
    assert parent.shown == [b"0 0.1", b"2 0.2", b"9 0.31"]


def test_who_did_not_ask_is_shown_nothing(tmp_path: Path) -> None:
    """No file is written for nobody."""
    parent = Hears()
    made = job(parent, tmp_path, preview=False)
    made.progress(0.5)
    made.show(b"a picture", "jpg")
    assert not made.shows
    assert parent.shown == list(tmp_path.iterdir()) == []
