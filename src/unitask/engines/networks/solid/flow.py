"""How noise flows to what is wanted: Euler's method, with guidance away from nothing wanted, as Trellis samples."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field

from unitask.engines.networks.solid.voxels import Voxels

TIMES: Final = 1000
Change = Callable[[torch.Tensor, float, torch.Tensor], torch.Tensor]
"""Tells how what is flowing changes at a time, 1000 to 0, when this (tokens, channels) is wanted."""


class Plan(BaseModel):
    """What the weights say about sampling: between which shares of the noise guidance acts, how early steps crowd."""

    model_config = ConfigDict(frozen=True)

    cfg_interval: tuple[float, float] = (0.0, 1.0)
    rescale_t: float = Field(default=1.0, gt=0, le=100)


def times(steps: int, rescale: float) -> list[float]:
    """Give the shares of noise, from 1 to 0, between which `steps` steps lead."""
    even = [1 - number / steps for number in range(steps + 1)]
    return [rescale * share / (1 + (rescale - 1) * share) for share in even]


class Told(NamedTuple):
    """What is `wanted`, each (tokens, channels), and what stands for nothing wanted."""

    wanted: Sequence[torch.Tensor]
    nothing: torch.Tensor


def flow(
    change: Change,
    noise: torch.Tensor,
    told: Told,
    plan: Plan,
    *,
    steps: int,
    strength: float,
    done: Callable[[], None],
) -> torch.Tensor:
    """Let noise flow. Of several things wanted (views of one), each step follows the next in turn.

    `done` is called after every step; what it raises ends the work.
    """
    low, high = plan.cfg_interval
    shares = times(steps, plan.rescale_t)
    sample = noise
    for number in range(steps):
        share, following = shares[number], shares[number + 1]
        moved = change(sample, TIMES * share, told.wanted[number % len(told.wanted)])
        if low <= share <= high:
            moved = (1 + strength) * moved - strength * change(sample, TIMES * share, told.nothing)
        sample = sample - (share - following) * moved
        done()
    return sample


def among(network: Callable[[Voxels, float, torch.Tensor], torch.Tensor], voxels: Voxels) -> Change:
    """Let a flow of voxels' features be one of plain tensors."""
    return lambda features, time, wanted: network(voxels.having(features), time, wanted)
