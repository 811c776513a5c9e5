"""RIFF: WAV has the packet in a chunk `_PMX`, WebP in a chunk `XMP ` that its head `VP8X` announces."""

import struct
from typing import Final

from unitask.provenance.containers.edits import Edit, Plan, Unmarkable, View, bounded
from unitask.provenance.packet import Words

_HEAD: Final = 12
_MOST: Final = 2**32 - 1
_HAS_XMP, _HAS_ALPHA = 0x04, 0x10
_STILL: Final = b"\x9d\x01\x2a"
_LOSSLESS: Final = 0x2F
Piece = tuple[bytes, int, int]


def wav(view: View, words: Words | None, found: Plan) -> None:
    """Put the packet behind the sound; one that is there becomes room that nobody reads."""
    pieces = _pieces(view, b"_PMX", found)
    if words:
        found.edits += [Edit(at - 8, at - 4, b"JUNK") for name, at, _ in pieces if name == b"_PMX"]
        found.edits += [
            Edit(at - 4, at, struct.pack("<I", length))
            for name, at, length in pieces
            if name == b"data" and at + length == view.size
        ]
        _append(view, pieces, found, _chunk(b"_PMX", words.xmp()))


def webp(view: View, words: Words | None, found: Plan) -> None:
    """Put the packet behind the picture, and say so in the head, which a plain picture gets."""
    pieces = _pieces(view, b"XMP ", found)
    if not words:
        return
    if not pieces:
        raise Unmarkable("this is no whole WebP")
    name, at, _ = pieces[0]
    grown = 0
    if name == b"VP8X":
        found.edits.append(Edit(at, at + 1, bytes([view.read(at, 1)[0] | _HAS_XMP])))
    else:
        head = _chunk(b"VP8X", _canvas(view, name, at))
        found.edits.append(Edit(_HEAD, _HEAD, head))
        grown += len(head)
    for old, start, length in pieces:
        if old == b"XMP ":
            end = min(start + length + length % 2, view.size)
            found.edits.append(Edit(start - 8, end, b""))
            grown -= end - start + 8
    _append(view, pieces, found, _chunk(b"XMP ", words.xmp()), grown)


def _pieces(view: View, packet: bytes, found: Plan) -> list[Piece]:
    """List the chunks: name, where the content begins, how long it is. Zeroes at the end are no chunk.

    What chunks of the name `packet` say is taken down on the way.
    """
    pieces: list[Piece] = []
    at = len(view.read(0, _HEAD))
    for _ in bounded():
        if at + 8 > view.size:
            return pieces
        name, length = struct.unpack("<4sI", view.read(at, 8))
        if at + 8 + length > view.size:
            if name != b"data":
                raise Unmarkable("this is no whole RIFF file")
            length = view.size - at - 8  # written by who did not know its length yet, or could not say it
        pieces.append((name, at + 8, length))
        if name == packet:
            found.take(view.packet(at + 8, length))
        at += 8 + length + length % 2
    return pieces


def _append(view: View, pieces: list[Piece], found: Plan, chunk: bytes, grown: int = 0) -> None:
    """Add a chunk at the end, and to the length in the head, unless that says something else than a length."""
    end = max((at + length for _, at, length in pieces), default=_HEAD)
    room = b"\0" * (end % 2)
    at = min(end + len(room), view.size)
    found.edits.append(Edit(at, at, (room if at == end else b"") + chunk))
    size = at + (len(room) if at == end else 0) - 8 + len(chunk) + grown
    if view.read(0, 4) != b"RIFF" or size > _MOST:
        raise Unmarkable("the file is too large for the lengths of its format")
    found.edits.append(Edit(4, 8, struct.pack("<I", size)))


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _canvas(view: View, name: bytes, at: int) -> bytes:
    """Write the head of a picture that has none: what is in it, and its size."""
    start = view.read(at, 10)
    if name == b"VP8 " and start[3:6] == _STILL:
        width, height = (int.from_bytes(start[at : at + 2], "little") & 0x3FFF for at in (6, 8))
        flags = _HAS_XMP
    elif name == b"VP8L" and start[0] == _LOSSLESS:
        bits = int.from_bytes(start[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags = _HAS_XMP | (_HAS_ALPHA if bits >> 28 & 1 else 0)
    else:
        width = height = flags = 0
    if not width or not height:
        raise Unmarkable("this is no WebP that we know")
    return bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
