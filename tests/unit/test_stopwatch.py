"""What a worker tells of where the time of an attempt went."""

from itertools import count

import pytest

from unitask.provenance.manifest import Said
from unitask.provenance.sources import Source
from unitask.worker import messages
from unitask.worker.attempt import Stopwatch

OF = messages.Name("task", 1)
SAID = Said(source=Source.DRAWN, release="1", engine="cpu", model="m")
SAVED = messages.Save(of=OF, path="", extension="", said=SAID, inputs=[])


def note(text: str) -> messages.Progress:
    """Say how far an attempt is."""
    return messages.Progress(of=OF, fraction=0.1, note=text)


def ticking() -> Stopwatch:
    """Make a watch whose clock is a second further at every look."""
    seconds = count(100)
    return Stopwatch(now=lambda: float(next(seconds)))


def test_what_comes_before_the_attempt_began_is_its_start() -> None:
    """By the clock at which it was claimed; never less than nothing."""
    assert ticking().read(103.5).start_s == pytest.approx(3.5)
    assert ticking().read(99).start_s == 0


def test_an_attempt_that_never_began_has_only_waited() -> None:
    """All of its time was the start."""
    assert ticking().read(None).start_s == 1


def test_weights_are_read_from_the_note_that_says_so_to_the_next_word() -> None:
    """As often as it is said; other notes are work."""
    watch = ticking()
    for word in (note("reading the picture"), note("loading the model"), note("step 1"), note("step 2")):
        watch.hear(word)
    assert watch.read(100).load_s == 1
    for word in (note("loading the decoder"), note("loading the decoder"), SAVED):
        watch.hear(word)
    assert watch.read(100).load_s == 3
