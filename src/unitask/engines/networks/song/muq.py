"""MuQ: what a recording of music sounds like, as vectors in time.

Source: https://arxiv.org/abs/2501.01108. A mel spectrogram, two convolutional blocks that shorten it to a quarter, and
a Conformer, which is that of transformers. Parameters are named as in the public weights.
"""

from typing import Any, Final

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2ConformerConfig
from transformers.audio_utils import mel_filter_bank
from transformers.models.wav2vec2_conformer.modeling_wav2vec2_conformer import Wav2Vec2ConformerEncoder

RATE: Final = 24_000
_WINDOW: Final = 2048
_LEAST_POWER: Final = 1e-10
_FEATURE: Final = "melspec_2048"
_HALVINGS: Final = 2


class Muq(nn.Module):
    """Built as its published configuration says."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        if config["label_rate"] * config["hop_length"] * 2**_HALVINGS != RATE:
            raise ValueError("this MuQ has another rate of labels")
        self._mels, self._hop = config["n_mels"], config["hop_length"]
        self._mean, self._deviation = (config["stat"][f"{_FEATURE}_{name}"] for name in ("mean", "std"))
        width = config["encoder_dim"]
        plan = {**config["w2v2_config"], "hidden_size": width, "num_hidden_layers": config["encoder_depth"]}
        self.conv = Shortened(config["conv_dim"], width, self._mels)
        self.conformer = Wav2Vec2ConformerEncoder(Wav2Vec2ConformerConfig.from_dict(plan, attn_implementation="sdpa"))
        self.conformer.pos_conv_embed = None  # never called; its weights are stored under two names

    def forward(self, wave: Tensor) -> Tensor:
        """Go from (batch, samples at `RATE`) to (batch, time, width)."""
        heard = (log_mel(wave.float(), self._mels, self._hop) - self._mean) / self._deviation
        hidden: Tensor = self.conformer(self.conv(heard.to(wave)[:, None])).last_hidden_state
        return hidden


class Shortened(nn.Module):
    """Two blocks that halve frequencies and time, and a layer over what is left of the frequencies."""

    def __init__(self, channels: int, width: int, mels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(Halved(1, channels), Halved(channels, channels))
        self.linear = nn.Linear(channels * mels // 2**_HALVINGS, width)

    def forward(self, heard: Tensor) -> Tensor:
        """Go from (batch, 1, mels, time) to (batch, time / 4, width)."""
        short: Tensor = self.linear(self.conv(heard).permute(0, 3, 1, 2).flatten(2))
        return short


class Halved(nn.Module):
    """Two convolutions, and one beside them, the first of each with a stride of two."""

    def __init__(self, given: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(given, channels, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(given, channels, 3, stride=2, padding=1)
        self.bn3 = nn.BatchNorm2d(channels)

    def forward(self, given: Tensor) -> Tensor:
        """Go from (batch, given, mels, time) to (batch, channels, mels / 2, time / 2)."""
        made = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(given)))))
        return torch.relu(made + self.bn3(self.conv3(given)))


def log_mel(wave: Tensor, mels: int, hop: int) -> Tensor:
    """Give the mel spectrogram of (batch, samples) in decibels: (batch, mels, samples / hop)."""
    window = torch.hann_window(_WINDOW, device=wave.device)
    power = torch.stft(wave, _WINDOW, hop, window=window, return_complex=True).abs().square()
    bank = mel_filter_bank(_WINDOW // 2 + 1, mels, 0.0, RATE / 2, RATE, norm=None, mel_scale="htk")
    heard = torch.from_numpy(bank).to(power).T @ power
    return 10 * heard.clamp(min=_LEAST_POWER).log10()[..., :-1]
