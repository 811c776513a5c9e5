"""From noise to speech: the steps along which F5-TTS's network leads."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import cos, pi
from typing import Final

import torch
from torch.nn import functional

from unitask.engines.networks.speech.dit import DiT

FEW: Final = {
    5: (0, 2, 4, 8, 16, 32),
    6: (0, 2, 4, 6, 8, 16, 32),
    7: (0, 2, 4, 6, 8, 16, 24, 32),
    10: (0, 2, 4, 6, 8, 12, 16, 20, 24, 28, 32),
    12: (0, 2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32),
    16: (0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32),
}
"""Where to stop on the way where there are few steps, in 32nds: as its makers found out by trial (EPSS)."""


def times(steps: int, sway: float) -> list[float]:
    """Give the times 0 to 1 between which the steps lead. A negative `sway` makes the first ones shorter."""
    even = [place / 32 for place in FEW[steps]] if steps in FEW else [step / steps for step in range(steps + 1)]
    return [time + sway * (cos(pi / 2 * time) - 1 + time) for time in even]


@dataclass(frozen=True, slots=True)
class Sampler:
    """Leads from noise to speech in as many steps as there are `times` less one.

    The direction of each step is that with the recording and the text, and by `guidance` away from that without.
    """

    network: DiT
    times: list[float]
    guidance: float

    def go_on(
        self, heard: torch.Tensor, ids: torch.Tensor, noise: torch.Tensor, after_step: Callable[[], None]
    ) -> torch.Tensor:
        """Go on from a recording (frames, bands) for as many frames as `noise` has more: (more frames, bands).

        `ids` are the symbols (n,) of what is said in the recording and after it. What `after_step` raises ends it.
        """
        frames = len(noise)
        known = functional.pad(heard, (0, 0, 0, frames - len(heard)))[None].to(self.network.dtype)
        told = torch.cat([self.network.text_embed(ids[None], frames, silent=silent) for silent in (False, True)])
        state = noise[None].float()
        for now, then in pairwise(self.times):
            time = torch.tensor(now, device=state.device)
            led, free = self.network(state.to(self.network.dtype), known, told, time).float()
            state = state + (then - now) * (led + (led - free) * self.guidance)
            after_step()
        return state[0, len(heard) :]
