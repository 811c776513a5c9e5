"""glTF in one file: the packet stands in the document, by the extension KHR_xmp_json_ld."""

import json
import struct
from typing import Any, Final

from unitask.provenance.containers.edits import Edit, Plan, Unmarkable, View
from unitask.provenance.packet import Words

_NAME: Final = "KHR_xmp_json_ld"
_HEAD: Final = 12
_MOST_BYTES: Final = 32 << 20
_VERSION: Final = 2


def walk(view: View, words: Words | None, found: Plan) -> None:
    """Read the document, which comes first, and write it again with the packet in it."""
    magic, version, total = struct.unpack("<4sII", view.read(0, _HEAD))
    length, kind = struct.unpack("<I4s", view.read(_HEAD, 8))
    if (magic, version, kind) != (b"glTF", _VERSION, b"JSON") or length > _MOST_BYTES:
        raise Unmarkable("this is no glTF that we know")
    start, end = _HEAD + 8, _HEAD + 8 + length
    document = _document(view.read(start, length))
    packets = _object(_object(document, "extensions"), _NAME).setdefault("packets", [])
    at = _object(_object(_object(document, "asset"), "extensions"), _NAME).get("packet")
    if not isinstance(packets, list):
        raise Unmarkable("the document of the file is not what its format demands")
    if isinstance(at, int) and 0 <= at < len(packets):
        found.take(json.dumps(packets[at]).encode())
    else:
        document["asset"]["extensions"][_NAME]["packet"] = at = len(packets)
        packets.append({})
    if total > view.size:
        raise Unmarkable("the file is cut off, or its length is wrong")
    if words:
        packets[at] = words.json_ld()
        used = document.setdefault("extensionsUsed", [])
        if isinstance(used, list) and _NAME not in used:
            used.append(_NAME)
        content = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
        content += b" " * (-len(content) % 4)
        sizes = struct.pack("<I", total + len(content) - length), struct.pack("<I", len(content))
        found.edits += [Edit(8, 12, sizes[0]), Edit(_HEAD, _HEAD + 4, sizes[1]), Edit(start, end, content)]


def _document(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Unmarkable("the document of the file cannot be read") from error
    if not isinstance(found, dict):
        raise Unmarkable("the document of the file is none")
    return found


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    found = parent.setdefault(name, {})
    if not isinstance(found, dict):
        raise Unmarkable("the document of the file is not what its format demands")
    return found
