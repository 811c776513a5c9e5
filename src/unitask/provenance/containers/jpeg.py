"""JPEG: the packet is an APP1 segment, before the picture's data."""

import struct
from typing import Final

from unitask.provenance.containers.edits import Edit, Plan, Unmarkable, View, bounded
from unitask.provenance.packet import Words

_NAME: Final = b"http://ns.adobe.com/xap/1.0/\0"
_APP0, _APP1, _SCAN, _FILL = 0xE0, 0xE1, 0xDA, 0xFF


def walk(view: View, words: Words | None, found: Plan) -> None:
    """Walk the segments up to the picture's data. Ours goes behind those that must stand first: JFIF and Exif."""
    at = into = 2
    leading = True
    for _ in bounded():
        mark, kind = view.read(at, 2)
        if mark != _FILL:
            raise Unmarkable("this is no whole JPEG")
        if kind == _FILL:
            at += 1
            continue
        if kind == _SCAN:
            break
        (length,) = struct.unpack(">H", view.read(at + 2, 2))
        end = at + 2 + length
        body = view.read(at + 4, end - at - 4)
        if kind == _APP1 and body.startswith(_NAME):
            found.take(body[len(_NAME) :])
            if words:
                found.edits.append(Edit(at, end, b""))
        leading = leading and (kind == _APP0 or (kind == _APP1 and body.startswith(b"Exif\0")))
        into = end if leading else into
        at = end
    if words:
        content = _NAME + words.xmp()
        found.edits.append(Edit(into, into, struct.pack(">BBH", _FILL, _APP1, len(content) + 2) + content))
