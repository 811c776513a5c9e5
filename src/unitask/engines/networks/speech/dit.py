"""The network of F5-TTS: a diffusion transformer that sees noise, a recording and the symbols of a text.

Parameters are named as in the public weights. All of it works on one order: the first axis of tensors is 1 or, where
the order goes together with its unguided twin, 2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Final

import torch
from torch import nn
from torch.nn import functional

HEAD: Final = 64
"""Numbers of one head of attention."""
FILLER: Final = 0
"""The symbol where there is no text; those of the vocabulary are counted from 1."""
_GROUPS: Final = 16
_REACH: Final = 31
_WAVES: Final = 256
_TEXT_MULT: Final = 2


@dataclass(frozen=True, slots=True)
class Build:
    """How a network is built. Its weights show all but the last two.

    `masked`: where there is no text, nothing is passed on; the first release did not do so. `turned` is how many heads
    of attention know of places: all of them (None), in the first release one.
    """

    symbols: int
    text_width: int
    text_blocks: int
    width: int
    blocks: int
    heads: int
    mult: int
    bands: int
    masked: bool = True
    turned: int | None = None

    @classmethod
    def of(cls, weights: Mapping[str, torch.Tensor], *, masked: bool, turned: int | None) -> "Build":
        """Read the sizes from a network's own weights.

        Raises:
            KeyError: some are missing.

        """
        symbols, text_width = weights["text_embed.text_embed.weight"].shape
        bands, width = weights["proj_out.weight"].shape
        return cls(
            symbols=symbols - 1,
            text_width=text_width,
            text_blocks=_count(weights, "text_embed.text_blocks."),
            width=width,
            blocks=_count(weights, "transformer_blocks."),
            heads=weights["transformer_blocks.0.attn.to_q.weight"].shape[0] // HEAD,
            mult=weights["transformer_blocks.0.ff.ff.0.0.weight"].shape[0] // width,
            bands=bands,
            masked=masked,
            turned=turned,
        )


class DiT(nn.Module):
    """Says in which direction noise becomes speech."""

    _supports_group_offloading = False
    """Too small to be worth streaming."""

    def __init__(self, build: Build) -> None:
        super().__init__()
        self.build = build
        self.time_embed = TimeEmbedding(build.width)
        self.text_embed = TextEmbedding(build)
        self.input_embed = InputEmbedding(build)
        self.transformer_blocks = nn.ModuleList(Block(build) for _ in range(build.blocks))
        self.norm_out = Modulation(build.width, 2)
        self.proj_out = nn.Linear(build.width, build.bands)

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in."""
        kind: torch.dtype = self.proj_out.weight.dtype
        return kind

    def forward(self, noisy: torch.Tensor, heard: torch.Tensor, told: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """Give the direction (2, frames, bands): led by the recording and the text, and by neither.

        `noisy` and `heard` are (1, frames, bands), `told` is (2, frames, text width) as `text_embed` gives it with and
        without the text, `time` is a number from 0, noise, to 1, speech.
        """
        known = torch.cat((heard, torch.zeros_like(heard)))
        seen = self.input_embed(torch.cat((noisy.expand_as(known), known, told), dim=-1))
        now = self.time_embed(time[None], seen.dtype)
        turns = rotations(seen.shape[1], seen.device)
        for block in self.transformer_blocks:
            seen = block(seen, now, turns)
        scale, shift = self.norm_out(now)
        direction: torch.Tensor = self.proj_out(normed(seen) * (1 + scale) + shift)
        return direction


class TimeEmbedding(nn.Module):
    """How far noise has become speech, as the network reads it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.time_mlp = nn.Sequential(nn.Linear(_WAVES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, time: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Go from (1,) to (1, width)."""
        half = _WAVES // 2
        steps = torch.exp(torch.arange(half, device=time.device) * (-log(10_000) / (half - 1)))
        angles = 1000 * time[:, None].float() * steps
        made: torch.Tensor = self.time_mlp(torch.cat((angles.sin(), angles.cos()), dim=-1).to(dtype))
        return made


class TextEmbedding(nn.Module):
    """Symbols, one for each of the first frames, as the network reads them."""

    def __init__(self, build: Build) -> None:
        super().__init__()
        self.masked = build.masked
        self.text_embed = nn.Embedding(build.symbols + 1, build.text_width)
        self.text_blocks = nn.Sequential(*(TextBlock(build.text_width) for _ in range(build.text_blocks)))

    def forward(self, ids: torch.Tensor, frames: int, *, silent: bool = False) -> torch.Tensor:
        """Go from numbers in the vocabulary (1, n) to (1, frames, text width); `silent`: as if there was no text."""
        ids = functional.pad(ids[:, :frames] + 1, (0, max(0, frames - ids.shape[1])), value=FILLER)
        filled = (ids == FILLER)[..., None] if self.masked else torch.zeros_like(ids, dtype=torch.bool)[..., None]
        read = self.text_embed(torch.full_like(ids, FILLER) if silent else ids)
        read = (read + places(frames, read.shape[-1], read.device).to(read.dtype)).masked_fill(filled, 0)
        for block in self.text_blocks:
            read = block(read).masked_fill(filled, 0)
        return read


class TextBlock(nn.Module):
    """A block of ConvNeXt V2 along a text."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = nn.Linear(width, _TEXT_MULT * width)
        self.grn = ResponseNorm(_TEXT_MULT * width)
        self.pwconv2 = nn.Linear(_TEXT_MULT * width, width)

    def forward(self, read: torch.Tensor) -> torch.Tensor:
        """Keep the shape (1, frames, width)."""
        beside = self.norm(self.dwconv(read.transpose(1, 2)).transpose(1, 2))
        made: torch.Tensor = self.pwconv2(self.grn(functional.gelu(self.pwconv1(beside))))
        return read + made


class ResponseNorm(nn.Module):
    """Channels compete: those that say much over all frames are raised."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 1, width))
        self.beta = nn.Parameter(torch.zeros(1, 1, width))

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Keep the shape (1, frames, width)."""
        much = given.norm(dim=1, keepdim=True)
        return self.gamma * (given * (much / (much.mean(dim=-1, keepdim=True) + 1e-6))) + self.beta + given


class InputEmbedding(nn.Module):
    """All that is known of each frame in one vector, with what is near it."""

    def __init__(self, build: Build) -> None:
        super().__init__()
        self.proj = nn.Linear(2 * build.bands + build.text_width, build.width)
        self.conv_pos_embed = NearFrames(build.width)

    def forward(self, known: torch.Tensor) -> torch.Tensor:
        """Go from (2, frames, all that is known) to (2, frames, width)."""
        seen: torch.Tensor = self.proj(known)
        return self.conv_pos_embed(seen) + seen


class NearFrames(nn.Module):
    """What is near a frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        one, two = (nn.Conv1d(width, width, _REACH, groups=_GROUPS, padding=_REACH // 2) for _ in range(2))
        self.conv1d = nn.Sequential(one, nn.Mish(), two, nn.Mish())

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Keep the shape (2, frames, width)."""
        made: torch.Tensor = self.conv1d(seen.transpose(1, 2)).transpose(1, 2)
        return made


class Modulation(nn.Module):
    """What the time says about how a block works: some vectors of the network's width."""

    def __init__(self, width: int, vectors: int) -> None:
        super().__init__()
        self.vectors = vectors
        self.linear = nn.Linear(width, vectors * width)

    def forward(self, now: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Give the vectors, each (1, 1, width)."""
        made: tuple[torch.Tensor, ...] = self.linear(functional.silu(now))[:, None].chunk(self.vectors, dim=-1)
        return made


class Block(nn.Module):
    """Attention among frames, then a network for each frame, both as the time says."""

    def __init__(self, build: Build) -> None:
        super().__init__()
        self.attn_norm = Modulation(build.width, 6)
        self.attn = Attention(build)
        self.ff = FeedForward(build.width, build.mult)

    def forward(self, seen: torch.Tensor, now: torch.Tensor, turns: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Keep the shape (2, frames, width)."""
        shift, scale, gate, shift_after, scale_after, gate_after = self.attn_norm(now)
        seen = seen + gate * self.attn(normed(seen) * (1 + scale) + shift, turns)
        made: torch.Tensor = seen + gate_after * self.ff(normed(seen) * (1 + scale_after) + shift_after)
        return made


class Attention(nn.Module):
    """Frames look at one another."""

    def __init__(self, build: Build) -> None:
        super().__init__()
        self.heads = build.heads
        self.turned = build.heads if build.turned is None else build.turned
        inner = build.heads * HEAD
        self.to_q, self.to_k, self.to_v = (nn.Linear(build.width, inner) for _ in range(3))
        self.to_out = nn.ModuleList([nn.Linear(inner, build.width)])

    def forward(self, seen: torch.Tensor, turns: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Keep the shape (2, frames, width)."""
        asked, offered, value = (
            part(seen).unflatten(-1, (self.heads, HEAD)).transpose(1, 2) for part in (self.to_q, self.to_k, self.to_v)
        )
        asked, offered = self._turn(asked, turns), self._turn(offered, turns)
        found = functional.scaled_dot_product_attention(asked, offered, value)
        made: torch.Tensor = self.to_out[0](found.transpose(1, 2).flatten(2))
        return made

    def _turn(self, vectors: torch.Tensor, turns: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Turn pairs of numbers by the place of their frame, in those heads that know of places."""
        cosine, sine = turns
        known, rest = vectors[:, : self.turned].float(), vectors[:, self.turned :]
        even, odd = known[..., ::2], known[..., 1::2]
        turned = torch.stack((even * cosine - odd * sine, odd * cosine + even * sine), dim=-1).flatten(-2)
        return torch.cat((turned.to(vectors.dtype), rest), dim=1)


class FeedForward(nn.Module):
    """A network for each frame."""

    def __init__(self, width: int, mult: int) -> None:
        super().__init__()
        into = nn.Sequential(nn.Linear(width, mult * width), nn.GELU(approximate="tanh"))
        self.ff = nn.Sequential(into, nn.Identity(), nn.Linear(mult * width, width))

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Keep the shape (2, frames, width)."""
        made: torch.Tensor = self.ff(seen)
        return made


def normed(given: torch.Tensor) -> torch.Tensor:
    """Bring each frame to mean 0 and variance 1."""
    return functional.layer_norm(given, given.shape[-1:], eps=1e-6)


def rotations(frames: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Give cosine and sine of the angle by which each pair of a head turns: each (frames, HEAD / 2)."""
    angles = _angles(frames, HEAD, device)
    return angles.cos(), angles.sin()


def places(frames: int, width: int, device: torch.device) -> torch.Tensor:
    """Give what tells the places of symbols: (frames, width), cosines and then sines."""
    angles = _angles(frames, width, device)
    return torch.cat((angles.cos(), angles.sin()), dim=-1)


def _angles(frames: int, width: int, device: torch.device) -> torch.Tensor:
    speeds = 10_000.0 ** (torch.arange(0, width, 2, device=device).float() / -width)
    return torch.outer(torch.arange(frames, device=device).float(), speeds)


def _count(weights: Mapping[str, torch.Tensor], prefix: str) -> int:
    return len({name.removeprefix(prefix).partition(".")[0] for name in weights if name.startswith(prefix)})
