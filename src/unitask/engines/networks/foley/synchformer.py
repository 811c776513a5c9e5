"""Synchformer's eye: when something moves in a film. It looks at segments of 16 frames, 25 a second.

Source: Synchformer (Iashin et al., 2024), whose eye is a Motionformer with divided attention: each patch looks along
time, then across its frame. Parameters are named as in the public weights, which tell the sizes too; what belongs to
the ear, and what that eye does not use, is left out.
"""

from collections.abc import Callable
from typing import Final, Self

import torch
from torch import nn
from torch.nn import functional

from unitask.engines.networks.states import numbered
from unitask.runtime.tables import Tensors

HEAD: Final = 64
PREFIX: Final = "vfeat_extractor."
UNUSED: Final = f"{PREFIX}patch_embed."
"""Patches of still pictures: the public weights have them, nothing looks at them."""
AT_ONCE: Final = 4
"""Segments that are looked at together."""
_EPSILON: Final = 1e-6
_SPREAD: Final = 4


class Patches(nn.Module):
    """Turns blocks of pixels in pairs of frames into rows."""

    def __init__(self, width: int, frames: int, side_px: int) -> None:
        super().__init__()
        block = frames, side_px, side_px
        self.proj = nn.Conv3d(3, width, block, block)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Go from (segments, 3, frames, height, width) to (segments, blocks, width), time before place."""
        rows: torch.Tensor = self.proj(seen)
        return rows.flatten(2).transpose(1, 2)


class Divided(nn.Module):
    """Attention along time or across a frame. The first row sees all, and is seen by all."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, rows: torch.Tensor, frames: int, *, along_time: bool) -> torch.Tensor:
        """Keep the shape (segments, 1 + frames * places, width)."""
        query, key, value = self.qkv(rows).unflatten(-1, (3, -1, HEAD)).permute(2, 0, 3, 1, 4)
        first = functional.scaled_dot_product_attention(query[:, :, :1], key, value)
        groups = [_grouped(one, frames, along_time=along_time) for one in (query, key, value)]
        found = functional.scaled_dot_product_attention(groups[0][..., 1:, :], groups[1], groups[2])
        found = (found.transpose(2, 3) if along_time else found).flatten(2, 3)
        made: torch.Tensor = self.proj(torch.cat((first, found), 2).transpose(1, 2).flatten(2))
        return made


class Layer(nn.Module):
    """Two linear layers with a bend between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, _SPREAD * width)
        self.fc2 = nn.Linear(_SPREAD * width, width)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Keep the shape."""
        made: torch.Tensor = self.fc2(functional.gelu(self.fc1(rows)))
        return made


class Block(nn.Module):
    """Looks along time, then across the frame, then thinks."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, _EPSILON)
        self.attn = Divided(width)
        self.timeattn = Divided(width)
        self.norm2 = nn.LayerNorm(width, _EPSILON)
        self.mlp = Layer(width)
        self.norm3 = nn.LayerNorm(width, _EPSILON)

    def forward(self, rows: torch.Tensor, frames: int) -> torch.Tensor:
        """Keep the shape (segments, 1 + frames * places, width)."""
        rows = rows + self.timeattn(self.norm3(rows), frames, along_time=True)
        rows = rows + self.attn(self.norm1(rows), frames, along_time=False)
        made: torch.Tensor = rows + self.mlp(self.norm2(rows))
        return made


class Summary(nn.TransformerEncoderLayer):
    """Sums up the places of a frame in a row of its own."""

    def __init__(self, width: int) -> None:
        super().__init__(
            width, width // HEAD, _SPREAD * width, 0.0, nn.GELU(), _EPSILON, batch_first=True, norm_first=True
        )
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))

    def summed(self, rows: torch.Tensor) -> torch.Tensor:
        """Go from (frames, places, width) to (frames, width)."""
        summed: torch.Tensor = self(torch.cat((self.cls_token.expand(len(rows), -1, -1), rows), 1))[:, 0]
        return summed


class Synchformer(nn.Module):
    """The eye. `side_px` is the side of the square frames it takes, `segment` how many of them it looks at at once."""

    _supports_group_offloading = False

    def __init__(self, width: int, blocks: int, block: tuple[int, int, int], frames: int, side: int) -> None:
        super().__init__()
        self.segment = frames * block[0]
        self.side_px = side * block[1]
        self.patch_embed_3d = Patches(width, block[0], block[1])
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + side * side, width))
        self.temp_embed = nn.Parameter(torch.zeros(1, frames, width))
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width, _EPSILON)
        self.spatial_attn_agg = Summary(width)

    @classmethod
    def of(cls, found: Tensors) -> Self:
        """Build it of its weights, which tell its size.

        Raises:
            KeyError, RuntimeError, ValueError: some are missing, or they are those of another network.

        """
        own = {
            name.removeprefix(PREFIX): value
            for name, value in found.items()
            if name.startswith(PREFIX) and not name.startswith(UNUSED)
        }
        width, _, *block = own["patch_embed_3d.proj.weight"].shape
        frames, places = own["temp_embed"].shape[1], own["pos_embed"].shape[1] - 1
        with torch.device("meta"):
            network = cls(width, numbered(own, "blocks."), (block[0], block[1], block[2]), frames, round(places**0.5))
        network.load_state_dict(own, assign=True)
        return network

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Go from (segments, frames, 3, side, side) in -1..1 to (segments, half as many frames, width)."""
        rows = self.patch_embed_3d(seen.transpose(1, 2))
        frames, places = self.temp_embed.shape[1], self.pos_embed.shape[1] - 1
        where = self.pos_embed[:, 1:].repeat(1, frames, 1) + self.temp_embed.repeat_interleave(places, 1)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(rows), -1, -1)
        rows = torch.cat((first, rows + where), 1)
        for block in self.blocks:
            rows = block(rows, frames)
        rows = self.norm(rows[:, 1:]).unflatten(1, (frames, places))
        return self.spatial_attn_agg.summed(rows.flatten(0, 1)).unflatten(0, (-1, frames))


def noticed(network: Synchformer, frames: torch.Tensor, on_part: Callable[[float], None]) -> torch.Tensor:
    """Look at all segments of a film: from bytes (frames, 3, side, side) to (1, 8 * segments, width).

    Neighbours share half of their frames. `on_part` is told which share is done.
    """
    weight = network.cls_token
    segments = frames.unfold(0, network.segment, network.segment // 2).permute(0, 4, 1, 2, 3)
    rows = []
    for start in range(0, len(segments), AT_ONCE):
        shown = segments[start : start + AT_ONCE].to(weight.device).float() / 127.5 - 1
        rows.append(network(shown.to(weight.dtype)).float().flatten(0, 1))
        on_part(min(1.0, (start + AT_ONCE) / len(segments)))
    return torch.cat(rows)[None]


def _grouped(rows: torch.Tensor, frames: int, *, along_time: bool) -> torch.Tensor:
    """Go from (segments, heads, 1 + frames * places, 64) to groups that see each other, each with the first row."""
    groups = rows[:, :, 1:].unflatten(2, (frames, -1))
    groups = groups.transpose(2, 3) if along_time else groups
    first = rows[:, :, None, :1].expand(-1, -1, groups.shape[2], -1, -1)
    return torch.cat((first, groups), 3)
