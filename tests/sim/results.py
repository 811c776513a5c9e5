"""Results of providers: real files that decode, of every kind that is ordered, and tiny."""

import io
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

import av
import numpy as np
import trimesh
from PIL import Image

from support.films import Clip, make

TYPES: Final = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "pcm": "audio/pcm",
    "glb": "model/gltf-binary",
}
PICTURES: Final = {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}
RATE_HZ: Final = 24000
# Codec and container of each sound; `pcm` is samples without a head.
SOUNDS: Final = {
    "mp3": ("libmp3lame", "mp3"),
    "wav": ("pcm_s16le", "wav"),
    "flac": ("flac", "flac"),
    "opus": ("libopus", "ogg"),
    "aac": ("aac", "adts"),
    "pcm": ("pcm_s16le", "s16le"),
}
WORDS: Final = {
    "audio": ("audio", "tts", "speech", "music", "song", "ace-step", "diffrhythm", "lyria"),
    "model": ("3d", "trellis", "mesh"),
    "video": ("video", "wan", "hunyuan", "skyreels", "framepack", "sora", "veo", "ltx", "kling"),
}


def kind_of(name: str) -> str:
    """Guess from its name whether a model makes an image, a video, audio or a (3D) model."""
    return next((kind for kind, words in WORDS.items() if any(word in name.lower() for word in words)), "image")


@cache
def content(extension: str) -> bytes:
    """Make a file with this extension, always the same."""
    if extension in PICTURES:
        return _picture(PICTURES[extension])
    if extension in SOUNDS:
        return _sound(*SOUNDS[extension])
    if extension == "mp4":
        with tempfile.TemporaryDirectory() as folder:
            return make(Path(folder) / "film.mp4", Clip(sound="aac")).read_bytes()
    assert extension == "glb", extension
    glb: bytes = trimesh.creation.box().export(file_type="glb")
    return glb


def _picture(form: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (64, 48), (30, 120, 60)).save(target, form)
    return target.getvalue()


def _sound(codec: str, container: str) -> bytes:
    wave = np.sin(np.arange(RATE_HZ // 4) * (2 * np.pi * 440 / RATE_HZ))
    samples = av.AudioFrame.from_ndarray((wave * 2**14).astype(np.int16)[None], format="s16", layout="mono")
    samples.sample_rate = RATE_HZ
    target = io.BytesIO()
    with av.open(target, "w", format=container) as file:
        stream = file.add_stream(codec, rate=RATE_HZ)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = "mono"
        file.mux(stream.encode(samples))
        file.mux(stream.encode(None))
    return target.getvalue()
