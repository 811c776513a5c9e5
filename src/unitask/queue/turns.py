"""Whose task is next: a fair order between accounts, fixed when a task becomes ready (start-time fair queueing).

A task gets the turn after the last one of its account, or the turn that is being served now if that is later. Workers
take the lowest turn first, then the oldest task. So an account that orders ten thousand tasks has them one in each of
the next ten thousand turns, and the first task of another account joins the present turn: it waits for at most one
task of the first account.
"""


class Turns:
    """Knows the turn that is being served. Kept in memory; other API processes are caught up with every second."""

    def __init__(self) -> None:
        self.now = 0

    def serve(self, turn: int) -> None:
        """Hear that a task of this turn was claimed."""
        self.now = max(self.now, turn)

    def of_next(self, *, active_tasks: int, last_turn: int) -> int:
        """Give the turn of a task that becomes ready while its account has so many others under way.

        Turns that were lost to cancelled tasks do not count: no turn is later than by one for each task under way and
        one more. That one is for an account whose last task has just been served: without it, two accounts that order
        one task at a time would keep all others waiting for ever.
        """
        return max(self.now, min(last_turn + 1, self.now + active_tasks + 1))
