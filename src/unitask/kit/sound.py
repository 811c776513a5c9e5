"""Reading sound that a stranger sent and writing sound that we made. PyAV and NumPy are imported inside: engines only.

A sound is a float32 array (samples, channels) in -1..1 with one or two channels.
"""

import io
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from unitask.kit.errors import MediaFailure
from unitask.kit.media import DECODING_BYTES
from unitask.kit.process import spare_memory

if TYPE_CHECKING:
    import numpy as np
    from av import AudioFrame
    from av.container import InputContainer
    from numpy.typing import NDArray

    Sound = NDArray[np.float32]

SoundFormat = Literal["wav", "mp3", "flac"]

PHRASE: Final = "failed to get input audio"
MOST_CHANNELS: Final = 2
# Playlists name further files and addresses, so only containers that hold their own sound are opened.
CONTAINERS: Final = "wav,w64,mp3,flac,ogg,mov,matroska,aac,aiff,au,caf"
# What a header claims decides how much memory resampling takes: the slowest rate that is still sound.
_LEAST_RATE_HZ: Final = 2_000
_MOST_RATE_HZ: Final = 768_000
# FFmpeg decodes the picture on a record's sleeve, too, before the first note.
_MOST_COVER_PIXELS: Final = str(2**24)
# Encoders pad the end to whole frames; a recording of exactly the limit is not too long for that.
_PADDING_S: Final = 0.1
_BLOCK_SAMPLES: Final = 1 << 16
_MP3_BITS_PER_S: Final = 160_000
_ENCODERS: Final[dict[SoundFormat, tuple[str, str, dict[str, str]]]] = {
    "wav": ("pcm_s16le", "s16", {}),
    "flac": ("flac", "s16", {}),
    "mp3": ("libmp3lame", "fltp", {"compression_level": "7", "joint_stereo": "0"}),
}
"""Format -> codec, how it wants its samples, options. MP3 in haste: it takes longer than composing what is in it."""


def read_audio(path: Path, *, limit_seconds: float, rate: int, cut: bool = False) -> "Sound":
    """Decode the first sound track at `rate` samples a second: float32 (samples, 1 or 2).

    More channels become two. Decoding stops at the limit, so that a bomb costs no more than an honest file: what is
    longer is refused, or its beginning taken if `cut` is set.

    Raises:
        MediaFailure: not sound, damaged, empty, or longer than `limit_seconds`.

    """
    import av  # noqa: PLC0415 - only engines need PyAV
    import numpy as np  # noqa: PLC0415 - only engines need NumPy

    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file", "max_pixels": _MOST_COVER_PIXELS}
    decoded_bytes = int(limit_seconds * rate) * MOST_CHANNELS * np.dtype(np.float32).itemsize
    try:
        with (
            spare_memory(DECODING_BYTES + decoded_bytes),
            av.open(str(path), options=options, metadata_errors="replace") as container,
        ):
            blocks = list(_resampled(container, limit_seconds, rate, cut=cut))
        # Where a file changes from one channel to two on its way, the blocks do not fit together.
        samples = np.ascontiguousarray(np.concatenate(blocks or [np.zeros((1, 0), np.float32)], axis=1).T)
    except (av.FFmpegError, ArithmeticError, LookupError, MemoryError, ValueError) as error:
        raise MediaFailure(
            f"{PHRASE}: the file cannot be decoded as WAV, MP3, FLAC, Ogg, AAC or the like",
            raw_message=f"{type(error).__name__}: {error}",
        ) from error
    if not len(samples):
        raise MediaFailure(f"{PHRASE}: there is no sound in it")
    np.nan_to_num(samples, copy=False)
    np.clip(samples, -1, 1, out=samples)
    return samples[: round(limit_seconds * rate)] if cut else samples


def _resampled(container: "InputContainer", limit_s: float, rate: int, *, cut: bool) -> "Iterator[NDArray[np.float32]]":
    """Decode up to the limit: blocks of float32 (channels, samples)."""
    import av  # noqa: PLC0415 - only engines need PyAV

    if not container.streams.audio:
        raise MediaFailure(f"{PHRASE}: there is no sound in it")
    resampler: av.AudioResampler | None = None
    seconds = 0.0
    for frame in container.decode(container.streams.audio[0]):
        seconds += _seconds_of(frame)
        if seconds > limit_s + _PADDING_S and not cut:
            raise MediaFailure(f"{PHRASE}: it is longer than {limit_s:g} seconds; send a shorter one")
        if resampler is None:
            layout = "mono" if frame.layout.nb_channels == 1 else "stereo"
            resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
        yield from map(_floats, resampler.resample(frame))
        if seconds >= limit_s and cut:
            break
    if resampler is not None:
        yield from map(_floats, resampler.resample(None))


def _floats(block: "AudioFrame") -> "NDArray[np.float32]":
    import numpy as np  # noqa: PLC0415 - only engines need NumPy

    return np.asarray(block.to_ndarray(), np.float32)


def _seconds_of(frame: "AudioFrame") -> float:
    if not _LEAST_RATE_HZ <= frame.sample_rate <= _MOST_RATE_HZ:
        raise MediaFailure(f"{PHRASE}: it has {frame.sample_rate} samples a second; send one of 8000 to 48000")
    return frame.samples / frame.sample_rate


def write_audio(samples: "Sound", *, rate: int, form: SoundFormat, metadata: Mapping[str, str]) -> bytes:
    """Encode float32 (samples, 1 or 2) in -1..1; the same sound gives the same bytes.

    WAV and FLAC have 16 bits and exactly as many samples; MP3 says its length, but for a part of a frame. `metadata`
    goes into tags of the same names where the format has such, and in all formats into the comment.
    """
    import av  # noqa: PLC0415 - only engines need PyAV

    codec, layout_of_samples, options = _ENCODERS[form]
    channels = samples.shape[1]
    stream_layout = "mono" if channels == 1 else "stereo"
    content = io.BytesIO()
    with av.open(content, "w", format=form, options={"fflags": "+bitexact"}) as container:
        container.metadata.update(
            {**metadata, "comment": "; ".join(f"{key}={value}" for key, value in metadata.items())}
        )
        stream: Any = container.add_stream(codec, rate=rate, layout=stream_layout, options=options)
        stream.codec_context.format = layout_of_samples
        if form == "mp3":
            stream.bit_rate = _MP3_BITS_PER_S * channels // MOST_CHANNELS
        for start in range(0, len(samples), _BLOCK_SAMPLES):
            block = _planes(samples[start : start + _BLOCK_SAMPLES], layout_of_samples)
            frame = av.AudioFrame.from_ndarray(block, format=layout_of_samples, layout=stream_layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return content.getvalue()


def _planes(block: "Sound", kind: str) -> "NDArray[Any]":
    """Bring (samples, channels) into the order and the numbers that an encoder takes."""
    import numpy as np  # noqa: PLC0415 - only engines need NumPy

    if kind == "fltp":
        return np.ascontiguousarray(block.T)
    whole = np.clip(np.round(block * np.float32(32768)), -32768, 32767).astype("<i2")
    return whole.reshape(1, -1)
