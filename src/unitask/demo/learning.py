"""How a network learns here: for so long, at a rate that falls, with a running average of its numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, pi
from typing import Any, Final

import torch
from torch import nn

_WARM_UP_STEPS: Final = 100
_LAST_RATE: Final = 0.01
_MOST_AVERAGED: Final = 0.999
_LONGEST_GRADIENT: Final = 1.0


@dataclass(slots=True)
class Pace:
    """How much of its time a training has spent; `now` gives seconds from some beginning."""

    seconds: float
    now: Callable[[], float]
    spent_s: float = 0.0
    _since: float | None = None

    def share(self) -> float:
        """Tell how much of the time is spent, 0 to 1; what passes before the first question does not count."""
        now = self.now()
        if self._since is not None:
            self.spent_s += now - self._since
        self._since = now
        return min(self.spent_s / self.seconds, 1.0)


class Learner:
    """A network, its optimiser, and the running average of its numbers."""

    def __init__(self, network: nn.Module, pace: Pace, *, rate: float) -> None:
        self.network = network
        self.pace = pace
        self.steps = 0
        self._rate = rate
        self._numbers = list(network.parameters())
        self._average = [one.detach().clone() for one in self._numbers]
        self._optimiser = torch.optim.AdamW(self._numbers, lr=rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)

    def learn(self, loss: torch.Tensor) -> None:
        """Go one step down."""
        warm = min(1.0, (self.steps + 1) / _WARM_UP_STEPS)
        falling = _LAST_RATE + (1 - _LAST_RATE) * (1 + cos(pi * self.pace.share())) / 2
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * warm * falling
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._numbers, _LONGEST_GRADIENT)
        self._optimiser.step()
        self.steps += 1
        kept = min(_MOST_AVERAGED, (self.steps + 1) / (self.steps + 10))
        with torch.no_grad():
            torch._foreach_lerp_(self._average, self._numbers, 1 - kept)

    def give_average(self, network: nn.Module) -> None:
        """Write the running average into a network built alike."""
        with torch.no_grad():
            for own, averaged in zip(network.parameters(), self._average, strict=True):
                own.copy_(averaged)

    def state(self) -> dict[str, Any]:
        """Give all that is needed to go on later."""
        return {
            "network": self.network.state_dict(),
            "average": self._average,
            "optimiser": self._optimiser.state_dict(),
            "steps": self.steps,
            "spent_s": self.pace.spent_s,
        }

    def take(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self._average = [one.clone() for one in state["average"]]
        self._optimiser.load_state_dict(state["optimiser"])
        self.steps, self.pace.spent_s = state["steps"], state["spent_s"]
