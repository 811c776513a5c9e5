"""Tiny Real-ESRGAN networks in the layout of the real file, planted or at random."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from support.tiny import shelve

FILE = "RealESRGAN_x4plus.safetensors"
GROWTH = 32
LAYOUT = {
    "conv_first": (8, 3),
    **{
        f"body.{block}.rdb{number}.conv{step}": (GROWTH if step < 5 else 8, 8 + GROWTH * (step - 1))
        for block in range(2)
        for number in (1, 2, 3)
        for step in range(1, 6)
    },
    "conv_body": (8, 8),
    "conv_up1": (8, 8),
    "conv_up2": (8, 8),
    "conv_hr": (8, 8),
    "conv_last": (3, 8),
}
"""Kernels of 3 x 3 by name: what comes out and what goes in; the real one has 64 in place of 8, and 23 blocks."""


@dataclass(frozen=True)
class Weights:
    """A state dict that `shelve` can save."""

    content: dict[str, torch.Tensor]

    def save_pretrained(self, folder: Path) -> None:
        """Write it."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file(self.content, folder / FILE)


def weights(*, planted: bool = False) -> dict[str, torch.Tensor]:
    """Give all kernels and biases: at random, or so that every pixel comes out as a square of its own value."""
    chance = torch.Generator().manual_seed(1)
    content: dict[str, Any] = {}
    for name, (made, given) in LAYOUT.items():
        kernel = torch.zeros(made, given, 3, 3)
        if planted and not name.startswith("body"):
            for channel in range(3):
                kernel[channel, channel, 1, 1] = 1
        elif not planted:
            kernel = torch.randn(made, given, 3, 3, generator=chance) * 1.3 / (given * 9) ** 0.5
        content[f"{name}.weight"] = kernel
        content[f"{name}.bias"] = torch.zeros(made)
    if not planted:
        content["conv_last.bias"] += 0.5
    if planted:
        content["conv_body.weight"].zero_()
    return content


def shelve_enlarger(models: Path, *, planted: bool = False) -> None:
    """Put the network on a shelf."""
    shelve(models, "realesrgan-x4plus", Weights(weights(planted=planted)))
