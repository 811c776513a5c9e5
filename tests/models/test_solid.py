"""From voxels to a mesh: where the surface goes, fewer triangles, glTF; and how noise flows."""

import io
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from support.job import LocalJob
from unitask.engines.networks.solid.flow import Plan, Told, flow, times
from unitask.engines.networks.solid.mesh import filled, glb, linear, normals_of, simplified, upright
from unitask.engines.networks.solid.surface import CORNERS, EDGES, Mesh, loops, surface
from unitask.engines.networks.solid.views import cut_out, framed
from unitask.engines.networks.solid.voxels import Grid, Voxels
from unitask.kit.errors import MediaFailure
from unitask.spec.product import Recipe

torch.set_num_threads(1)
SIDE = 32
RADIUS = 0.3
BLUE = (0.25, 0.5, 0.75)


def ball(*, full: bool = True, moved: float = 0.0, weighed: float = 0.0) -> Voxels:
    """Describe a ball of one colour by the voxels in it, or near its surface; the bias is taken off before."""
    corners = torch.stack(torch.meshgrid(*[torch.arange(SIDE + 1) / SIDE - 0.5] * 3, indexing="ij"), dim=-1)
    outside = corners.norm(dim=-1) - RADIUS
    near = (outside if full else outside.abs()) < 3 / SIDE
    coordinates = near[:SIDE, :SIDE, :SIDE].nonzero()
    x, y, z = (coordinates[:, None] + torch.tensor(CORNERS)).unbind(-1)
    chance = torch.Generator().manual_seed(1)
    logits = torch.logit(torch.tensor([*BLUE, 0.5, 0.5, 0.5])).repeat(8)
    count = len(coordinates)
    parts = [
        outside[x, y, z] + 1 / SIDE,
        torch.full((count, 24), moved),
        weighed * torch.randn(count, 21, generator=chance),
        logits.expand(count, -1),
    ]
    return Voxels(Grid(coordinates, SIDE), torch.cat(parts, dim=1))


def solid(mesh: Mesh) -> trimesh.Trimesh:
    """Let another library look at it."""
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


@pytest.mark.parametrize("weighed", [0.0, 1.0])
def test_the_surface_of_a_ball_is_closed_and_looks_outwards(weighed: float) -> None:
    """It keeps to the ball whatever edges, corners and voxels weigh, and has its colour."""
    mesh = surface(ball(weighed=weighed))
    found = solid(mesh)
    assert found.is_watertight
    assert found.euler_number == 2
    assert found.volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.03)
    off = np.abs(np.linalg.norm(mesh.vertices, axis=1) - RADIUS)
    assert off.max() < 0.5 / SIDE
    assert np.allclose(mesh.colours, BLUE, atol=1e-5)


def test_corners_move_by_at_most_half_a_voxel() -> None:
    """All by the same: the ball goes along."""
    still, moved = (surface(ball(moved=move)).vertices for move in (0.0, 0.5))
    assert np.allclose(moved - still, np.tanh(0.5) / (2 * SIDE), atol=1e-5)
    assert np.allclose(surface(ball(moved=50.0)).vertices - still, 1 / (2 * SIDE), atol=1e-5)


def test_one_corner_inside_gives_an_octahedron() -> None:
    """Its crossings are where the line between inside and outside meets zero, a voxel's vertex their mean."""
    coordinates = torch.tensor([(8 + x, 8 + y, 8 + z) for x in range(2) for y in range(2) for z in range(2)])
    features = torch.zeros(8, 101)
    features[:, :8] = 1 + 1 / SIDE
    for voxel, (x, y, z) in enumerate(coordinates.tolist()):
        features[voxel, CORNERS.index((9 - x, 9 - y, 9 - z))] = -3 + 1 / SIDE
    mesh = surface(Voxels(Grid(coordinates, SIDE), features))
    assert (len(mesh.vertices), len(mesh.faces)) == (8, 12)
    assert solid(mesh).is_watertight
    assert solid(mesh).volume > 0
    # Three crossings at three quarters of an edge: their mean is a quarter away from the corner along each axis.
    assert np.allclose(np.abs((mesh.vertices + 0.5) * SIDE - 9), 0.25, atol=1e-5)


def test_a_hollow_is_filled() -> None:
    """Where only the voxels near the surface are there, what lies deeper counts as outside, and has walls."""
    hollow = surface(ball(full=False))
    mesh = filled(hollow)
    assert solid(hollow).body_count == 2
    assert solid(mesh).body_count == 1
    assert solid(mesh).volume == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.03)
    assert solid(mesh).volume > 1.2 * solid(hollow).volume
    assert len(mesh.vertices) == len(np.unique(mesh.faces))


def test_nothing_inside_gives_no_face() -> None:
    """Nor does a cube that is inside as a whole."""
    features = torch.ones(1, 101)
    assert not len(surface(Voxels(Grid(torch.tensor([(3, 3, 3)]), SIDE), features)).faces)


def test_the_loops_round_a_voxel_hold_every_crossed_edge_once() -> None:
    """A loop meets each corner's sign change; as many loops as pieces of the smaller side, if these touch by edges."""
    for case in range(256):
        inside = {number for number in range(8) if case >> number & 1}
        found = loops(case)
        crossed = [len(inside & set(ends)) == 1 for ends in EDGES]
        assert [number >= 0 for number in found] == crossed
        assert all(found.count(number) >= 3 for number in set(found) - {-1})
    assert [max(loops(case)) + 1 for case in (0, 1, 255, 0b10000001, 0b01101001, 0b11)] == [0, 1, 0, 2, 4, 1]


def test_corners_inside_that_touch_by_a_face_s_diagonal_stay_apart() -> None:
    """Two loops for each such pair; one for a pair along an edge."""
    for one, other in combinations(range(8), 2):
        apart = sum(first != second for first, second in zip(CORNERS[one], CORNERS[other], strict=True))
        assert max(loops(1 << one | 1 << other)) + 1 == (1 if apart == 1 else 2)


def torus(cells: int = 96) -> Mesh:
    """Find a torus by marching cubes of another library, coloured by its directions."""
    from skimage.measure import marching_cubes  # noqa: PLC0415 - takes a second

    x, y, z = np.mgrid[-1 : 1 : cells * 1j, -1 : 1 : cells * 1j, -1 : 1 : cells * 1j]
    volume = np.hypot(np.hypot(x, y) - 0.55, z) - 0.25
    vertices, faces, normals, _ = marching_cubes(volume, 0.0)
    vertices = (vertices / (cells - 1) - 0.5).astype(np.float32)
    mesh = Mesh(vertices, ((normals + 1) / 2).astype(np.float32), faces.astype(np.int64))
    return mesh if solid(mesh).volume > 0 else Mesh(mesh.vertices, mesh.colours, mesh.faces[:, ::-1])


@pytest.mark.parametrize("limit", [10_000, 1_000])
def test_fewer_triangles_keep_the_shape(limit: int) -> None:
    """At most as many as allowed, and not far fewer; closed, on the torus, of nearly its volume."""
    mesh = torus()
    small = simplified(mesh, limit)
    found = solid(small)
    assert 0.5 * limit < len(small.faces) <= limit < len(mesh.faces)
    ways = found.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    assert np.array_equal(np.unique(ways, axis=0), np.unique(ways[:, ::-1], axis=0))
    assert found.volume == pytest.approx(solid(mesh).volume, rel=0.02)
    off = np.hypot(np.hypot(small.vertices[:, 0], small.vertices[:, 1]) - 0.275, small.vertices[:, 2]) - 0.125
    assert np.abs(off).mean() < 0.002
    assert simplified(small, limit) is small


def test_a_corner_stays_sharp() -> None:
    """Where planes meet, the vertex lies on all of them: a box keeps its size."""
    box = trimesh.creation.box((0.8, 0.6, 0.4)).subdivide_to_size(0.03)
    mesh = Mesh(box.vertices.astype(np.float32), np.ones_like(box.vertices, np.float32), np.asarray(box.faces))
    small = simplified(mesh, 600)
    assert np.allclose(np.ptp(small.vertices, axis=0), (0.8, 0.6, 0.4), atol=2e-3)


def test_the_file_is_what_viewers_read() -> None:
    """Positions, faces, normals and colours as amounts of light, and what made it."""
    mesh = upright(torus(32))
    content = glb(mesh, {"unitask:engine": "networks"})
    scene = trimesh.load(io.BytesIO(content), file_type="glb", process=False)
    assert isinstance(scene, trimesh.Scene)
    (found,) = scene.geometry.values()
    assert isinstance(found, trimesh.Trimesh)
    assert np.array_equal(found.faces, mesh.faces)
    assert np.allclose(found.vertices, mesh.vertices)
    assert np.allclose(found.vertex_normals, normals_of(mesh), atol=1e-5)
    colours = found.visual.vertex_attributes["color"]
    assert np.allclose(colours[:, :3] / 65535, linear(mesh.colours), atol=1e-4)
    assert b'"extras":{"unitask:engine":"networks"}' in content
    assert len(content) % 4 == 0
    assert int.from_bytes(content[8:12], "little") == len(content)


def test_colours_become_amounts_of_light() -> None:
    """By the curve of sRGB."""
    assert linear(np.array([0, 0.5, 1], np.float32)).tolist() == pytest.approx([0, 0.21404, 1], abs=1e-4)


def test_up_is_up() -> None:
    """What was above, along z, is along y; what faced us, along -y, is along z."""
    turned = upright(Mesh(np.eye(3, dtype=np.float32), np.zeros((3, 3), np.float32), np.array([(0, 1, 2)])))
    assert turned.vertices.tolist() == [[1, 0, 0], [0, 0, -1], [0, 1, 0]]


def test_noise_flows_along_what_changes_it() -> None:
    """A change that is always the same is gone through once, whatever the steps."""
    seen: list[float] = []
    told = Told([torch.zeros(1)], torch.ones(1))

    def change(sample: torch.Tensor, time: float, wanted: torch.Tensor) -> torch.Tensor:
        seen.append(time)
        return torch.full_like(sample, 2.0) + wanted

    steps: list[int] = []
    plan = Plan(cfg_interval=(0.6, 1.0), rescale_t=3.0)
    result = flow(change, torch.zeros(3), told, plan, steps=4, strength=0.0, done=lambda: steps.append(1))
    assert result.tolist() == pytest.approx([-2.0] * 3)
    assert len(steps) == 4
    assert seen == pytest.approx([1000, 1000, 900, 900, 750, 750, 500])


def test_guidance_leads_away_from_nothing_wanted() -> None:
    """Where the plan says so: by how much is what is ordered."""
    told = Told([torch.tensor([1.0])], torch.tensor([0.0]))
    flat = flow(lambda _s, _t, wanted: wanted, torch.zeros(1), told, Plan(), steps=2, strength=4.0, done=lambda: None)
    assert flat.item() == pytest.approx(-5.0)
    late = Plan(cfg_interval=(0.9, 1.0))
    half = flow(lambda _s, _t, wanted: wanted, torch.zeros(1), told, late, steps=2, strength=4.0, done=lambda: None)
    assert half.item() == pytest.approx(-3.0)


def test_views_are_followed_in_turn() -> None:
    """Each step one."""
    told = Told([torch.tensor([1.0]), torch.tensor([10.0])], torch.tensor([0.0]))
    found = flow(lambda _s, _t, wanted: wanted, torch.zeros(1), told, Plan(), steps=4, strength=0.0, done=lambda: None)
    assert found.item() == pytest.approx(-(1 + 10 + 1 + 10) / 4)


def test_times_crowd_where_there_is_noise() -> None:
    """From 1 to 0."""
    assert times(2, 1.0) == [1.0, 0.5, 0.0]
    assert times(2, 3.0) == [1.0, 0.75, 0.0]


def job(folder: Path) -> LocalJob:
    """Open one."""
    return LocalJob(folder, Recipe("networks", "full", "image_to_3d"))


def test_transparency_says_what_the_thing_is(tmp_path: Path) -> None:
    """As it is, without a word."""
    picture = Image.new("RGBA", (20, 10), (9, 9, 9, 0))
    own = job(tmp_path)
    assert cut_out(picture, own) is picture
    assert own.warnings == []


def test_a_thing_on_a_ground_of_other_colours_is_cut_out(tmp_path: Path) -> None:
    """With a sentence that says by what."""
    rows, columns = np.mgrid[:600, :800]
    array = np.random.default_rng(0).integers(10, 40, (600, 800, 3), np.uint8)
    disc = np.hypot(rows - 300, columns - 400) < 150
    array[disc] += 180
    own = job(tmp_path)
    alpha = np.asarray(cut_out(Image.fromarray(array), own))[..., 3] > 127
    assert (alpha & disc).sum() / (alpha | disc).sum() > 0.95
    assert ["told by its colours" in sentence for sentence in own.warnings] == [True]


@pytest.mark.parametrize("size", [(1, 1), (2, 90), (64, 64)])
def test_a_picture_of_one_colour_is_the_thing(tmp_path: Path, size: tuple[int, int]) -> None:
    """All of it."""
    own = job(tmp_path)
    alpha = np.asarray(cut_out(Image.new("RGB", size, "red"), own))[..., 3]
    assert alpha.min() == 255
    assert ["the whole picture" in sentence for sentence in own.warnings] == [True]


def test_the_thing_stands_in_the_middle_of_a_black_square_with_room_round_it() -> None:
    """Five sixths of the side, and what is not opaque is dark."""
    picture = Image.new("RGBA", (300, 200), (255, 255, 255, 0))
    picture.paste((255, 255, 255, 255), (150, 50, 251, 101))
    array = np.asarray(framed(picture, 240)).astype(int)
    assert array.shape == (240, 240, 3)
    lit = array[..., 0] > 127
    assert np.flatnonzero(lit.any(axis=0)).tolist() == list(range(20, 222))
    rows = np.flatnonzero(lit.any(axis=1))
    assert (rows[0] + rows[-1]) / 2 == pytest.approx(119.5, abs=2)
    assert lit.sum() / len(rows) == pytest.approx(202, abs=2)


def test_a_picture_of_nothing_is_refused() -> None:
    """Nothing could be seen in it."""
    with pytest.raises(MediaFailure, match="transparent everywhere"):
        framed(Image.new("RGBA", (9, 9), (0, 0, 0, 0)), 28)
