"""Points: the unit of money on the wire, always an integer."""

from typing import Final

POINTS_PER_USD: Final = 10_000_000


def usd(points: int) -> float:
    """Convert points to dollars, for display only."""
    return points / POINTS_PER_USD


def exact_usd(points: int) -> str:
    """Write points as dollars to the last digit, without an exponent: -0.0000500."""
    whole, rest = divmod(abs(points), POINTS_PER_USD)
    return f"{'-' if points < 0 else ''}{whole}.{rest:07}"


def points(dollars: str) -> int:
    """Convert a price list's dollars, given as text, to points without a rounding error."""
    whole, _, fraction = dollars.partition(".")
    digits = fraction.ljust(7, "0")
    if len(digits) != 7 or not (whole + digits).isdigit():  # noqa: PLR2004 - ten million has seven zeros
        raise ValueError(f"not a price in dollars: {dollars!r}")
    return int(whole) * POINTS_PER_USD + int(digits)
