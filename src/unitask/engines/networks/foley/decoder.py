"""From the latent of a sound to its waves: MMAudio's decoder makes a mel spectrogram of it, BigVGAN 2 sings that.

The library diffusers has both networks. Their public weights are as they were trained, each kept beside its length;
here they are brought to the form in which they compute.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import init_empty_weights
from diffusers import MMAudioVAE, MMAudioVocoder

from unitask.engines.networks.states import tensors
from unitask.runtime.tables import Tensors

CONFIG: Final = "config.json"
LEVELS: Final = (1, 2, 4)
SAME: Final = {
    "activation": "snakebeta",
    "resblock": "1",
    "snake_logscale": True,
    "use_bias_at_final": False,
    "use_tanh_at_final": False,
}
"""What a vocoder's settings must say: the network is built for these alone."""
_EPSILON: Final = 1e-4
_LENGTHS: Final = {"weight_g": "weight_v", "parametrizations.weight.original0": "parametrizations.weight.original1"}


def settings(folder: Path) -> dict[str, Any]:
    """Read a vocoder's settings.

    Raises:
        OSError, ValueError: they are not there, damaged, or those of another network.

    """
    said: dict[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
    if other := {name: said.get(name) for name, value in SAME.items() if said.get(name) != value}:
        raise ValueError(f"{CONFIG} is that of another vocoder: {other}")
    return said


def vocoder_of(folder: Path, dtype: torch.dtype) -> Any:
    """Build the vocoder of the files in a folder."""
    return vocoder(tensors(folder), settings(folder)).to(dtype)


def vae_of(folder: Path, dtype: torch.dtype) -> Any:
    """Build the decoder of the files in a folder."""
    return vae(tensors(folder)).to(dtype)


def vocoder(found: Tensors, said: Mapping[str, Any]) -> Any:
    """Build BigVGAN 2 of its weights and settings; from (1, mels, rows) to (1, 1, samples) in -1..1.

    Raises:
        KeyError, RuntimeError, ValueError: weights are missing, or they are those of another network.

    """
    with init_empty_weights():
        network = MMAudioVocoder(
            said["num_mels"],
            said["upsample_initial_channel"],
            tuple(said["upsample_rates"]),
            tuple(said["upsample_kernel_sizes"]),
            tuple(said["resblock_kernel_sizes"]),
            tuple(tuple(dilations) for dilations in said["resblock_dilation_sizes"]),
        )
    network.load_state_dict(_joined(found), assign=True)
    network._supports_group_offloading = False  # noqa: SLF001 - how diffusers says it
    return network


def vae(found: Tensors) -> Any:
    """Build the decoder of its weights; from (1, latent, length) to a mel spectrogram (1, mels, 2 * length).

    Raises:
        KeyError, RuntimeError: weights are missing, or they are those of another network.

    """
    width, mels, _ = found["encoder.conv_in.weight"].shape
    latent = found["decoder.conv_in.weight"].shape[1]
    with init_empty_weights():
        network = MMAudioVAE(mels, latent, width, LEVELS)
    network.vae.load_state_dict({name: _levelled(name, value) for name, value in found.items()}, assign=True)
    del network.vae.encoder, network.mel_converter
    network._supports_group_offloading = False  # noqa: SLF001 - how diffusers says it
    return network


def _levelled(name: str, weight: torch.Tensor) -> torch.Tensor:
    """Give each row of a convolution the length 1; all else stays."""
    if not name.endswith(".weight"):
        return weight
    rows = weight.float()
    length = rows.flatten(1).norm(dim=1) + _EPSILON * rows[0].numel() ** 0.5
    return (rows / length[:, None, None]).to(weight.dtype)


def _joined(found: Tensors) -> Tensors:
    """Multiply directions by the lengths that are kept beside them."""
    joined = dict(found)
    for name in found:
        for length, direction in _LENGTHS.items():
            if name.endswith(f".{length}"):
                owner = name.removesuffix(length)
                rows = joined.pop(owner + direction).float()
                rows = rows * joined.pop(name).float() / rows.flatten(1).norm(dim=1)[:, None, None]
                joined[f"{owner}weight"] = rows
    return joined
