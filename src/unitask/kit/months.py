"""Months of the calendar, UTC, as ids see them: ids that sort by time put a month's tasks side by side."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from unitask.kit.clock import SECOND_US
from unitask.kit.ids import first_id


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """One month; `number` counts from 1 to 12."""

    year: int
    number: int

    @classmethod
    def of(cls, time_us: int) -> Self:
        """Find the month of a moment."""
        day = datetime.fromtimestamp(time_us // SECOND_US, UTC)
        return cls(day.year, day.month)

    def after(self, months: int) -> "Month":
        """Give the month so many later, or earlier."""
        year, before = divmod(12 * self.year + self.number - 1 + months, 12)
        return Month(year, before + 1)

    @property
    def next(self) -> "Month":
        """The month after it."""
        return self.after(1)

    @property
    def first_id(self) -> str:
        """What no id of an earlier month reaches."""
        return first_id(int(datetime(self.year, self.number, 1, tzinfo=UTC).timestamp()) * SECOND_US)

    @property
    def partition(self) -> str:
        """The name of its partition of the table of tasks; such names sort by time."""
        return f"tasks_{self.year:04}_{self.number:02}"
