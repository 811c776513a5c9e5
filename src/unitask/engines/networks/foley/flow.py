"""MMAudio's flow network: which way from noise to the latent of a sound, told by pictures, movements and words.

Source: MMAudio (Cheng et al., 2025), layout `large_44k_v2`; parameters are named as in the public weights, which tell
the sizes too. All is (batch, length, width): a sound has a row for each latent frame, pictures have 8 a second,
movements 8 a segment, words a row for each token. In the first blocks all of them attend to all, in the rest the sound
to itself; movements shift and scale the sound at each moment.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import torch
from torch import nn
from torch.nn import functional

from unitask.engines.networks.states import numbered
from unitask.runtime.tables import Tensors

HEAD: Final = 64
PERIOD: Final = 10_000
SHARED: Final = 8
"""Rows of a segment's movements, each with a learned place of its own."""
COMPUTED: Final = ("t_embed.freqs", "latent_rot", "clip_rot")
"""What some files hold besides parameters: it follows from the sizes."""
_HIDDEN: Final = 256

Projected = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Size:
    """How wide the network and all that goes into it is, how many blocks it has, how many tokens it reads."""

    width: int
    joint: int
    fused: int
    latent: int
    pictures: int
    movements: int
    words: int
    tokens: int


class Told(NamedTuple):
    """What leads a sound, made once for all steps. `whole` is (batch, width), the rest (batch, length, width)."""

    pictures: torch.Tensor
    movements: torch.Tensor
    words: torch.Tensor
    whole: torch.Tensor


class AlongTime(nn.Conv1d):
    """A convolution along the rows of (batch, length, width), which keeps their number."""

    def __init__(self, wide: int, high: int, kernel: int, *, bias: bool = True) -> None:
        super().__init__(wide, high, kernel, padding=kernel // 2, bias=bias)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Go from (batch, length, wide) to (batch, length, high)."""
        return super().forward(rows.transpose(1, 2)).transpose(1, 2)


class Gated(nn.Module):
    """A layer of which one half opens the other; it sees `kernel` rows at once."""

    def __init__(self, width: int, kernel: int = 1) -> None:
        super().__init__()
        hidden = -(-int(2 * 4 * width / 3) // _HIDDEN) * _HIDDEN
        self.w1 = _layer(width, hidden, kernel, bias=False)
        self.w2 = _layer(hidden, width, kernel, bias=False)
        self.w3 = _layer(width, hidden, kernel, bias=False)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Keep the shape."""
        mixed: torch.Tensor = self.w2(functional.silu(self.w1(rows)) * self.w3(rows))
        return mixed


class Heads(nn.Module):
    """Makes queries, keys and values (batch, heads, length, 64)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm = nn.RMSNorm(HEAD)
        self.k_norm = nn.RMSNorm(HEAD)

    def forward(self, rows: torch.Tensor, places: torch.Tensor | None) -> Projected:
        """Turn queries and keys by their `places`; None leaves them without."""
        query, key, value = self.qkv(rows).unflatten(-1, (-1, HEAD, 3)).transpose(1, 2).unbind(-1)
        query, key = self.q_norm(query), self.k_norm(key)
        if places is None:
            return query, key, value
        return turned(query, places), turned(key, places), value


class Block(nn.Module):
    """One stream's part of a block: before the attention, and after it. The last of a stream only lends its rows."""

    def __init__(self, width: int, *, kernel: int = 3, lends: bool = False) -> None:
        super().__init__()
        self.attn = Heads(width)
        self.parts = 2 if lends else 6
        self.adaLN_modulation = _modulation(width, self.parts)
        if not lends:
            self.linear1 = _layer(width, width, kernel)
            self.ffn = Gated(width, kernel)

    def before(
        self, rows: torch.Tensor, led: torch.Tensor, places: torch.Tensor | None
    ) -> tuple[Projected, tuple[torch.Tensor, ...]]:
        """Give what attends, and how the rest is shifted, scaled and gated; `led` is (batch, 1 or length, width)."""
        shift, scale, *rest = self.adaLN_modulation(led).chunk(self.parts, -1)
        return self.attn(_normal(rows) * (1 + scale) + shift, places), tuple(rest)

    def after(self, rows: torch.Tensor, found: torch.Tensor, rest: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """Add what the attention found, and what the layer makes of it."""
        gate, shift, scale, opened = rest
        rows = rows + self.linear1(found) * gate
        made: torch.Tensor = rows + self.ffn(_normal(rows) * (1 + scale) + shift) * opened
        return made


class JointBlock(nn.Module):
    """Sound, pictures and words attend to each other. The last one gives the sound alone."""

    def __init__(self, width: int, *, last: bool) -> None:
        super().__init__()
        self.last = last
        self.latent_block = Block(width)
        self.clip_block = Block(width, lends=last)
        self.text_block = Block(width, kernel=1, lends=last)

    def forward(
        self, sound: torch.Tensor, told: Told, led: torch.Tensor, places: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, Told]:
        """Give the new sound, and what it is told from here on. `led` leads the sound, `told.whole` the others."""
        whole = told.whole[:, None]
        streams = (
            self.latent_block.before(sound, led, places[0]),
            self.clip_block.before(told.pictures, whole, places[1]),
            self.text_block.before(told.words, whole, None),
        )
        query, key, value = (torch.cat(same, 2) for same in zip(*(one for one, _ in streams), strict=True))
        lengths = [sound.shape[1], told.pictures.shape[1], told.words.shape[1]]
        found = _attended(query, key, value).split(lengths, 1)
        sound = self.latent_block.after(sound, found[0], streams[0][1])
        if self.last:
            return sound, told
        pictures = self.clip_block.after(told.pictures, found[1], streams[1][1])
        return sound, told._replace(pictures=pictures, words=self.text_block.after(told.words, found[2], streams[2][1]))


class Ending(nn.Module):
    """From the network's width to the latent's."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        self.adaLN_modulation = _modulation(width, 2)
        self.conv = AlongTime(width, latent, 7)

    def forward(self, sound: torch.Tensor, led: torch.Tensor) -> torch.Tensor:
        """Go from (batch, length, width) to (batch, length, latent)."""
        shift, scale = self.adaLN_modulation(led).chunk(2, -1)
        made: torch.Tensor = self.conv(_normal(sound) * (1 + scale) + shift)
        return made


class Moment(nn.Module):
    """Says where between noise, 0, and sound, 1, a step stands."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.width = width

    def forward(self, time: torch.Tensor) -> torch.Tensor:
        """Go from one number to (1, width)."""
        powers = torch.arange(0, self.width, 2, device=time.device, dtype=torch.float32) / self.width
        angles = time.float() * PERIOD * PERIOD**-powers
        waves = torch.cat((angles.cos(), angles.sin()))[None]
        made: torch.Tensor = self.mlp(waves.to(self.mlp[0].weight.dtype))
        return made


class Flow(nn.Module):
    """The whole network. `told` prepares what leads a sound, `forward` gives the direction of a step."""

    _supports_group_offloading = False

    def __init__(self, size: Size) -> None:
        super().__init__()
        width = size.width
        self.audio_input_proj = nn.Sequential(AlongTime(size.latent, width, 7), nn.SiLU(), Gated(width, 7))
        self.clip_input_proj = nn.Sequential(nn.Linear(size.pictures, width), nn.SiLU(), Gated(width, 3))
        self.sync_input_proj = nn.Sequential(AlongTime(size.movements, width, 7), nn.SiLU(), Gated(width, 3))
        self.text_input_proj = nn.Sequential(nn.Linear(size.words, width), nn.SiLU(), Gated(width))
        self.clip_cond_proj = nn.Linear(width, width)
        self.text_cond_proj = nn.Linear(width, width)
        self.global_cond_mlp = Gated(width)
        self.sync_pos_emb = nn.Parameter(torch.zeros(1, 1, SHARED, size.movements))
        self.final_layer = Ending(width, size.latent)
        self.t_embed = Moment(width)
        self.joint_blocks = nn.ModuleList(JointBlock(width, last=n == size.joint - 1) for n in range(size.joint))
        self.fused_blocks = nn.ModuleList(Block(width) for _ in range(size.fused))
        self.latent_mean = nn.Parameter(torch.zeros(1, 1, size.latent))
        self.latent_std = nn.Parameter(torch.ones(1, 1, size.latent))
        self.empty_string_feat = nn.Parameter(torch.zeros(size.tokens, size.words))
        self.empty_clip_feat = nn.Parameter(torch.zeros(1, size.pictures))
        self.empty_sync_feat = nn.Parameter(torch.zeros(1, size.movements))

    @classmethod
    def of(cls, found: Tensors) -> Self:
        """Build it of its weights, which tell its size.

        Raises:
            KeyError, RuntimeError, ValueError: some are missing, or they are those of another network.

        """
        found = {name: value for name, value in found.items() if name not in COMPUTED}
        width, latent, _ = found["audio_input_proj.0.weight"].shape
        tokens, words = found["empty_string_feat"].shape
        size = Size(
            width,
            numbered(found, "joint_blocks."),
            numbered(found, "fused_blocks."),
            latent,
            found["empty_clip_feat"].shape[1],
            found["empty_sync_feat"].shape[1],
            words,
            tokens,
        )
        with torch.device("meta"):
            network = cls(size)
        network.load_state_dict(found, assign=True)
        return network

    def told(
        self, pictures: torch.Tensor, movements: torch.Tensor, words: torch.Tensor, against: torch.Tensor, length: int
    ) -> Told:
        """Prepare what leads a sound of `length` latent frames, in row 0, and what it is led away from, in row 1.

        That is nothing to see, and the words `against`. All come as (1, rows, width of their kind).
        """
        pictures = torch.cat((pictures, self.empty_clip_feat.expand_as(pictures)))
        movements = torch.cat((movements, self.empty_sync_feat.expand_as(movements)))
        placed = (movements.unflatten(1, (-1, SHARED)) + self.sync_pos_emb).flatten(1, 2)
        moved = self.sync_input_proj(placed).transpose(1, 2)
        seen = self.clip_input_proj(pictures)
        said = self.text_input_proj(torch.cat((words, against)))
        whole = self.global_cond_mlp(self.clip_cond_proj(seen.mean(1)) + self.text_cond_proj(said.mean(1)))
        return Told(seen, functional.interpolate(moved, length, mode="nearest-exact").transpose(1, 2), said, whole)

    def forward(self, sound: torch.Tensor, time: torch.Tensor, told: Told) -> torch.Tensor:
        """Give the direction in which a sound (batch, length, latent) goes on at a `time` from 0 to 1."""
        length, frames = sound.shape[1], told.pictures.shape[1]
        places = places_of(length, 1.0, sound.device), places_of(frames, length / frames, sound.device)
        whole = self.t_embed(time) + told.whole
        told = told._replace(whole=whole)
        led = whole[:, None] + told.movements
        rows = self.audio_input_proj(sound)
        for joint in self.joint_blocks:
            rows, told = joint(rows, told, led, places)
        for fused in self.fused_blocks:
            attends, rest = fused.before(rows, led, places[0])
            rows = fused.after(rows, _attended(*attends), rest)
        made: torch.Tensor = self.final_layer(rows, whole[:, None])
        return made


def sampled(
    network: Flow, noise: torch.Tensor, told: Told, *, steps: int, guidance: float, on_step: Callable[[int], None]
) -> torch.Tensor:
    """Follow the flow from noise (1, length, latent) to a latent in equal steps; `on_step` is told each that is done.

    `guidance` is how much further than asked it goes from what it is led away from; 1 is not at all.
    """
    sound = noise
    times = torch.linspace(0, 1, steps + 1).to(noise.device)
    for step in range(steps):
        led, away = network(sound.repeat(2, 1, 1).to(told.whole.dtype), times[step], told).float().chunk(2)
        sound = sound + (times[step + 1] - times[step]) * (guidance * led + (1 - guidance) * away)
        on_step(step + 1)
    return sound * network.latent_std + network.latent_mean


def places_of(length: int, spread: float, device: torch.device) -> torch.Tensor:
    """Give each row's place as turns of the complex plane: (length, 32). Neighbours are `spread` apart."""
    powers = torch.arange(0, HEAD, 2, device=device, dtype=torch.float32) / HEAD
    angles = torch.outer(torch.arange(length, device=device, dtype=torch.float32), spread * PERIOD**-powers)
    return torch.polar(torch.ones_like(angles), angles)


def turned(rows: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Turn each pair of numbers of (batch, heads, length, 64) by its row's place."""
    pairs = torch.view_as_complex(rows.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * places).flatten(-2).to(rows.dtype)


def _attended(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


def _normal(rows: torch.Tensor) -> torch.Tensor:
    return functional.layer_norm(rows, rows.shape[-1:])


def _layer(wide: int, high: int, kernel: int, *, bias: bool = True) -> nn.Module:
    return nn.Linear(wide, high, bias=bias) if kernel == 1 else AlongTime(wide, high, kernel, bias=bias)


def _modulation(width: int, parts: int) -> nn.Sequential:
    return nn.Sequential(nn.SiLU(), nn.Linear(width, parts * width))
