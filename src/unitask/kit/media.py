"""What a file is, from its first bytes, and files sent inside a request as base64."""

import binascii
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

Kind = Literal["image", "video", "audio", "model"]

# Every rule below needs no more than this from the beginning of a file.
HEAD_BYTES: Final = 256

CONTENT_TYPES: Final = {
    "avif": "image/avif",
    "bmp": "image/bmp",
    "flac": "audio/flac",
    "gif": "image/gif",
    "glb": "model/gltf-binary",
    "heic": "image/heic",
    "jpg": "image/jpeg",
    "m4a": "audio/mp4",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "ogg": "audio/ogg",
    "png": "image/png",
    "tiff": "image/tiff",
    "wav": "audio/wav",
    "webm": "video/webm",
    "webp": "image/webp",
}
_KINDS: Final[dict[str, Kind]] = {"image": "image", "video": "video", "audio": "audio", "model": "model"}

DECODING_BYTES: Final = 768 * 2**20
"""What a decoder may take beside what the process has already: several times what the largest honest file needs."""
_PREFIXES: Final = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
    (b"fLaC", "flac"),
    (b"OggS", "ogg"),
    (b"ID3", "mp3"),
    (b"glTF", "glb"),
    (b"\x00\x00\x00\x08wide", "mov"),
)
_RIFF: Final = {(b"RIFF", b"WEBP"): "webp", (b"RIFF", b"WAVE"): "wav", (b"RF64", b"WAVE"): "wav"}
# The family of containers that began as QuickTime, by their main brand; any other brand is some MP4.
_BRANDS: Final = {
    b"qt  ": "mov",
    b"M4A ": "m4a",
    b"M4B ": "m4a",
    b"M4P ": "m4a",
    b"avif": "avif",
    b"avis": "avif",
    b"heic": "heic",
    b"heix": "heic",
    b"hevc": "heic",
    b"hevx": "heic",
}
_EBML: Final = b"\x1a\x45\xdf\xa3"
_EBML_DOCUMENTS: Final = {b"webm": "webm", b"matroska": "mkv"}

_SCHEME: Final = re.compile(r"\s*[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_DATA_HEAD: Final = re.compile(r"\s*data:([^,]{0,256}),", re.IGNORECASE)
_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")


class BadInline(ValueError):
    """The text is no file: not base64, empty or too large. Its text is a sentence for the client."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a file is; `extension` has no dot and is a key of `CONTENT_TYPES`."""

    extension: str
    content_type: str
    kind: Kind


def sniff(head: bytes) -> Sniffed | None:
    """Tell what a file is from its first `HEAD_BYTES` bytes; None for anything that is not known media.

    A container that may hold pictures counts as video, whatever is in it.
    """
    extension = _by_prefix(head) or _riff(head) or _iso(head) or _ebml(head) or _bmp(head) or _mpeg_audio(head)
    if extension is None:
        return None
    content_type = CONTENT_TYPES[extension]
    return Sniffed(extension, content_type, _KINDS[content_type.partition("/")[0]])


def sniff_file(path: Path) -> Sniffed | None:
    """Do the same for a file."""
    with path.open("rb") as file:
        return sniff(file.read(HEAD_BYTES))


def is_url(text: str) -> bool:
    """Tell whether the text has the form of a URL of any scheme; base64 has no colon, so nothing is both."""
    return _SCHEME.match(text) is not None


def decode_inline(text: str, limit_bytes: int) -> bytes:
    """Decode a data URI or bare base64; both alphabets, white space and missing padding are accepted.

    The size is checked before anything is decoded.

    Raises:
        BadInline: not base64, empty, or more than `limit_bytes` bytes.

    """
    data = _base64_part(text).rstrip(b"=")
    if not data:
        raise BadInline("is neither a URL nor valid base64: it is empty")
    size_bytes = len(data) * 3 // 4
    if size_bytes > limit_bytes:
        raise BadInline(f"holds {size_bytes} bytes, the limit is {limit_bytes}; send a smaller file or a URL")
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4), strict_mode=True)
    except binascii.Error as error:
        raise BadInline("is neither a URL nor valid base64; send an http(s) URL, a data URI or base64") from error


def _base64_part(text: str) -> bytes:
    """Drop the head of a data URI and all white space; write the URL-safe letters as the standard ones."""
    head = _DATA_HEAD.match(text)
    if head and head[1].rpartition(";")[2].strip().lower() != "base64":
        raise BadInline("is a data URI without base64; write it as data:<type>;base64,<data>")
    try:
        encoded = (text[head.end() :] if head else text).encode("ascii")
    except UnicodeEncodeError as error:
        raise BadInline("is neither a URL nor valid base64: it has letters outside ASCII") from error
    return encoded.translate(_TO_STANDARD, b" \t\r\n\v\f")


def _by_prefix(head: bytes) -> str | None:
    return next((extension for prefix, extension in _PREFIXES if head.startswith(prefix)), None)


def _riff(head: bytes) -> str | None:
    return _RIFF.get((head[:4], head[8:12]))


def _iso(head: bytes) -> str | None:
    if head[4:8] in {b"moov", b"mdat"}:
        return "mov"  # QuickTime files of old have no brand
    if head[4:8] != b"ftyp" or len(head) < 12:  # noqa: PLR2004 - the box's head and the main brand
        return None
    if head[8:12] in {b"mif1", b"msf1"}:
        others = head[16 : int.from_bytes(head[:4], "big")]
        return "avif" if b"avif" in others or b"avis" in others else "heic"
    return _BRANDS.get(head[8:12], "mp4")


def _ebml(head: bytes) -> str | None:
    """Read the document type: the element 42 82, one byte of length, the name."""
    at = head.find(b"\x42\x82")
    if not head.startswith(_EBML) or at < 0 or at + 2 >= len(head):
        return None
    return _EBML_DOCUMENTS.get(head[at + 3 : at + 3 + (head[at + 2] & 0x7F)])


def _bmp(head: bytes) -> str | None:
    # Two letters prove little; the four reserved bytes after the size are zero in every bitmap.
    return "bmp" if head.startswith(b"BM") and head[6:10] == bytes(4) else None


def _mpeg_audio(head: bytes) -> str | None:
    """Recognise the head of an MPEG audio frame, layer III, with no reserved value in it."""
    if len(head) < 3 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:  # noqa: PLR2004 - bits of the format
        return None
    reserved = head[1] & 0x18 == 0x08 or head[2] >> 4 == 0xF or head[2] & 0x0C == 0x0C  # noqa: PLR2004 - as above
    return None if reserved else "mp3"
