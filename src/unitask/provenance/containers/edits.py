"""A file as its container's walker sees it, and changes to it that leave all other bytes as they are."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

MOST_PIECES: Final = 200_000
"""An honest file of hours has some ten thousand chunks or boxes at its top."""
MOST_PACKET_BYTES: Final = 1 << 20
_BLOCK: Final = 1 << 20


class Unmarkable(ValueError):
    """The file is not what its container demands: no mark is put into it, and none found from there on."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes in place of those from `start` up to `end`."""

    start: int
    end: int
    content: bytes


@dataclass(slots=True)
class Plan:
    """What a walk found: the packets that are there, and what to change to have the new one there instead.

    `damaged`: why the walk ended before the file did.
    """

    said: bytearray = field(default_factory=bytearray)
    edits: list[Edit] = field(default_factory=list)
    damaged: str = ""

    @property
    def packet(self) -> bytes | None:
        """All that the packets say."""
        return bytes(self.said) or None

    @property
    def room(self) -> int:
        """How much more is listened to: strangers may pack a lot, or many packets."""
        return MOST_PACKET_BYTES - len(self.said)

    def take(self, packet: bytes | None) -> None:
        """Keep what a packet says, beside those before it."""
        self.said += (packet or b"")[: self.room]


class View:
    """A file read at places, never beyond its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, 2)

    def read(self, at: int, count: int) -> bytes:
        """Read exactly so many bytes.

        Raises:
            Unmarkable: there are not so many.

        """
        if at < 0 or count < 0 or at + count > self.size:
            raise Unmarkable("the file is cut off, or a length in it is wrong")
        self._file.seek(at)
        return self._file.read(count)

    def packet(self, at: int, count: int) -> bytes | None:
        """Read a packet that is there; None if it is larger than any honest one."""
        return self.read(at, count) if count <= MOST_PACKET_BYTES else None

    def rewrite(self, into: BinaryIO, edits: Iterable[Edit]) -> None:
        """Write the file with its changes."""
        at = 0
        for edit in sorted(edits, key=lambda one: (one.start, one.end)):
            self._copy(into, at, edit.start)
            into.write(edit.content)
            at = edit.end
        self._copy(into, at, self.size)

    def _copy(self, into: BinaryIO, at: int, end: int) -> None:
        while at < end:
            content = self.read(at, min(_BLOCK, end - at))
            into.write(content)
            at += len(content)


def bounded() -> Iterator[int]:
    """Count the pieces of a file.

    Raises:
        Unmarkable: no honest file has so many.

    """
    yield from range(MOST_PIECES)
    raise Unmarkable("the file has more pieces than any honest one")
