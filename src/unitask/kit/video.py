"""Reading videos that a stranger sent and writing those that we made. PyAV is imported inside: engines only.

A frame is RGB, uint8 (height, width, 3), upright. Nothing here holds more than a few frames in memory.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from unitask.kit.errors import MediaFailure
from unitask.kit.media import DECODING_BYTES, HEAD_BYTES, sniff
from unitask.kit.process import spare_memory
from unitask.kit.soundtrack import Soundtrack, streams_of_sound

if TYPE_CHECKING:
    import numpy as np
    from av.container import InputContainer, OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    Frame = NDArray[np.uint8]

PHRASE: Final = "failed to get valid video"
_CONTAINERS: Final = {"mp4": "mov", "mov": "mov", "webm": "matroska", "mkv": "matroska"}
"""What may be read -> FFmpeg's name of it. It never guesses: some of its formats are lists of other files to open."""
_RATES: Final = (Fraction(1, 10), Fraction(1000))
_UNTAGGED: Final = 2
_BT709: Final = 1
_BT601: Final = 6
_HIGH_DEFINITION_ROWS: Final = 720
_LIMITED: Final = 1
_MUXER: Final = {"movflags": "+faststart", "fflags": "+bitexact"}
# x264's macroblock tree gave one file in fifty other bytes than the rest, from the same frames.
_ENCODER: Final = {"preset": "veryfast", "crf": "21", "mbtree": "0"}


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """What is accepted: frames, pixels of a side and of a frame, bytes of the file, seconds."""

    frames: int
    side_px: int
    pixels: int
    size_bytes: int
    duration_s: float = 3600.0


@dataclass(frozen=True, slots=True)
class Video:
    """A video that was found good as far as its head and its first frame; iterate it for the frames, more than once.

    `width` and `height` are those of upright frames. `frames` is how many the file holds; where some are damaged
    beyond use, fewer come out. `fps` is the mean where a telephone let the rate vary.
    """

    path: Path
    width: int
    height: int
    fps: Fraction
    frames: int
    duration_s: float
    has_audio: bool
    limits: VideoLimits

    def __iter__(self) -> Iterator["Frame"]:
        """Decode frame by frame.

        Raises:
            MediaFailure: damaged, or it goes on beyond the limits.

        """
        count = 0
        with _decoding(), _opened(self.path, self.limits) as (container, stream):
            for frame in container.decode(stream):
                count += 1
                _check(count, self.limits.frames, "frames")
                yield _upright(frame, self.width, self.height)
        if not count:
            raise MediaFailure(f"{PHRASE}: no frame of it can be decoded")


def read_video(path: Path, limits: VideoLimits) -> Video:
    """Open an MP4, MOV, WebM or MKV file: its head is checked against the limits, then one frame is decoded.

    Raises:
        MediaFailure: not a video, damaged, cut off, or beyond the limits.

    """
    _check(path.stat().st_size, limits.size_bytes, "bytes")
    with _decoding(), spare_memory(DECODING_BYTES):
        with _opened(path, limits) as (container, stream):
            first = next(iter(container.decode(stream)), None)
            has_audio = bool(streams_of_sound(container))
        if first is None:
            raise MediaFailure(f"{PHRASE}: no frame of it can be decoded")
        with _opened(path, limits) as (container, stream):
            frames = _counted(container, stream, limits.frames)
            fps = _rate(stream)
            duration_s = _duration(container, stream) or float(frames / fps)
            if any(entry.pos + entry.size > path.stat().st_size for entry in stream.index_entries):
                raise MediaFailure(f"{PHRASE}: the file is cut off; send all of it")
    _check(duration_s, limits.duration_s, "seconds")
    width, height = first.width, first.height
    if abs(first.rotation) == 90:  # noqa: PLR2004 - degrees
        width, height = height, width
    return Video(path, width, height, fps, frames, duration_s, has_audio, limits)


@contextmanager
def _decoding() -> Iterator[None]:
    """Tell what FFmpeg says about a bad file in our words."""
    from av import FFmpegError  # noqa: PLC0415 - only engines need PyAV

    try:
        yield
    except (FFmpegError, ArithmeticError, LookupError, MemoryError, ValueError) as error:
        raise MediaFailure(
            f"{PHRASE}: the file cannot be decoded as MP4, MOV, WebM or MKV",
            raw_message=f"{type(error).__name__}: {error}",
        ) from error


@contextmanager
def _opened(path: Path, limits: VideoLimits) -> Generator[tuple["InputContainer", "VideoStream"]]:
    import av  # noqa: PLC0415 - only engines need PyAV
    from av.stream import Disposition  # noqa: PLC0415

    with path.open("rb") as file:
        found = sniff(file.read(HEAD_BYTES))
    name = _CONTAINERS.get(found.extension) if found else None
    if name is None:
        raise MediaFailure(f"{PHRASE}: it is {found.content_type if found else 'no video'}; send MP4, MOV, WebM or MKV")
    # Decoders count the rows and columns by which they pad a frame, too.
    guard = {"max_pixels": str(limits.pixels + 512 * limits.side_px + 2**16)}
    with av.open(str(path), format=name, options=guard) as container:
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams or streams[0].codec_context is None:
            raise MediaFailure(f"{PHRASE}: there is no picture in it, or none of a known kind")
        stream = streams[0]
        _check_size(stream.width, stream.height, limits)
        # What the head says is not binding: the decoder refuses on its own what turns out to be larger.
        stream.codec_context.options = guard
        stream.codec_context.thread_count = 1
        yield container, stream


def _check(found: float, limit: float, unit: str) -> None:
    if found > limit:
        raise MediaFailure(
            f"{PHRASE}: it has {found:.10g} {unit}, the limit is {limit:.10g}; send a shorter or smaller one"
        )


def _check_size(width: int, height: int, limits: VideoLimits) -> None:
    if min(width, height) < 1:
        raise MediaFailure(f"{PHRASE}: it does not say how large its frames are")
    if max(width, height) > limits.side_px or width * height > limits.pixels:
        raise MediaFailure(
            f"{PHRASE}: it has {width}x{height} pixels, the limit is {limits.side_px} a side "
            f"and {limits.pixels} in all; send a smaller one",
        )


def _counted(container: "InputContainer", stream: "VideoStream", limit: int) -> int:
    """Count the frames without decoding them: an index may be absent, or promise what is not there."""
    count = 0
    for packet in container.demux(stream):
        count += bool(packet.size) and not packet.is_discard
        _check(max(count, stream.frames), limit, "frames")
    return count


def _rate(stream: "VideoStream") -> Fraction:
    rate = stream.average_rate or stream.guessed_rate
    if rate is None or not _RATES[0] <= rate <= _RATES[1]:
        raise MediaFailure(f"{PHRASE}: its frame rate is {rate or 'unknown'}")
    return rate.limit_denominator(100_000)


def _duration(container: "InputContainer", stream: "VideoStream") -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration is not None else None


def _upright(frame: "VideoFrame", width: int, height: int) -> "Frame":
    import numpy as np  # noqa: PLC0415 - only engines need NumPy

    turns = round(frame.rotation / 90)
    wide, high = (height, width) if turns % 2 else (width, height)
    if frame.colorspace == _UNTAGGED:
        frame.colorspace = _BT709 if min(width, height) >= _HIGH_DEFINITION_ROWS else _BT601
    rgb = frame.reformat(wide, high, "rgb24", threads=1).to_ndarray()
    return np.ascontiguousarray(np.rot90(rgb, turns), np.uint8)


def write_video(
    path: Path,
    frames: Iterable["Frame"],
    *,
    fps: Fraction,
    size: tuple[int, int],
    labels: Mapping[str, str],
    sound_of: Video | None = None,
) -> int:
    """Encode frames of `size` (width, height) as MP4 that plays while it loads: H.264, yuv420p, BT.709; count them.

    An odd last row or column is doubled, because the format wants even sizes. The label `title` becomes the title,
    all others the comment. The sound of `sound_of` goes along, cut where the frames end: AAC as it is, anything else
    encoded as AAC. The same frames give the same bytes.

    Raises:
        MediaFailure: the sound is damaged.

    """
    import av  # noqa: PLC0415 - only engines need PyAV

    width, height = size
    count = 0
    with ExitStack() as files:
        target = files.enter_context(av.open(str(path), "w", format="mp4", options=dict(_MUXER)))
        target.metadata.update(_tags(labels))
        stream = _encoder(target, fps, (width + width % 2, height + height % 2))
        sound = None
        if sound_of and sound_of.has_audio:
            source, pictures = files.enter_context(_opened(sound_of.path, sound_of.limits))
            sound = Soundtrack(source, target, (pictures.start_time or 0) * (pictures.time_base or Fraction(1)))
        for frame in frames:
            if frame.shape != (height, width, 3):
                raise ValueError(f"frame {count} is {frame.shape}, not {(height, width, 3)}")
            target.mux(stream.encode(_encodable(frame, count, fps)))
            count += 1
            if sound:
                sound.play_until(count / fps)
        target.mux(stream.encode())
    return count


def _encoder(target: "OutputContainer", fps: Fraction, size: tuple[int, int]) -> "VideoStream":
    stream: VideoStream = target.add_stream("libx264", rate=fps, options=dict(_ENCODER))
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    # The result depends on the number of threads.
    context.thread_count = 1
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.color_range = _LIMITED
    return stream


def _tags(labels: Mapping[str, str]) -> dict[str, str]:
    # C strings end at a zero byte, and half a surrogate pair has no bytes at all.
    clean = {key: text.replace("\0", " ").encode("utf-8", "replace").decode() for key, text in labels.items()}
    title = clean.pop("title", "")
    comment = "; ".join(f"{key}={text}" for key, text in clean.items())
    return {"title": title, "comment": comment} if title else {"comment": comment}


def _encodable(rgb: "Frame", number: int, fps: Fraction) -> "VideoFrame":
    import av  # noqa: PLC0415 - only engines need PyAV and NumPy
    import numpy as np  # noqa: PLC0415

    odd = [(0, side % 2) for side in rgb.shape[:2]]
    if any(after for _, after in odd):
        rgb = np.pad(rgb, (*odd, (0, 0)), "edge")
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
    to: dict[str, Any] = {"dst_colorspace": "ITU709", "src_color_range": "JPEG", "dst_color_range": "MPEG"}
    frame = picture.reformat(format="yuv420p", threads=1, **to)
    frame.pts, frame.time_base = number, 1 / fps
    return frame
