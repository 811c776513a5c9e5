"""Turns: whose task is next, when tasks are ordered and served in any order."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from unitask.queue.turns import Turns

MANY = 10_000


@dataclass
class Queue:
    """One lane and its accounts, as the database would keep them."""

    turns: Turns = field(default_factory=Turns)
    ready: list[tuple[int, int, str]] = field(default_factory=list)
    active: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    ordered: int = 0

    def order(self, account: str, number: int = 1) -> None:
        """Order tasks."""
        for _ in range(number):
            active, last = self.active.get(account, 0), self.last.get(account, 0)
            turn = self.turns.of_next("gpu", active_tasks=active, last_turn=last)
            self.last[account] = turn
            self.active[account] = self.active.get(account, 0) + 1
            self.ordered += 1
            self.ready.append((turn, self.ordered, account))

    def serve(self) -> str:
        """Claim the next task and end it at once; gives whose it was."""
        turn, number, account = min(self.ready)
        self.ready.remove((turn, number, account))
        self.turns.serve(["gpu"], [("gpu", turn)])
        self.active[account] -= 1
        return account

    def cancel(self, account: str) -> None:
        """Take all tasks of an account back."""
        gone = [one for one in self.ready if one[2] == account]
        self.ready = [one for one in self.ready if one[2] != account]
        self.active[account] = self.active.get(account, 0) - len(gone)


def test_the_turn_being_served_only_grows() -> None:
    """A task that is tried again has an old turn."""
    turns = Turns()
    turns.serve(["gpu"], [("gpu", 5)])
    turns.serve(["gpu"], [("gpu", 3)])
    assert turns.served("gpu") == 5


def test_a_new_account_joins_the_turn_that_is_being_served() -> None:
    """Tasks of an account follow each other, one in each turn."""
    turns = Turns()
    turns.serve(["gpu"], [("gpu", 41)])
    assert turns.of_next("gpu", active_tasks=0, last_turn=0) == 41
    assert turns.of_next("gpu", active_tasks=1, last_turn=41) == 42
    assert turns.of_next("gpu", active_tasks=2, last_turn=42) == 43


def test_each_engine_counts_its_own_turns() -> None:
    """What one has served says nothing about another."""
    turns = Turns()
    turns.serve(["cpu"], [("cpu", 1_000)])
    assert turns.of_next("gpu", active_tasks=0, last_turn=0) == 1
    assert turns.of_next("cpu", active_tasks=0, last_turn=0) == 1_000


def test_turns_of_cancelled_tasks_are_not_held_against_an_account() -> None:
    """Who cancels a thousand tasks is not a thousand turns late."""
    turns = Turns()
    turns.serve(["gpu"], [("gpu", 3)])
    assert turns.of_next("gpu", active_tasks=0, last_turn=1_000) == 4
    assert turns.of_next("gpu", active_tasks=2, last_turn=1_000) == 6


def test_ten_thousand_waiting_tasks_delay_the_first_of_another_by_one() -> None:
    """Whenever it comes."""
    queue = Queue()
    queue.order("big", MANY)
    for served in (0, 1, 500):
        for _ in range(served):
            queue.serve()
        queue.order(f"small {served}")
        assert f"small {served}" in {queue.serve(), queue.serve()}


def test_backlogs_are_served_in_turn() -> None:
    """Three accounts, each a third; whoever runs dry leaves its share to the others."""
    queue = Queue()
    for account, number in (("a", 30), ("b", 10), ("c", 30)):
        queue.order(account, number)
    served = [queue.serve() for _ in range(70)]
    for start in range(0, 30, 3):
        assert set(served[start : start + 3]) == {"a", "b", "c"}
    for start in range(30, 70, 2):
        assert set(served[start : start + 2]) == {"a", "c"}


def test_small_orders_of_others_never_keep_a_backlog_waiting() -> None:
    """Two accounts that order one task each, always the next as the last is served: a third of the work each."""
    queue = Queue()
    queue.order("big", 100)
    queue.order("b")
    served = []
    for number in range(90):
        queue.order("c" if number % 2 else "b")
        served.append(queue.serve())
    assert served.count("big") >= 30


@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["order", "order", "serve", "cancel"])), max_size=80)
)
def test_nobody_with_waiting_tasks_is_passed_twice_by_a_new_task_of_another(story: list[tuple[str, str]]) -> None:
    """After any story, a fresh account waits for at most one task of each other, and nobody for two in a row."""
    queue = Queue()
    for account, deed in story:
        if deed == "order":
            queue.order(account)
        elif deed == "cancel":
            queue.cancel(account)
        elif queue.ready:
            queue.serve()
    queue.order("fresh")
    before = []
    while (account := queue.serve()) != "fresh":
        before.append(account)
    assert len(before) == len(set(before)), before


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=60))
def test_the_tasks_of_an_account_keep_their_order(story: list[tuple[str, bool]]) -> None:
    """First ordered, first served."""
    queue = Queue()
    numbers: dict[str, list[int]] = {}
    for account, serves in story:
        queue.order(account)
        if serves:
            numbers.setdefault(min(queue.ready)[2], []).append(min(queue.ready)[1])
            queue.serve()
    while queue.ready:
        numbers.setdefault(min(queue.ready)[2], []).append(min(queue.ready)[1])
        queue.serve()
    for served in numbers.values():
        assert served == sorted(served)
