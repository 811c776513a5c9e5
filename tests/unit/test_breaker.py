"""The breaker of a provider, with a clock that is moved by hand."""

from dataclasses import dataclass

import pytest

from unitask.remote.breaker import FAILURES, Breaker


@dataclass
class Hand:
    """A clock."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def hand() -> Hand:
    """Give a clock."""
    return Hand()


@pytest.fixture
def breaker(hand: Hand) -> Breaker:
    """Give one that goes by it."""
    return Breaker(hand)


def fail(breaker: Breaker, times: int) -> None:
    """Let calls fail."""
    for _ in range(times):
        breaker.failed("it hung up")


def test_a_few_failures_change_nothing(breaker: Breaker) -> None:
    """Those that come singly pass."""
    fail(breaker, FAILURES - 1)
    assert (breaker.state, breaker.pause_s, breaker.failures, breaker.why) == ("up", 0.0, FAILURES - 1, "it hung up")


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    """For five seconds."""
    fail(breaker, FAILURES)
    assert (breaker.state, breaker.pause_s) == ("down", 5.0)


def test_an_answer_in_between_ends_the_row(breaker: Breaker) -> None:
    """It is well."""
    fail(breaker, FAILURES - 1)
    breaker.answered(0.1)
    fail(breaker, FAILURES - 1)
    assert breaker.state == "up"


def test_it_tries_when_its_pause_is_over(breaker: Breaker, hand: Hand) -> None:
    """And closes with the first answer."""
    fail(breaker, FAILURES)
    hand.now += 4.9
    assert breaker.state == "down"
    hand.now += 0.1
    assert (breaker.state, breaker.pause_s) == ("trying", 0.0)
    breaker.answered(0.1)
    assert (breaker.state, breaker.failures, breaker.why) == ("up", 0, "")


def test_each_failed_trial_doubles_the_pause(breaker: Breaker, hand: Hand) -> None:
    """Up to five minutes."""
    fail(breaker, FAILURES)
    pauses = []
    for _ in range(8):
        pauses.append(breaker.pause_s)
        hand.now += breaker.pause_s
        fail(breaker, 1)
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300]


def test_an_answer_makes_the_pause_short_again(breaker: Breaker, hand: Hand) -> None:
    """The next row begins anew."""
    fail(breaker, FAILURES)
    hand.now += 5
    fail(breaker, 1)
    hand.now += 10
    breaker.answered(0.1)
    fail(breaker, FAILURES)
    assert breaker.pause_s == 5.0


def test_calls_that_were_under_way_do_not_lengthen_the_pause(breaker: Breaker) -> None:
    """Many fail at once where many ran."""
    fail(breaker, 50)
    assert (breaker.pause_s, breaker.failures) == (5.0, 50)


def test_it_opens_when_it_is_told_to(breaker: Breaker, hand: Hand) -> None:
    """With the reason; a second time while it is open changes no more than that."""
    breaker.trip("the key is wrong")
    assert (breaker.state, breaker.why, breaker.pause_s) == ("down", "the key is wrong", 5.0)
    hand.now += 1
    breaker.trip("still")
    assert (breaker.pause_s, breaker.why) == (4.0, "still")
    hand.now += 4
    breaker.trip("again")
    assert breaker.pause_s == 10.0


def test_it_is_trusted_until_the_next_failure(breaker: Breaker) -> None:
    """Where nothing can be asked."""
    fail(breaker, FAILURES)
    breaker.trust()
    assert breaker.state == "up"
    fail(breaker, 1)
    assert breaker.state == "down"


def test_the_time_of_answers_is_averaged(breaker: Breaker) -> None:
    """The newest counts a fifth."""
    assert breaker.latency_s is None
    breaker.answered(1.0)
    assert breaker.latency_s == 1.0
    breaker.answered(2.0)
    assert breaker.latency_s == pytest.approx(1.2)


def test_orders_that_fail_open_it_though_looks_are_answered(breaker: Breaker) -> None:
    """One that answers all else and takes no order is of no use."""
    for _ in range(FAILURES):
        breaker.answered(0.1)
        breaker.failed("503")
        breaker.ordered("503")
    assert (breaker.state, breaker.failures, breaker.why) == ("down", FAILURES, "503")


def test_it_is_left_alone_for_longer_while_it_takes_no_order(breaker: Breaker, hand: Hand) -> None:
    """A look that is answered in between lets one order try, and no more."""
    for _ in range(FAILURES):
        breaker.ordered("503")
    pauses = []
    for _ in range(8):
        pauses.append(breaker.pause_s)
        hand.now += breaker.pause_s
        breaker.answered(0.1)
        assert breaker.state == "up"
        breaker.ordered("503")
    assert pauses == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]


def test_an_order_that_is_taken_ends_it(breaker: Breaker, hand: Hand) -> None:
    """What was before is forgotten."""
    for _ in range(FAILURES):
        breaker.ordered("503")
    hand.now += breaker.pause_s
    breaker.answered(0.1)
    breaker.ordered()
    assert (breaker.state, breaker.failures, breaker.why) == ("up", 0, "")
    for _ in range(FAILURES):
        breaker.ordered("503")
    assert breaker.pause_s == 5.0
