"""Every status against every event, and what any path through them adds up to."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitask.tasks.lifecycle import (
    Abandoned,
    Accepted,
    CancelRequested,
    Claimed,
    Completed,
    Effects,
    Event,
    Failed,
    GivenBack,
    IllegalTransition,
    Overdue,
    Promoted,
    Standing,
    apply,
)
from unitask.tasks.model import CANCELLED, Failure, Status

PRICE = 100
BROKEN = Failure("it broke", "core dumped")
GIVEN_UP = Failure("the task was given up after its last attempt: the worker is gone", "the worker is gone")
TOO_LATE = Failure("the task did not end within 60 s and was given up", "deadline exceeded")

EVENTS: dict[str, Event] = {
    "accepted with a slot": Accepted(True),
    "accepted without a slot": Accepted(False),
    "promoted": Promoted(),
    "claimed": Claimed(),
    "completed at the full price": Completed({"image_url": "x"}, PRICE),
    "completed for less": Completed({"image_url": "x"}, 30),
    "completed for nothing": Completed({"image_url": "x"}, 0),
    "failed": Failed(BROKEN),
    "failed, to be tried again": Failed(BROKEN, retry=True),
    "abandoned, attempts left": Abandoned(1, "the worker is gone"),
    "abandoned at the last attempt": Abandoned(0, "the worker is gone"),
    "abandoned beyond the last attempt": Abandoned(-1, "the worker is gone"),
    "given back": GivenBack(),
    "cancel requested": CancelRequested(),
    "overdue": Overdue(60),
}


def ended(failure: Failure, **counters: int) -> tuple[Status, Effects]:
    """Expect a failure, with nothing charged."""
    return Status.FAILED, Effects(release=PRICE, dequeue=True, notify=True, failure=failure, **counters)


def completed(charge: int) -> tuple[Status, Effects]:
    """Expect a success, with the rest of the hold given back."""
    effects = Effects(capture=charge, release=PRICE - charge, active=-1, dequeue=True, notify=True)
    return Status.COMPLETED, effects


AGAIN = (Status.PENDING, Effects(requeue=True))

LEGAL: dict[tuple[Status | None, str], tuple[Status, Effects]] = {
    (None, "accepted with a slot"): (Status.PENDING, Effects(hold=PRICE, active=1, enqueue=True)),
    (None, "accepted without a slot"): (Status.STAGED, Effects(hold=PRICE, staged=1, enqueue=True)),
    (Status.STAGED, "promoted"): (Status.PENDING, Effects(active=1, staged=-1, requeue=True)),
    (Status.STAGED, "cancel requested"): ended(CANCELLED, staged=-1),
    (Status.STAGED, "overdue"): ended(TOO_LATE, staged=-1),
    (Status.PENDING, "claimed"): (Status.PROCESSING, Effects()),
    (Status.PENDING, "cancel requested"): ended(CANCELLED, active=-1),
    (Status.PENDING, "overdue"): ended(TOO_LATE, active=-1),
    (Status.PROCESSING, "completed at the full price"): completed(PRICE),
    (Status.PROCESSING, "completed for less"): completed(30),
    (Status.PROCESSING, "completed for nothing"): completed(0),
    (Status.PROCESSING, "failed"): ended(BROKEN, active=-1),
    (Status.PROCESSING, "failed, to be tried again"): AGAIN,
    (Status.PROCESSING, "abandoned, attempts left"): AGAIN,
    (Status.PROCESSING, "abandoned at the last attempt"): ended(GIVEN_UP, active=-1),
    (Status.PROCESSING, "abandoned beyond the last attempt"): ended(GIVEN_UP, active=-1),
    (Status.PROCESSING, "given back"): (Status.PENDING, Effects(requeue=True, uncount=True)),
    (Status.PROCESSING, "cancel requested"): (Status.PROCESSING, Effects(ask_worker=True)),
    (Status.PROCESSING, "overdue"): ended(TOO_LATE, active=-1),
}


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("status", [None, *Status], ids=str)
def test_an_event_does_what_the_table_says_or_is_illegal(status: Status | None, name: str) -> None:
    """All pairs: those in the table with their exact effects, all others refused."""
    expected = LEGAL.get((status, name))
    if expected is None:
        with pytest.raises(IllegalTransition):
            apply(Standing(status, PRICE), EVENTS[name])
    else:
        assert apply(Standing(status, PRICE), EVENTS[name]) == expected


def test_the_table_names_known_events_only() -> None:
    """A misspelt name in the table would turn a legal pair into an expected refusal."""
    assert {name for _, name in LEGAL} <= set(EVENTS)


def legal(status: Status | None) -> list[str]:
    """List the events that a status allows."""
    return [name for of, name in LEGAL if of == status]


@st.composite
def lives(draw: st.DrawFn) -> tuple[int, list[Event]]:
    """Draw a price, and events that lead from nothing to a final status."""
    price = draw(st.integers(0, 10**12))
    status: Status | None = None
    events: list[Event] = []
    while status is None or not status.final:
        name = draw(st.sampled_from(legal(status))) if len(events) < 30 else "overdue"
        event = EVENTS[name]
        if isinstance(event, Completed):
            event = Completed(event.output, draw(st.integers(0, price)))
        status, _ = apply(Standing(status, price), event)
        events.append(event)
    return price, events


@given(lives())
def test_any_life_settles_its_hold_and_gives_its_slot_back(life: tuple[int, list[Event]]) -> None:
    """Hold equals capture and release; counters return to zero; one entry, one exit, one announcement at the end."""
    price, events = life
    status: Status | None = None
    sums: Counter[str] = Counter()
    for index, event in enumerate(events):
        status, effects = apply(Standing(status, price), event)
        for name in ("hold", "capture", "release", "active", "staged", "enqueue", "dequeue", "notify"):
            sums[name] += getattr(effects, name)
        assert sums["active"] in {0, 1}
        assert sums["staged"] in {0, 1}
        assert sums["active"] + sums["staged"] == (0 if status.final else 1)
        assert effects.notify == effects.dequeue == status.final
        assert (effects.failure is not None) == (status is Status.FAILED)
        assert status.final == (index == len(events) - 1)
        assert min(effects.capture, effects.release) >= 0
    assert sums["hold"] == price == sums["capture"] + sums["release"]
    assert (sums["active"], sums["staged"]) == (0, 0)
    assert (sums["enqueue"], sums["dequeue"], sums["notify"]) == (1, 1, 1)


@given(lives())
def test_only_a_completed_task_is_charged(life: tuple[int, list[Event]]) -> None:
    """Whatever happened on the way, a failure costs nothing."""
    price, events = life
    status: Status | None = None
    captured = 0
    for event in events:
        status, effects = apply(Standing(status, price), event)
        captured += effects.capture
    assert status is Status.COMPLETED or captured == 0
