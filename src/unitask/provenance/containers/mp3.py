"""MP3: the packet is a private frame of the ID3v2 tag before the sound; a file without a tag gets one."""

import struct
from typing import Final

from unitask.provenance.containers.edits import Edit, Plan, Unmarkable, View, bounded
from unitask.provenance.packet import Words

_HEAD: Final = 10
_OWNER: Final = b"XMP\0"
_OLD, _NEW = 3, 4
_EXTENDED, _FOOTED = 0x40, 0x10
_MOST: Final = 2**28 - 1


def walk(view: View, words: Words | None, found: Plan) -> None:
    """Walk the frames of the tag. Ours goes first."""
    if view.read(0, 3) != b"ID3":
        if words:
            packet = _frame(_NEW, words)
            found.edits.append(Edit(0, 0, b"ID3\x04\0\0" + _safe(len(packet)) + packet))
        return
    version, _, flags, length = struct.unpack(">xxxBBB4s", view.read(0, _HEAD))
    size, end = _plain(length), _HEAD + _plain(length)
    if version not in {_OLD, _NEW} or flags & _FOOTED or end > view.size:
        raise Unmarkable("the file begins with a tag of a form that we do not know")
    at = start = _HEAD + (_extended(view, version) if flags & _EXTENDED else 0)
    grown = 0
    for _ in bounded():
        if at + _HEAD > end or not (name := view.read(at, 4)).strip(b"\0"):
            break
        length_bytes = view.read(at + 4, 4)
        after = at + _HEAD + (_plain(length_bytes) if version == _NEW else int.from_bytes(length_bytes, "big"))
        if after > end:
            raise Unmarkable("a frame of the file's tag is cut off, or its length is wrong")
        if name == b"PRIV" and view.read(at + _HEAD, min(4, after - at - _HEAD)) == _OWNER:
            found.take(view.packet(at + _HEAD + 4, after - at - _HEAD - 4))
            if words:
                found.edits.append(Edit(at, after, b""))
                grown -= after - at
        at = after
    if words:
        frame = _frame(version, words)
        size += grown + len(frame)
        found.edits += [Edit(6, 10, _safe(size)), Edit(start, start, frame)]


def _frame(version: int, words: Words) -> bytes:
    content = _OWNER + words.xmp()
    length = _safe(len(content)) if version == _NEW else struct.pack(">I", len(content))
    return b"PRIV" + length + b"\0\0" + content


def _extended(view: View, version: int) -> int:
    length = view.read(_HEAD, 4)
    return _plain(length) if version == _NEW else int.from_bytes(length, "big") + 4


def _safe(number: int) -> bytes:
    """Write a number in bytes of seven bits, so that no decoder takes it for the begin of sound."""
    if number > _MOST:
        raise Unmarkable("the file's tag is too large")
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def _plain(four: bytes) -> int:
    if any(byte & 0x80 for byte in four):
        raise Unmarkable("a length in the file's tag is wrong")
    return sum((byte & 0x7F) << shift for byte, shift in zip(four, (21, 14, 7, 0), strict=True))
