"""Vocos: sound from the loudness of its bands. Parameters are named as in the public weights."""

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional

from unitask.engines.networks.speech.mel import HOP, WINDOW, window

_LOUDEST = 100.0


class Vocos(nn.Module):
    """Finds a spectrum for each frame, and lays the frames' sounds over one another."""

    _supports_group_offloading = False
    """Too small to be worth streaming."""

    def __init__(self, bands: int, width: int, inner: int, blocks: int) -> None:
        super().__init__()
        self.backbone = Backbone(bands, width, inner, blocks)
        self.head = Head(width)

    @classmethod
    def of(cls, weights: Mapping[str, torch.Tensor]) -> "Vocos":
        """Build it by the sizes of its own weights, and give it these.

        Raises:
            KeyError, RuntimeError: some are missing, or do not fit together.

        """
        width, bands = weights["backbone.embed.weight"].shape[:2]
        inner = weights["backbone.convnext.0.pwconv1.weight"].shape[0]
        blocks = {name.split(".")[2] for name in weights if name.startswith("backbone.convnext.")}
        with torch.device("meta"):
            vocoder = cls(bands, width, inner, len(blocks))
        vocoder.load_state_dict(dict(weights), assign=True)
        return vocoder

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Go from (frames, bands) to samples ((frames - 1) * HOP,)."""
        sound: torch.Tensor = self.head(self.backbone(frames.T[None]))[0]
        return sound


class Backbone(nn.Module):
    """Blocks of ConvNeXt along the frames."""

    def __init__(self, bands: int, width: int, inner: int, blocks: int) -> None:
        super().__init__()
        self.embed = nn.Conv1d(bands, width, 7, padding=3)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.convnext = nn.ModuleList(SoundBlock(width, inner) for _ in range(blocks))
        self.final_layer_norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, bands: torch.Tensor) -> torch.Tensor:
        """Go from (1, bands, frames) to (1, frames, width)."""
        seen = self.norm(self.embed(bands).transpose(1, 2)).transpose(1, 2)
        for block in self.convnext:
            seen = block(seen)
        made: torch.Tensor = self.final_layer_norm(seen.transpose(1, 2))
        return made


class SoundBlock(nn.Module):
    """A block of ConvNeXt, its result scaled by channel."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv1d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.pwconv1 = nn.Linear(width, inner)
        self.pwconv2 = nn.Linear(inner, width)
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Keep the shape (1, width, frames)."""
        beside = self.norm(self.dwconv(seen).transpose(1, 2))
        made: torch.Tensor = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(beside)))
        return seen + made.transpose(1, 2)


class Head(nn.Module):
    """Spectra, and the sound that has them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.out = nn.Linear(width, WINDOW + 2)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Go from (1, frames, width) to samples (1, (frames - 1) * HOP)."""
        loud, phase = self.out(seen).float().transpose(1, 2).chunk(2, dim=1)
        spectra = torch.polar(loud.exp().clamp(max=_LOUDEST), phase)
        return torch.istft(spectra, WINDOW, HOP, window=window(spectra.device))
