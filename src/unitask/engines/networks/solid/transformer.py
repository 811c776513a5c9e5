"""Transformer blocks of Trellis over the tokens (n, channels) of one thing; parameters are named as in its weights."""

import torch
from torch import nn
from torch.nn import functional

from unitask.engines.networks.solid.voxels import Grid, distinct

_PERIOD = 10_000
_FREQUENCIES = 256


class PreciseNorm(nn.LayerNorm):
    """Layer norm that computes in the precision of its own parameters, where it has some."""

    def __init__(self, channels: int, *, affine: bool, eps: float = 1e-6) -> None:
        super().__init__(channels, elementwise_affine=affine, eps=eps)

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Keep shape and precision."""
        wide = given if self.weight is None else given.to(self.weight.dtype)
        return super().forward(wide).to(given.dtype)


class HeadNorm(nn.Module):
    """Brings every head's vector to the same length, times what was learnt for it."""

    def __init__(self, heads: int, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(heads, width))

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Keep (n, heads, width)."""
        scaled = functional.normalize(given.float(), dim=-1) * self.gamma * self.gamma.shape[1] ** 0.5
        return scaled.to(given.dtype)


class Attention(nn.Module):
    """Attention among tokens, or to a context where `context_channels` are given."""

    def __init__(self, channels: int, heads: int, context_channels: int = 0, *, normed: bool) -> None:
        super().__init__()
        self._heads = heads
        if context_channels:
            self.to_q = nn.Linear(channels, channels)
            self.to_kv = nn.Linear(context_channels, 2 * channels)
        else:
            self.to_qkv = nn.Linear(channels, 3 * channels)
        if normed:
            self.q_rms_norm = HeadNorm(heads, channels // heads)
            self.k_rms_norm = HeadNorm(heads, channels // heads)
        self._context, self._normed = bool(context_channels), normed
        self.to_out = nn.Linear(channels, channels)

    def forward(
        self, tokens: torch.Tensor, context: torch.Tensor | None = None, groups: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Keep (n, channels). With `groups` (n,), numbers from 0, tokens attend to those of their own group alone."""
        if self._context:
            joint = self.to_kv(context)
            query, (key, value) = self.to_q(tokens), joint.chunk(2, dim=-1)
        else:
            query, key, value = self.to_qkv(tokens).chunk(3, dim=-1)
        query, key, value = (part.unflatten(-1, (self._heads, -1)) for part in (query, key, value))
        if self._normed:
            query, key = self.q_rms_norm(query), self.k_rms_norm(key)
        found = attended(query, key, value) if groups is None else attended_within(groups, query, key, value)
        mixed: torch.Tensor = self.to_out(found.flatten(-2))
        return mixed


def attended(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attend: (..., n, heads, width) each."""
    heads_first = (part.transpose(-3, -2) for part in (query, key, value))
    return functional.scaled_dot_product_attention(*heads_first).transpose(-3, -2)


def attended_within(groups: torch.Tensor, *parts: torch.Tensor) -> torch.Tensor:
    """Attend within groups; those of one size go together."""
    order = groups.argsort(stable=True)
    counts = groups.bincount()
    starts = counts.cumsum(0) - counts
    found = torch.empty_like(parts[0])
    for size in counts.unique().tolist():
        if size:
            rows = order[starts[counts == size][:, None] + torch.arange(size, device=order.device)]
            found[rows] = attended(*(part[rows] for part in parts))
    return found


class FeedForward(nn.Module):
    """Two layers on each token."""

    def __init__(self, channels: int, ratio: float) -> None:
        super().__init__()
        inner = int(channels * ratio)
        self.mlp = nn.Sequential(nn.Linear(channels, inner), nn.GELU(approximate="tanh"), nn.Linear(inner, channels))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Keep (n, channels)."""
        result: torch.Tensor = self.mlp(tokens)
        return result


class ModulatedBlock(nn.Module):
    """Attends to itself and to a context, then thinks; the time shifts, scales and gates the first and the last."""

    def __init__(
        self, channels: int, context_channels: int, heads: int, ratio: float, *, normed: bool, normed_cross: bool
    ) -> None:
        super().__init__()
        self.norm1 = PreciseNorm(channels, affine=False)
        self.norm2 = PreciseNorm(channels, affine=True)
        self.norm3 = PreciseNorm(channels, affine=False)
        self.self_attn = Attention(channels, heads, normed=normed)
        self.cross_attn = Attention(channels, heads, context_channels, normed=normed_cross)
        self.mlp = FeedForward(channels, ratio)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(channels, 6 * channels))

    def forward(self, tokens: torch.Tensor, time: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        """Keep (n, channels); `time` is (channels,), `context` (m, context channels)."""
        shift, scale, gate, late_shift, late_scale, late_gate = self.adaLN_modulation(time).chunk(6)
        tokens = tokens + self.self_attn(self.norm1(tokens) * (1 + scale) + shift) * gate
        tokens = tokens + self.cross_attn(self.norm2(tokens), context)
        return tokens + self.mlp(self.norm3(tokens) * (1 + late_scale) + late_shift) * late_gate


class WindowBlock(nn.Module):
    """Attends within windows, then thinks."""

    def __init__(self, channels: int, heads: int, ratio: float, *, normed: bool) -> None:
        super().__init__()
        self.norm1 = PreciseNorm(channels, affine=False)
        self.norm2 = PreciseNorm(channels, affine=False)
        self.attn = Attention(channels, heads, normed=normed)
        self.mlp = FeedForward(channels, ratio)

    def forward(self, tokens: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        """Keep (n, channels); `windows` (n,) says in which each token is."""
        tokens = tokens + self.attn(self.norm1(tokens), groups=windows)
        result: torch.Tensor = tokens + self.mlp(self.norm2(tokens))
        return result


def windows_of(grid: Grid, size: int, shift: int) -> torch.Tensor:
    """Say in which window of `size` voxels a side each voxel lies, (n,) numbers, after a shift along all axes."""
    return distinct((grid.coordinates + shift) // size, grid.side)[1]


class TimeEmbedding(nn.Module):
    """Says at which time of the flow it is, 0 to 1000, in `channels` numbers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(_FREQUENCIES, channels), nn.SiLU(), nn.Linear(channels, channels))

    def forward(self, time: float) -> torch.Tensor:
        """Give (channels,)."""
        weight = self.mlp[0].weight
        angles = time * _frequencies(_FREQUENCIES // 2, weight.device)
        result: torch.Tensor = self.mlp(torch.cat([angles.cos(), angles.sin()]).to(weight.dtype))
        return result


def positions(coordinates: torch.Tensor, channels: int) -> torch.Tensor:
    """Say where each of (n, 3) is, in `channels` numbers: sines and cosines of x, then of y and of z, then zeros."""
    angles = coordinates[..., None].float() * _frequencies(channels // 6, coordinates.device)
    waves = torch.cat([angles.sin(), angles.cos()], dim=-1).flatten(1)
    return functional.pad(waves, (0, channels - waves.shape[1]))


def _frequencies(count: int, device: torch.device) -> torch.Tensor:
    falling: torch.Tensor = 1.0 / _PERIOD ** (torch.arange(count, dtype=torch.float32, device=device) / count)
    return falling
