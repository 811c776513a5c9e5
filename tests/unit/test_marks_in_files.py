"""The IPTC mark in every format that has a place for it: there, read by others, and nothing else changed."""

import json
import random
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from support.marked import PACKED, SMALL, decoded, marked, png_with, small
from unitask.provenance.containers import WALKERS, Unmarkable, packet_in, put_into
from unitask.provenance.manifest import Input, Trust
from unitask.provenance.marks import read, source_in
from unitask.provenance.packet import Words
from unitask.provenance.sources import Source, named

WORDS = Words(Source.TRAINED, "Unitask 1 <&>")


XMP = WORDS.xmp()
PROFILE = b"\nxmp\n%8d\n" % len(XMP) + b"\n".join(XMP.hex().encode()[at : at + 72] for at in range(0, 2 * len(XMP), 72))
PNG_TEXTS = {
    "packed": (b"iTXt", PACKED + zlib.compress(XMP)),
    "plain": (b"tEXt", b"XML:com.adobe.xmp\0" + XMP),
    "profile": (b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(PROFILE)),
    "profile in iTXt": (b"iTXt", b"Raw profile type xmp\0\x01\0\0\0" + zlib.compress(PROFILE)),
    "plain profile": (b"tEXt", b"Raw profile type xmp\0" + PROFILE),
}
DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "gif": lambda whole: whole[:-1],
    "glb": lambda whole: whole[:-4],
    "jpg": lambda whole: whole[: whole.index(b"\xff\xdb") + 9],
    "m4a": lambda whole: whole + struct.pack(">I4s", 99, b"mdat"),
    "mov": lambda whole: whole + struct.pack(">I4s", 99, b"mdat"),
    "mp3": lambda whole: whole.replace(b"TSSE\0\0\0", b"TSSE\x7f\x7f\x7f"),
    "mp4": lambda whole: whole + struct.pack(">I4s", 99, b"mdat"),
    "png": lambda whole: whole[:-12],
    "wav": lambda whole: whole + struct.pack("<4sI", b"LIST", 99),
    "webp": lambda whole: whole + struct.pack("<4sI", b"EXIF", 99),
}
"""How a file of each format loses what stands behind its mark."""


def exiftools(path: Path) -> str:
    """Ask ExifTool where a file comes from."""
    command = ["exiftool", "-s3", "-DigitalSourceType", str(path)]
    told = subprocess.run(command, capture_output=True, check=True, timeout=60)
    return told.stdout.decode().strip()


def put(path: Path, extension: str, words: Words = WORDS) -> Path:
    """Mark a file; gives the marked one."""
    into = path.with_name(f"marked-{path.name}")
    put_into(path, extension, words, into)
    return into


@pytest.mark.parametrize("extension", sorted(SMALL))
def test_the_mark_is_there_and_what_is_seen_or_heard_is_the_same(extension: str, tmp_path: Path) -> None:
    """Also when another mark takes its place: there is one, and the media are as they were."""
    file = small(tmp_path, extension)
    once = put(file.path, extension)
    twice = put(once, extension, Words(Source.ENHANCED, "Unitask 2"))
    assert packet_in(file.path, extension) is None
    assert named(packet_in(once, extension) or b"") == Source.TRAINED
    assert named(packet_in(twice, extension) or b"") == Source.ENHANCED
    plain = decoded(file.path.read_bytes(), extension)
    assert decoded(once.read_bytes(), extension) == plain == decoded(twice.read_bytes(), extension)
    if extension not in {"mp4", "mov", "m4a", "wav"}:  # there the old one stays, as room that nobody reads
        assert named(twice.read_bytes()) == Source.ENHANCED


def test_every_format_with_a_place_is_tried() -> None:
    """A new one needs a small file."""
    assert sorted(SMALL) == sorted(WALKERS)


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="ExifTool is not installed")
@pytest.mark.parametrize("extension", sorted(set(SMALL) - {"glb"}))
def test_exiftool_reads_the_mark(extension: str, tmp_path: Path) -> None:
    """An outside reader finds it where it looks for it, and has nothing to complain of."""
    path = put(small(tmp_path, extension).path, extension)
    tags = ["-DigitalSourceType", "-CreatorTool", "-Warning", "-Error"]
    told = subprocess.run(["exiftool", "-j", *tags, str(path)], capture_output=True, check=True, timeout=60)
    (found,) = json.loads(told.stdout)
    del found["SourceFile"]
    assert found == {"DigitalSourceType": Source.TRAINED.uri, "CreatorTool": "Unitask 1 <&>"}


@pytest.mark.parametrize("extension", ["png", "jpg", "webp"])
def test_pillow_reads_the_mark(extension: str, tmp_path: Path) -> None:
    """Another outside reader does, too."""
    with Image.open(put(small(tmp_path, extension).path, extension)) as picture:
        described = picture.getxmp()["xmpmeta"]["RDF"]["Description"]
    assert described["DigitalSourceType"] == Source.TRAINED.uri


def test_a_solid_names_its_packet_as_its_extension_demands(tmp_path: Path) -> None:
    """KHR_xmp_json_ld: used, listed, and referred to by the asset."""
    content = put(small(tmp_path, "glb").path, "glb").read_bytes()
    (length,) = struct.unpack("<I", content[12:16])
    document = json.loads(content[20 : 20 + length])
    assert "KHR_xmp_json_ld" in document["extensionsUsed"]
    at = document["asset"]["extensions"]["KHR_xmp_json_ld"]["packet"]
    packet = document["extensions"]["KHR_xmp_json_ld"]["packets"][at]
    assert packet["Iptc4xmpExt:DigitalSourceType"] == Source.TRAINED.uri
    assert len(content) == struct.unpack("<I", content[8:12])[0]


@pytest.mark.parametrize("extension", sorted(SMALL))
def test_a_file_that_is_cut_off_or_spoilt_is_refused_or_marked_and_never_loops(extension: str, tmp_path: Path) -> None:
    """At every length, and with wrong bytes wherever lengths may stand."""
    whole = SMALL[extension]()
    chance = random.Random(11)  # noqa: S311 - the same files each time
    cuts = [whole[:at] for at in range(0, min(len(whole), 400), 7)]
    for _ in range(300):
        spoilt = bytearray(whole)
        at = chance.randrange(min(len(whole) - 4, 600))
        spoilt[at : at + 4] = chance.choice(
            (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", chance.randbytes(4))
        )
        cuts.append(bytes(spoilt))
    for number, content in enumerate(cuts):
        path = tmp_path / f"{number}.{extension}"
        path.write_bytes(content)
        try:
            into = put(path, extension)
        except Unmarkable:
            continue
        assert named(packet_in(into, extension) or b"") == Source.TRAINED


@pytest.mark.parametrize(
    ("extension", "content"),
    [
        ("png", b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 0xFFFFFFFF, b"IHDR")),
        ("mp4", struct.pack(">I4sQ", 1, b"ftyp", 2**63)),
        ("mp4", struct.pack(">I4s", 4, b"ftyp")),
        ("wav", b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff"),
        ("mp3", b"ID3\x04\0\0\x7f\x7f\x7f\x7f"),
        ("glb", b"glTF" + struct.pack("<III4s", 2, 0xFFFFFFFF, 0xFFFFFFF0, b"JSON")),
        ("glb", b"glTF" + struct.pack("<III4s", 2, 60_020, 60_000, b"JSON") + b"[" * 60_000),
        ("gif", b"GIF89a" + bytes(7) + b"\x21\xff" * 400),
    ],
)
def test_a_length_that_cannot_be_is_refused(extension: str, content: bytes, tmp_path: Path) -> None:
    """Nothing is read or reserved for what a file only claims."""
    path = tmp_path / f"a.{extension}"
    path.write_bytes(content)
    with pytest.raises(Unmarkable):
        put(path, extension)
    assert source_in(small(tmp_path, "png").model_copy(update={"path": path, "extension": extension})) == ""


def test_a_packet_that_unpacks_into_much_is_read_to_a_bound(tmp_path: Path) -> None:
    """A compressed packet of a gibibyte costs a mebibyte."""
    path = tmp_path / "bomb.png"
    path.write_bytes(png_with(b"iTXt", PACKED + zlib.compress(bytes(64 << 20))))
    assert len(packet_in(path, "png") or b"") == 1 << 20
    profile = zlib.compress(b"\nxmp\n  67108864\n" + b"00" * (64 << 20))
    path.write_bytes(png_with(b"zTXt", b"Raw profile type xmp\0\0" + profile))
    assert len(packet_in(path, "png") or b"") == 1 << 20


@pytest.mark.parametrize("form", sorted(PNG_TEXTS))
def test_what_other_programs_write_into_a_png_is_read_and_replaced(form: str, tmp_path: Path) -> None:
    """Packed, plain, or as ImageMagick's profile in hex; an outside reader finds the same, before and afterwards."""
    path = tmp_path / "theirs.png"
    path.write_bytes(png_with(*PNG_TEXTS[form]))
    assert source_in(Input(path=path, extension="png")) == Source.TRAINED
    ours = put(path, "png", Words(Source.SYNTHETIC, "Unitask 2"))
    assert named(packet_in(ours, "png") or b"") == Source.SYNTHETIC
    if shutil.which("exiftool"):
        assert exiftools(path) == Source.TRAINED.uri
        assert exiftools(ours) == Source.SYNTHETIC.uri


@pytest.mark.parametrize("form", sorted(PNG_TEXTS))
@pytest.mark.parametrize("lost", ["end", "data", "packet"])
def test_a_png_that_lost_its_end_says_what_it_said(form: str, lost: str, tmp_path: Path) -> None:
    """Without its last chunk, or cut off in its data or in the packet itself: many programs show such files."""
    path = tmp_path / "endless.png"
    whole = png_with(*PNG_TEXTS[form])
    ends = {"end": len(whole) - 12, "data": len(whole) - 19, "packet": 33 + 8 + len(PNG_TEXTS[form][1]) - 6}
    path.write_bytes(whole[: ends[lost]])
    found = read(Input(path=path, extension="png"), Trust())
    assert (found["digital_source_type"], found["is_generated"]) == (Source.TRAINED, True)
    assert found["damaged"]
    with pytest.raises(Unmarkable):
        put(path, "png")


@pytest.mark.parametrize("extension", sorted(SMALL))
def test_a_mark_before_the_damage_counts(extension: str, tmp_path: Path) -> None:
    """Whatever the format: the file says where it comes from, and that it is damaged."""
    path = put(small(tmp_path, extension).path, extension)
    path.write_bytes(DAMAGED[extension](path.read_bytes()))
    found = read(Input(path=path, extension=extension), Trust())
    assert found["digital_source_type"] == Source.TRAINED
    assert found["damaged"]
    with pytest.raises(Unmarkable):
        put(path, extension)


def test_the_strongest_of_several_packets_counts(tmp_path: Path) -> None:
    """A program that knows one place leaves what stands in another."""
    path = put(small(tmp_path, "png").path, "png", Words(Source.ENHANCED, "Unitask 1"))
    path.write_bytes(png_with(*PNG_TEXTS["profile"], into=path.read_bytes()))
    assert source_in(Input(path=path, extension="png")) == Source.TRAINED


@pytest.mark.parametrize("extension", sorted(SMALL))
def test_an_unsigned_mark_costs_less_than_a_kilobyte(extension: str, tmp_path: Path) -> None:
    """Whatever the format."""
    file = small(tmp_path, extension)
    result = marked(file, Source.TRAINED, signer=None)
    assert result.marks == ["iptc"]
    assert 0 < result.path.stat().st_size - file.path.stat().st_size < 1000
