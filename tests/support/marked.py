"""Small files of every format that can be marked, and a hand that marks them."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import trimesh
from PIL import Image

from unitask.provenance.manifest import Input, Said
from unitask.provenance.marks import Marked, MarkOrder, mark
from unitask.provenance.signing import Signer
from unitask.provenance.sources import Source

SIGNER = Signer.derived("the secret of a test")
RATE = 8000
PACKED = b"XML:com.adobe.xmp\0\x01\0\0\0"
"""The head of a PNG's chunk whose packet is compressed."""


def _picture(form: str, **options: Any) -> bytes:
    noise = np.random.default_rng(7).integers(0, 255, (23, 31, 3), np.uint8)
    into = io.BytesIO()
    Image.fromarray(noise).save(into, form, **options)
    return into.getvalue()


def _sound(codec: str, container: str) -> bytes:
    into = io.BytesIO()
    with av.open(into, "w", format=container) as file:
        stream = file.add_stream(codec, rate=RATE, layout="mono")
        wave = (np.sin(np.arange(RATE) / 20) * 9000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(wave, layout="mono", format="s16")
        frame.sample_rate = RATE
        for packet in (*stream.encode(frame), *stream.encode(None)):
            file.mux(packet)
    return into.getvalue()


def _film(container: str) -> bytes:
    into = io.BytesIO()
    with av.open(into, "w", format=container) as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for shade in range(0, 200, 40):
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), shade, np.uint8))):
                file.mux(packet)
        for packet in stream.encode(None):
            file.mux(packet)
    return into.getvalue()


def _solid() -> bytes:
    return bytes(trimesh.Scene(trimesh.creation.box()).export(file_type="glb"))


SMALL: dict[str, Callable[[], bytes]] = {
    "gif": lambda: _picture("GIF"),
    "glb": _solid,
    "jpg": lambda: _picture("JPEG"),
    "m4a": lambda: _sound("aac", "ipod"),
    "mov": lambda: _film("mov"),
    "mp3": lambda: _sound("libmp3lame", "mp3"),
    "mp4": lambda: _film("mp4"),
    "png": lambda: _picture("PNG"),
    "wav": lambda: _sound("pcm_s16le", "wav"),
    "webp": lambda: _picture("WEBP"),
}


def png_with(name: bytes, text: bytes, into: bytes = b"") -> bytes:
    """Put a chunk behind the head of a picture."""
    plain = into or SMALL["png"]()
    chunk = struct.pack(">I", len(text)) + name + text + struct.pack(">I", zlib.crc32(name + text))
    return plain[:33] + chunk + plain[33:]


def small(folder: Path, extension: str, name: str = "small") -> Input:
    """Write a small file of a format."""
    path = folder / f"{name}.{extension}"
    path.write_bytes(SMALL[extension]())
    return Input(path=path, extension=extension)


def said(source: Source, *, edited: bool = False) -> Said:
    """Say where a file comes from."""
    return Said(source=source, release="1.0", engine="cpu", model="Qubico/flux1-dev", edited=edited)


def marked(file: Input, source: Source, *inputs: Input, signer: Signer | None = SIGNER, edited: bool = False) -> Marked:
    """Put the marks on a file, signed or not."""
    order = MarkOrder(
        path=file.path,
        extension=file.extension,
        into=file.path.with_name(f"marked-{file.path.name}"),
        said=said(source, edited=edited),
        inputs=list(inputs),
        chain=signer.chain if signer else "",
        algorithm=signer.algorithm if signer else "",
    )
    return mark(order, signer.sign if signer else None)


def decoded(content: bytes, extension: str) -> bytes:
    """Decode what there is to see or to hear, or the points of a solid."""
    if extension in {"gif", "jpg", "png", "webp"}:
        return Image.open(io.BytesIO(content)).convert("RGBA").tobytes()
    if extension == "glb":
        scene = trimesh.load_scene(io.BytesIO(content), file_type="glb")
        return b"".join(mesh.vertices.tobytes() for mesh in scene.geometry.values())
    with av.open(io.BytesIO(content)) as file:
        return b"".join(frame.to_ndarray().tobytes() for frame in file.decode(file.streams[0]))
