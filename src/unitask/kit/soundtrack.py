"""The sound of one file beside the pictures of another. PyAV is imported inside: engines only."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unitask.kit.errors import MediaFailure

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

_KEPT: Final = "aac"
_RATES_HZ: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_USUAL_RATE_HZ: Final = 48000


def streams_of_sound(container: "InputContainer") -> list["AudioStream"]:
    """List the streams of sound that can be decoded here."""
    return [stream for stream in container.streams.audio if stream.codec_context is not None]


class Soundtrack:
    """Sound that goes into a file bit by bit, between the pictures, so that a player finds both close together."""

    def __init__(self, target: "OutputContainer", packets: Iterator["Packet"]) -> None:
        self._target = target
        self._packets = packets
        self._next = next(packets, None)

    @classmethod
    @contextmanager
    def beside(cls, target: "OutputContainer", source: Path | None) -> "Iterator[Soundtrack]":
        """Add the first sound of `source` to `target`; without a source, or sound in it, it stays silent.

        Raises:
            MediaFailure: the sound is damaged.

        """
        import av  # noqa: PLC0415 - only engines need PyAV

        if source is None:
            yield cls(target, iter(()))
            return
        with av.open(str(source)) as container:
            found = streams_of_sound(container)
            yield cls(target, _packets(container, found[0], target) if found else iter(()))

    def play_until(self, time_s: Fraction) -> None:
        """Write all sound that begins before this time, counted from the first picture of the source.

        Raises:
            MediaFailure: the sound is damaged.

        """
        while self._next is not None and _begins_s(self._next) < time_s:
            self._target.mux(self._next)
            self._next = next(self._packets, None)


def _begins_s(packet: "Packet") -> Fraction:
    return Fraction((packet.pts or 0) * packet.time_base)


def _packets(container: "InputContainer", stream: "AudioStream", target: "OutputContainer") -> Iterator["Packet"]:
    pictures = container.streams.video
    start = pictures[0].start_time if pictures else None
    start_s = Fraction(0) if start is None or pictures[0].time_base is None else start * pictures[0].time_base
    if stream.codec_context.name == _KEPT:
        return _copied(container, stream, target.add_stream_from_template(stream), start_s)
    rate = stream.codec_context.sample_rate
    out: AudioStream = target.add_stream(_KEPT, rate=rate if rate in _RATES_HZ else _USUAL_RATE_HZ)
    out.codec_context.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
    return _encoded(container, stream, out, start_s)


def _copied(
    container: "InputContainer", stream: "AudioStream", out: "AudioStream", start_s: Fraction
) -> Iterator["Packet"]:
    for packet in container.demux(stream):
        if packet.pts is None or packet.dts is None:
            continue
        shift = round(start_s / packet.time_base)
        packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, out
        if packet.pts + (packet.duration or 0) > 0:
            yield packet


def _encoded(
    container: "InputContainer", stream: "AudioStream", out: "AudioStream", start_s: Fraction
) -> Iterator["Packet"]:
    from av import FFmpegError  # noqa: PLC0415 - only engines need PyAV

    try:
        for frame in container.decode(stream):
            begins = round(((frame.pts or 0) * frame.time_base - start_s) * frame.sample_rate)
            if begins + frame.samples > 0:
                frame.pts, frame.time_base = begins, Fraction(1, frame.sample_rate)
                yield from out.encode(frame)
    except FFmpegError as error:
        raise MediaFailure(
            "failed to get valid video: its sound cannot be decoded", raw_message=f"{type(error).__name__}: {error}"
        ) from error
    yield from out.encode(None)
