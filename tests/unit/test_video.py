"""Videos read under limits, and videos written so that every player takes them."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from support import films
from support.films import BEEP_S, Clip
from unitask.kit.errors import MediaFailure
from unitask.kit.video import PHRASE, Video, VideoLimits, read_video, write_video

LIMITS = VideoLimits(frames=60, side_px=200, pixels=20_000, size_bytes=1_000_000, duration_s=10)
LABELS = {"title": "a little cat", "Software": "unitask", "unitask:engine": "cpu"}


def frames(count: int, size: tuple[int, int] = (64, 48)) -> Iterator[NDArray[np.uint8]]:
    """Draw the frames of a test clip."""
    return (films.picture(number, size) for number in range(count))


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where to write."""
    return tmp_path / "written.mp4"


def read(path: Path, clip: Clip) -> Video:
    """Make a clip and open it."""
    return read_video(films.make(path, clip), LIMITS)


@pytest.mark.parametrize("fps", [Fraction(16), Fraction(30000, 1001), Fraction(25, 2)])
@pytest.mark.parametrize("count", [1, 2, 33])
def test_what_is_written_is_what_was_given(target: Path, fps: Fraction, count: int) -> None:
    """As many frames, at exactly that rate, in these colours."""
    assert write_video(target, frames(count), fps=fps, size=(64, 48), labels=LABELS) == count
    found = films.look(target)
    assert len(found.frames) == count
    assert found.fps == fps
    for number in {0, count - 1}:
        assert np.abs(found.frames[number].astype(int) - films.picture(number, (64, 48))).mean() < 6


def test_every_player_takes_it(target: Path) -> None:
    """H.264 in yuv420p, and the index stands before the pictures."""
    write_video(target, frames(5), fps=Fraction(16), size=(64, 48), labels=LABELS)
    found = films.look(target)
    assert (found.codec, found.pixel_format) == ("h264", "yuv420p")
    assert found.boxes[:2] == ["ftyp", "moov"]
    assert found.boxes[-1] == "mdat"
    assert found.sound_codec is None


def test_labels_are_in_the_file(target: Path) -> None:
    """The title has a place of its own; what a C string cannot hold is replaced."""
    labels = LABELS | {"unitask:prompt": "a\0cat \ud800 猫"}
    write_video(target, frames(2), fps=Fraction(16), size=(64, 48), labels=labels)
    tags = films.look(target).tags
    assert tags["title"] == "a little cat"
    assert tags["comment"] == "Software=unitask; unitask:engine=cpu; unitask:prompt=a cat ? 猫"


def test_the_same_frames_give_the_same_bytes(target: Path) -> None:
    """Nothing of the time or the machine's load gets into the file."""
    first, second = (
        write_video(target, frames(20), fps=Fraction(16), size=(64, 48), labels=LABELS) and target.read_bytes()
        for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(("size", "even"), [((63, 48), (64, 48)), ((64, 47), (64, 48)), ((1, 1), (2, 2))])
def test_an_odd_side_is_made_even(target: Path, size: tuple[int, int], even: tuple[int, int]) -> None:
    """The last column or row is there twice."""
    write_video(target, frames(3, size), fps=Fraction(16), size=size, labels=LABELS)
    assert films.look(target).size == even


def test_a_frame_of_another_size_is_an_error_of_ours(target: Path) -> None:
    """It is not scaled in silence."""
    with pytest.raises(ValueError, match=r"frame 0 is \(48, 64, 3\)"):
        write_video(target, frames(1), fps=Fraction(16), size=(64, 64), labels=LABELS)


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("a.mp4", Clip(sound="aac")),
        ("a.mov", Clip(codec="mpeg4", sound="pcm_s16le")),
        ("a.webm", Clip(codec="libvpx", sound="libopus")),
        ("a.mkv", Clip(fps=Fraction(30000, 1001))),
    ],
)
def test_the_usual_containers_are_read(tmp_path: Path, name: str, clip: Clip) -> None:
    """Size, rate, length and sound are known before the frames, and each frame is the right one."""
    video = read(tmp_path / name, clip)
    assert (video.width, video.height) == clip.size
    assert video.frames == clip.frames
    assert abs(video.fps - clip.fps) < 0.01
    assert video.duration_s == pytest.approx(clip.frames / float(clip.fps), abs=0.06)
    assert video.has_audio is bool(clip.sound)
    for number, frame in enumerate(video):
        assert np.abs(frame.astype(int) - films.picture(number, clip.size)).mean() < 12


def test_a_video_can_be_read_twice(tmp_path: Path) -> None:
    """Each iteration begins anew, also after one that was broken off; frames may be drawn on."""
    video = read(tmp_path / "a.mp4", Clip())
    first = next(iter(video))
    first[:] = 0
    again = list(video)
    assert len(again) == 12
    assert again[0].mean() > 20


@pytest.mark.parametrize(("turned", "red"), [(90, "left"), (-90, "right"), (180, "below")])
def test_frames_are_upright(tmp_path: Path, turned: int, red: str) -> None:
    """A telephone held another way writes how to turn its frames."""
    video = read(tmp_path / "a.mp4", Clip(turned=turned))
    assert (video.width, video.height) == ((64, 48) if turned == 180 else (48, 64))
    frame = next(iter(video)).astype(int)
    assert frame.shape == (video.height, video.width, 3)
    parts = {"left": frame[:, :12], "right": frame[:, -12:], "below": frame[-12:]}
    assert parts[red][..., 0].mean() > parts[red][..., 2].mean() + 60


@pytest.mark.parametrize(
    ("name", "clip", "codec"),
    [
        ("a.mp4", Clip(sound="aac"), "aac"),
        ("a.mp4", Clip(sound="libmp3lame"), "aac"),
        ("a.webm", Clip(codec="libvpx", sound="libopus"), "aac"),
        ("a.mov", Clip(sound="pcm_s16le"), "aac"),
    ],
)
def test_the_sound_goes_along(tmp_path: Path, target: Path, name: str, clip: Clip, codec: str) -> None:
    """The beep is heard at the same time, and the sound ends with the pictures."""
    video = read(tmp_path / name, clip)
    write_video(target, video, fps=video.fps, size=(video.width, video.height), labels=LABELS, sound_of=video)
    found = films.look(target)
    assert found.sound_codec == codec
    assert found.beep_s == pytest.approx(BEEP_S, abs=0.02)
    assert found.sound_s == pytest.approx(0.5, abs=0.05)


def test_sound_is_cut_where_the_frames_end(tmp_path: Path, target: Path) -> None:
    """A part of the frames has a part of the sound."""
    video = read(tmp_path / "a.mp4", Clip(frames=48, sound="aac"))
    write_video(target, frames(12), fps=video.fps, size=(64, 48), labels=LABELS, sound_of=video)
    assert films.look(target).sound_s == pytest.approx(0.5, abs=0.05)


def test_sound_stays_with_pictures_that_begin_late(tmp_path: Path, target: Path) -> None:
    """They begin an eighth of a second into the source; the result begins with them, and so the beep comes earlier."""
    video = read(tmp_path / "a.mkv", Clip(late=3, sound="aac"))
    write_video(target, video, fps=video.fps, size=(64, 48), labels=LABELS, sound_of=video)
    found = films.look(target)
    assert found.beep_s == pytest.approx((BEEP_S[0] - 0.125, BEEP_S[1] - 0.125), abs=0.03)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libx265", "libvpx-vp9"])
def test_a_video_that_just_fits_is_read(tmp_path: Path, codec: str) -> None:
    """Also where the decoder works on more rows than are shown: 1080 is no multiple of 16, and neither is 50."""
    path = films.make(tmp_path / "a.mp4", Clip(size=(70, 50), codec=codec))
    assert len(list(read_video(path, VideoLimits(12, 70, 70 * 50, path.stat().st_size, duration_s=0.5)))) == 12


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (VideoLimits(11, 200, 20_000, 1_000_000), "has 12 frames, the limit is 11"),
        (VideoLimits(60, 63, 20_000, 1_000_000), "has 64x48 pixels, the limit is 63 a side"),
        (VideoLimits(60, 200, 3_000, 1_000_000), "has 64x48 pixels, the limit is 200 a side and 3000 in all"),
        (VideoLimits(60, 200, 20_000, 500), "bytes, the limit is 500"),
        (VideoLimits(60, 200, 20_000, 1_000_000, duration_s=0.4), "has 0.5 seconds, the limit is 0.4"),
    ],
)
def test_what_is_beyond_a_limit_is_refused(tmp_path: Path, limits: VideoLimits, said: str) -> None:
    """The sentence names what was found and the limit."""
    path = films.make(tmp_path / "a.mp4", Clip())
    with pytest.raises(MediaFailure, match=said) as refused:
        read_video(path, limits)
    assert str(refused.value).startswith(PHRASE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"this is not a video",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/hostname\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"\x00\x00\x00\x20ftypisom" + bytes(500),
        b"\x1a\x45\xdf\xa3\x93\x42\x82\x88matroska" + bytes(500),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    """Text, a list of other files, a picture, a head without a body."""
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaFailure, match=PHRASE):
        read_video(path, LIMITS)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, share: float) -> None:
    """Wherever it ends, as long as pictures are missing; here the index stands first, so that a part would play."""
    path = tmp_path / "a.mp4"
    write_video(path, frames(12), fps=Fraction(24), size=(64, 48), labels={})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(MediaFailure, match=PHRASE):
        read_video(path, LIMITS)


def test_pictures_that_are_noise_are_refused(tmp_path: Path) -> None:
    """At the latest when the damaged frame is reached."""
    path = films.make(tmp_path / "a.mp4", Clip(frames=24))
    content = bytearray(path.read_bytes())
    begin = content.index(b"mdat") + 4
    size = int.from_bytes(content[begin - 8 : begin - 4], "big") - 8
    content[begin : begin + size] = np.random.default_rng(1).integers(0, 256, size, np.uint8).tobytes()
    path.write_bytes(content)
    with pytest.raises(MediaFailure, match=PHRASE):
        list(read_video(path, LIMITS))


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    """An MP4 file may hold no picture at all."""
    path = films.make(tmp_path / "b.mp4", Clip(sound="aac"))
    only = tmp_path / "a.mp4"
    films.sound_alone(path, only)
    with pytest.raises(MediaFailure, match="no picture in it"):
        read_video(only, LIMITS)
