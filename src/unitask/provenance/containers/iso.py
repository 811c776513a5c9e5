"""MP4, QuickTime and M4A: the packet is a box of its own UUID, at the end, where it moves nothing that others count."""

import struct
from typing import Final

from unitask.provenance.containers.edits import Edit, Plan, Unmarkable, View, bounded
from unitask.provenance.packet import Words

_UUID: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_BOX: Final = 8
_LARGE: Final = 16


def walk(view: View, words: Words | None, found: Plan) -> None:
    """Walk the boxes at the top. A packet that is there becomes room that nobody reads."""
    at = 0
    for _ in bounded():
        if at == view.size:
            break
        size, name = struct.unpack(">I4s", view.read(at, _BOX))
        head = _BOX
        if size == 1:
            (size,) = struct.unpack(">Q", view.read(at + _BOX, 8))
            head = _LARGE
        elif size == 0:
            size = view.size - at
            if words:
                found.edits.append(Edit(at, at + 4, _length(size)))
        if size < head or at + size > view.size:
            raise Unmarkable("a box of the file is cut off, or its length is wrong")
        if name == b"uuid" and size >= head + 16 and view.read(at + head, 16) == _UUID:
            found.take(view.packet(at + head + 16, size - head - 16))
            if words:
                found.edits.append(Edit(at + 4, at + _BOX, b"free"))
        at += size
    if words:
        content = b"uuid" + _UUID + words.xmp()
        found.edits.append(Edit(view.size, view.size, struct.pack(">I", len(content) + 4) + content))


def _length(size: int) -> bytes:
    try:
        return struct.pack(">I", size)
    except struct.error:
        raise Unmarkable("the last box of the file has no end, and is too large to be given one") from None
