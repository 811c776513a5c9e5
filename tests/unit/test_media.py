"""Recognising files by their first bytes, and reading files sent inside a request."""

import base64

import pytest

from unitask.kit.media import CONTENT_TYPES, HEAD_BYTES, BadInline, decode_inline, is_url, sniff


def ftyp(brand: bytes, *others: bytes) -> bytes:
    """Write the first box of an ISO media file."""
    content = b"ftyp" + brand + bytes(4) + b"".join(others)
    return (len(content) + 4).to_bytes(4, "big") + content


def ebml(document: bytes, *, padding: bytes = b"") -> bytes:
    """Write the head of a Matroska file."""
    return b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01" + padding + b"\x42\x82" + bytes([0x80 | len(document)]) + document


HEADS = [
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", "jpg", "image"),
    (b"\xff\xd8\xff\xdb", "jpg", "image"),
    (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "png", "image"),
    (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "webp", "image"),
    (b"GIF87a\x01\x00", "gif", "image"),
    (b"GIF89a\x01\x00", "gif", "image"),
    (b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00", "bmp", "image"),
    (b"II*\x00\x08\x00\x00\x00", "tiff", "image"),
    (b"MM\x00*\x00\x00\x00\x08", "tiff", "image"),
    (ftyp(b"avif", b"mif1"), "avif", "image"),
    (ftyp(b"mif1", b"miaf", b"avif"), "avif", "image"),
    (ftyp(b"mif1", b"heic"), "heic", "image"),
    (ftyp(b"heic", b"mif1"), "heic", "image"),
    (ftyp(b"isom", b"iso2", b"avc1", b"mp41"), "mp4", "video"),
    (ftyp(b"mp42"), "mp4", "video"),
    (ftyp(b"M4V "), "mp4", "video"),
    (ftyp(b"dash"), "mp4", "video"),
    (ftyp(b"qt  "), "mov", "video"),
    (b"\x00\x00\x00\x08wide\x00\x01\x02\x03mdat", "mov", "video"),
    (b"\x00\x00\x02\x00moov\x00\x00\x00\x6cmvhd", "mov", "video"),
    (ftyp(b"M4A ", b"mp42"), "m4a", "audio"),
    (ebml(b"webm"), "webm", "video"),
    (ebml(b"matroska"), "mkv", "video"),
    (ebml(b"webm", padding=b"\xec\x83abc"), "webm", "video"),
    (b"RIFF\x24\x00\x00\x00WAVEfmt ", "wav", "audio"),
    (b"RF64\xff\xff\xff\xffWAVEds64", "wav", "audio"),
    (b"ID3\x04\x00\x00", "mp3", "audio"),
    (b"\xff\xfb\x90\x64", "mp3", "audio"),
    (b"\xff\xf3\x40\xc0", "mp3", "audio"),
    (b"fLaC\x00\x00\x00\x22", "flac", "audio"),
    (b"OggS\x00\x02", "ogg", "audio"),
    (b"glTF\x02\x00\x00\x00", "glb", "model"),
]
NO_MEDIA = [
    b"",
    b"\xff",
    b"\xff\xfb",
    b"BM",
    b"BMW is a car",
    b"<html><body>404</body></html>",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    b"%PDF-1.7",
    b"PK\x03\x04",
    b"the wide world",
    b"RIFF\x24\x00\x00\x00AVI LIST",
    b"RIFF",
    b"\x00\x00\x00\x18ftyp",
    ebml(b"unknown"),
    b"\x1a\x45\xdf\xa3",
    b"\x1a\x45\xdf\xa3\x42\x82",
    "text with a byte order mark".encode("utf-16"),
    b"\xff\xf1\x50\x80",  # AAC in ADTS: the same sync, another layer
    b"\xff\xeb\x90\x64",  # a version that does not exist
    b"\xff\xfb\xf0\x64",  # a bit rate that does not exist
    b"\xff\xfb\x9c\x64",  # a sample rate that does not exist
]

PIXELS = bytes(range(256))
PLAIN = base64.b64encode(PIXELS).decode()
URL_SAFE = base64.urlsafe_b64encode(PIXELS).decode()
INLINE = [
    PLAIN,
    URL_SAFE,
    PLAIN.rstrip("="),
    URL_SAFE.rstrip("="),
    "\r\n".join(PLAIN[at : at + 76] for at in range(0, len(PLAIN), 76)) + "\n",
    f"  {PLAIN}\t",
    f"data:image/png;base64,{PLAIN}",
    f"data:image/png;base64,{URL_SAFE}",
    f"data:image/png;base64,\n{PLAIN.rstrip('=')}",
    f"DATA:image/png;BASE64,{PLAIN}",
    f" data:image/png;base64,{PLAIN}",
    f"data:image/svg+xml;charset=utf-8;name=a.svg;base64,{PLAIN}",
    f"data:;base64,{PLAIN}",
    f"data:base64,{PLAIN}",
]
BAD_INLINE = [
    ("", "it is empty"),
    (" \n", "it is empty"),
    ("====", "it is empty"),
    ("data:image/png;base64,", "it is empty"),
    ("A", "neither a URL nor valid base64"),
    ("AAAAA", "neither a URL nor valid base64"),
    ("AA=A", "neither a URL nor valid base64"),
    ("a picture of a cat!", "neither a URL nor valid base64"),
    ("pictures/a.png", "neither a URL nor valid base64"),
    ("AAAA\x00AAA", "neither a URL nor valid base64"),
    ("b\u00e9b\u00e9", "letters outside ASCII"),
    ("\ud800", "letters outside ASCII"),
    ("data:image/png,AAAA", "data URI without base64"),
    ("data:,AAAA", "data URI without base64"),
    ("data:image/png;base64;x=1,AAAA", "data URI without base64"),
    ("data:" + "x" * 300 + ";base64,AAAA", "neither a URL nor valid base64"),
    ("data:image/png;base64", "neither a URL nor valid base64"),
    ("data:image/png;base64,data:image/png;base64,AAAA", "neither a URL nor valid base64"),
]


@pytest.mark.parametrize(("head", "extension", "kind"), HEADS)
def test_file_is_recognised_by_its_first_bytes(head: bytes, extension: str, kind: str):
    """Extension, content type and kind come from the bytes alone."""
    sniffed = sniff(head.ljust(HEAD_BYTES, b"\x00"))
    assert sniffed is not None
    assert (sniffed.extension, sniffed.kind) == (extension, kind)
    assert sniffed.content_type == CONTENT_TYPES[extension]


@pytest.mark.parametrize("head", NO_MEDIA)
def test_anything_else_is_no_media(head: bytes):
    """Text, archives, cut heads and near misses are not taken for media."""
    assert sniff(head) is None


@pytest.mark.parametrize("head", [head for head, _, _ in HEADS])
def test_cut_head_never_breaks_the_sniffer(head: bytes):
    """A file that ends anywhere in its head is something or nothing, and no exception."""
    for length in range(len(head)):
        sniff(head[:length])


def test_every_known_type_is_recognised_by_some_head():
    """The table of content types holds nothing that the sniffer cannot tell."""
    assert {extension for _, extension, _ in HEADS} == set(CONTENT_TYPES)


@pytest.mark.parametrize("text", INLINE)
def test_base64_is_read_in_every_common_spelling(text: str):
    """Data URIs and bare base64, both alphabets, with white space and without padding give the same bytes."""
    assert decode_inline(text, 1000) == PIXELS
    assert not is_url(text)


@pytest.mark.parametrize(("text", "sentence"), BAD_INLINE)
def test_text_that_is_no_file_is_refused(text: str, sentence: str):
    """The sentence says what is wrong with the text."""
    with pytest.raises(BadInline, match=sentence):
        decode_inline(text, 1000)


@pytest.mark.parametrize("size_bytes", [9, 10, 11])
def test_inline_file_is_bounded_to_the_byte(size_bytes: int):
    """The limit holds exactly, whatever the padding."""
    text = base64.b64encode(bytes(size_bytes)).decode()
    assert decode_inline(text, size_bytes) == bytes(size_bytes)
    with pytest.raises(BadInline, match=f"holds {size_bytes} bytes, the limit is {size_bytes - 1};"):
        decode_inline(text, size_bytes - 1)


def test_size_is_checked_before_decoding():
    """A text over the limit is refused for its size even where it would not decode."""
    with pytest.raises(BadInline, match="the limit is 10;"):
        decode_inline("!" * 100, 10)


@pytest.mark.parametrize(
    "text", ["http://a/", "https://a/b.png", "HTTPS://A/", " https://a/", "ftp://a/", "s3://bucket/key"]
)
def test_url_of_any_scheme_is_a_url(text: str):
    """A URL with a scheme that cannot be read is still no base64; the guard says what is wrong with it."""
    assert is_url(text)


@pytest.mark.parametrize(
    "text", ["", "//a/b", "data:image/png;base64,AAAA", "a.png", "://a", "1http://a", "aHR0cDovLw"]
)
def test_other_text_is_no_url(text: str):
    """Data URIs, base64 and paths are no URLs."""
    assert not is_url(text)
