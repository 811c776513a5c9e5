"""In which form a network is kept and computed, as its card says: fewer bytes for its numbers, or less to compute."""

import re
from collections.abc import Sequence
from math import prod
from typing import Any, Final, NamedTuple

import torch

from unitask.kit.errors import EngineFailure
from unitask.runtime.block_cache import cache_blocks
from unitask.weights import Card

PRECISE: Final = ("AutoencoderKLWan", "CLIPVisionModel", "CLIPVisionModelWithProjection")
"""What its makers say must compute in single precision, whatever the rest does."""
HALVED: Final = ("AutoencoderKLHunyuanVideo", "LlamaModel", "LlavaForConditionalGeneration")
"""What its makers hold in float16 where the rest is bfloat16, whose steps are eight times as large."""
NARROW: Final = {"int8": torch.int8, "fp8": torch.float8_e4m3fn}
"""Numbers of eight bits: whole ones, or with a point."""
_LARGEST: Final = {torch.int8: 127.0, torch.float8_e4m3fn: 448.0}
_LEAST: Final = torch.finfo(torch.float16).tiny
_DENOISERS: Final = re.compile("Transformer|ControlNet|UNet")
_DECODERS: Final = re.compile("Autoencoder|VAE|Vocoder")
_IN_BLOCK: Final = re.compile(r"(^|\.)\d+\.(.+\.)?weight$")


class Form(NamedTuple):
    """What of a card's wishes holds for a network: not all of them fit all kinds."""

    storage: str = "as loaded"
    compiled: bool = False
    block_cache: float = 0.0

    @classmethod
    def of(cls, card: Card, class_name: str) -> "Form":
        """Tell the form of a class of network: what decodes stays as it is, what reads texts only becomes smaller."""
        if _DECODERS.search(class_name) or class_name in PRECISE:
            return cls()
        if _DENOISERS.search(class_name):
            return cls(card.storage, card.compiled, card.block_cache)
        return cls(card.storage if card.storage in NARROW else "as loaded")

    def size_bytes(self, name: str, shape: Sequence[int], width: int) -> int:
        """Tell how many bytes a parameter takes in this form, if it computes with numbers of `width` bytes."""
        if self.storage in NARROW and len(shape) == 2 and _IN_BLOCK.search(name):  # noqa: PLR2004 - a matrix
            return prod(shape) + width * shape[0]
        return prod(shape) * width

    def give(self, network: Any, card: Card) -> None:
        """Bring a loaded network into this form.

        Raises:
            EngineFailure: this kind of network cannot take it.

        """
        if self.storage in NARROW:
            shrink(network, NARROW[self.storage])
        try:
            if self.block_cache:
                cache_blocks(network, self.block_cache)
            if self.compiled:
                network.compile_repeated_blocks()
        except (ValueError, AttributeError) as error:
            wishes = [name for name in ("compiled", "block_cache") if getattr(self, name)]
            raise EngineFailure(
                f"the card of {card.id} says {' and '.join(wishes)}, which {type(network).__name__} cannot do; "
                "take it out of the card",
                raw_message=str(error)[:500],
            ) from error


class NarrowLinear(torch.nn.Linear):
    """A linear layer whose weights take eight bits each, with one scale for each output.

    It computes in the precision of what it is given. LoRAs lie over it as over any linear layer: whatever the weights
    mean, they are kept as whole numbers, or the library would narrow the LoRAs as well.
    """

    scale: torch.Tensor

    def __init__(self, linear: torch.nn.Linear, kind: torch.dtype) -> None:
        super().__init__(linear.in_features, linear.out_features, bias=False, device="meta")
        self.kind = kind
        exact = linear.weight.detach().float()
        scale = (exact.abs().amax(dim=1) / _LARGEST[kind]).clamp(min=_LEAST).to(linear.weight.dtype)
        steps = (exact / scale.float()[:, None]).clamp(-_LARGEST[kind], _LARGEST[kind])
        narrow = (steps if kind.is_floating_point else steps.round()).to(kind)
        self.weight = torch.nn.Parameter(narrow.view(torch.int8), requires_grad=False)
        self.register_buffer("scale", scale)
        self.bias = linear.bias

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        """Go from (..., in) to (..., out): a scale for each output may as well be applied to the product."""
        steps = self.weight.view(self.kind).to(given.dtype)
        scaled: torch.Tensor = torch.nn.functional.linear(given, steps) * self.scale
        return scaled if self.bias is None else scaled + self.bias


def shrink(network: torch.nn.Module, kind: torch.dtype) -> None:
    """Keep the matrices of a network's repeated blocks in eight bits: nearly all of it, but for its ends."""
    for blocks in [module for module in network.modules() if isinstance(module, torch.nn.ModuleList)]:
        for module in list(blocks.modules()):
            for name, child in list(module.named_children()):
                if type(child) is torch.nn.Linear:
                    setattr(module, name, NarrowLinear(child, kind))
