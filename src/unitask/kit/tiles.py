"""Working on a large picture piece by piece, so that memory is bounded by the piece."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

Area = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A piece of a picture: where it lies, what must be seen to make it, and where it lies in what was seen.

    `done` is the share of the picture that is finished with this tile, 0 to 1.
    """

    place: Area
    seen: Area
    inner: Area
    done: float


def tiles(height: int, width: int, side: int, halo: int) -> Iterator[Tile]:
    """Cut a picture into squares of at most `side` pixels, each seen with `halo` pixels around it."""
    corners = list(product(range(0, height, side), range(0, width, side)))
    for number, (top, left) in enumerate(corners, start=1):
        rows, columns = _span(top, height, side, halo), _span(left, width, side, halo)
        place, seen, inner = zip(rows, columns, strict=True)
        yield Tile(place, seen, inner, done=number / len(corners))


def scaled(area: Area, scale: int) -> Area:
    """Give the same area in a picture that is `scale` times as large."""
    rows, columns = (slice(span.start * scale, span.stop * scale) for span in area)
    return rows, columns


def _span(start: int, end: int, side: int, halo: int) -> tuple[slice, slice, slice]:
    stop = min(end, start + side)
    seen = slice(max(0, start - halo), min(end, stop + halo))
    return slice(start, stop), seen, slice(start - seen.start, stop - seen.start)
