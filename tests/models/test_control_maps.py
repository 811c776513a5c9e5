"""What ControlNets follow, read from pictures: edges that are there, depth, and people as stick figures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from tiny_control import shelve_depth, shelve_poses

from support.job import LocalJob
from unitask.engines.diffusers import poses
from unitask.engines.diffusers.control_maps import read_map
from unitask.kit.errors import EngineFailure, MediaFailure
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.spec.product import Recipe
from unitask.weights import Shelf

torch.set_num_threads(1)
SIZE = 160, 120
SQUARE = 40, 30, 110, 90
"""Left, top, right, bottom of what is planted."""
RAINBOW = [
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0),
    (0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255),
    (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
]  # fmt: skip
# COCO: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; the left one of two first.
STANDING = [
    (250, 60), (270, 45), (230, 45), (290, 55), (210, 55), (330, 140), (170, 140), (390, 220), (110, 220),
    (420, 300), (80, 300), (300, 300), (200, 300), (310, 390), (190, 390), (320, 480), (180, 480),
]  # fmt: skip
# OpenPose: nose, neck, right arm, left arm, right leg, left leg, eyes, ears; the right one of two first.
AS_OPENPOSE = [0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
NECK = 250, 140


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put all networks on a shelf."""
    folder = tmp_path_factory.mktemp("models")
    shelve_depth(folder)
    shelve_poses(folder)
    return folder


@pytest.fixture(scope="module")
def runtime(models: Path) -> Runtime:
    """Have room for them."""
    return machine(models)


@pytest.fixture
def job(tmp_path: Path) -> LocalJob:
    """Open a job that remembers warnings."""
    return LocalJob(tmp_path, Recipe("diffusers", "full", "controlnet"))


def machine(models: Path) -> Runtime:
    """Work on the processor, with room for all."""
    return Runtime(Shelf(models), Hardware("cpu", 2**32, 0))


def planted(inside: Any = "white", outside: Any = "black") -> Image.Image:
    """Put a square on a ground."""
    picture = Image.new("RGB", SIZE, outside)
    picture.paste(inside, SQUARE)
    return picture


def rim(within_px: int) -> NDArray[np.bool_]:
    """Mark what is at most so far from the edge of the square."""
    outer, inner = np.zeros((2, SIZE[1], SIZE[0]), np.bool_)
    left, top, right, bottom = SQUARE
    outer[top - within_px : bottom + within_px, left - within_px : right + within_px] = True
    inner[top + within_px : bottom - within_px, left + within_px : right - within_px] = True
    return outer & ~inner


def brightness(picture: Image.Image) -> NDArray[np.float32]:
    """Give a map's levels, 0 to 1; all channels of a map of edges or depth are equal."""
    levels = np.asarray(picture, np.float32) / 255
    assert picture.mode == "RGB"
    assert np.ptp(levels, axis=2).max() == 0
    return levels[..., 0]


@pytest.mark.parametrize(("inside", "outside"), [("white", "black"), ((200, 60, 60), (60, 131, 60))])
def test_canny_draws_the_edge_that_is_there_and_no_other(
    inside: Any, outside: Any, job: LocalJob, runtime: Runtime
) -> None:
    """Thin and white all round; two colours of one brightness have an edge, too."""
    drawn = brightness(read_map("canny", planted(inside, outside), job, runtime))
    assert set(np.unique(drawn)) == {0, 1}
    assert not drawn[~rim(2)].any()
    left, top, right, bottom = SQUARE
    assert drawn[top + 5 : bottom - 5, left - 2 : left + 2].sum(axis=1).tolist() == [1] * (bottom - top - 10)
    assert drawn[top - 2 : top + 2, left + 5 : right - 5].sum(axis=0).tolist() == [1] * (right - left - 10)
    assert job.warnings == []


def test_soft_edges_fade_away_from_the_edge_and_say_that_they_are_computed(job: LocalJob, runtime: Runtime) -> None:
    """White at the edge, less beside it, black in what is flat."""
    drawn = brightness(read_map("soft_edge", planted(), job, runtime))
    left, top, right, bottom = SQUARE
    across = drawn[(top + bottom) // 2, left : (left + right) // 2]
    assert drawn[top + 10 : bottom - 10, [left - 1, left, right - 1, right]].min() > 0.8
    assert (np.diff(across) <= 0).all()
    assert len(np.unique(across)) > 3
    assert not drawn[~rim(16)].any()
    assert [sentence.split()[0] for sentence in job.warnings] == ["soft_edge"]


@pytest.mark.parametrize("control_type", ["canny", "soft_edge"])
def test_a_picture_without_edges_gives_a_black_map_and_a_warning(
    control_type: str, job: LocalJob, runtime: Runtime
) -> None:
    """Faint noise is no edge, however little else there is."""
    noise = np.random.default_rng(1).integers(126, 130, (SIZE[1], SIZE[0], 3), np.uint8)
    assert brightness(read_map(control_type, Image.fromarray(noise), job, runtime)).mean() < 0.01
    assert read_map(control_type, Image.new("RGB", SIZE, "grey"), job, runtime).getbbox() is None
    assert any("no clear edge" in sentence for sentence in job.warnings)


@pytest.mark.parametrize("size", [SIZE, (301, 97), (97, 301), (33, 20)])
def test_a_depth_map_has_the_size_of_its_picture_and_all_levels(
    size: tuple[int, int], job: LocalJob, runtime: Runtime
) -> None:
    """The same picture gives the same map, another one another."""
    picture, other = (
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8))
        for seed in (1, 2)
    )
    found = read_map("depth", picture, job, runtime)
    assert found.size == size
    levels = brightness(found)
    assert (levels.min(), levels.max()) == (0, 1)
    assert read_map("depth", picture, job, runtime) == found
    assert read_map("depth", other, job, runtime) != found


def test_joints_are_found_where_heat_was_planted() -> None:
    """To a quarter of a step of the map, in the pixels of the picture, for every person apart."""
    frames = np.array([[100, 80, 60, 80], [300, 200, 120, 160]], np.float32)
    rows, columns = np.mgrid[:64, :48]
    places = np.random.default_rng(2).uniform(2, 45, (2, 17, 2))
    heat = np.exp(-((columns - places[..., :1, None]) ** 2 + (rows - places[..., 1:, None]) ** 2) / 8)
    found = poses.joints(heat.astype(np.float32), frames)
    steps = frames[:, None, 2:] / [47, 63]
    wanted = frames[:, None, :2] - frames[:, None, 2:] / 2 + places * steps
    assert (np.abs(found[..., :2] - wanted) <= 0.3 * steps).all()
    assert (found[..., 2] > 0.9).all()


def test_a_stick_figure_has_openpose_s_joints_limbs_and_colours() -> None:
    """The neck is between the shoulders; what is doubtful is not drawn."""
    found = np.array([[(x, y, 1) for x, y in STANDING]], np.float32)
    figure = np.asarray(poses.drawn(poses.as_openpose(found), (512, 512)))
    for number, colour in zip(AS_OPENPOSE, RAINBOW, strict=True):
        x, y = NECK if number is None else STANDING[number]
        assert tuple(figure[y, x]) == colour
    shin = figure[(390 + 480) // 2, (190 + 180) // 2]
    assert tuple(shin) == tuple(int(0.6 * level) for level in RAINBOW[8])
    assert (figure.any(axis=2)).mean() < 0.1
    found[0, 16, 2] = 0.1
    without = np.asarray(poses.drawn(poses.as_openpose(found), (512, 512)))
    assert not without[470:, :250].any()
    assert without[470:, 250:].any()


def test_people_are_drawn_where_the_networks_see_them(runtime: Runtime) -> None:
    """From the picture to the joints: every joint of this estimator is where the picture is red."""
    picture = Image.new("RGB", (200, 240), "blue")
    picture.paste("red", (117, 147, 137, 167))
    boxes = np.array([[80, 100, 150, 190], [100, 110, 160, 200]], np.float32)
    found = poses.found_joints(picture, boxes, runtime)
    assert found.shape == (2, 18, 3)
    assert np.abs(found[..., :2] - [127, 157]).max() < 4
    assert (found[..., 2] > 0.5).all()


def test_a_map_of_poses_is_as_large_as_its_picture_and_always_the_same(job: LocalJob, runtime: Runtime) -> None:
    """People are boxes within the picture."""
    picture = Image.new("RGB", (150, 90), "red")
    boxes = poses.found_people(picture, runtime)
    assert boxes.shape == (10, 4)
    assert (boxes[:, :2] <= boxes[:, 2:]).all()
    assert (boxes >= 0).all()
    assert (boxes <= [150, 90, 150, 90]).all()
    found = read_map("openpose", picture, job, runtime)
    assert found.size == picture.size
    assert found.getbbox() is not None
    assert read_map("openpose", picture, job, runtime) == found
    assert job.warnings == []


def test_of_a_crowd_the_clearest_people_are_followed(
    job: LocalJob, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the client learns how many were left out."""
    monkeypatch.setattr(poses, "MOST_PEOPLE", 3)
    read_map("openpose", planted("red", "red"), job, runtime)
    assert job.warnings == ["openpose follows the 3 people that are seen most clearly, of 10"]


def test_a_picture_of_nobody_has_no_pose(tmp_path: Path, job: LocalJob, runtime: Runtime) -> None:
    """Whether no person is found, or none of whom a joint can be seen."""
    shelve_poses(tmp_path, people=False)
    with pytest.raises(MediaFailure, match="no person in control_image"):
        read_map("openpose", planted("red", "red"), job, machine(tmp_path))
    with pytest.raises(MediaFailure, match="no person in control_image"):
        read_map("openpose", planted("blue", "blue"), job, runtime)


@pytest.mark.parametrize(("control_type", "card"), [("depth", "depth-anything-small"), ("openpose", "person-detector")])
def test_weights_that_are_missing_name_the_command(
    control_type: str, card: str, tmp_path: Path, models: Path, job: LocalJob
) -> None:
    """As everywhere; the cards are there without them."""
    (tmp_path / "cards").symlink_to(models / "cards")
    with pytest.raises(EngineFailure, match=f"get them with: unitask models pull {card}"):
        read_map(control_type, planted(), job, machine(tmp_path))
