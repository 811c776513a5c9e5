"""The first-block cache: where the first block changed little since the last step, the others are not computed anew.

The library's cache wants to be told which calls of a network belong together; many of its pipelines do not say so.
Here the network finds out by itself.
"""

from functools import update_wrapper
from typing import Any

import torch
from diffusers import FirstBlockCacheConfig


def cache_blocks(network: Any, threshold: float) -> None:
    """Give a network the cache; at `threshold` 0 nothing would ever be left away, at 1 nearly everything.

    Raises:
        ValueError, AttributeError: this kind of network cannot have it.

    """
    network.enable_cache(FirstBlockCacheConfig(threshold=threshold))
    calls = network.cached_calls = Calls(network)
    network.forward = update_wrapper(calls, network.forward)


def forget(network: Any) -> None:
    """Forget what a task has left in a network's cache: one that was cancelled does not clean up."""
    if hasattr(network, "cached_calls"):
        network.cached_calls.texts.clear()
        network._reset_stateful_cache()  # noqa: SLF001 - what its pipelines call


class Calls:
    """A network's `forward`. Calls with one text belong together, as long as their time goes down.

    `texts` holds them, each with its last time. A call that a ControlNet takes part in is made in full: what it adds
    to the blocks would be added to what is remembered of them, twice.
    """

    def __init__(self, network: Any) -> None:
        self.texts: list[tuple[torch.Tensor, float]] = []
        self._network = network
        self._plain = network.forward

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Compute the network, or its first block and what is remembered of the others."""
        text, time = named["encoder_hidden_states"], float(named["timestep"].max())
        known = [number for number, (one, _) in enumerate(self.texts) if one is text]
        number = known[0] if known else len(self.texts)
        controlled = named.get("controlnet_block_samples") is not None
        if controlled or (known and time >= self.texts[number][1]):
            forget(self._network)
            number = 0
        self.texts[number : number + 1] = [(text, time)]
        with self._network.cache_context(f"text {number}"):
            return self._plain(*inputs, **named)
