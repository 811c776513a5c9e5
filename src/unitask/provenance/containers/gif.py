"""GIF: the packet is an application extension, with a tail over which readers of blocks fall to its end."""

from typing import Final

from unitask.provenance.containers.edits import MOST_PACKET_BYTES, Edit, Plan, Unmarkable, View, bounded
from unitask.provenance.packet import Words

_HEAD: Final = 13
_INTRODUCED: Final = b"\x21\xff\x0bXMP DataXMP"
_TAIL: Final = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
_EXTENSION, _PICTURE, _END = 0x21, 0x2C, 0x3B
_FRAME: Final = 10


def walk(view: View, words: Words | None, found: Plan) -> None:
    """Walk the blocks. Ours goes before all of them."""
    at = into = _HEAD + _colours(view.read(10, 1)[0])
    for _ in bounded():
        kind = view.read(at, 1)[0]
        if kind == _END:
            break
        if kind == _PICTURE:
            at += _FRAME + _colours(view.read(at + 9, 1)[0]) + 1
            at = _behind(view, at)
            continue
        if kind != _EXTENSION:
            raise Unmarkable("this is no whole GIF")
        start, at = at, _behind(view, at + 2)
        is_ours = at - start > len(_INTRODUCED) and view.read(start, len(_INTRODUCED)) == _INTRODUCED
        if is_ours and at - start < MOST_PACKET_BYTES:
            content = view.read(start, at - start)[len(_INTRODUCED) :]
            found.take(content[: -len(_TAIL)])
            if words:
                found.edits.append(Edit(start, at, b""))
    if words:
        found.edits += [Edit(3, 6, b"89a"), Edit(into, into, _INTRODUCED + words.xmp() + _TAIL)]


def _colours(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _behind(view: View, at: int) -> int:
    for _ in bounded():
        length = view.read(at, 1)[0]
        at += 1 + length
        if not length:
            break
    return at
