"""Small files that would cost much to decode, for every format that is accepted; made here, kept nowhere."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, Final

import av
import numpy as np
from PIL import Image

MIB: Final = 2**20
UNREADABLE: Final = "the file cannot be decoded as"


@dataclass(frozen=True)
class Bomb:
    """A file to send as `kind`. `said`: what the refusal says; "" if the file is used, at no more than a usual cost."""

    name: str
    kind: str
    make: Callable[[], bytes]
    said: str


@cache
def packed(size_bytes: int) -> bytes:
    """Pack zeros, a thousand to one."""
    packer = zlib.compressobj(9)
    block = bytes(MIB)
    parts = [packer.compress(block) for _ in range(size_bytes // MIB)]
    return b"".join([*parts, packer.flush()])


def png_chunk(name: bytes, content: bytes) -> bytes:
    """Write a chunk of a PNG file."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int = 16, height: int = 16, *before: bytes, pixels: bytes | None = None, bits: int = 1) -> bytes:
    """Write a grey PNG that says it has this size; `before` are chunks ahead of its pixels."""
    data = packed_rows(width, height, bits) if pixels is None else pixels
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(before) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def packed_rows(width: int, height: int, bits: int) -> bytes:
    """Pack the black rows of a picture; no more than a few of a huge one."""
    return zlib.compress(bytes(min((1 + (width * bits + 7) // 8) * height, MIB)), 9)


def frames_of_png(number: int) -> bytes:
    """Write an animated PNG that says it has two thousand million frames, and has this many."""
    control = struct.pack(">IIIIIHHBB", 0, 16, 16, 0, 0, 1, 100, 0, 0)
    pixels = packed_rows(16, 16, 1)
    frames = [png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)), png_chunk(b"fcTL", control)]
    after = b"".join(
        png_chunk(b"fcTL", struct.pack(">I", 2 * n + 1) + control[4:])
        + png_chunk(b"fdAT", struct.pack(">I", 2 * n + 2) + pixels)
        for n in range(number)
    )
    return png(16, 16, *frames).replace(png_chunk(b"IEND", b""), after + png_chunk(b"IEND", b""))


def saved(form: str, size: tuple[int, int] = (16, 16), **options: Any) -> bytes:
    """Let Pillow write a grey picture."""
    stream = io.BytesIO()
    Image.new("RGB", size, (90, 90, 90)).save(stream, form, **options)
    return stream.getvalue()


def jpeg_of_size(side: int) -> bytes:
    """Write a small JPEG that says it is large."""
    content = saved("JPEG")
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", side, side) + content[at + 4 :]


def jpeg_of_scans(number: int) -> bytes:
    """Write a JPEG whose last pass over all its pixels, a few bytes, comes again and again."""
    content = saved("JPEG", (2048, 2048), progressive=True, quality=5)
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * number + b"\xff\xd9"


def gif_of_size(screen: int, frame: int) -> bytes:
    """Write a GIF with this screen and a frame of another size in it."""
    colours = bytes([0, 0, 0, 255, 255, 255])
    pixels = b"\x02\x02\x44\x01\x00"
    head = b"GIF89a" + struct.pack("<HHBBB", screen, screen, 0x80, 0, 0) + colours
    return head + b"," + struct.pack("<HHHHB", 0, 0, frame, frame, 0) + pixels + b";"


def frames_of_gif(number: int) -> bytes:
    """Write a GIF with very many frames."""
    whole = gif_of_size(1, 1)
    at = whole.index(b",")
    return whole[:at] + whole[at:-1] * number + b";"


def webp_of_size(side: int) -> bytes:
    """Write the head of a lossless WebP that says how large it is, and hardly more."""
    content = saved("WEBP", lossless=True)
    bits = struct.pack("<I", (side - 1) | (side - 1) << 14)
    return content[:21] + bits + content[25:]


def webp_canvas() -> bytes:
    """Write an animated WebP whose canvas is far larger than the frame on it."""
    frames = [Image.new("RGB", (16, 16), (shade, 0, 0)) for shade in (0, 255)]
    stream = io.BytesIO()
    frames[0].save(stream, "WEBP", save_all=True, append_images=frames[1:], duration=10)
    content = stream.getvalue()
    size = struct.pack("<I", 2**24 - 1)[:3]
    return content[:24] + size + struct.pack("<I", 200)[:3] + content[30:]


def frames_of_webp(number: int) -> bytes:
    """Write an animated WebP with many frames."""
    frames = [Image.new("RGB", (16, 16), (n % 256, n // 256, 0)) for n in range(number)]
    stream = io.BytesIO()
    frames[0].save(stream, "WEBP", save_all=True, append_images=frames[1:], duration=10, method=0)
    return stream.getvalue()


def bmp_of_size(width: int, height: int) -> bytes:
    """Write a small BMP that says it is large."""
    content = saved("BMP")
    return content[:18] + struct.pack("<ii", width, height) + content[26:]


def tiff(tags: dict[int, tuple[int, int, int]], tail: bytes = b"", *, following: int = 0) -> bytes:
    """Write a TIFF of one directory: tag -> type, count, value; `tail` begins right behind it."""
    entries = b"".join(struct.pack("<HHII", tag, *values) for tag, values in sorted(tags.items()))
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)
    return b"II*\x00" + struct.pack("<I", 8) + directory + tail


def tiff_tags(width: int, height: int, **more: tuple[int, int, int]) -> dict[int, tuple[int, int, int]]:
    """List what a grey TIFF needs; `more` are tags by their number, `t322=`."""
    tags = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}
    return {**tags, **{int(name[1:]): value for name, value in more.items()}}


def tiff_of_size(side: int) -> bytes:
    """Write a small TIFF that says it is large."""
    return tiff(tiff_tags(side, side, t273=(4, 1, 200), t278=(4, 1, side), t279=(4, 1, 16)), bytes(64))


def tiff_of_tile(side: int) -> bytes:
    """Write a TIFF of 64 pixels a side in one tile that is enormous, and well packed."""
    data = packed(512 * MIB)
    tags = tiff_tags(
        64, 64, t259=(3, 1, 8), t322=(4, 1, side), t323=(4, 1, side), t324=(4, 1, 0), t325=(4, 1, len(data))
    )
    at = 8 + 2 + 12 * len(tags) + 4
    return tiff({**tags, 324: (4, 1, at)}, data)


def tiff_of_counts() -> bytes:
    """Write a TIFF whose tags claim four thousand million values each."""
    return tiff(tiff_tags(64, 64, t273=(4, 2**32 - 1, 8), t279=(4, 2**32 - 1, 8), t700=(1, 2**32 - 1, 8)), bytes(64))


def tiff_in_a_ring() -> bytes:
    """Write a TIFF whose only directory is followed by itself."""
    return tiff(tiff_tags(64, 64, t273=(4, 1, 200), t278=(4, 1, 64), t279=(4, 1, 4096)), bytes(4300), following=8)


def box(name: bytes, *content: bytes) -> bytes:
    """Write a box of an ISO media file."""
    inner = b"".join(content)
    return struct.pack(">I", 8 + len(inner)) + name + inner


def iso_picture(brand: bytes) -> bytes:
    """Write the head of a picture in an ISO media file that says that it is huge."""
    size = box(b"ispe", struct.pack(">III", 0, 2**31 - 1, 2**31 - 1))
    meta = box(b"meta", bytes(4), box(b"iprp", box(b"ipco", size)))
    return box(b"ftyp", brand, bytes(4), brand, b"mif1") + meta + box(b"mdat", bytes(64))


@cache
def cover() -> bytes:
    """Make a PNG of 250 million pixels, a gigabyte when it is decoded as colours."""
    side = 15_800
    return png(side, side, pixels=packed(side * (side + 1)), bits=8)


def film(form: str, codec: str, packets: Iterator[bytes], *, size: tuple[int, int] = (16, 16), every: int = 1) -> bytes:
    """Put packets into a container as they are; `every` are the ticks from one to the next, 25 a second."""
    stream = io.BytesIO()
    with av.open(stream, "w", format=form) as target:
        video = target.add_stream(codec, rate=Fraction(25))
        video.width, video.height = size
        video.pix_fmt = "gray" if codec == "png" else "yuv420p"
        video.codec_context.time_base = Fraction(1, 25)
        for number, content in enumerate(packets):
            packet = av.Packet(content)
            packet.pts = packet.dts = number * every
            packet.duration, packet.time_base, packet.stream, packet.is_keyframe = every, Fraction(1, 25), video, True
            target.mux(packet)
    return stream.getvalue()


@cache
def clip(form: str = "mp4", codec: str = "libx264", frames: int = 30, side: int = 64) -> bytes:
    """Encode a small honest video."""
    stream = io.BytesIO()
    with av.open(stream, "w", format=form) as target:
        video = target.add_stream(codec, rate=Fraction(25))
        video.width, video.height, video.pix_fmt = side, side, "yuv420p"
        for _ in range(frames):
            target.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((side, side, 3), np.uint8), format="rgb24")))
        target.mux(video.encode(None))
    return stream.getvalue()


def sample_table(content: bytes, number: int) -> bytes:
    """Let the index of an MP4 claim so many samples of one byte, all in the first chunk."""
    sizes, chunks = content.index(b"stsz") + 8, content.index(b"stsc") + 8
    content = content[:sizes] + struct.pack(">II", 1, number) + content[sizes + 8 :]
    return content[: chunks + 8] + struct.pack(">I", number) + content[chunks + 12 :]


def times(content: bytes, ticks: int) -> bytes:
    """Let each sample of an MP4 last so many ticks."""
    at = content.index(b"stts") + 16
    return content[:at] + struct.pack(">I", ticks) + content[at + 4 :]


def many_tracks(number: int) -> bytes:
    """Repeat the track of an MP4."""
    content = clip()
    start, track = content.index(b"moov") - 4, content.index(b"trak") - 4
    moov_size, track_size = (struct.unpack(">I", content[at : at + 4])[0] for at in (start, track))
    moov = content[start + 8 : start + moov_size] + content[track : track + track_size] * number
    return content[:start] + box(b"moov", moov)


def nested(depth: int) -> bytes:
    """Put boxes into boxes."""
    inner = b""
    for _ in range(depth):
        inner = box(b"moov", box(b"trak", inner))
    return box(b"ftyp", b"isom", bytes(4), b"isom") + inner


def packed_index() -> bytes:
    """Write an MP4 whose index is packed, a thousand to one."""
    size = 2**31 - 1
    inner = box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", struct.pack(">I", size), packed(512 * MIB)))
    return box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + box(b"moov", inner)


def ebml(name: bytes, content: bytes, size: int | None = None) -> bytes:
    """Write an element of a Matroska file, with a size of eight bytes."""
    return name + struct.pack(">Q", 1 << 56 | (len(content) if size is None else size)) + content


def nested_matroska(depth: int, document: bytes = b"matroska") -> bytes:
    """Put tags into tags."""
    inner = b""
    for _ in range(depth):
        inner = ebml(b"\x67\xc8", inner)
    tags = ebml(b"\x12\x54\xc3\x67", ebml(b"\x73\x73", inner))
    return ebml(b"\x1a\x45\xdf\xa3", b"\x42\x82" + bytes([0x80 | len(document)]) + document) + ebml(
        b"\x18\x53\x80\x67", tags
    )


def endless_matroska() -> bytes:
    """Write a Matroska file whose tags say that they are a million gigabytes."""
    return nested_matroska(0) + ebml(b"\x12\x54\xc3\x67", b"", 2**50)


def vp8_of_size(side: int) -> bytes:
    """Write a WebM whose first frame says that it is larger than the head of the file does."""
    content = clip("webm", "libvpx")
    at = content.index(b"\x9d\x01\x2a") + 3
    return content[:at] + struct.pack("<HH", side, side) + content[at + 4 :]


def wav(rate: int, channels: int, data: bytes, *, bits: int = 16, said_bytes: int | None = None) -> bytes:
    """Write a WAV file with any head."""
    align = min(channels * bits // 8, 65535)
    head = struct.pack("<HHIIHH", 1, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    said = len(data) if said_bytes is None else said_bytes
    inner = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", said) + data
    return b"RIFF" + struct.pack("<I", len(inner) & 0xFFFFFFFF) + inner


def many_chunks(number: int) -> bytes:
    """Write a WAV file of very many empty chunks before its sound."""
    content = wav(8000, 1, bytes(160))
    return content[:36] + (b"note" + bytes(4)) * number + content[36:]


@cache
def silence(form: str, codec: str, seconds: int, rate: int = 48_000) -> bytes:
    """Encode silence, which packs very well."""
    stream = io.BytesIO()
    with av.open(stream, "w", format=form) as target:
        sound: Any = target.add_stream(codec, rate=rate, layout="mono")
        sound.codec_context.format = "s16" if codec in {"flac", "libopus"} else "fltp"
        block = np.zeros((1, rate), np.int16 if codec in {"flac", "libopus"} else np.float32)
        for second in range(seconds):
            frame = av.AudioFrame.from_ndarray(block, format=sound.codec_context.format.name, layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, second * rate, Fraction(1, rate)
            target.mux(sound.encode(frame))
        target.mux(sound.encode(None))
    return stream.getvalue()


def with_cover(mp3: bytes) -> bytes:
    """Put a picture before an MP3 that is more than the sound will ever be."""
    picture = b"\x00image/png\x00\x03\x00" + cover()
    frame = b"APIC" + struct.pack(">I", len(picture)) + b"\x00\x00" + picture
    return b"ID3\x03\x00\x00" + synchsafe(len(frame)) + frame + mp3


def synchsafe(number: int) -> bytes:
    """Write a number in four bytes of seven bits."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))
