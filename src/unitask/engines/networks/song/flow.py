"""The network of DiffRhythm and its sampler: from noise to the latents of a song, along a flow.

Source: https://arxiv.org/abs/2503.01183. A Llama without causality over all frames of the song at once; each frame is
told its noisy latent, the phoneme to sing there, the style, and when in the flow it is. Parameters are named as in the
public weights (ASLP-lab/DiffRhythm-1_2 and -1_2-full), which is how their sizes are known.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

HEADS: Final = 32
LONGEST: Final = 6144
"""Frames of the longest song that the network for whole songs knows; the length it is told is a share of them."""
_STEPS_SCALE: Final = 1000
_SINES: Final = 128
_PERIOD: Final = 10000.0
_GROUPS: Final = 16
_KERNEL: Final = 31


@dataclass(frozen=True, slots=True)
class Sizes:
    """What the shapes of the weights say."""

    width: int
    inner: int
    blocks: int
    channels: int
    told: int
    text: int
    text_blocks: int
    symbols: int
    whole: bool

    @classmethod
    def of(cls, weights: Mapping[str, Tensor]) -> Self:
        """Read them.

        Raises:
            KeyError: weights are missing.

        """
        channels, width = weights["proj_out.weight"].shape
        rows, text = weights["text_embed.text_embed.weight"].shape
        return cls(
            width=width,
            inner=weights["transformer_blocks.0.mlp.up_proj.weight"].shape[0],
            blocks=_count(weights, "transformer_blocks."),
            channels=channels,
            told=weights["norm_out.linear.weight"].shape[1],
            text=text,
            text_blocks=_count(weights, "text_embed.text_blocks."),
            symbols=rows,
            whole="duration_time_embed.time_mlp.0.weight" in weights,
        )


@dataclass(frozen=True, slots=True)
class Told:
    """What the network is told for each half of a step: with the words and the style, and without them.

    `text` (2, frames, text width) is what `Flow.text_embed` made; `style` (2, 512); `share` of `LONGEST` frames.
    """

    text: Tensor
    style: Tensor
    share: float


class Flow(nn.Module):
    """DiffRhythm's transformer."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.time_embed = Moment(sizes.told)
        self.start_time_embed = Moment(sizes.told)
        if sizes.whole:
            self.duration_time_embed = Moment(sizes.told)
        self.text_embed = Text(sizes.symbols, sizes.text, sizes.text_blocks)
        self.input_embed = Entry(2 * sizes.channels + sizes.text + 2 * sizes.told, sizes.width)
        self.transformer_blocks = nn.ModuleList(Block(sizes.width, sizes.inner) for _ in range(sizes.blocks))
        self.text_fusion_linears = nn.ModuleList(
            nn.Sequential(nn.Linear(sizes.text, sizes.width), nn.SiLU()) for _ in range(sizes.blocks // 2)
        )
        self.norm_out = nn.ModuleDict({"linear": nn.Linear(sizes.told, 2 * sizes.width)})
        self.proj_out = nn.Linear(sizes.width, sizes.channels)

    def forward(self, noisy: Tensor, told: Told, at: float) -> Tensor:
        """Tell where the flow goes: (2, frames, channels) to the same, at a moment between 0 (noise) and 1."""
        frames = noisy.shape[1]
        moment = self.time_embed(_scalar(at, noisy)) + self.start_time_embed(_scalar(0.0, noisy))
        if self.sizes.whole:
            moment = moment + self.duration_time_embed(_scalar(told.share, noisy))
        moment = moment.expand(len(noisy), -1)
        around = (told.style[:, None], moment[:, None])
        known = torch.zeros_like(noisy)  # nothing of the song is given
        hidden = self.input_embed(torch.cat((noisy, known, told.text, *(_wide(one, frames) for one in around)), -1))
        turns = rotations(frames, self.sizes.width // HEADS, hidden)
        for number, block in enumerate(self.transformer_blocks):
            hidden = block(hidden, turns)
            if number < len(self.text_fusion_linears):
                hidden = hidden + self.text_fusion_linears[number](told.text)
        scale, shift = self.norm_out["linear"](functional.silu(moment))[:, None].chunk(2, -1)
        flow: Tensor = self.proj_out(_normed(hidden) * (1 + scale) + shift)
        return flow


class Moment(nn.Module):
    """Turns a number between 0 and 1 into a vector: sines and cosines, and two layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.time_mlp = nn.Sequential(nn.Linear(2 * _SINES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, moment: Tensor) -> Tensor:
        """Go from (batch,) to (batch, width)."""
        steps = torch.arange(_SINES, device=moment.device, dtype=torch.float32)
        angles = _STEPS_SCALE * moment[:, None] * torch.exp(steps * -(math.log(_PERIOD) / (_SINES - 1)))
        waves = torch.cat((angles.sin(), angles.cos()), -1)
        vector: Tensor = self.time_mlp(waves.to(self.time_mlp[0].weight.dtype))
        return vector


class Text(nn.Module):
    """Turns the symbol of each frame into a vector that knows its neighbours."""

    def __init__(self, symbols: int, width: int, blocks: int) -> None:
        super().__init__()
        self.text_embed = nn.Embedding(symbols, width)
        self.text_blocks = nn.Sequential(*(Mix(width) for _ in range(blocks)))

    def forward(self, symbols: Tensor) -> Tensor:
        """Go from (batch, frames) of numbers, 0 where nothing is sung, to (batch, frames, width)."""
        found = self.text_embed(symbols)
        frames, width = found.shape[1:]
        rates = 1 / _PERIOD ** (torch.arange(0, width, 2, device=found.device).float() / width)
        angles = torch.outer(torch.arange(frames, device=found.device).float(), rates)
        places = torch.cat((angles.cos(), angles.sin()), -1).to(found)
        mixed: Tensor = self.text_blocks(found + places)
        return mixed


class Mix(nn.Module):
    """A block of ConvNeXt V2 over frames."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = nn.Linear(width, 2 * width)
        self.grn = Response(2 * width)
        self.pwconv2 = nn.Linear(2 * width, width)

    def forward(self, given: Tensor) -> Tensor:
        """Keep the shape (batch, frames, width)."""
        near = self.dwconv(given.transpose(1, 2)).transpose(1, 2)
        added: Tensor = self.pwconv2(self.grn(functional.gelu(self.pwconv1(self.norm(near)))))
        return given + added


class Response(nn.Module):
    """Weighs channels by their share in the whole sequence."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, width))
        self.beta = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, given: Tensor) -> Tensor:
        """Keep the shape (batch, frames, width)."""
        strength = given.norm(dim=1, keepdim=True)
        share = strength / (strength.mean(-1, keepdim=True) + 1e-6)
        return self.gamma * (given * share) + self.beta + given


class Entry(nn.Module):
    """Brings all that a frame is told to the width of the network, and lets it see its neighbours."""

    def __init__(self, given: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Linear(given, width)
        self.conv_pos_embed = Neighbours(width)

    def forward(self, given: Tensor) -> Tensor:
        """Go from (batch, frames, given) to (batch, frames, width)."""
        hidden: Tensor = self.proj(given)
        seen: Tensor = self.conv_pos_embed(hidden)
        return hidden + seen


class Neighbours(nn.Module):
    """Two convolutions over 31 frames."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1d = nn.Sequential(_near(width), nn.Mish(), _near(width), nn.Mish())

    def forward(self, given: Tensor) -> Tensor:
        """Keep the shape (batch, frames, width)."""
        seen: Tensor = self.conv1d(given.transpose(1, 2)).transpose(1, 2)
        return seen


class Block(nn.Module):
    """A layer of Llama in which every frame sees every other."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.self_attn = nn.ModuleDict({f"{name}_proj": nn.Linear(width, width, bias=False) for name in "qkvo"})
        self.mlp = nn.ModuleDict(
            {
                "gate_proj": nn.Linear(width, inner, bias=False),
                "up_proj": nn.Linear(width, inner, bias=False),
                "down_proj": nn.Linear(inner, width, bias=False),
            }
        )
        self.input_layernorm = nn.RMSNorm(width, eps=1e-6)
        self.post_attention_layernorm = nn.RMSNorm(width, eps=1e-6)

    def forward(self, given: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """Keep the shape (batch, frames, width)."""
        normed = self.input_layernorm(given)
        query, key, value = (
            self.self_attn[f"{name}_proj"](normed).unflatten(-1, (HEADS, -1)).transpose(1, 2) for name in "qkv"
        )
        seen = functional.scaled_dot_product_attention(_turned(query, turns), _turned(key, turns), value)
        hidden = given + self.self_attn["o_proj"](seen.transpose(1, 2).flatten(2))
        normed = self.post_attention_layernorm(hidden)
        opened = functional.silu(self.mlp["gate_proj"](normed)) * self.mlp["up_proj"](normed)
        left: Tensor = hidden + self.mlp["down_proj"](opened)
        return left


def built(weights: Mapping[str, Tensor], dtype: torch.dtype) -> Flow:
    """Build the network from a state dict of the public layout, whose names begin with `transformer.`.

    Raises:
        KeyError, RuntimeError: weights are missing, too many, or do not fit together.

    """
    prefix = "transformer."
    ours = {name.removeprefix(prefix): value.to(dtype) for name, value in weights.items() if name.startswith(prefix)}
    with torch.device("meta"):
        network = Flow(Sizes.of(ours))
    network.load_state_dict(ours, assign=True)
    return network


def sampled(
    network: Flow,
    told: Told,
    noise: Tensor,
    *,
    steps: int,
    guidance: float,
    on_step: Callable[[int], None],
) -> Tensor:
    """Follow the flow from noise (1, frames, channels) to latents, by Euler's method over `steps` moments.

    `told` holds both halves: what is wanted, and what to lead away from by `guidance`. `on_step` is called after each
    of the `steps` - 1 steps with their number; what it raises ends the sampling.
    """
    moments = torch.linspace(0, 1, steps).tolist()
    latents = noise.float()
    dtype = network.proj_out.weight.dtype
    for number, (here, there) in enumerate(pairwise(moments), 1):
        with torch.no_grad():
            wanted, unwanted = network(latents.to(dtype).expand(2, -1, -1), told, here).float()
        latents = latents + (there - here) * (wanted + guidance * (wanted - unwanted))
        on_step(number)
    return latents


def rotations(frames: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Give the cosines and sines (frames, width) by which each frame's queries and keys are turned."""
    rates = 1 / _PERIOD ** (torch.arange(0, width, 2, device=like.device).float() / width)
    angles = torch.outer(torch.arange(frames, device=like.device).float(), rates).repeat(1, 2)
    return angles.cos().to(like), angles.sin().to(like)


def _turned(given: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    first, second = given.chunk(2, -1)
    return given * turns[0] + torch.cat((-second, first), -1) * turns[1]


def _near(width: int) -> nn.Conv1d:
    return nn.Conv1d(width, width, _KERNEL, groups=_GROUPS, padding=_KERNEL // 2)


def _normed(given: Tensor) -> Tensor:
    return functional.layer_norm(given, given.shape[-1:], eps=1e-6)


def _wide(one: Tensor, frames: int) -> Tensor:
    return one.expand(-1, frames, -1)


def _scalar(value: float, like: Tensor) -> Tensor:
    return torch.tensor([value], device=like.device, dtype=torch.float32)


def _count(weights: Mapping[str, Tensor], prefix: str) -> int:
    return len({name.removeprefix(prefix).partition(".")[0] for name in weights if name.startswith(prefix)})
