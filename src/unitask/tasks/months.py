"""The history of tasks by months: opened ahead on PostgreSQL, forgotten whole when the operator says so."""

from typing import Final

from unitask.db import Database
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.months import Month
from unitask.tasks import repository
from unitask.tasks.vigil import Vigil

AHEAD: Final = 3
_EVERY_US: Final = 3600 * SECOND_US
_SWEEP: Final = 1000


class Months:
    """Keeps `keep` months before the present one; 0 keeps all. Nothing is forgotten by a clock that `vigil` doubts."""

    def __init__(self, database: Database, clock: Clock, keep: int, vigil: Vigil) -> None:
        self._database = database
        self._clock = clock
        self._keep = keep
        self._vigil = vigil
        self._next_at = 0

    async def tend(self) -> None:
        """Open the months to come, and forget those that are past; looks once an hour."""
        if self._clock.steady_us() < self._next_at:
            return
        present = Month.of(self._clock.now_us())
        for ahead in range(AHEAD + 1):
            await self._open(present.after(ahead))
        if self._keep and not self._vigil.is_even:
            return
        if self._keep and await self._forget(present.after(-self._keep)):
            return
        self._next_at = self._clock.steady_us() + _EVERY_US

    async def _open(self, month: Month) -> None:
        await self._database.write(lambda tx: repository.open_month(tx, month))

    async def _forget(self, oldest: Month) -> bool:
        """Forget what is older; tells whether there may be more."""
        gone = await self._database.write(lambda tx: repository.forget_before(tx, oldest, most=_SWEEP))
        return gone == _SWEEP
