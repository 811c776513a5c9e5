"""Small videos with sound, made by PyAV alone, and what tests look up in videos."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
BEEP_S = (0.2, 0.3)
_RATE_HZ = 48000


@dataclass(frozen=True)
class Clip:
    """What to make: `turned` is the rotation that the file asks players for, `late` the number of its first frame."""

    frames: int = 12
    size: tuple[int, int] = (64, 48)
    fps: Fraction = Fraction(24)
    codec: str = "libx264"
    sound: str | None = None
    turned: int = 0
    late: int = 0


def picture(number: int, size: tuple[int, int]) -> Frame:
    """Draw a frame: red above, blue below, a white bar that moves one pixel to the right each time."""
    width, height = size
    frame = np.zeros((height, width, 3), np.uint8)
    frame[: height // 2] = (200, 30, 30)
    frame[height // 2 :] = (30, 30, 200)
    frame[:, 4 + number : 8 + number] = 240
    return frame


def make(path: Path, clip: Clip) -> Path:
    """Write the clip; with sound it has one beep, at BEEP_S."""
    with av.open(str(path), "w") as target:
        stream = target.add_stream(clip.codec, rate=clip.fps)
        stream.width, stream.height = clip.size
        stream.pix_fmt = "yuv420p"
        if clip.turned:
            stream.set_display_rotation(clip.turned)
        sound = target.add_stream(clip.sound, rate=_RATE_HZ) if clip.sound else None
        if sound:
            sound.codec_context.layout = "stereo"
        for number in range(clip.frames):
            frame = av.VideoFrame.from_ndarray(picture(number, clip.size), format="rgb24")
            frame.pts, frame.time_base = number + clip.late, 1 / clip.fps
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
        if sound:
            _beep(target, sound, float((clip.frames + clip.late) / clip.fps))
    return path


def _beep(target: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    times = np.arange(int(seconds * _RATE_HZ)) / _RATE_HZ
    on = (times >= BEEP_S[0]) & (times < BEEP_S[1])
    wave = np.where(on, 0.5 * np.sin(2 * np.pi * 880 * times), 0).astype(np.float32)
    for start in range(0, len(wave), 1024):
        part = np.ascontiguousarray(np.stack([wave[start : start + 1024]] * 2))
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = _RATE_HZ, start, Fraction(1, _RATE_HZ)
        target.mux(stream.encode(frame))
    target.mux(stream.encode(None))


def sound_alone(source: Path, target: Path) -> None:
    """Write the sound of a video without its pictures."""
    with av.open(str(source)) as given, av.open(str(target), "w") as out:
        stream = given.streams.audio[0]
        copy = out.add_stream_from_template(stream)
        for packet in given.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)


@dataclass(frozen=True)
class Found:
    """What a file turned out to hold. `beep_s` is when its sound is loud, from and to; None without sound."""

    frames: list[Frame]
    fps: Fraction
    codec: str
    pixel_format: str
    tags: dict[str, str]
    boxes: list[str]
    sound_codec: str | None
    sound_s: float
    beep_s: tuple[float, float] | None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        height, width = self.frames[0].shape[:2]
        return width, height


def look(path: Path) -> Found:
    """Decode all of a video."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        frames = [frame.to_ndarray(format="rgb24") for frame in source.decode(stream)]
        sound = source.streams.audio[0].codec_context.name if source.streams.audio else None
        tags = {key: source.metadata[key] for key in ("title", "comment") if key in source.metadata}
        fps, codec, layout = stream.average_rate or Fraction(0), stream.codec_context.name, stream.codec_context.pix_fmt
    seconds, beep_s = _heard(path) if sound else (0.0, None)
    return Found(frames, fps, codec, layout or "", tags, boxes(path), sound, seconds, beep_s)


def _heard(path: Path) -> tuple[float, tuple[float, float] | None]:
    with av.open(str(path)) as source:
        stream = source.streams.audio[0]
        parts = [frame.to_ndarray()[0] for frame in source.decode(stream)]
        wave, rate = np.concatenate(parts), stream.codec_context.sample_rate
    loud = np.flatnonzero(np.abs(wave) > 0.2)
    beep_s = (float(loud[0]) / rate, float(loud[-1]) / rate) if loud.size else None
    return len(wave) / rate, beep_s


def boxes(path: Path) -> list[str]:
    """List the names of the boxes that an MP4 file begins with."""
    content, at, names = path.read_bytes(), 0, []
    while at + 8 <= len(content):
        names.append(content[at + 4 : at + 8].decode("latin-1"))
        at += max(int.from_bytes(content[at : at + 4], "big"), 8)
    return names


def write(path: Path, frames: list[Frame], fps: Fraction, *, sound: bool = False) -> None:
    """Write these frames as they are, nearly without loss; with sound, one beep at BEEP_S."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=fps, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        track = target.add_stream("aac", rate=_RATE_HZ) if sound else None
        if track:
            track.codec_context.layout = "stereo"
        for number, frame in enumerate(frames):
            picture_ = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture_.pts, picture_.time_base = number, 1 / fps
            target.mux(stream.encode(picture_))
        target.mux(stream.encode(None))
        if track:
            _beep(target, track, float(len(frames) / fps))
