"""Sound into files and out of them."""

import io
import struct
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from support.previews import tone
from unitask.kit.errors import MediaFailure
from unitask.kit.sound import SoundFormat, read_audio, write_audio

TAGS = {"software": "unitask", "unitask:engine": "preview", "unitask:level": "preview"}
FORMS: tuple[SoundFormat, ...] = ("wav", "mp3", "flac")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file."""
    return tmp_path / "sound"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [24_000, 44_100, 48_000])
def test_length_and_rate_are_exact(path: Path, form: SoundFormat, channels: int, rate: int) -> None:
    """Every sample comes back, and the header of the file says as much."""
    samples = tone(220, 1.0137, rate, channels)
    path.write_bytes(write_audio(samples, rate=rate, form=form, metadata=TAGS))
    found = read_audio(path, limit_seconds=2, rate=rate)
    assert found.shape == samples.shape
    assert found.dtype == np.float32
    assert np.abs(found - samples).mean() < 0.01
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        assert stream.rate == rate
        # MP3 counts in whole frames.
        assert float(stream.duration * stream.time_base) == pytest.approx(len(samples) / rate, abs=0.03)


@pytest.mark.parametrize("form", ["wav", "flac"])
def test_sixteen_bits_survive(path: Path, form: SoundFormat) -> None:
    """What was on their grid stays as it was, the loudest values too."""
    samples = np.array([[-1.0], [32767 / 32768], [1 / 32768], [0.0]] * 50, np.float32)
    path.write_bytes(write_audio(samples, rate=8000, form=form, metadata={}))
    assert np.array_equal(read_audio(path, limit_seconds=1, rate=8000), samples)


@pytest.mark.parametrize("form", FORMS)
def test_the_file_says_what_made_it(path: Path, form: SoundFormat) -> None:
    """In the comment, and in tags of their own where the format has such."""
    path.write_bytes(write_audio(tone(220, 0.1, 24_000), rate=24_000, form=form, metadata=TAGS))
    with av.open(str(path)) as container:
        tags = container.metadata
    assert tags["comment"] == "software=unitask; unitask:engine=preview; unitask:level=preview"
    assert form == "wav" or TAGS.items() <= tags.items()


@pytest.mark.parametrize("form", FORMS)
def test_the_same_sound_gives_the_same_bytes(form: SoundFormat) -> None:
    """No time of day and no chance goes into a file."""
    samples = tone(220, 0.5, 24_000)
    first, second = (write_audio(samples, rate=24_000, form=form, metadata=TAGS) for _ in range(2))
    assert first == second


def test_another_rate_keeps_the_length_in_seconds(path: Path) -> None:
    """A recording of 8000 samples a second becomes one of 48000."""
    path.write_bytes(write_audio(tone(220, 0.5, 8000), rate=8000, form="wav", metadata={}))
    assert len(read_audio(path, limit_seconds=1, rate=48_000)) == pytest.approx(24_000, abs=64)


def test_more_than_two_channels_become_two(path: Path) -> None:
    """Four are mixed."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(4)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.full((800, 4), 3000, "<i2").tobytes())
    assert read_audio(path, limit_seconds=1, rate=8000).shape == (800, 2)


def test_what_is_too_long_is_refused_or_cut(path: Path) -> None:
    """As the caller wants; a recording of exactly the limit is not too long."""
    path.write_bytes(write_audio(tone(220, 1, 8000), rate=8000, form="mp3", metadata={}))
    assert len(read_audio(path, limit_seconds=1, rate=8000)) == 8000
    with pytest.raises(MediaFailure, match=r"failed to get input audio: it is longer than 0\.5 seconds"):
        read_audio(path, limit_seconds=0.5, rate=8000)
    assert len(read_audio(path, limit_seconds=0.5, rate=8000, cut=True)) == 4000


def test_decoding_stops_at_the_limit(path: Path) -> None:
    """Silence packs so well that a small file holds hours: they are never decoded."""
    silence = np.zeros((8000 * 3600, 1), np.float32)
    path.write_bytes(write_audio(silence, rate=8000, form="flac", metadata={}))
    # What would come after the first seconds is not even there.
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 10])
    assert len(read_audio(path, limit_seconds=2, rate=8000, cut=True)) == 16_000
    with pytest.raises(MediaFailure, match="longer than 2 seconds"):
        read_audio(path, limit_seconds=2, rate=8000)


def test_a_rate_that_would_blow_up_is_refused(path: Path) -> None:
    """One sample a second: a few bytes would be minutes."""
    path.write_bytes(riff(rate=1, samples=b"\0\0" * 400))
    with pytest.raises(MediaFailure, match="failed to get input audio: it has 1 samples a second"):
        read_audio(path, limit_seconds=3600, rate=48_000)


def riff(rate: int, samples: bytes) -> bytes:
    """Write a WAV head by hand, as no encoder would."""
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, rate, rate * 2, 2, 16) + b"data"
    body += struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_a_file_that_changes_its_channels_is_refused(path: Path) -> None:
    """Two recordings put one behind the other are not one."""
    parts = [
        write_audio(np.zeros((48_000, channels), np.float32), rate=48_000, form="mp3", metadata={})
        for channels in (1, 2)
    ]
    path.write_bytes(parts[0] + parts[1][parts[1].index(b"\xff\xfb") :])
    with pytest.raises(MediaFailure, match=r"^failed to get input audio: the file cannot be decoded"):
        read_audio(path, limit_seconds=10, rate=48_000)


def test_wild_numbers_are_tamed(path: Path) -> None:
    """A WAV of floats may hold anything, even what is not a number."""
    values = np.array([np.nan, np.inf, -np.inf, 1e30, 0.5] * 100, "<f4").tobytes()
    body = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 3, 1, 8000, 32_000, 4, 32) + b"data"
    body += struct.pack("<I", len(values)) + values
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    found = read_audio(path, limit_seconds=1, rate=8000)
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 1


def picture() -> bytes:
    """Write a video without sound."""
    stream = io.BytesIO()
    with av.open(stream, "w", format="mp4") as target:
        video = target.add_stream("libx264", rate=8)
        video.width = video.height = 32
        video.pix_fmt = "yuv420p"
        target.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        target.mux(video.encode())
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no sound at all",
        riff(rate=8000, samples=b""),
        write_audio(tone(220, 0.5, 8000), rate=8000, form="flac", metadata={})[:60],
        picture(),
    ],
    ids=["empty", "text", "no samples", "cut off", "pictures only"],
)
def test_what_is_no_sound_is_refused(path: Path, content: bytes) -> None:
    """With the phrase that clients match on."""
    path.write_bytes(content)
    with pytest.raises(MediaFailure, match="failed to get input audio: "):
        read_audio(path, limit_seconds=5, rate=8000)


@pytest.mark.parametrize("text", ["#EXTM3U\n#EXTINF:1,\nfile://{}\n", "ffconcat version 1.0\nfile '{}'\n"])
def test_lists_of_other_files_are_not_followed(tmp_path: Path, path: Path, text: str) -> None:
    """A playlist would read any file of the machine, or any address."""
    secret = tmp_path / "secret.wav"
    secret.write_bytes(write_audio(tone(220, 0.2, 8000), rate=8000, form="wav", metadata={}))
    path.write_text(text.format(secret))
    with pytest.raises(MediaFailure, match="cannot be decoded"):
        read_audio(path, limit_seconds=5, rate=8000)
