"""The two decoders of Trellis: from latents to the voxels that the shape fills, and from these to those of a surface.

Parameters are named as in the public weights.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from unitask.engines.networks.solid.transformer import PreciseNorm, WindowBlock, positions, windows_of
from unitask.engines.networks.solid.voxels import Convolution, Voxels, narrowed

SURFACE_CHANNELS = 101
"""What each of the finest voxels says: see `surface`."""
_GROUPS = 32


class ChannelNorm(PreciseNorm):
    """Layer norm over the channels of (channels, side, side, side)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=True, eps=1e-5)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Keep the shape."""
        return super().forward(given.movedim(0, -1)).movedim(-1, 0)


class DenseResidual(nn.Module):
    """Two convolutions whose result is added to what they were given."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1 = ChannelNorm(channels)
        self.norm2 = ChannelNorm(channels)
        self.conv1 = nn.Conv3d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv3d(channels, channels, 3, padding=1)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Keep (channels, side, side, side)."""
        inner = self.conv1(functional.silu(self.norm1(given)))
        result: torch.Tensor = given + self.conv2(functional.silu(self.norm2(inner)))
        return result


class Doubling(nn.Module):
    """A convolution that makes eight voxels of one."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(channels, 8 * out_channels, 3, padding=1)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Go from (channels, side, side, side) to (out channels, twice the side three times)."""
        eight: torch.Tensor = self.conv(given).unflatten(0, (-1, 2, 2, 2))
        return eight.permute(0, 4, 1, 5, 2, 6, 3).flatten(5, 6).flatten(3, 4).flatten(1, 2)


class StructureDecoder(nn.Module):
    """Says of every voxel of a cube whether the shape fills it."""

    _supports_group_offloading = False

    def __init__(self, args: dict[str, Any]) -> None:
        super().__init__()
        if args.get("norm_type", "layer") != "layer":
            raise ValueError("norms must be over channels")
        widths = [int(width) for width in args["channels"]]
        each = int(args["num_res_blocks"])
        self.input_layer = nn.Conv3d(int(args["latent_channels"]), widths[0], 3, padding=1)
        middle = int(args.get("num_res_blocks_middle", 2))
        self.middle_block = nn.Sequential(*(DenseResidual(widths[0]) for _ in range(middle)))
        self.blocks = nn.ModuleList()
        for number, width in enumerate(widths):
            self.blocks.extend(DenseResidual(width) for _ in range(each))
            if number < len(widths) - 1:
                self.blocks.append(Doubling(width, widths[number + 1]))
        last = nn.Conv3d(widths[-1], int(args["out_channels"]), 3, padding=1)
        self.out_layer = nn.Sequential(ChannelNorm(widths[-1]), nn.SiLU(), last)

    def narrow(self, dtype: torch.dtype) -> None:
        """Let all but its first and last layer compute in `dtype`."""
        narrowed(self.middle_block, dtype)
        narrowed(self.blocks, dtype)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Give (1, side, side, side), above 0 where the shape is, of (channels, side / 4, side / 4, side / 4)."""
        inner = self.middle_block(self.input_layer(latents).to(_computes(self.blocks)))
        for block in self.blocks:
            inner = block(inner)
        filled: torch.Tensor = self.out_layer(inner.to(latents.dtype))
        return filled


class Subdivision(nn.Module):
    """Makes eight voxels of one, and convolves among them."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.act_layers = nn.Sequential(nn.GroupNorm(_GROUPS, channels), nn.SiLU())
        self.out_layers = nn.Sequential(
            Convolution(channels, out_channels),
            nn.GroupNorm(_GROUPS, out_channels),
            nn.SiLU(),
            Convolution(out_channels, out_channels),
        )
        self.skip_connection = Convolution(channels, out_channels, 1)

    def forward(self, given: Voxels) -> Voxels:
        """Give voxels of the finer grid."""
        inner: Voxels = given.having(_normed(self.act_layers, given.features)).divided()
        inner = self.out_layers[0](inner)
        inner = self.out_layers[3](inner.having(_normed(self.out_layers[1:3], inner.features)))
        return inner.having(inner.features + self.skip_connection(given.divided()).features)


class MeshDecoder(nn.Module):
    """Says of the finest voxels, of a quarter of the side, what surface goes through them."""

    _supports_group_offloading = False

    def __init__(self, args: dict[str, Any]) -> None:
        super().__init__()
        colours = (args.get("representation_config") or {}).get("use_color")
        if (args.get("attn_mode", "swin"), args.get("pe_mode", "ape"), bool(colours)) != ("swin", "ape", True):
            raise ValueError("attention must be in shifted windows, positions added, and colours decoded")
        width = int(args["model_channels"])
        heads = int(args.get("num_heads") or width // args.get("num_head_channels", 64))
        ratio, normed = float(args.get("mlp_ratio", 4)), bool(args.get("qk_rms_norm"))
        self._window = int(args.get("window_size", 8))
        self.input_layer = nn.Linear(int(args["latent_channels"]), width)
        self.blocks = nn.ModuleList(
            WindowBlock(width, heads, ratio, normed=normed) for _ in range(int(args["num_blocks"]))
        )
        self.upsample = nn.ModuleList([Subdivision(width, width // 4), Subdivision(width // 4, width // 8)])
        self.out_layer = nn.Linear(width // 8, SURFACE_CHANNELS)

    def narrow(self, dtype: torch.dtype) -> None:
        """Let all but its first and last layer compute in `dtype`."""
        narrowed(self.blocks, dtype)
        narrowed(self.upsample, dtype)

    def forward(self, latents: Voxels) -> Voxels:
        """Give `SURFACE_CHANNELS` for each of 64 parts of each voxel."""
        grid, tokens = latents.grid, self.input_layer(latents.features)
        tokens = (tokens + positions(grid.coordinates, tokens.shape[1])).to(_computes(self.blocks))
        windows = [windows_of(grid, self._window, shift) for shift in (0, self._window // 2)]
        for number, block in enumerate(self.blocks):
            tokens = block(tokens, windows[number % 2])
        inner = latents.having(tokens)
        for block in self.upsample:
            inner = block(inner)
        return inner.having(self.out_layer(inner.features.to(latents.features.dtype)))


def _computes(network: nn.Module) -> torch.dtype:
    """Tell in what its matrices are."""
    return next(weight.dtype for weight in network.parameters() if weight.dim() > 1)


def _normed(layers: nn.Module, features: torch.Tensor) -> torch.Tensor:
    """Apply a group norm over all voxels, and what follows it, to (n, channels) in the norm's own precision."""
    norm = next(layers.parameters())
    result: torch.Tensor = layers(features.to(norm.dtype).T[None])[0].T
    return result.to(features.dtype)
