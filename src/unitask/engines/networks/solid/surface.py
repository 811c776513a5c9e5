"""From what the finest voxels say to a mesh with colours, after FlexiCubes (Shen et al. 2023).

A voxel says of its eight corners how far outside the surface they are (below 0: inside), by how much they are moved,
and which colour they have; and of itself how its edges and corners weigh. Corners that voxels share get the mean. Where
the sign changes along an edge, the surface crosses it; the crossings of one loop round a voxel have their weighted mean
as a vertex, and every crossed edge joins the vertices of its four voxels.

One rule of FlexiCubes is left out: the one that turns some voxels round whose neighbours are ambiguous as well. There
an edge of the mesh may have four faces.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from unitask.engines.networks.solid.decoders import SURFACE_CHANNELS
from unitask.engines.networks.solid.voxels import Grid, Places, Voxels, distinct, of_rows

CORNERS: Final = tuple((number & 1, number >> 1 & 1, number >> 2 & 1) for number in range(8))
EDGES: Final = ((0, 1), (1, 5), (4, 5), (0, 4), (2, 3), (3, 7), (6, 7), (2, 6), (2, 0), (3, 1), (7, 5), (6, 4))
"""The corners at both ends of each edge of a voxel, in the order in which edges have weights."""
_PARTS: Final = {"outside": 8, "move": 24, "edges": 12, "corners": 8, "split": 1, "colour": 48}
_CYCLE: Final = ((1, 0), (1, 1), (0, 1), (0, 0))
_RANGE: Final = 0.99
_MOST_LOOPS: Final = 4
_COLOURS: Final = 3
"""The first three of a corner's six channels; the others are the normal, which the mesh has itself."""
_EMPTY: Final = (1.0, *[0.0] * 9)
"""What is said of a corner that no voxel has."""

assert sum(_PARTS.values()) == SURFACE_CHANNELS  # noqa: S101 - a fact of two modules


@dataclass(frozen=True, slots=True)
class Mesh:
    """Triangles: `vertices` (n, 3), `colours` (n, 3) from 0 to 1 as screens take them, `faces` (m, 3).

    Faces are counterclockwise from outside.
    """

    vertices: NDArray[np.float32]
    colours: NDArray[np.float32]
    faces: NDArray[np.int64]


def _corner(place: tuple[int, ...]) -> int:
    return place[0] + 2 * place[1] + 4 * place[2]


def _edge(first: int, second: int) -> int:
    return next(number for number, ends in enumerate(EDGES) if set(ends) == {first, second})


def _face(axis: int, side: int) -> list[int]:
    """Give the corners of a face of a voxel, going round."""
    corners = []
    for across, along in _CYCLE:
        place = [0, 0, 0]
        place[axis], place[(axis + 1) % 3], place[(axis + 2) % 3] = side, across, along
        corners.append(_corner(tuple(place)))
    return corners


def loops(case: int) -> list[int]:
    """Tell to which loop round a voxel each of its twelve edges belongs, -1 where the surface does not cross it.

    The bits of `case` say which corners are inside. On a face that all four edges of are crossed, the corners that
    are inside are kept apart.
    """
    inside = [bool(case >> number & 1) for number in range(8)]
    loop = list(range(len(EDGES)))
    for face in (_face(axis, side) for axis in range(3) for side in range(2)):
        edges = [_edge(face[number], face[(number + 1) % 4]) for number in range(4)]
        crossed = [number for number in range(4) if inside[face[number]] != inside[face[(number + 1) % 4]]]
        pairs = [(crossed[0], crossed[1])] if len(crossed) == 2 else []  # noqa: PLR2004 - one line through the face
        if len(crossed) == len(face):
            pairs = [(number - 1, number) for number in range(4) if inside[face[number]]]
        for one, other in pairs:
            kept, gone = loop[edges[one]], loop[edges[other]]
            loop = [kept if number == gone else number for number in loop]
    shown = [inside[first] != inside[second] for first, second in EDGES]
    names = sorted({number for number, crossed in zip(loop, shown, strict=True) if crossed})
    return [names.index(number) if crossed else -1 for number, crossed in zip(loop, shown, strict=True)]


_LOOPS: Final = torch.tensor([loops(case) for case in range(256)])


def surface(said: Voxels) -> Mesh:
    """Find the surface, within a cube of side 1 round the origin; it may have no face at all."""
    side, device = said.grid.side, said.features.device
    parts = dict(zip(_PARTS, said.features.float().split(list(_PARTS.values()), dim=1), strict=True))
    corners, values = _corners(said.grid, parts)
    cells, ids = _crossed(said.grid, corners, values)
    at = values[ids]
    inside = at[..., 0] < 0
    rows = said.grid.places(cells)
    edge_weights, corner_weights = (
        torch.tanh(of_rows(parts[name], rows)) * _RANGE + 1 for name in ("edges", "corners")
    )
    split = torch.sigmoid(of_rows(parts["split"], rows))[:, 0] * _RANGE + (1 - _RANGE) / 2
    case = (inside.long() << torch.arange(8, device=device)).sum(dim=1)
    loop = _LOOPS.to(device)[case]
    places = cells[:, None] + torch.tensor(CORNERS, device=device)
    moved = places / side - 0.5 + (1 - 1e-8) / (2 * side) * torch.tanh(at[..., 1:4])
    known = torch.cat([moved, torch.sigmoid(at[..., 4 : 4 + _COLOURS])], dim=-1)
    vertices = _vertices(loop, at[..., 0] * corner_weights, edge_weights, known)
    faces = _faces(Grid(cells, side), inside, loop, split)
    used, faces = torch.unique(faces, return_inverse=True)
    kept = vertices[used].cpu().numpy()
    return Mesh(kept[:, :3], kept[:, 3:], faces.reshape(-1, 3).cpu().numpy())


def _corners(grid: Grid, parts: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the corners that voxels have, (n, 3), and the mean of what these say of them, (n + 1, 10).

    The last row is for all others.
    """
    said = torch.cat([parts[name].unflatten(1, (8, -1)) for name in ("outside", "move", "colour")], dim=-1)
    shifts = torch.tensor(CORNERS, device=said.device)
    found, _ = distinct((grid.coordinates[:, None] + shifts).flatten(0, 1), grid.side + 1)
    total, count = said.new_zeros(len(found), said.shape[-1]), said.new_zeros(len(found), 1)
    for number, shift in enumerate(shifts):
        rows = grid.places(found - shift)
        total += of_rows(said[:, number], rows)
        count += (rows >= 0)[:, None]
    mean = total / count
    mean[:, 0] -= 1 / grid.side
    return found, torch.cat([mean, mean.new_tensor(_EMPTY)[None]])


def _crossed(grid: Grid, corners: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the voxels through which the surface goes, whether they are there or not, and the rows of their corners."""
    shifts = torch.tensor(CORNERS, device=corners.device)
    inside = values[:-1, 0] < 0
    near = (corners[inside][:, None] - shifts).flatten(0, 1)
    cells, _ = distinct(near[((near >= 0) & (near < grid.side)).all(dim=1)], grid.side)
    ids = Places(corners, grid.side + 1)(cells[:, None] + shifts)
    mixed = (values[ids][..., 0] >= 0).any(dim=1)
    return cells[mixed], ids[mixed]


def _vertices(
    loop: torch.Tensor, weighed: torch.Tensor, edge_weights: torch.Tensor, known: torch.Tensor
) -> torch.Tensor:
    """Give what is known at the middle of every loop, four rows a voxel, of which most are zeros."""
    ends = torch.tensor(EDGES, device=loop.device)
    first, second = weighed[:, ends[:, 0], None], weighed[:, ends[:, 1], None]
    crossed = loop >= 0
    step = torch.where(crossed[..., None], second - first, 1)
    at = (known[:, ends[:, 0]] * second - known[:, ends[:, 1]] * first) / step
    found = []
    for number in range(_MOST_LOOPS):
        weights = (edge_weights * (loop == number))[..., None]
        found.append((at * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-12))
    return torch.stack(found, dim=1).flatten(0, 1)


def _faces(grid: Grid, inside: torch.Tensor, loop: torch.Tensor, split: torch.Tensor) -> torch.Tensor:
    """Join the four vertices round every crossed edge by two triangles, (m, 3)."""
    found = []
    for axis in range(3):
        across, along = (axis + 1) % 3, (axis + 2) % 3
        low = (inside[:, 0] != inside[:, 1 << axis]).nonzero()[:, 0]
        names, weights = [], []
        for behind, beside in _CYCLE:
            shift = [0, 0, 0]
            shift[across], shift[along] = behind, beside
            start = _corner(tuple(shift))
            cells = grid.places(grid.coordinates[low] - torch.tensor(shift, device=low.device))
            its_loop = loop[cells, _edge(start, start + (1 << axis))]
            names.append(torch.where(cells >= 0, cells * _MOST_LOOPS + its_loop, -1))
            weights.append(split[cells])
        quads, weighed = torch.stack(names, dim=1), torch.stack(weights, dim=1)
        whole = (quads >= 0).all(dim=1)
        quads, weighed, outwards = quads[whole], weighed[whole], inside[low[whole], 0]
        quads = torch.where(outwards[:, None], quads, quads.flip(1))
        weighed = torch.where(outwards[:, None], weighed, weighed.flip(1))
        straight = weighed[:, 0] * weighed[:, 2] > weighed[:, 1] * weighed[:, 3]
        one, other = quads[:, [0, 1, 2, 0, 2, 3]], quads[:, [0, 1, 3, 3, 1, 2]]
        found.append(torch.where(straight[:, None], one, other).reshape(-1, 3))
    return torch.cat(found)
