"""What networks are made of, computed a second time in NumPy with double precision, for one of a batch."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def chance(*shape: int, seed: int = 1) -> torch.Tensor:
    """Draw numbers that are the same in every run."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def numbers(module: Any) -> dict[str, Floats]:
    """Give parameters to NumPy."""
    return {name: value.numpy().astype(np.float64) for name, value in module.state_dict().items()}


def softmax(scores: Floats) -> Floats:
    """Make shares of scores."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    shares: Floats = powers / powers.sum(-1, keepdims=True)
    return shares


def silu(rows: Floats) -> Floats:
    """Bend."""
    bent: Floats = rows / (1 + np.exp(-rows))
    return bent


def levelled(rows: Floats, epsilon: float = 1e-5) -> Floats:
    """Give each row the mean 0 and the spread 1."""
    level: Floats = (rows - rows.mean(-1, keepdims=True)) / np.sqrt(rows.var(-1, keepdims=True) + epsilon)
    return level


def along(rows: Floats, weight: Floats, bias: Floats | float = 0.0) -> Floats:
    """Convolve along the rows of (length, width), with nothing beyond both ends."""
    if weight.ndim == 2:
        return rows @ weight.T + bias
    half = weight.shape[2] // 2
    padded = np.pad(rows, ((half, half), (0, 0)))
    taps = [padded[tap : tap + len(rows)] @ weight[:, :, tap].T for tap in range(weight.shape[2])]
    made: Floats = np.sum(taps, axis=0) + bias
    return made


def headed(rows: Floats, own: dict[str, Floats], places: list[float] | None) -> list[Floats]:
    """Make query, key and value of one head, pairs turned by angles that fall with their number."""
    mixed = (rows @ own["attn.qkv.weight"].T + own["attn.qkv.bias"]).reshape(len(rows), 64, 3)
    made = []
    for kind, name in enumerate(("q_norm", "k_norm", "")):
        part = mixed[:, :, kind]
        if name:
            part = part / np.sqrt((part**2).mean(-1, keepdims=True) + 2**-23) * own[f"attn.{name}.weight"]
        if name and places is not None:
            angles = np.outer(places, 10_000.0 ** (-np.arange(32) / 32))
            even, odd = part[:, ::2].copy(), part[:, 1::2].copy()
            part[:, ::2] = even * np.cos(angles) - odd * np.sin(angles)
            part[:, 1::2] = even * np.sin(angles) + odd * np.cos(angles)
        made.append(part)
    return made


def streamed(rows: Floats, own: dict[str, Floats], led: Floats, places: list[float] | None) -> tuple[Any, list[Floats]]:
    """Compute a stream's part before the attention."""
    mixed = silu(led) @ own["adaLN_modulation.1.weight"].T + own["adaLN_modulation.1.bias"]
    shift, scale, *rest = np.split(mixed, mixed.shape[-1] // rows.shape[-1], -1)
    return headed(levelled(rows) * (1 + scale) + shift, own, places), rest


def finished(rows: Floats, found: Floats, own: dict[str, Floats], rest: list[Floats]) -> Floats:
    """Compute a stream's part after it."""
    gate, shift, scale, opened = rest
    rows = rows + along(found, own["linear1.weight"], own["linear1.bias"]) * gate
    level = levelled(rows) * (1 + scale) + shift
    inner = silu(along(level, own["ffn.w1.weight"])) * along(level, own["ffn.w3.weight"])
    return rows + along(inner, own["ffn.w2.weight"]) * opened


def attended(rows: Floats, own: dict[str, Floats], seen: list[list[int]]) -> Floats:
    """Let each row attend to those that it sees, one head."""
    query, key, value = np.split(rows @ own["qkv.weight"].T + own["qkv.bias"], 3, -1)
    found = [softmax(query[row] @ key[others].T / 8) @ value[others] for row, others in enumerate(seen)]
    return np.stack(found) @ own["proj.weight"].T + own["proj.bias"]


def under(own: dict[str, Floats], name: str) -> dict[str, Floats]:
    """Give the parameters of one part."""
    return {key.removeprefix(f"{name}."): value for key, value in own.items() if key.startswith(f"{name}.")}


def gated(rows: Floats, own: dict[str, Floats]) -> Floats:
    """Compute a layer of which one half opens the other."""
    return along(silu(along(rows, own["w1.weight"])) * along(rows, own["w3.weight"]), own["w2.weight"])


def joined(streams: list[tuple[Any, list[Floats]]]) -> list[Floats]:
    """Let all rows of all streams attend to each other, one head."""
    query, key, value = (np.concatenate([attends[kind] for attends, _ in streams]) for kind in range(3))
    ends = np.cumsum([len(attends[0]) for attends, _ in streams])[:-1]
    return list(np.split(softmax(query @ key.T / 8) @ value, ends))
