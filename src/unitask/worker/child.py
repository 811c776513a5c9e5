"""The engine process: runs one attempt after another, or several together, until its parent lets go.

May be killed at any time. It has no token and no database: what it may do is fetch under guard, and ask its parent to
store a file.
"""

import os
import queue
import socket
import sys
import time
from collections.abc import Sequence
from typing import Final

from unitask.catalogue import Catalogue
from unitask.kit import log
from unitask.kit.process import die_with_parent, limit_memory
from unitask.worker import messages
from unitask.worker.making import Prepared, make, prepare
from unitask.worker.parent import Desk, Socket

_WINDOW_S: Final = 0.02
"""How long an attempt waits at most for those that the parent said it sends with it."""


class Rounds:
    """What is waiting, and what of it goes next: the oldest attempt, and with it those that may go with it."""

    def __init__(self, parent: Socket, catalogue: Catalogue) -> None:
        self._parent = parent
        self._catalogue = catalogue
        self._waiting: list[tuple[Desk, Prepared]] = []
        self._coming = 0

    def run(self) -> None:
        """Run the next attempts to their end."""
        chosen = self._choose()
        begun = self._parent.begin([desk for desk, _ in chosen])
        group = [(desk, prepared) for desk, prepared in chosen if desk in begun]
        with log.about(**_about([one.order for _, one in group])):
            ends = make(group) if group else []
        for (desk, _), end in zip(group, ends, strict=True):
            self._parent.end(desk, end)
        if any(isinstance(end, messages.Broke) and end.spent for end in ends):
            os._exit(0)

    def _choose(self) -> list[tuple[Desk, Prepared]]:
        while not self._waiting:
            self._hear(None)
        until = time.monotonic() + _WINDOW_S
        while self._coming and self._hear(max(0.0, until - time.monotonic())):
            pass
        self._coming = 0
        chosen = self._fellows(self._waiting[0][1])
        self._waiting = [one for one in self._waiting if one not in chosen]
        return chosen

    def _fellows(self, first: Prepared) -> list[tuple[Desk, Prepared]]:
        if first.key is None:
            return self._waiting[:1]
        return [one for one in self._waiting if one[1].key == first.key][: first.most]

    def _hear(self, timeout_s: float | None) -> bool:
        """Take one more order in; tells whether one came in time."""
        try:
            desk = self._parent.orders.get(timeout=timeout_s)
        except queue.Empty:
            return False
        self._coming = (self._coming or desk.order.together) - 1
        prepared = prepare(self._catalogue, desk.order)
        if isinstance(prepared, messages.Broke):
            self._parent.end(desk, prepared)
        else:
            self._waiting.append((desk, prepared))
        return True


def _about(orders: Sequence[messages.Run]) -> dict[str, object]:
    """Name the attempts that run: whatever a library says meanwhile is about them."""
    if len(orders) == 1:
        (one,) = orders
        return {"task_id": one.of.task_id, "attempt": one.of.attempt, "product": f"{one.model}/{one.task_type}"}
    return {"task_ids": [one.of.task_id for one in orders]}


def main(descriptor: int, memory_bytes: int, level: str, *, as_json: bool) -> None:
    """Serve attempts over the inherited socket, and log as the parent does."""
    log.configure(level, as_json=as_json)
    die_with_parent()
    limit_memory(memory_bytes)
    rounds = Rounds(Socket(socket.socket(fileno=descriptor)), Catalogue.load())
    while True:
        rounds.run()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], as_json=sys.argv[4] == "1")
