"""MuQ-MuLan: a style as one vector, the same for music that sounds so and for words that say so.

Source: https://arxiv.org/abs/2501.01108. Two towers that end in one space: MuQ hears, XLM-RoBERTa reads; over each, a
small transformer. Parameters are named as in the public weights (OpenMuQ/MuQ-MuLan-large), of which either tower takes
its own; what only training needs is left out.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import torch
from accelerate import init_empty_weights
from torch import Tensor, nn
from torch.nn import functional
from transformers import XLMRobertaConfig, XLMRobertaModel

from unitask.engines.networks.song.muq import Muq

Tower = TypeVar("Tower", bound=nn.Module)
_PREFIX: Final = "mulan."
_SHARPNESS: Final = 8.0


class Hearing(nn.Module):
    """The tower for recordings."""

    def __init__(self, weights: Mapping[str, Tensor], config: dict[str, Any]) -> None:
        super().__init__()
        muq = Muq(config)
        proj = _linear(weights, "audio.proj")
        over = Over(weights, "audio.transformer.")
        inner = nn.ModuleDict({"model": muq})
        self.audio = nn.ModuleDict({"model": inner, "proj": proj, "transformer": over})
        self.audio_to_latents = _linear(weights, "audio_to_latents")

    def forward(self, wave: Tensor) -> Tensor:
        """Go from recordings (batch, samples) to vectors (batch, width) of length 1."""
        hidden = self.audio["model"]["model"](wave)
        hidden = self.audio["transformer"](self.audio["proj"](hidden))
        return functional.normalize(self.audio_to_latents(hidden.mean(1)), dim=-1)


class Reading(nn.Module):
    """The tower for words."""

    def __init__(self, weights: Mapping[str, Tensor], config: dict[str, Any]) -> None:
        super().__init__()
        model = XLMRobertaModel(XLMRobertaConfig.from_dict(config), add_pooling_layer=False)
        proj = _linear(weights, "text.proj") if "text.proj.weight" in weights else nn.Identity()
        over = Over(weights, "text.transformer.")
        self.text = nn.ModuleDict({"model": model, "proj": proj, "transformer": over})
        self.text_to_latents = _linear(weights, "text_to_latents")

    def forward(self, tokens: Tensor) -> Tensor:
        """Go from the tokens of texts of one length (batch, tokens) to vectors (batch, width) of length 1."""
        hidden = self.text["model"](tokens).last_hidden_state
        hidden = self.text["transformer"](self.text["proj"](hidden))
        return functional.normalize(self.text_to_latents(hidden.mean(1)), dim=-1)


class Over(nn.Module):
    """A transformer whose sizes its weights tell."""

    def __init__(self, weights: Mapping[str, Tensor], prefix: str) -> None:
        super().__init__()
        ours = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        count = len({name.split(".")[1] for name in ours})
        inner, width = ours["layers.0.0.to_q.weight"].shape
        head = len(ours["layers.0.0.q_scale"])
        opened = ours["layers.0.1.4.weight"].shape[1]
        self.layers = nn.ModuleList(
            nn.ModuleList([Attention(width, inner, head), _forward(width, opened)]) for _ in range(count)
        )

    def forward(self, given: Tensor) -> Tensor:
        """Keep the shape (batch, tokens, width)."""
        for attention, forward in self.layers:
            given = given + attention(given)
            given = given + forward(given)
        return given


class Attention(nn.Module):
    """Attention whose queries and keys have length 1 before each of their numbers is scaled."""

    def __init__(self, width: int, inner: int, head: int) -> None:
        super().__init__()
        self._head = head
        self.norm = Norm(width)
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_kv = nn.Linear(width, 2 * inner, bias=False)
        self.q_scale = nn.Parameter(torch.ones(head))
        self.k_scale = nn.Parameter(torch.ones(head))
        self.to_out = nn.Sequential(nn.Linear(inner, width, bias=False))

    def forward(self, given: Tensor) -> Tensor:
        """Keep the shape (batch, tokens, width)."""
        normed = self.norm(given)
        query, key, value = (
            one.unflatten(-1, (-1, self._head)).transpose(1, 2)
            for one in (self.to_q(normed), *self.to_kv(normed).chunk(2, -1))
        )
        query = functional.normalize(query, dim=-1) * self.q_scale
        key = functional.normalize(key, dim=-1) * self.k_scale
        seen = functional.scaled_dot_product_attention(query, key, value, scale=_SHARPNESS)
        made: Tensor = self.to_out(seen.transpose(1, 2).flatten(2))
        return made


class Norm(nn.Module):
    """A layer norm that only scales."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.learned_gamma = nn.Parameter(torch.ones(width))

    def forward(self, given: Tensor) -> Tensor:
        """Keep the shape."""
        return functional.layer_norm(given, given.shape[-1:], self.learned_gamma)


class Gate(nn.Module):
    """Lets the second half of the channels decide how much of the first goes through."""

    def forward(self, given: Tensor) -> Tensor:
        """Go from (batch, tokens, 2 * width) to (batch, tokens, width)."""
        content, gate = given.chunk(2, -1)
        return functional.gelu(gate) * content


def hearing(weights: Mapping[str, Tensor], config: dict[str, Any], dtype: torch.dtype) -> Hearing:
    """Build the tower for recordings from the public state dict and the configuration of MuQ.

    Raises:
        KeyError, RuntimeError, TypeError, ValueError: they lack something, or do not fit together.

    """
    ours = _ours(weights)
    with init_empty_weights(include_buffers=False):
        tower = Hearing(ours, config)
    return _filled(tower, ours, dtype)


def reading(weights: Mapping[str, Tensor], config: dict[str, Any], dtype: torch.dtype) -> Reading:
    """Build the tower for words from the public state dict and the configuration of XLM-RoBERTa.

    Raises:
        KeyError, RuntimeError, TypeError, ValueError: they lack something, or do not fit together.

    """
    ours = _ours(weights)
    with init_empty_weights(include_buffers=False):
        tower = Reading(ours, config)
    return _filled(tower, ours, dtype)


def _ours(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(_PREFIX): value for name, value in weights.items()}


def _filled(tower: Tower, weights: Mapping[str, Tensor], dtype: torch.dtype) -> Tower:
    taken = {name: weights[name] for name in tower.state_dict()}
    taken = {name: value.to(dtype) if value.is_floating_point() else value for name, value in taken.items()}
    tower.load_state_dict(taken, assign=True)
    return tower


def _linear(weights: Mapping[str, Tensor], name: str) -> nn.Linear:
    width, given = weights[f"{name}.weight"].shape
    return nn.Linear(given, width, bias=f"{name}.bias" in weights)


def _forward(width: int, opened: int) -> nn.Sequential:
    """Norm, widen, gate, nothing (a dropout in training), narrow: the numbers are in the names of the weights."""
    widen, narrow = nn.Linear(width, 2 * opened, bias=False), nn.Linear(opened, width, bias=False)
    return nn.Sequential(Norm(width), widen, Gate(), nn.Identity(), narrow)
