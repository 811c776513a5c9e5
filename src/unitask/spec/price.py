"""How a product is priced: so many points per unit, the number of units read from the input."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from unitask.kit.money import points


def _one(_: Any) -> int:
    return 1


@dataclass(frozen=True, slots=True)
class Price:
    """`points_per_unit` for each `unit`.

    `units` reads the number of units from the validated input. Where the true number is known only after the work
    (the megapixels of an output), it gives the most that the limits allow: the quote is a ceiling, and the engine's
    measure, named like the unit, decides what is charged.
    """

    points_per_unit: int
    unit: str = "task"
    units: Callable[[Any], int] = _one

    def quote(self, inputs: Any) -> int:
        """Points to hold for this input; the most it can cost."""
        return self.points_per_unit * self.units(inputs)

    def charge(self, quote: int, measures: Mapping[str, float]) -> int:
        """Points to capture: by the engine's measure if it gave one, never more than the quote."""
        measured = measures.get(self.unit)
        return quote if measured is None else min(quote, self.points_per_unit * max(1, ceil(measured)))


def dollars(amount: str, unit: str = "task", units: Callable[[Any], int] = _one) -> Price:
    """Write a price as the price list does: `dollars("0.015", "image")`."""
    return Price(points(amount), unit, units)
