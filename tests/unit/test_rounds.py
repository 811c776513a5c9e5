"""What goes together in an engine process, and for what an attempt waits."""

import queue
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support.attempts import attempt
from unitask.catalogue import Catalogue
from unitask.worker import messages
from unitask.worker.child import Rounds
from unitask.worker.parent import Desk


@dataclass
class Orders:
    """Gives the orders that were sent; whoever waits for one that was not announced fails."""

    sent: list[messages.Run]
    waits: list[float] = field(default_factory=list)

    def get(self, timeout: float | None) -> Desk:
        """Give the next."""
        if not self.sent:
            assert timeout is not None, "nothing else would ever come"
            self.waits.append(timeout)
            raise queue.Empty
        return Desk(self.sent.pop(0), None)


@dataclass
class Parent:
    """Hears what is begun and how it ends."""

    orders: Orders
    begun: list[list[str]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def begin(self, desks: list[Desk]) -> list[Desk]:
        """Begin nothing."""
        self.begun.append([desk.order.of.task_id for desk in desks])
        return []

    def end(self, desk: Desk, _: messages.End) -> None:
        """Note an end."""
        self.ended.append(desk.order.of.task_id)


def orders(folder: Path, together: list[int]) -> list[messages.Run]:
    """Write one attempt for each number: so many were announced with it."""
    usual = {"model": "Qubico/flux1-dev", "task_type": "txt2img", "engine": "preview", "input": {"prompt": "a cat"}}
    return [
        attempt(folder, **usual, of=messages.Name(str(number), 1), together=most)
        for number, most in enumerate(together)
    ]


@pytest.mark.parametrize("together", [[1], [2, 2], [3, 3, 3]])
def test_no_attempt_waits_for_what_was_not_announced(tmp_path: Path, together: list[int]) -> None:
    """One that is sent alone begins at once; of several, as soon as the last is here."""
    parent = Parent(Orders(orders(tmp_path, together)))
    Rounds(parent, Catalogue.load()).run()
    assert parent.orders.waits == []
    assert parent.orders.sent == []
    assert parent.begun == [["0"]]


def test_one_that_was_announced_and_does_not_come_is_not_waited_for_long(tmp_path: Path) -> None:
    """Its order may have been lost with the parent's end of it."""
    parent = Parent(Orders(orders(tmp_path, [2])))
    rounds = Rounds(parent, Catalogue.load())
    rounds.run()
    (waited,) = parent.orders.waits
    assert 0 < waited <= 0.02
    parent.orders.sent = orders(tmp_path, [2, 2])
    rounds.run()
    assert parent.orders.sent == [], "the next group is whole again"
    assert len(parent.orders.waits) == 1
    assert len(parent.begun) == 2
