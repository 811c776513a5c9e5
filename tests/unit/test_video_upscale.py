"""The engine `cpu` enlarges videos."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from support import films
from support.films import BEEP_S, Clip
from support.job import LocalJob
from unitask.catalogue import Catalogue
from unitask.engines import cpu
from unitask.kit.errors import Cancelled, MediaFailure
from unitask.spec.engine import Output
from unitask.spec.product import Recipe

PRODUCT = Catalogue.load().find("Qubico/video-toolkit", "upscale")
RECIPE = next(recipe for recipe in PRODUCT.recipes if recipe.engine == "cpu")
PHRASE = "failed to get valid video"


def upscale(job: LocalJob, source: Path) -> Output:
    """Run the engine."""
    return cpu.ENGINE.run(PRODUCT, PRODUCT.input(video=str(source)), job)


@pytest.fixture
def job(tmp_path: Path) -> LocalJob:
    """Open a job with the product's own recipe."""
    return LocalJob(tmp_path, RECIPE)


@pytest.mark.parametrize("size", [(64, 48), (48, 64)])
def test_a_video_is_twice_as_large_each_way(job: LocalJob, tmp_path: Path, size: tuple[int, int]) -> None:
    """Frames, rate and sound stay; what is charged is the number of frames."""
    clip = Clip(frames=11, size=size, fps=Fraction(30000, 1001), sound="aac")
    output = upscale(job, films.make(tmp_path / "a.mp4", clip))
    found = films.look(job.saved[output.fields["video_url"]])
    assert (len(found.frames), found.fps) == (11, Fraction(30000, 1001))
    assert found.size == (2 * clip.size[0], 2 * clip.size[1])
    assert found.beep_s == pytest.approx(BEEP_S, abs=0.02)
    assert output.measures == {"frame": 11}
    assert (found.codec, found.pixel_format, *found.boxes[:2]) == ("h264", "yuv420p", "ftyp", "moov")


def test_frames_are_nearer_to_the_original_than_by_repeating_pixels(job: LocalJob, tmp_path: Path) -> None:
    """A smooth picture, made half as large and enlarged again."""
    y, x = np.mgrid[:96, :128].astype(np.float32)
    large = np.repeat((128 + 60 * np.sin(x / 5) + 50 * np.cos(y / 4))[..., None], 3, axis=2)
    original = large.astype(np.uint8)
    small = np.asarray(cv2.resize(original, (64, 48), interpolation=cv2.INTER_AREA), np.uint8)
    films.write(tmp_path / "a.mp4", [small] * 10, Fraction(8))
    output = upscale(job, tmp_path / "a.mp4")
    frame = films.look(job.saved[output.fields["video_url"]]).frames[0].astype(int)
    repeated = small.repeat(2, 0).repeat(2, 1).astype(int)
    inner = np.s_[4:-4, 4:-4]
    assert np.abs(frame - original)[inner].mean() < 0.7 * np.abs(repeated - original)[inner].mean()


def test_the_file_says_what_made_it(job: LocalJob, tmp_path: Path) -> None:
    """Engine and level, and a warning that nothing was invented; a second attempt makes the same file."""
    source = films.make(tmp_path / "a.mp4", Clip())
    paths = [job.saved[upscale(job, source).fields["video_url"]] for _ in range(2)]
    assert films.look(paths[0]).tags["comment"] == "Software=unitask; unitask:engine=cpu; unitask:level=basic"
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert "no detail was invented" in job.warnings[0]
    assert job.fractions[-1] == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"limit_frames": 11}, "it has 12 frames, the limit is 11"),
        ({"limit_frames_min": 13}, "it has 12 frames, at least 13 are needed"),
        ({"limit_width": 62, "limit_height": 50}, "it has 64x48 pixels, the limit is 62x50"),
        ({"limit_width": 80, "limit_height": 46}, "it has 64x48 pixels, the limit is 80x46"),
    ],
)
def test_what_is_beyond_the_limits_is_refused(tmp_path: Path, options: dict[str, int], said: str) -> None:
    """The sentence begins with the phrase that clients match on, and says what to send."""
    job = LocalJob(tmp_path, Recipe("cpu", "basic", "video_upscale", RECIPE.options | options))
    with pytest.raises(MediaFailure, match=said) as refused:
        upscale(job, films.make(tmp_path / "a.mp4", Clip()))
    assert str(refused.value).startswith(PHRASE)
    assert not job.saved


def test_the_limit_holds_either_way_up(tmp_path: Path) -> None:
    """What is allowed lying is allowed standing."""
    options = RECIPE.options | {"limit_width": 64, "limit_height": 48}
    for size in ((64, 48), (48, 64)):
        job = LocalJob(tmp_path, Recipe("cpu", "basic", "video_upscale", options))
        assert upscale(job, films.make(tmp_path / "a.mp4", Clip(size=size))).measures == {"frame": 12}


@pytest.mark.parametrize("content", [b"", b"this is not a video", b"\x00\x00\x00\x20ftypisom" + bytes(200)])
def test_a_file_that_is_no_video_is_refused(job: LocalJob, tmp_path: Path, content: bytes) -> None:
    """Whatever it is called."""
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaFailure, match=PHRASE):
        upscale(job, path)


def test_a_cancelled_job_ends_in_the_middle(tmp_path: Path) -> None:
    """At the next report of progress, with nothing stored."""
    job = LocalJob(tmp_path, RECIPE, cancel_when=lambda fraction: fraction > 0.4)
    with pytest.raises(Cancelled):
        upscale(job, films.make(tmp_path / "a.mp4", Clip()))
    assert not job.saved
    assert job.fractions[-1] < 0.6
