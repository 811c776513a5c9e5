"""Background removal by ONNX files: planted subjects come back, in pictures and in videos."""

from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from tiny_onnx import GROUND, SUBJECT, shelve_mattings

from support.decoding import film, sound
from support.films import Clip, make
from support.previews import Made, Workshop
from unitask.kit.errors import Cancelled, EngineFailure, TaskFailure
from unitask.kit.mattes import GREEN, HOLE_GREEN, ON_GREEN
from unitask.kit.video import VideoLimits, read_video, write_video

LIMITS: Final = VideoLimits(600, 4096, 4096**2, 2**26)
NAMES: Final = ("RMBG-1.4", "RMBG-2.0", "BEN2")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a shelf with all the networks."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("models")
    shelve_mattings(folder)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Give who takes orders."""
    return Workshop(tmp_path, "onnx", models)


def disc(size: tuple[int, int], middle: tuple[float, float], radius: float) -> NDArray[np.bool_]:
    """Mark a disc in a picture of this (height, width)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.asarray(np.hypot(rows - middle[0], columns - middle[1]) < radius)


def planted(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Paint a subject of that shape on a ground."""
    return np.where(mask[..., None], SUBJECT, GROUND).astype(np.uint8)


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Give the share of what both mark in what any marks."""
    return float((one & other).sum() / (one | other).sum())


def cut_out(workshop: Workshop, picture: NDArray[np.uint8], **fields: Any) -> Made:
    """Order a picture without its background."""
    return workshop.order("image-toolkit", "background-remove", image=workshop.picture("photo.png", picture), **fields)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(300, 420), (97, 61)])
def test_a_planted_subject_comes_back_as_every_network_of_the_wire_sees_it(
    workshop: Workshop, name: str, size: tuple[int, int]
) -> None:
    """In its place, in the picture's size, with clear sides: each network gets what its makers feed it."""
    mask = disc(size, (size[0] * 0.55, size[1] * 0.4), min(size) * 0.3)
    made = cut_out(workshop, planted(mask), rmbg_model=name)
    rgba = made.picture()
    assert rgba.shape == (*size, 4)
    assert overlap(rgba[..., 3] > 127, mask) > 0.95
    assert rgba[..., 3].max() == 255
    assert rgba[0, 0, 3] == 0
    assert made.job.warnings == []


def test_the_edge_loses_the_tint_of_the_background(workshop: Workshop) -> None:
    """A half-transparent pixel has the subject's colour: there is no blue rim."""
    large = planted(disc((900, 900), (450, 450), 250))
    soft = np.asarray(Image.fromarray(large).resize((300, 300), Image.Resampling.BOX))
    rgba = cut_out(workshop, soft).picture().astype(int)
    edge = (rgba[..., 3] > 60) & (rgba[..., 3] < 230)
    assert edge.sum() > 50
    assert np.abs(rgba[edge][:, :3] - SUBJECT).mean() < 0.5 * np.abs(soft[edge].astype(int) - SUBJECT).mean()


def test_what_was_transparent_stays_so(workshop: Workshop) -> None:
    """Nothing becomes more opaque than it came."""
    mask = disc((120, 160), (60, 80), 40)
    picture = np.dstack([planted(mask), np.full((120, 160), 255, np.uint8)])
    picture[:, :80, 3] = 0
    alpha = cut_out(workshop, picture).picture()[..., 3]
    assert not alpha[:, :80].any()
    assert overlap(alpha[:, 80:] > 127, mask[:, 80:]) > 0.9


def test_a_picture_without_a_subject_fails_with_a_sentence(workshop: Workshop) -> None:
    """Noise is not blown up to a subject, whichever network is asked."""
    for name in NAMES:
        with pytest.raises(TaskFailure, match="no subject stands out from the background of this picture"):
            cut_out(workshop, planted(np.zeros((80, 90), np.bool_)), rmbg_model=name)


def test_a_network_that_is_not_here_is_replaced_and_the_client_is_told(tmp_path: Path) -> None:
    """By the one that the recipe needs, whose answers are logits; the warning names the command."""
    shelve_mattings(tmp_path / "models", "birefnet-general")
    mask = disc((120, 160), (60, 80), 40)
    picture = planted(mask)
    picture[50:70, 70:90] = np.array(SUBJECT) * 0.6 + np.array(GROUND) * 0.4
    made = cut_out(Workshop(tmp_path, "onnx", tmp_path / "models"), picture, rmbg_model="BEN2")
    assert overlap(made.picture()[..., 3] > 127, mask) > 0.95
    assert made.picture()[60, 80, 3] == pytest.approx(255 / (1 + np.exp(-1)), abs=4)
    (sentence,) = made.job.warnings
    assert "rmbg_model BEN2 was not used" in sentence
    assert "unitask models pull ben2" in sentence


def test_the_same_picture_gives_the_same_file(workshop: Workshop) -> None:
    """Byte for byte."""
    picture = planted(disc((120, 160), (60, 80), 40))
    one, other = (cut_out(workshop, picture, seed=3).content("image_url") for _ in range(2))
    assert one == other


def test_weights_that_are_missing_or_damaged_name_the_command(tmp_path: Path) -> None:
    """As everywhere."""
    models = tmp_path / "models"
    shelve_mattings(models, "birefnet-general")
    path = models / "birefnet-general/onnx/model.onnx"
    path.write_bytes(path.read_bytes()[:-100])
    workshop = Workshop(tmp_path, "onnx", models)
    picture = planted(disc((60, 60), (30, 30), 20))
    with pytest.raises(EngineFailure, match="unitask models check birefnet-general"):
        cut_out(workshop, picture)
    nowhere = tmp_path / "nothing"
    nowhere.mkdir()
    with pytest.raises(EngineFailure, match="unitask models pull birefnet-general"):
        cut_out(Workshop(nowhere, "onnx", nowhere), picture)


def walking(folder: Path, frames: int = 10) -> tuple[Path, list[NDArray[np.bool_]]]:
    """Film a disc that moves to the right, with a beep; also gives where it is."""
    heard = read_video(make(folder / "heard.mp4", Clip(frames, (120, 80), sound="aac")), LIMITS)
    masks = [disc((80, 120), (40, 30 + 4 * number), 20) for number in range(frames)]
    path = folder / "walk.mp4"
    write_video(path, map(planted, masks), fps=heard.fps, size=(120, 80), labels={}, sound_of=heard)
    return path, masks


@pytest.mark.parametrize("inverted", [False, True])
def test_the_subject_of_a_video_stands_on_green_frame_by_frame_with_its_sound(
    workshop: Workshop, tmp_path: Path, *, inverted: bool
) -> None:
    """As many frames at the same rate, charged by their number; or the background alone, with a green hole."""
    source, masks = walking(tmp_path)
    made = workshop.order("video-toolkit", "background-remove", video=str(source), invert_output=inverted)
    shot, before = film(made.content("video_url")), film(source.read_bytes())
    assert (shot.frames, shot.fps, shot.size) == (before.frames, before.fps, before.size)
    assert made.output.measures == {"frame": 10}
    assert sound(made.content("video_url")).seconds == pytest.approx(sound(source.read_bytes()).seconds, abs=0.05)
    for frame, mask in zip(read_video(made.path("video_url"), LIMITS), masks, strict=True):
        green = np.abs(frame.astype(int) - GREEN).max(axis=2) < 40
        assert overlap(green, mask if inverted else ~mask) > 0.93
    assert made.job.warnings == [HOLE_GREEN if inverted else ON_GREEN]


def test_a_video_is_cancelled_between_frames(workshop: Workshop, tmp_path: Path) -> None:
    """And one without any subject fails."""
    source, _ = walking(tmp_path)
    with pytest.raises(Cancelled):
        workshop.order("video-toolkit", "background-remove", video=str(source), cancel_when=lambda done: done > 0.5)
    plain = tmp_path / "plain.mp4"
    ground = planted(np.zeros((80, 120), np.bool_))
    write_video(plain, [ground] * 3, fps=Fraction(24), size=(120, 80), labels={})
    with pytest.raises(TaskFailure, match="no subject stands out from the background of this video"):
        workshop.order("video-toolkit", "background-remove", video=str(plain))
