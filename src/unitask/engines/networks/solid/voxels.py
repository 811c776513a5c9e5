"""Voxels of which only some are there: which is where, and convolution among those that are."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import nn


def keys_of(coordinates: torch.Tensor, side: int) -> torch.Tensor:
    """Give a number to each of (..., 3) coordinates from -1 to `side`, no two alike."""
    x, y, z = (coordinates + 1).unbind(-1)
    wide = side + 2
    return (x * wide + y) * wide + z


def distinct(coordinates: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Give (m, 3) coordinates, each once, of (n, 3) from 0 to `side` - 1; and the row at which each of these now is."""
    keys, rows = keys_of(coordinates, side).unique(return_inverse=True)
    wide = side + 2
    return torch.stack([keys // wide**2, keys // wide % wide, keys % wide], dim=1) - 1, rows


class Places:
    """Finds rows by their coordinates, (n, 3) integers from 0 to `side` - 1, each at most once."""

    def __init__(self, coordinates: torch.Tensor, side: int) -> None:
        self._side = side
        self._sorted, self._rows = keys_of(coordinates, side).sort()

    def __call__(self, wanted: torch.Tensor) -> torch.Tensor:
        """Give the row of each of (..., 3) coordinates, from -1 to `side`; -1 where there is none."""
        keys = keys_of(wanted, self._side)
        near = torch.searchsorted(self._sorted, keys).clamp(max=len(self._sorted) - 1)
        return torch.where(self._sorted[near] == keys, self._rows[near], -1)


@dataclass(frozen=True)
class Grid:
    """The voxels that are there: `coordinates` (n, 3), int64, within a cube of `side` voxels."""

    coordinates: torch.Tensor
    side: int

    @cached_property
    def places(self) -> Places:
        """Finds a voxel's row."""
        return Places(self.coordinates, self.side)

    @cached_property
    def neighbours(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """List, for each step by -1 to 1 along x, y and z, the rows that have a neighbour there, and its row."""
        found = []
        for step in torch.cartesian_prod(*[torch.arange(-1, 2, device=self.coordinates.device)] * 3):
            rows = self.places(self.coordinates + step)
            there = (rows >= 0).nonzero()[:, 0]
            found.append((there, rows[there]))
        return found

    @cached_property
    def coarser(self) -> tuple["Grid", torch.Tensor]:
        """Give the grid of half the side whose voxels hold these, and for each of these the row of its own."""
        found, rows = distinct(self.coordinates // 2, self.side)
        return Grid(found, self.side // 2), rows

    @cached_property
    def finer(self) -> "Grid":
        """Give the grid of twice the side: the eight parts of the first voxel, then those of the second, ..."""
        return Grid(_parts(self).flatten(0, 1), 2 * self.side)


@dataclass(frozen=True)
class Voxels:
    """What is known of each voxel of a grid: `features` (n, channels)."""

    grid: Grid
    features: torch.Tensor

    def having(self, features: torch.Tensor) -> "Voxels":
        """Give other features to the same voxels."""
        return replace(self, features=features)

    def coarser(self) -> "Voxels":
        """Pool to half the side. The mean counts one more voxel, of zeros: so the weights were trained."""
        grid, _ = self.grid.coarser
        rows = self.grid.places(_parts(grid))
        total = of_rows(self.features, rows).sum(dim=1)
        return Voxels(grid, total / ((rows >= 0).sum(dim=1, keepdim=True) + 1).to(total.dtype))

    def onto(self, finer: Grid) -> "Voxels":
        """Give each voxel of the grid that was pooled to this one what the voxel round it has."""
        return Voxels(finer, self.features[finer.coarser[1]])

    def divided(self) -> "Voxels":
        """Divide each voxel into eight, all like it."""
        return Voxels(self.grid.finer, self.features.repeat_interleave(8, dim=0))


def of_rows(values: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """Take rows of (n, ...) by their numbers; zeros for -1."""
    return torch.cat([values, torch.zeros_like(values[:1])])[rows]


def _parts(grid: Grid) -> torch.Tensor:
    """Give the coordinates of the eight parts of each voxel, (n, 8, 3), in the grid of twice the side."""
    parts = torch.cartesian_prod(*[torch.arange(2, device=grid.coordinates.device)] * 3)
    return 2 * grid.coordinates[:, None] + parts


class Convolution(nn.Module):
    """A convolution whose results are wanted, and whose inputs exist, at the grid's own voxels alone.

    Its size is 1 or 3. The weight is laid out as spconv's `SubMConv3d` has it: (out, x, y, z, in). Sums are kept in
    single precision.
    """

    def __init__(self, channels: int, out_channels: int, size: int = 3) -> None:
        super().__init__()
        self.conv = _Kernel(channels, out_channels, size)

    def forward(self, given: Voxels) -> Voxels:
        """Keep the grid."""
        kernels = self.conv.weight.flatten(1, 3)
        features = given.features.to(kernels.dtype)
        total = self.conv.bias.float().expand(len(features), -1).clone()
        if kernels.shape[1] == 1:
            total += (features @ kernels[:, 0].T).float()
        else:
            for number, (there, rows) in enumerate(given.grid.neighbours):
                total[there] += (features[rows] @ kernels[:, number].T).float()
        return given.having(total.to(given.features.dtype))


class _Kernel(nn.Module):
    """What a convolution has learnt."""

    def __init__(self, channels: int, out_channels: int, size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, size, size, size, channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        nn.init.normal_(self.weight, std=(channels * size**3) ** -0.5)


def narrowed(network: nn.Module, dtype: torch.dtype) -> None:
    """Let what multiplies matrices compute in `dtype`; norms and the like stay as precise as they are."""
    kinds: tuple[Any, ...] = (nn.Linear, nn.Conv3d, _Kernel)
    for module in network.modules():
        if isinstance(module, kinds):
            module.to(dtype)
