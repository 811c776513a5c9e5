"""What F5-TTS and Vocos know of a sound: how loud each of 100 bands is, 93.75 times a second, as logarithms."""

from functools import cache
from math import log10
from typing import Final

import torch

RATE: Final = 24_000
HOP: Final = 256
"""Samples from one frame to the next."""
WINDOW: Final = 1024
"""Samples that one frame looks at."""
BANDS: Final = 100
_LEAST: Final = 1e-5


def log_mel(samples: torch.Tensor) -> torch.Tensor:
    """Turn samples (n,), more than half a window of them, into frames (n // HOP + 1, BANDS)."""
    found = torch.stft(samples, WINDOW, HOP, window=window(samples.device), pad_mode="reflect", return_complex=True)
    bands = found.abs().T @ filters().to(samples.device)
    return bands.clamp(min=_LEAST).log()


def window(device: torch.device) -> torch.Tensor:
    """Give Hann's window."""
    return torch.hann_window(WINDOW, device=device)


@cache
def filters() -> torch.Tensor:
    """Give how much each frequency counts in each band: (WINDOW / 2 + 1, BANDS).

    Triangles of height 1 whose corners lie at equal steps of HTK's mel scale, from 0 to half the rate.
    """
    most = 2595 * log10(1 + RATE / 2 / 700)
    corners = 700 * (10 ** (torch.linspace(0, most, BANDS + 2, dtype=torch.float64) / 2595) - 1)
    left, middle, right = corners[:-2], corners[1:-1], corners[2:]
    frequencies = torch.linspace(0, RATE / 2, WINDOW // 2 + 1, dtype=torch.float64)[:, None]
    rising, falling = (frequencies - left) / (middle - left), (right - frequencies) / (right - middle)
    return torch.minimum(rising, falling).clamp(min=0).float()
