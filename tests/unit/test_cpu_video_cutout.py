"""The engine `cpu` removes the background of videos, on composites of which the truth is known."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from support import films
from support.films import BEEP_S, Clip
from support.job import LocalJob
from support.recipes import plain_recipe
from unitask.catalogue import Catalogue
from unitask.engines import cpu
from unitask.engines.cpu.video_cutout import Follower
from unitask.kit.errors import Cancelled, MediaFailure, TaskFailure
from unitask.kit.mattes import HOLE_GREEN, NO_SUBJECT, ON_GREEN
from unitask.spec.engine import Output
from unitask.spec.product import Recipe

Array = NDArray[Any]
PRODUCT: Final = Catalogue.load().find("Qubico/video-toolkit", "background-remove")
RECIPE: Final = plain_recipe(PRODUCT)
WIDE, HIGH, FRAMES = 240, 160, 24
GREEN: Final = np.array((0, 177, 64))


def remove(folder: Path, source: Path, *, invert: bool = False, **settings: Any) -> tuple[Output, LocalJob]:
    """Run the product."""
    job = LocalJob(folder, settings.pop("recipe", RECIPE), **settings)
    return cpu.ENGINE.run(PRODUCT, PRODUCT.input(video=str(source), invert_output=invert), job), job


def horse(number: int) -> Array:
    """Say how much of each pixel of this frame is a horse that walks to the right, 0 to 1."""
    shape = cv2.resize((~skimage.data.horse()).astype(np.float32), (150, 122), interpolation=cv2.INTER_AREA)
    share = np.zeros((HIGH, WIDE), np.float32)
    share[24:146, 10 + 2 * number : 160 + 2 * number] = shape
    return share


def wall() -> Array:
    """Paint a wall that is lighter above."""
    return np.full((HIGH, WIDE, 3), (90, 150, 200)) - 40 * np.linspace(0, 1, HIGH)[:, None, None]


def lawn() -> Array:
    """Lay out a lawn, on which no backdrop can be fitted."""
    grass = cv2.resize(skimage.data.grass()[:400, :480], (WIDE, HIGH), interpolation=cv2.INTER_AREA)
    return grass[..., None] * np.array((0.5, 0.8, 0.6))


def composed(backdrop: Array) -> list[films.Frame]:
    """Let a horse with the coat of a cat walk before a backdrop, with noise that differs from frame to frame."""
    coat = cv2.resize(skimage.data.chelsea(), (WIDE, HIGH), interpolation=cv2.INTER_AREA).astype(np.float32)
    rng = np.random.default_rng(1)
    frames = []
    for number in range(FRAMES):
        share = horse(number)[..., None]
        moved = np.roll(coat, 2 * number, axis=1)
        noisy = moved * share + backdrop * (1 - share) + rng.normal(0, 3, coat.shape)
        frames.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return frames


def is_green(frame: Array) -> Array:
    """Mark what was laid on green."""
    return np.asarray(np.abs(frame.astype(int) - GREEN).max(axis=2) < 60)


def overlap(one: Array, other: Array) -> float:
    """Shared area of two masks as a share of their joint area."""
    return float((one & other).sum() / (one | other).sum())


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Array]]:
    """Remove both backdrops, and the subject before one: gives the frames."""
    folder = tmp_path_factory.mktemp("walk")
    made = {}
    for name, backdrop, invert in (("wall", wall(), False), ("lawn", lawn(), False), ("inverted", wall(), True)):
        films.write(folder / f"{name}.mp4", composed(backdrop), Fraction(12))
        _, job = remove(folder, folder / f"{name}.mp4", invert=invert)
        made[name] = list(films.look(list(job.saved.values())[-1]).frames)
    return made


@pytest.mark.parametrize(("backdrop", "least"), [("wall", 0.85), ("lawn", 0.7)])
def test_the_subject_is_kept_in_every_frame(walk: dict[str, list[Array]], backdrop: str, least: float) -> None:
    """While it moves, and the rest is green."""
    shared = [overlap(~is_green(frame), horse(number) > 0.5) for number, frame in enumerate(walk[backdrop])]
    assert len(shared) == FRAMES
    assert min(shared) > least


@pytest.mark.parametrize("backdrop", ["wall", "lawn"])
def test_the_outline_does_not_flicker(walk: dict[str, list[Array]], backdrop: str) -> None:
    """Seen by somebody who walks along, hardly a pixel changes sides from one frame to the next."""
    alone = [np.roll(~is_green(frame), -2 * number, axis=1) for number, frame in enumerate(walk[backdrop])]
    changed = [float((one ^ other).sum() / (horse(0) > 0.5).sum()) for one, other in pairwise(alone)]
    assert max(changed) < 0.08
    assert np.mean(changed) < 0.035


def test_inverted_the_background_is_kept(walk: dict[str, list[Array]]) -> None:
    """And the subject is green."""
    for number, (subject, rest) in enumerate(zip(walk["wall"], walk["inverted"], strict=True)):
        assert overlap(is_green(rest), horse(number) > 0.5) > 0.85
        assert (is_green(subject) ^ is_green(rest)).mean() > 0.95


def test_kept_pixels_keep_their_colour(walk: dict[str, list[Array]]) -> None:
    """Inside the horse nothing is changed but by the encoder."""
    given = composed(wall())
    inside = cv2.erode((horse(12) > 0.9).astype(np.uint8), np.ones((9, 9))) > 0
    assert np.abs(walk["wall"][12].astype(int) - given[12])[inside].mean() < 8


def test_a_wrong_look_hardly_shows() -> None:
    """A square that flashes up for a frame while the subject is looked for anew does not become part of it."""
    follower, frames = Follower(), composed(wall())
    frames[20] = frames[20].copy()
    frames[20][4:40, 200:236] = (250, 40, 160)
    shares = [follower.subject(frame) for frame in frames]
    assert shares[20][8:36, 204:232].mean() < 0.2
    assert shares[22][8:36, 204:232].mean() < 0.2


def test_a_cut_begins_anew() -> None:
    """What was followed in one shot is not carried into the next."""
    follower = Follower()
    square = np.full((HIGH, WIDE, 3), 225, np.uint8)
    square[100:150, 20:90] = (30, 60, 200)
    for frame in composed(wall())[:8]:
        follower.subject(frame)
    mask = follower.subject(square) > 0.5
    wanted = np.zeros((HIGH, WIDE), bool)
    wanted[100:150, 20:90] = True
    assert overlap(mask, wanted) > 0.8


def test_frames_rate_size_and_sound_are_kept(tmp_path: Path) -> None:
    """What is charged is the number of frames; the file says what made it."""
    films.write(tmp_path / "a.mp4", composed(wall())[:12], Fraction(24), sound=True)
    output, job = remove(tmp_path, tmp_path / "a.mp4")
    found = films.look(job.saved[output.fields["video_url"]])
    assert (len(found.frames), found.fps, found.size) == (12, 24, (WIDE, HIGH))
    assert found.beep_s == pytest.approx(BEEP_S, abs=0.03)
    assert output.measures == {"frame": 12}
    assert found.tags["comment"] == "Software=unitask; unitask:engine=cpu; unitask:level=basic"
    assert job.warnings == [ON_GREEN]
    assert (job.fractions, job.fractions[-1]) == (sorted(job.fractions), 1)


def test_the_same_video_gives_the_same_bytes(tmp_path: Path) -> None:
    """A second attempt makes the same file; inverted it is another, and says so."""
    films.write(tmp_path / "a.mp4", composed(lawn())[:6], Fraction(12))
    files = []
    for invert in (False, False, True):
        _, job = remove(tmp_path, tmp_path / "a.mp4", invert=invert)
        files.append(next(iter(job.saved.values())).read_bytes())
    assert files[0] == files[1] != files[2]
    assert job.warnings == [HOLE_GREEN]


def test_a_video_without_subject_is_refused(tmp_path: Path) -> None:
    """An all green video would be charged for nothing."""
    films.write(tmp_path / "a.mp4", [np.full((60, 80, 3), 130, np.uint8)] * 6, Fraction(8))
    with pytest.raises(TaskFailure, match=NO_SUBJECT.format("video")):
        remove(tmp_path, tmp_path / "a.mp4")
    assert not list(tmp_path.glob("saved-*"))


def test_frames_without_subject_are_counted(tmp_path: Path) -> None:
    """The subject comes into an empty room after a while."""
    empty = np.full((HIGH, WIDE, 3), 130, np.uint8)
    filled = empty.copy()
    filled[40:120, 80:160] = (240, 130, 30)
    films.write(tmp_path / "a.mp4", [empty] * 12 + [filled] * 20, Fraction(12))
    output, job = remove(tmp_path, tmp_path / "a.mp4")
    assert "no subject stands out from the background" in job.warnings[-1]
    frames = films.look(job.saved[output.fields["video_url"]]).frames
    assert is_green(frames[5]).all()
    assert not is_green(frames[-1])[60:100, 100:140].any()


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (300, 16), (1, 200)])
def test_videos_of_a_few_pixels_break_nothing(shape: tuple[int, int]) -> None:
    """No library underneath breaks on them."""
    rng, follower = np.random.default_rng(1), Follower()
    for _ in range(3):
        share = follower.subject(rng.integers(0, 255, (*shape, 3), np.uint8))
        assert share.shape == shape
        assert 0 <= share.min() <= share.max() <= 1


@pytest.mark.parametrize("content", [b"", b"this is not a video", b"\x00\x00\x00\x20ftypisom" + bytes(200)])
def test_a_file_that_is_no_video_is_refused(content: bytes, tmp_path: Path) -> None:
    """With the phrase that clients match on."""
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(MediaFailure, match=r"^failed to get valid video"):
        remove(tmp_path, tmp_path / "a.mp4")


def test_a_video_with_too_many_frames_is_refused(tmp_path: Path) -> None:
    """The recipe says how many are too many."""
    recipe = Recipe("cpu", "basic", RECIPE.make, {"limit_frames": 11})
    with pytest.raises(MediaFailure, match=r"^failed to get valid video: it has 12 frames, the limit is 11"):
        remove(tmp_path, films.make(tmp_path / "a.mp4", Clip()), recipe=recipe)


def test_a_cancelled_job_ends_in_the_middle(tmp_path: Path) -> None:
    """At the next report of progress, with nothing stored."""
    films.write(tmp_path / "a.mp4", composed(wall())[:12], Fraction(12))
    with pytest.raises(Cancelled):
        remove(tmp_path, tmp_path / "a.mp4", cancel_when=lambda fraction: fraction > 0.4)
    assert not list(tmp_path.glob("saved-*"))
