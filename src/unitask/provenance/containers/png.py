"""PNG: the packet is an iTXt chunk of a fixed keyword, before the picture's data."""

import struct
import zlib
from typing import Final

from unitask.provenance.containers.edits import MOST_PACKET_BYTES, Edit, Plan, Unmarkable, View, bounded
from unitask.provenance.packet import Words

_KEYWORD: Final = b"XML:com.adobe.xmp\0"
_PLAIN: Final = b"\0\0\0\0"
_HEAD: Final = 8
_AROUND: Final = 12


def plan(view: View, words: Words | None) -> Plan:
    """Walk the chunks."""
    found, at = Plan(), _HEAD
    first = True
    for _ in bounded():
        length, name = struct.unpack(">I4s", view.read(at, _HEAD))
        end = at + length + _AROUND
        if first != (name == b"IHDR") or end > view.size:
            raise Unmarkable("this is no whole PNG")
        if first and words:
            found.edits.append(Edit(end, end, _chunk(words.xmp())))
        if name == b"iTXt" and length >= len(_KEYWORD) and view.read(at + _HEAD, len(_KEYWORD)) == _KEYWORD:
            found.packet = found.packet or _text(view, at + _HEAD + len(_KEYWORD), length - len(_KEYWORD))
            if words:
                found.edits.append(Edit(at, end, b""))
        if name == b"IEND":
            break
        at, first = end, False
    return found


def _chunk(packet: bytes) -> bytes:
    content = b"iTXt" + _KEYWORD + _PLAIN + packet
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def _text(view: View, at: int, length: int) -> bytes | None:
    content = view.packet(at, length)
    if not content:
        return None
    parts = content[2:].split(b"\0", 2)
    if content[0] == 0 or len(parts) < len(_PLAIN) - 1:
        return parts[-1]
    try:
        return zlib.decompressobj().decompress(parts[-1], MOST_PACKET_BYTES)
    except zlib.error:
        return None
