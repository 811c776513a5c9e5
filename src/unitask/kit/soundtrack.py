"""The sound of one file beside the pictures of another. PyAV is imported inside: engines only."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from unitask.kit.errors import MediaFailure

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

_KEPT: Final = "aac"
_RATES_HZ: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_USUAL_RATE_HZ: Final = 48000


def streams_of_sound(container: "InputContainer") -> list["AudioStream"]:
    """List the streams of sound; what cannot be decoded here has no codec context."""
    contexts: list[AudioCodecContext | None] = [stream.codec_context for stream in container.streams.audio]
    return [stream for stream, context in zip(container.streams.audio, contexts, strict=True) if context is not None]


class Soundtrack:
    """Sound that goes into a file bit by bit, between the pictures, so that a player finds both close together.

    `starts_s` is the time of the first picture of `source`; earlier sound is left out.
    """

    def __init__(self, source: "InputContainer", target: "OutputContainer", starts_s: Fraction) -> None:
        self._target = target
        found = streams_of_sound(source)
        self._packets = _packets(source, found[0], target, starts_s) if found else iter(())
        with _reading():
            self._next = next(self._packets, None)

    def play_until(self, time_s: Fraction) -> None:
        """Write all sound that begins before this time, counted from the first picture.

        Raises:
            MediaFailure: the sound is damaged.

        """
        with _reading():
            while self._next is not None and _begins_s(self._next) < time_s:
                self._target.mux(self._next)
                self._next = next(self._packets, None)


@contextmanager
def _reading() -> Iterator[None]:
    from av import FFmpegError  # noqa: PLC0415 - only engines need PyAV

    try:
        yield
    except FFmpegError as error:
        raise MediaFailure(
            "failed to get valid video: its sound cannot be decoded", raw_message=f"{type(error).__name__}: {error}"
        ) from error


def _begins_s(packet: "Packet[AudioStream]") -> Fraction:
    return Fraction((packet.pts or 0) * packet.time_base)


def _packets(
    container: "InputContainer", stream: "AudioStream", target: "OutputContainer", starts_s: Fraction
) -> Iterator["Packet[AudioStream]"]:
    if stream.codec_context.name == _KEPT:
        return _copied(container, stream, target.add_stream_from_template(stream), starts_s)
    rate = stream.codec_context.sample_rate
    out: AudioStream = target.add_stream(_KEPT, rate=rate if rate in _RATES_HZ else _USUAL_RATE_HZ)
    out.codec_context.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
    return _encoded(container, stream, out, starts_s)


def _copied(
    container: "InputContainer", stream: "AudioStream", out: "AudioStream", starts_s: Fraction
) -> Iterator["Packet[AudioStream]"]:
    for packet in container.demux(stream):
        if packet.pts is None or packet.dts is None:
            continue
        shift = round(starts_s / packet.time_base)
        packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, out
        if packet.pts + (packet.duration or 0) > 0:
            yield packet


def _encoded(
    container: "InputContainer", stream: "AudioStream", out: "AudioStream", starts_s: Fraction
) -> Iterator["Packet[AudioStream]"]:
    for frame in container.decode(stream):
        begins = round((Fraction(frame.time or 0) - starts_s) * frame.sample_rate)
        if begins + frame.samples > 0:
            frame.pts, frame.time_base = begins, Fraction(1, frame.sample_rate)
            yield from out.encode(frame)
    yield from out.encode(None)
