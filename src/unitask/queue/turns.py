"""Whose task is next: a fair order between accounts, fixed when a task becomes ready (start-time fair queueing).

A task gets the turn after the last one of its account, or the turn that is being served now if that is later. Workers
take the lowest turn first, then the oldest task. So an account that orders ten thousand tasks has them one in each of
the next ten thousand turns, and the first task of another account joins the present turn: it waits for at most one
task of the first account.

Each engine counts its own turns, because each may have workers of its own, at a pace of its own. A worker of several
engines takes the task whose turn lies nearest behind the one that is served at its engine; and what it serves of one
engine, it moves all of its engines on by.

Reading weights takes long, so a worker takes tasks whose model it has in memory up to `LEAD` turns before their time.
No account gets further ahead of another by that. And a worker that has taken so many tasks in a row takes one without
this preference (see `unitask.worker.pool`): a task whose turn has come is passed over by a bounded number of others,
however many new accounts order what is in memory.
"""

from collections.abc import Iterable, Mapping
from typing import Final

LEAD: Final = 8


class Turns:
    """Knows the turn that each engine serves. Kept in memory; processes tell each other every second."""

    def __init__(self) -> None:
        self._served: dict[str, int] = {}

    def served(self, engine: str) -> int:
        """Give the turn that an engine serves now."""
        return self._served.get(engine, 0)

    def serve(self, engines: Iterable[str], claimed: Iterable[tuple[str, int]]) -> None:
        """Hear that a worker of these engines claimed tasks of these engines and turns."""
        ahead = max((turn - self.served(engine) for engine, turn in claimed), default=0)
        if ahead > 0:
            self._served |= {engine: self.served(engine) + ahead for engine in engines}

    def follow(self, known: Mapping[str, int]) -> dict[str, int]:
        """Hear how far others are; returns the turns of the engines at which this process is further."""
        ahead = {engine: turn for engine, turn in self._served.items() if turn > known.get(engine, 0)}
        self._served |= {engine: turn for engine, turn in known.items() if turn > self.served(engine)}
        return ahead

    def of_next(self, engine: str, *, active_tasks: int, last_turn: int) -> int:
        """Give the turn of a task that becomes ready while its account has so many others under way.

        Turns that were lost to cancelled tasks do not count: no turn is later than by one for each task under way and
        one more. That one is for an account whose last task has just been served: without it, two accounts that order
        one task at a time would keep all others waiting for ever.
        """
        now = self.served(engine)
        return max(now, min(last_turn + 1, now + active_tasks + 1))
