"""What a process counts of itself since its start, as plain numbers: `GET /metrics` writes them out.

A meter lives where it is counted, as a constant of that module. Adding to one costs a fraction of a microsecond, and
nothing is loaded for it. Labels are words of which there are few: a product, an engine, an outcome; never an id.
"""

import time
from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

METERS: Final[list["_Number | Histogram"]] = []
"""All of this process, in the order in which their modules were loaded."""
FAST_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for what should take milliseconds."""
SLOW_S: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0)
"""Bounds for what a task takes."""


class _Number:
    kind: str

    def __init__(self, name: str, meaning: str, labels: Sequence[str] = ()) -> None:
        self.name = name
        self.meaning = meaning
        self.labels = tuple(labels)
        self.values: dict[tuple[str, ...], float] = {}
        METERS.append(self)


class Gauge(_Number):
    """A number that goes up and down, by labels."""

    kind = "gauge"

    def set(self, value: float, *labels: str) -> None:
        """Say what it is now."""
        self.values[labels] = value

    def mark(self, *labels: str) -> None:
        """Say that it happened now: seconds since the epoch, by this machine's clock."""
        self.values[labels] = time.time()


class Counter(_Number):
    """A number that only grows, by labels; its name ends in `_total`."""

    kind = "counter"

    def add(self, *labels: str, by: float = 1) -> None:
        """Count one more, or so many."""
        self.values[labels] = self.values.get(labels, 0) + by


class Histogram:
    """How many of the values were at most each bound, by labels; `sums` has what they come to together."""

    kind: Final = "histogram"

    def __init__(self, name: str, meaning: str, bounds: Sequence[float], labels: Sequence[str] = ()) -> None:
        self.name = name
        self.meaning = meaning
        self.bounds = tuple(bounds)
        self.labels = tuple(labels)
        self.values: dict[tuple[str, ...], list[int]] = {}
        self.sums: dict[tuple[str, ...], float] = {}
        METERS.append(self)

    def observe(self, value: float, *labels: str) -> None:
        """Count a value."""
        counts = self.values.get(labels)
        if counts is None:
            counts = self.values[labels] = [0] * (len(self.bounds) + 1)
            self.sums[labels] = 0.0
        counts[bisect_left(self.bounds, value)] += 1
        self.sums[labels] += value
