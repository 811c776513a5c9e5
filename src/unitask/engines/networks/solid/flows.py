"""The two flows of Trellis: noise becomes the rough shape, and then what is known of each voxel that the shape fills.

Both tell how noise is to change at a time of the flow, 1000 at its beginning, 0 at its end. Parameters are named as in
the public weights.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from unitask.engines.networks.solid.transformer import ModulatedBlock, PreciseNorm, TimeEmbedding, positions
from unitask.engines.networks.solid.voxels import Convolution, Voxels, narrowed


class _Flow(nn.Module):
    """What both have in common: blocks of a transformer, told the time and what is wanted."""

    _supports_group_offloading = False

    def __init__(self, args: dict[str, Any]) -> None:
        super().__init__()
        channels = int(args["model_channels"])
        if args.get("pe_mode", "ape") != "ape" or args.get("share_mod"):
            raise ValueError("positions must be added, and modulation must be each block's own")
        self.resolution, self.in_channels = int(args["resolution"]), int(args["in_channels"])
        self.t_embedder = TimeEmbedding(channels)
        self.blocks = nn.ModuleList(
            ModulatedBlock(
                channels,
                int(args["cond_channels"]),
                int(args.get("num_heads") or channels // args.get("num_head_channels", 64)),
                float(args.get("mlp_ratio", 4)),
                normed=bool(args.get("qk_rms_norm")),
                normed_cross=bool(args.get("qk_rms_norm_cross")),
            )
            for _ in range(int(args["num_blocks"]))
        )

    @property
    def dtype(self) -> torch.dtype:
        """What its blocks compute in."""
        return self.blocks[0].mlp.mlp[0].weight.dtype

    def narrow(self, dtype: torch.dtype) -> None:
        """Let its blocks compute in `dtype`; what leads into them and out of them stays in single precision."""
        narrowed(self.blocks, dtype)


class StructureFlow(_Flow):
    """The flow of the rough shape: latents (channels, side, side, side)."""

    pos_emb: torch.Tensor

    def __init__(self, args: dict[str, Any]) -> None:
        super().__init__(args)
        if args.get("patch_size", 2) != 1:
            raise ValueError("every voxel must be a token")
        channels = int(args["model_channels"])
        axis = torch.arange(self.resolution)
        self.register_buffer("pos_emb", positions(torch.cartesian_prod(axis, axis, axis), channels))
        self.input_layer = nn.Linear(self.in_channels, channels)
        self.out_layer = nn.Linear(channels, int(args["out_channels"]))

    def forward(self, latents: torch.Tensor, time: float, wanted: torch.Tensor) -> torch.Tensor:
        """Give the change, as `latents` are; `wanted` is (m, context channels)."""
        tokens = (self.input_layer(latents.flatten(1).T) + self.pos_emb).to(self.dtype)
        when, context = self.t_embedder(time).to(self.dtype), wanted.to(self.dtype)
        for block in self.blocks:
            tokens = block(tokens, when, context)
        wide = tokens.to(latents.dtype)
        change: torch.Tensor = self.out_layer(functional.layer_norm(wide, wide.shape[-1:]))
        return change.T.unflatten(1, latents.shape[1:])


class ResidualBlock(nn.Module):
    """Two convolutions among voxels, told the time; `step` -1 pools before them, 1 goes back to the finer grid."""

    def __init__(self, channels: int, time_channels: int, out_channels: int, step: int = 0) -> None:
        super().__init__()
        self._step = step
        self.norm1 = PreciseNorm(channels, affine=True)
        self.norm2 = PreciseNorm(out_channels, affine=False)
        self.conv1 = Convolution(channels, out_channels)
        self.conv2 = Convolution(out_channels, out_channels)
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(time_channels, 2 * out_channels))
        self.skip_connection = nn.Linear(channels, out_channels) if channels != out_channels else nn.Identity()

    def forward(self, given: Voxels, time: torch.Tensor, finest: Voxels) -> Voxels:
        """Give voxels of the grid that is wanted; `finest` has the one that was pooled."""
        scale, shift = self.emb_layers(time).chunk(2)
        if self._step:
            given = given.coarser() if self._step < 0 else given.onto(finest.grid)
        inner = self.conv1(given.having(functional.silu(self.norm1(given.features))))
        inner = inner.having(functional.silu(self.norm2(inner.features) * (1 + scale) + shift))
        return given.having(self.conv2(inner).features + self.skip_connection(given.features))


class LatentFlow(_Flow):
    """The flow of what is known of each voxel; its transformer works on voxels of twice the side."""

    def __init__(self, args: dict[str, Any]) -> None:
        super().__init__(args)
        if args.get("patch_size", 2) != 2 or not args.get("use_skip_connection", True):  # noqa: PLR2004 - one pooling
            raise ValueError("voxels must be pooled once, and reach their way back")
        channels, (outer,) = int(args["model_channels"]), args["io_block_channels"]
        plain = int(args.get("num_io_res_blocks", 2)) - 1
        self.input_layer = nn.Linear(self.in_channels, outer)
        self.input_blocks = nn.ModuleList(ResidualBlock(outer, channels, outer) for _ in range(plain))
        self.input_blocks.append(ResidualBlock(outer, channels, channels, step=-1))
        self.out_blocks = nn.ModuleList([ResidualBlock(2 * channels, channels, outer, step=1)])
        self.out_blocks.extend(ResidualBlock(2 * outer, channels, outer) for _ in range(plain))
        self.out_layer = nn.Linear(outer, int(args["out_channels"]))

    def narrow(self, dtype: torch.dtype) -> None:
        """Let all but its first and last layer compute in `dtype`."""
        for part in (self.input_blocks, self.blocks, self.out_blocks):
            narrowed(part, dtype)

    def forward(self, latents: Voxels, time: float, wanted: torch.Tensor) -> torch.Tensor:
        """Give the change of the features, (n, channels); `wanted` is (m, context channels)."""
        when, context = self.t_embedder(time).to(self.dtype), wanted.to(self.dtype)
        inner = finest = latents.having(self.input_layer(latents.features).to(self.dtype))
        passed = []
        for block in self.input_blocks:
            inner = block(inner, when, finest)
            passed.append(inner.features)
        tokens = inner.features
        tokens = tokens + positions(inner.grid.coordinates, tokens.shape[1]).to(tokens.dtype)
        for block in self.blocks:
            tokens = block(tokens, when, context)
        inner = inner.having(tokens)
        for block, before in zip(self.out_blocks, reversed(passed), strict=True):
            inner = block(inner.having(torch.cat([inner.features, before], dim=1)), when, finest)
        wide = functional.layer_norm(inner.features, inner.features.shape[-1:])
        change: torch.Tensor = self.out_layer(wide.to(latents.features.dtype))
        return change
