"""The decoder of DiffRhythm: from latents to sound, piece by piece.

Source: Oobleck of Stable Audio. Its weights lie in a TorchScript file (ASLP-lab/DiffRhythm-vae) whose code is not run:
the network is built here, with the parameter names of that file, whose shapes tell its sizes.
"""

import math
from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

PIECE: Final = 128
OVERLAP: Final = 32
"""Latent frames that are decoded at once, and those that two pieces share: half from each is kept there."""
_DILATIONS: Final = (1, 3, 9)
_ENDS: Final = 3
"""Layers that are no blocks: one convolution before them, a snake and a convolution after them."""


class Decoder(nn.Module):
    """Convolutions that lengthen: `strides` multiply to the samples of one latent frame."""

    def __init__(self, latents: int, widths: list[int], strides: list[int], channels: int) -> None:
        super().__init__()
        self.hop = math.prod(strides)
        self.layers = nn.Sequential(
            nn.Conv1d(latents, widths[0], 7, padding=3),
            *(_block(*sizes) for sizes in zip(widths, widths[1:], strides, strict=False)),
            Snake(widths[-1]),
            nn.Conv1d(widths[-1], channels, 7, padding=3, bias=False),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """Go from (batch, latents, frames) to sound (batch, channels, frames * hop)."""
        sound: Tensor = self.layers(latents)
        return sound


class Snake(nn.Module):
    """Adds a wave of its input to it, each channel with its own rate and height."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, given: Tensor) -> Tensor:
        """Keep the shape (batch, width, samples)."""
        rate, height = self.alpha.exp()[:, None], self.beta.exp()[:, None] + 1e-9
        return given + torch.sin(given * rate).square() / height


class Layered(nn.Module):
    """Layers in turn, under the name that the public weights give them."""

    def __init__(self, *layers: nn.Module, residual: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self._residual = residual

    def forward(self, given: Tensor) -> Tensor:
        """Go through them; a residual one adds its input."""
        made: Tensor = self.layers(given)
        return given + made if self._residual else made


def built(weights: Mapping[str, Tensor], dtype: torch.dtype) -> Decoder:
    """Build the decoder from the tensors of the file; those of the encoder are left out.

    Raises:
        KeyError, RuntimeError: weights are missing, too many, or do not fit together.

    """
    prefix = "decoder."
    ours = {name.removeprefix(prefix): value.to(dtype) for name, value in weights.items() if name.startswith(prefix)}
    blocks = len({name.split(".")[1] for name in ours}) - _ENDS
    raising = [ours[f"layers.{number}.layers.1.weight"].shape for number in range(1, blocks + 1)]
    first = ours["layers.0.weight"].shape
    with torch.device("meta"):
        decoder = Decoder(
            latents=first[1],
            widths=[first[0], *(shape[1] for shape in raising)],
            strides=[shape[2] // 2 for shape in raising],
            channels=ours[f"layers.{blocks + 2}.weight"].shape[0],
        )
    decoder.load_state_dict(ours, assign=True)
    return decoder


def decoded(decoder: Decoder, latents: Tensor, on_piece: Callable[[float], None]) -> Tensor:
    """Turn latents (frames, channels) into sound (channels, frames * hop), in memory for one piece.

    `on_piece` is called after each piece with the share that is done; what it raises ends the decoding.
    """
    frames = len(latents)
    pieces = []
    for begin, first, last in spans(frames):
        piece = latents[begin : begin + PIECE].T[None].to(decoder.layers[0].weight)
        with torch.no_grad():
            sound = decoder(piece)[0]
        sound = sound[:, (first - begin) * decoder.hop : (last - begin) * decoder.hop]
        pieces.append(sound.float().cpu())
        on_piece(last / frames)
    return torch.cat(pieces, dim=1)


def spans(frames: int) -> list[tuple[int, int, int]]:
    """Divide frames into pieces: where each begins, and from which to which frame its sound is kept."""
    begins = [*range(0, max(frames - PIECE, 0), PIECE - OVERLAP), max(frames - PIECE, 0)]
    kept = [0, *(begin + OVERLAP // 2 for begin in begins[1:]), frames]
    return list(zip(begins, kept, kept[1:], strict=False))


def _block(given: int, width: int, stride: int) -> Layered:
    return Layered(
        Snake(given),
        nn.ConvTranspose1d(given, width, 2 * stride, stride, padding=(stride + 1) // 2),
        *(_unit(width, dilation) for dilation in _DILATIONS),
    )


def _unit(width: int, dilation: int) -> Layered:
    return Layered(
        Snake(width),
        nn.Conv1d(width, width, 7, padding=3 * dilation, dilation=dilation),
        Snake(width),
        nn.Conv1d(width, width, 1),
        residual=True,
    )
