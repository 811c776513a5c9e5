"""PNG: the packet is an iTXt chunk of a fixed keyword, before the picture's data.

Other programs put theirs into any chunk of text, packed or plain, or write it in hex as a "raw profile".
"""

import re
import struct
import zlib
from typing import Final

from unitask.provenance.containers.edits import Edit, Plan, Unmarkable, View, bounded
from unitask.provenance.packet import Words

_KEYWORD: Final = b"XML:com.adobe.xmp"
_PROFILE: Final = b"Raw profile type xmp"
_PACKETS: Final = frozenset({_KEYWORD, _PROFILE})
_LONGEST_KEYWORD: Final = 79
_HEX: Final = re.compile(rb"\s*[^\n]*\n\s*\d+\n([0-9A-Fa-f\s]*)")
"""How a raw profile is written: what it is, how long, and its bytes."""
_HEX_BYTES: Final = 3
"""What a byte of a raw profile may take, lines and all."""
_TEXTS: Final = frozenset({b"iTXt", b"tEXt", b"zTXt"})
_PLAIN: Final = b"\0\0\0\0\0"
_HEAD: Final = 8
_AROUND: Final = 12


def walk(view: View, words: Words | None, found: Plan) -> None:
    """Walk the chunks. Of one that is cut off, what is there of its packet counts."""
    at, first = _HEAD, True
    for _ in bounded():
        length, name = struct.unpack(">I4s", view.read(at, _HEAD))
        end = at + length + _AROUND
        if first != (name == b"IHDR"):
            raise Unmarkable("this is no whole PNG")
        there = min(length, view.size - at - _HEAD)
        if name in _TEXTS and (keyword := _keyword(view, at + _HEAD, there)) in _PACKETS:
            content = view.packet(at + _HEAD, there)
            found.take(_said(name, keyword, content[len(keyword) + 1 :], found.room) if content else None)
            found.edits += [Edit(at, end, b"")] if words else []
        if end > view.size:
            raise Unmarkable("this is no whole PNG")
        if first and words:
            found.edits.append(Edit(end, end, _chunk(words.xmp())))
        if name == b"IEND":
            break
        at, first = end, False


def _chunk(packet: bytes) -> bytes:
    content = b"iTXt" + _KEYWORD + _PLAIN + packet
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def _keyword(view: View, at: int, length: int) -> bytes:
    return view.read(at, min(length, _LONGEST_KEYWORD + 1)).partition(b"\0")[0]


def _said(name: bytes, keyword: bytes, content: bytes, room: int) -> bytes:
    """Unpack what stands behind a keyword, up to as much as there is room for."""
    is_packed = name == b"zTXt" or (name == b"iTXt" and content[:1] != b"\0")
    if name == b"zTXt":
        content = content[1:]
    elif name == b"iTXt":
        content = content[2:].split(b"\0", 2)[-1]
    if is_packed and room:
        try:
            content = zlib.decompressobj().decompress(content, room * _HEX_BYTES if keyword == _PROFILE else room)
        except zlib.error:
            return b""
    if keyword == _PROFILE:
        digits = b"".join(match[1].split()) if (match := _HEX.match(content)) else b""
        return bytes.fromhex(digits[: len(digits) // 2 * 2].decode())
    return content
