"""How the places of a process are divided among hosts, and the schedule of attempts."""

from itertools import accumulate

import pytest

from unitask.kit.clock import SECOND_US
from unitask.webhooks.lanes import HOST_LIMIT, Lanes, Share
from unitask.webhooks.model import wait_us

FIRST = 8
ID = "01987c5f-3b1e-7cc3-98c4-dc0c0c07{}"


def shares(lanes: Lanes, hosts: list[str], room: int = 256, now: int = 0) -> dict[str, int]:
    """Ask for shares."""
    return {share.host: share.most for share in lanes.shares(hosts, room, now)}


def use(lanes: Lanes, host: str, number: int) -> None:
    """Begin posts."""
    for _ in range(number):
        lanes.enter(host)


def test_a_new_host_gets_a_few_places_and_more_while_it_answers_fast() -> None:
    """Up to a limit."""
    lanes = Lanes()
    assert lanes.shares(["a"], 256, 0) == [Share("a", FIRST)]
    use(lanes, "a", FIRST)
    assert shares(lanes, ["a"]) == {}
    for _ in range(100):
        lanes.answered("a", 5)
        lanes.enter("a")
    assert shares(lanes, ["a"]) == {"a": HOST_LIMIT - FIRST}


def test_a_host_that_answers_fast_keeps_its_places_while_nothing_is_under_way() -> None:
    """What comes in small groups would otherwise be sent in groups of the first size for ever."""
    lanes = Lanes()
    for _ in range(100):
        lanes.enter("a")
        lanes.answered("a", 5)
    assert shares(lanes, ["a"]) == {"a": HOST_LIMIT}


def test_room_is_divided_evenly() -> None:
    """The first host does not take it all."""
    assert shares(Lanes(), ["a", "b", "c"], 6) == {"a": 2, "b": 2, "c": 2}
    assert shares(Lanes(), ["a", "b", "c"], 2) == {"a": 1, "b": 1}
    assert shares(Lanes(), [], 2) == {}


def test_a_slow_host_gets_fewer_places_down_to_one() -> None:
    """However many slow hosts there are, each holds one place."""
    lanes = Lanes()
    use(lanes, "a", FIRST)
    for _ in range(FIRST):
        lanes.answered("a", 9000)
    assert shares(lanes, ["a"]) == {"a": 1}


def test_a_host_that_does_not_answer_is_left_alone_for_longer_and_longer() -> None:
    """One second, two, four, up to a minute; one post at a time; an answer ends it."""
    lanes, now, pauses = Lanes(), 0, []
    for _ in range(9):
        lanes.enter("dead")
        lanes.missed("dead", now, now)
        pause = 0
        while not shares(lanes, ["dead"], now=now):
            now += SECOND_US
            pause += 1
        pauses.append(pause)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert shares(lanes, ["dead", "well"], now=now) == {"dead": 1, "well": FIRST}
    lanes.enter("dead")
    lanes.answered("dead", 5)
    assert shares(lanes, ["dead"], now=now) == {"dead": 2}
    lanes.enter("dead")
    lanes.missed("dead", now, now)
    assert shares(lanes, ["dead"], now=now + SECOND_US) == {"dead": 1}


def test_posts_that_fail_side_by_side_are_one_miss() -> None:
    """A host that is away for a moment is not left alone for a minute because much was under way."""
    lanes = Lanes()
    use(lanes, "a", FIRST)
    for _ in range(FIRST):
        lanes.missed("a", 0, SECOND_US)
    assert shares(lanes, ["a"], now=2 * SECOND_US) == {"a": 1}


@pytest.mark.parametrize("tail", ["0000", "8000", "ffff"])
def test_the_schedule_begins_as_the_wire_promises_and_ends_within_a_day(tail: str) -> None:
    """Three times after five seconds, then later and later."""
    waits = [wait_us(ID.format(tail), tries) for tries in range(1, 14)]
    assert waits.pop() is None
    assert waits[:3] == [5 * SECOND_US] * 3
    assert waits == sorted(waits)
    (*_, total) = accumulate(waits)
    assert 20 * 3600 * SECOND_US < total < 24 * 3600 * SECOND_US


def test_later_attempts_are_spread() -> None:
    """Messages that failed together do not come back together."""
    assert wait_us(ID.format("0000"), 4) != wait_us(ID.format("ffff"), 4)
