"""Tiny GFPGANs in the layout of the real file: at random, or planted to paint everything in one colour."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from support.tiny import seeded, shelve
from unitask.runtime.face_restore import RESTORER
from unitask.runtime.spandrels import spandrel_alone

FILE = "GFPGANv1.4.pth"
SIZES = {"out_size": 64, "num_style_feat": 16, "num_mlp": 2, "narrow": 1 / 32}
"""The real one makes 512 x 512 pixels with 512 features, 8 layers that mix them, and all of the channels."""
PAINT = (20, 240, 230)


@dataclass(frozen=True)
class Pickled:
    """A table of weights, pickled as the public one is."""

    content: dict[str, torch.Tensor]

    def save_pretrained(self, folder: Path) -> None:
        """Write it."""
        folder.mkdir(parents=True, exist_ok=True)
        torch.save({"params_ema": self.content}, folder / FILE)


def restorer(*, planted: bool = True) -> Any:
    """Build one: of chance, or with nothing but the colour that is added last."""
    spandrel_alone()
    from spandrel.architectures.GFPGAN import GFPGAN  # noqa: PLC0415 - only after the line before

    network = seeded(GFPGAN, **SIZES).eval().requires_grad_(requires_grad=False)
    decoder = network.stylegan_decoder
    if planted:
        for value in network.parameters():
            value.zero_()
        decoder.to_rgbs[-1].bias[0, :, 0, 0] = torch.tensor(PAINT) / 127.5 - 1
    else:
        for name, value in network.named_parameters():
            if name.endswith(("bias", "conv1.weight")):
                value.add_(0.1 * torch.randn(value.shape, generator=torch.Generator().manual_seed(value.numel())))
    return network


def shelve_restorer(models: Path, *, planted: bool = True) -> None:
    """Put one on a shelf."""
    shelve(models, RESTORER, Pickled(restorer(planted=planted).state_dict()))
