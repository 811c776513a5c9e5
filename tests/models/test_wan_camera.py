"""A moving camera by the engine `diffusers`: the rays that it sees, and the adapter that reads them."""

from math import cos, pi, sin, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_wan import SMALL, adapter, shelve_camera, shelve_from_pictures

from support import films
from support.previews import Made, Workshop
from unitask.catalogue.wanx import CameraMove
from unitask.engines.diffusers.camera import Adapter, CameraPart, controlled, groups, pose, rays
from unitask.kit.camera import MOVES, Pose
from unitask.kit.errors import EngineFailure
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.weights import Shelf

WIDTH, HEIGHT = 32, 18
FOCAL_PX = 0.532139961 * WIDTH
CAMERA = "wan21-fun-control-camera-14b"
MOVE = [{"motion_type": "pan_left", "motion_speed": 0.5}]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the weights and their base."""
    torch.set_num_threads(1)
    models = tmp_path_factory.mktemp("models")
    shelve_from_pictures(models)
    shelve_camera(models)
    return models


@pytest.fixture
def workshop(tmp_path: Path, shelf: Path) -> Workshop:
    """Give who takes orders."""
    return Workshop(tmp_path, "diffusers", shelf)


def film(workshop: Workshop, moves: list[dict[str, Any]], shade: int = 99) -> Made:
    """Order a small film that begins with a plain picture."""
    image = workshop.picture(f"{shade}.png", np.full((50, 50, 3), shade, np.uint8))
    fields = {"image": image, "prompt": "a fox", "control_camera_settings": moves}
    return workshop.order("wanx", "img2video-14b-control-camera", options=SMALL, **fields)


def camera_network(models: Path) -> Any:
    """Read the network from a shelf."""
    runtime = Runtime(Shelf(models), Hardware("cpu", 2**40, 0))
    plan = runtime.model("wan21-i2v-14b-480p").parts["transformer"]
    return CameraPart.of(runtime.model(CAMERA).parts["transformer"], plan).load()


def ray(x: int, y: int, seen_from: Pose) -> tuple[Any, Any]:
    """Give the moment and the direction of one pixel's ray."""
    both = rays(seen_from, (WIDTH, HEIGHT))[:, y, x].double().numpy()
    return both[:3], both[3:]


def looked(x: int, y: int) -> tuple[float, float, float]:
    """Work out by hand in which direction a pixel of a camera that has not moved looks."""
    across, down = (x + 0.5 - 16) / FOCAL_PX, (y + 0.5 - 9) / FOCAL_PX
    length = sqrt(across**2 + down**2 + 1)
    return across / length, down / length, 1 / length


def test_a_camera_at_rest_looks_out_of_one_point() -> None:
    """No ray has a moment; directions have length 1 and point to the pixels."""
    seen = rays(Pose(), (WIDTH, HEIGHT))
    assert seen.shape == (6, HEIGHT, WIDTH)
    assert not seen[:3].any()
    assert torch.allclose(seen[3:].norm(dim=0), torch.ones(HEIGHT, WIDTH))
    assert np.allclose(ray(0, 0, Pose())[1], looked(0, 0), atol=1e-6)
    assert np.allclose(ray(31, 4, Pose())[1], looked(31, 4), atol=1e-6)


@pytest.mark.parametrize(("size", "focal_px"), [((32, 18), 17.0284), ((18, 32), 30.2729), ((32, 32), 30.2729)])
def test_other_shapes_are_cut_out_of_the_wide_one(size: tuple[int, int], focal_px: float) -> None:
    """A frame as high sees as much up and down, whatever its width: 0.946 of the height is the focal length."""
    corner = rays(Pose(), size)[3:, 0, 0]
    assert float(corner[0] / corner[2]) == pytest.approx((0.5 - size[0] / 2) / focal_px, rel=1e-4)
    assert float(corner[1] / corner[2]) == pytest.approx((0.5 - size[1] / 2) / focal_px, rel=1e-4)


@pytest.mark.parametrize(
    ("move", "place"),
    [
        ("pan_right", (1, 0, 0)),
        ("pan_left", (-1, 0, 0)),
        ("pan_down", (0, 1, 0)),
        ("pan_up", (0, -1, 0)),
        ("zoom_in", (0, 0, 2)),
        ("zoom_out", (0, 0, -2)),
    ],
)
def test_travelling_changes_moments_alone(move: str, place: tuple[int, int, int]) -> None:
    """Frame 24 at speed 0.2: one and a half times 0.2 times 1.5 units; the moment is the place times the direction."""
    moment, direction = ray(5, 3, pose([(move, 0.2)], 24))
    dx, dy, dz = looked(5, 3)
    ox, oy, oz = (0.45 * axis for axis in place)
    assert np.allclose(direction, (dx, dy, dz), atol=1e-6)
    assert np.allclose(moment, (oy * dz - oz * dy, oz * dx - ox * dz, ox * dy - oy * dx), atol=1e-6)


@pytest.mark.parametrize(
    ("move", "turned"),
    [
        ("tilt_right", lambda x, y, z, c, s: (c * x + s * z, y, c * z - s * x)),
        ("tilt_left", lambda x, y, z, c, s: (c * x - s * z, y, c * z + s * x)),
        ("tilt_up", lambda x, y, z, c, s: (x, c * y - s * z, c * z + s * y)),
        ("tilt_down", lambda x, y, z, c, s: (x, c * y + s * z, c * z - s * y)),
        ("roll_clockwise", lambda x, y, z, c, s: (c * x - s * y, c * y + s * x, z)),
        ("roll_anticlockwise", lambda x, y, z, c, s: (c * x + s * y, c * y - s * x, z)),
    ],
)
def test_turning_changes_directions_alone(move: str, turned: Any) -> None:
    """Frame 8 at speed 0.5: a quarter of a third of half a turn."""
    moment, direction = ray(30, 2, pose([(move, 0.5)], 8))
    assert not moment.any()
    assert np.allclose(direction, turned(*looked(30, 2), cos(pi / 12), sin(pi / 12)), atol=1e-6)


def test_a_ray_goes_through_what_its_pixel_shows() -> None:
    """For any place and direction: a point on the ray has the ray's moment."""
    seen_from = Pose(0.4, -0.2, 0.7, 0.3, -0.2, 0.5)
    moment, direction = ray(7, 12, seen_from)
    for far in (0.5, 3.0):
        point = np.array(seen_from[:3]) + far * direction
        assert np.allclose(np.cross(point, direction), moment, atol=1e-6)


def test_movements_add_up_and_go_on_evenly() -> None:
    """Also twice the same; every movement that may be ordered is known."""
    both = pose([("pan_left", 0.2), ("zoom_in", 0.1), ("roll_clockwise", 0.3), ("pan_left", 0.1)], 32)
    assert both == pytest.approx((-0.9, 0, 0.6, 0, 0, 0.2 * pi))
    assert pose([("tilt_up", 1.0)], 0) == Pose()
    ordered = CameraMove.model_json_schema()["properties"]["motion_type"]["enum"]
    assert set(ordered) == set(MOVES)


def test_four_frames_share_a_latent_and_the_first_has_its_own() -> None:
    """Channels go by coordinate, then by frame."""
    poses = [Pose(right=float(number)) for number in range(9)]
    found = list(groups(poses, (WIDTH, HEIGHT)))
    assert [group.shape for group in found] == [(1, 24, HEIGHT, WIDTH)] * 3
    for channel in range(24):
        coordinate, frame = divmod(channel, 4)
        assert torch.equal(found[0][0, channel], rays(poses[0], (WIDTH, HEIGHT))[coordinate])
        assert torch.equal(found[1][0, channel], rays(poses[1 + frame], (WIDTH, HEIGHT))[coordinate])
        assert torch.equal(found[2][0, channel], rays(poses[5 + frame], (WIDTH, HEIGHT))[coordinate])


def test_the_adapter_shrinks_each_side_by_sixteen() -> None:
    """By hand for one patch: 8 x 8 pixels become channels, two by two of those a patch; then a block is added."""
    weights = {name.removeprefix("control_adapter."): value for name, value in adapter().items()}
    seen = torch.randn(1, 24, 32, 48, generator=torch.Generator().manual_seed(1))
    found = Adapter.of(weights)(seen)
    assert found.shape == (1, 24, 2, 3)
    for number in ("1", "2"):
        weights[f"residual_blocks.0.conv{number}.weight"] = torch.zeros(24, 24, 3, 3)
        weights[f"residual_blocks.0.conv{number}.bias"] = torch.full((24,), 0.25)
    # (row, column) of a pixel is 16 of the patch + 8 of the half + its place within.
    patch = seen[0, :, 16:32, 32:48].reshape(24, 2, 8, 2, 8).permute(0, 2, 4, 1, 3).reshape(24 * 64, 2, 2)
    by_hand = (weights["conv.weight"] * patch).sum(dim=(1, 2, 3)) + weights["conv.bias"] + 0.25
    assert torch.allclose(Adapter.of(weights)(seen)[0, :, 1, 2], by_hand, atol=1e-4)


@pytest.mark.parametrize("in_channels", [32, 36])
def test_weights_in_the_first_layout_become_the_same_network(tmp_path: Path, in_channels: int) -> None:
    """Every parameter, and the adapter beside them."""
    shelve_from_pictures(tmp_path)
    source = shelve_camera(tmp_path, in_channels=in_channels)
    expected, found = source.state_dict() | adapter(), camera_network(tmp_path).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("in_channels", [32, 36])
def test_rays_are_added_at_the_patches_while_the_film_is_made(tmp_path: Path, in_channels: int) -> None:
    """Weights of 32 channels know no mask, and of the condition the first latent alone; afterwards nothing is left."""
    shelve_from_pictures(tmp_path)
    patches = shelve_camera(tmp_path, in_channels=in_channels).patch_embedding
    network = camera_network(tmp_path)
    given = torch.randn(1, 36, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    known = given.clone()
    if in_channels == 32:
        known[:, 20:, 1:] = 0
        known = torch.cat((known[:, :16], known[:, 20:]), dim=1)
    poses = [Pose(right=float(number)) for number in range(5)]
    with torch.no_grad():
        added = torch.stack([network.control_adapter(group)[0] for group in groups(poses, (32, 32))], dim=1)
        with controlled(network, poses, (32, 32), torch.device("cpu")):
            assert torch.allclose(network.patch_embedding(given), patches(known) + added, atol=1e-5)
        assert torch.equal(network.patch_embedding(known), patches(known))


def test_a_film_by_a_moving_camera_keeps_its_promises(workshop: Workshop) -> None:
    """Size, frames and rate; the same order gives the same bytes."""
    first, again = (film(workshop, MOVE) for _ in range(2))
    found = films.look(first.path("video_url"))
    assert (found.size, len(found.frames), found.fps) == ((40, 24), 5, 16)
    assert first.content("video_url") == again.content("video_url")
    fractions = first.job.fractions
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert not first.job.warnings


def test_every_movement_and_its_speed_are_seen(workshop: Workshop) -> None:
    """Twelve movements, one at another speed, and two together make as many films."""
    orders = [[{"motion_type": name, "motion_speed": 1.0}] for name in MOVES]
    orders += [[{"motion_type": "zoom_in", "motion_speed": 3.0}], orders[0] + orders[2]]
    assert len({film(workshop, moves).content("video_url") for moves in orders}) == 14


def test_the_picture_matters(workshop: Workshop) -> None:
    """The camera moves through it."""
    assert film(workshop, MOVE, 0).content("video_url") != film(workshop, MOVE, 255).content("video_url")


def test_weights_that_lack_a_parameter_are_reported(tmp_path: Path) -> None:
    """Half a network would make noise and look like a result."""
    models = tmp_path / "models"
    shelve_from_pictures(models)
    shelve_camera(models)
    file = models / CAMERA / "transformer/diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights["blocks.1.ffn.0.weight"]
    save_file(weights, file)
    with pytest.raises(EngineFailure, match=f"unitask models check {CAMERA}"):
        film(Workshop(tmp_path, "diffusers", models), MOVE)
