"""What a file really is, found by decoding all of it."""

import io
from dataclasses import dataclass
from fractions import Fraction

import av
import trimesh
from PIL import Image


@dataclass(frozen=True, slots=True)
class Film:
    """A video: `frames` were counted, `seconds` is where the last one ends."""

    codec: str
    pixels: str
    frames: int
    fps: Fraction
    size: tuple[int, int]
    seconds: float


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound: `seconds` were counted in samples."""

    codec: str
    rate: int
    seconds: float


def picture(content: bytes) -> Image.Image:
    """Decode a picture."""
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def film(content: bytes) -> Film:
    """Decode a video to its end."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.video[0]
        frames = [frame.time or 0.0 for frame in container.decode(stream)]
        fps = stream.average_rate
        assert fps
        context = stream.codec_context
        size = (context.width, context.height)
        pixels = context.pix_fmt or ""
        return Film(context.name, pixels, len(frames), fps, size, max(frames) + float(1 / fps))


def sound(content: bytes) -> Sound:
    """Decode a sound to its end."""
    with av.open(io.BytesIO(content)) as container:
        stream = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(stream))
        return Sound(stream.codec_context.name, stream.rate, samples / stream.rate)


def solid(content: bytes) -> trimesh.Scene:
    """Load a GLB."""
    loaded = trimesh.load(io.BytesIO(content), file_type="glb")
    assert isinstance(loaded, trimesh.Scene)
    return loaded
