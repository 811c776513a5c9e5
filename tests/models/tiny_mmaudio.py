"""Tiny checkpoints of all that MMAudio is made of, as the public files are laid out: 8000 samples a second."""

import json
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import MMAudioVAE, MMAudioVocoder
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel

from support.tiny import clip_tokenizer, seeded, shelve
from unitask.engines.networks.foley.flow import Flow, Size
from unitask.engines.networks.foley.synchformer import PREFIX, Synchformer

CARD: Final = "mmaudio-large-44k-v2"
SYNCHFORMER: Final = "mmaudio-synchformer"
VAE: Final = "mmaudio-vae-44k"
VOCODER: Final = "bigvgan-v2-44khz"
CLIP: Final = "dfn5b-clip-vit-h-14-378"
RATE: Final = 8000
HOP: Final = 128
SIZE: Final = Size(width=64, joint=2, fused=1, latent=4, pictures=8, movements=64, words=16, tokens=77)
SETTINGS: Final[dict[str, Any]] = {
    "resblock": "1",
    "upsample_rates": [8, 4, 4],
    "upsample_kernel_sizes": [16, 8, 8],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 3]],
    "use_tanh_at_final": False,
    "use_bias_at_final": False,
    "activation": "snakebeta",
    "snake_logscale": True,
    "num_mels": 16,
    "hop_size": HOP,
    "sampling_rate": RATE,
}
Tensors = dict[str, torch.Tensor]


def shaken(network: Any, gain: float = 1.0) -> Any:
    """Give all parameters numbers that no test can mistake for those of another place."""
    chance = torch.Generator().manual_seed(0)
    for parameter in network.parameters():
        spread = gain / max(1, parameter[0].numel() if parameter.ndim else 1) ** 0.5
        parameter.data = torch.randn(parameter.shape, generator=chance) * spread
    return network.eval()


def flow() -> Flow:
    """Two blocks in which all attend to all, and one in which the sound does."""
    network = shaken(Flow(SIZE))
    network.latent_std.data = network.latent_std.data.abs() + 1
    return network  # type: ignore[no-any-return]


def synchformer() -> Synchformer:
    """One block over 16 frames of 32 pixels, four patches a frame."""
    return shaken(Synchformer(64, 1, (2, 16, 16), 8, 2))  # type: ignore[no-any-return]


def synchformer_file() -> Tensors:
    """Name its parameters as the public file does, which has an ear and unused patches, too."""
    found = {f"{PREFIX}{name}": value for name, value in synchformer().state_dict().items()}
    others = ("afeat_extractor.cls_token", "vproj.weight", f"{PREFIX}patch_embed.proj.weight")
    return found | {name: torch.ones(1) for name in others}


def vae_file() -> Tensors:
    """Take the parameters as they are trained: no row of a convolution has a length that means something."""
    network = shaken(MMAudioVAE(16, SIZE.latent, 8).vae)
    network.data_std.fill_(2)
    return {name: 20 * value if name.endswith(".weight") else value for name, value in network.state_dict().items()}


def vocoder() -> MMAudioVocoder:
    """128 samples for every row of 16 mels."""
    sizes = ("upsample_rates", "upsample_kernel_sizes", "resblock_kernel_sizes", "resblock_dilation_sizes")
    return shaken(MMAudioVocoder(16, 16, *(SETTINGS[name] for name in sizes)), 0.5)


def vocoder_file() -> dict[str, Tensors]:
    """Split each convolution into directions and lengths, in a table that lies in a table."""
    network = vocoder()
    found: Tensors = {}
    for name, value in network.state_dict().items():
        if not name.endswith(".weight"):
            found[name] = value
            continue
        owner = name.removesuffix("weight")
        found[f"{owner}weight_g"] = value.flatten(1).norm(dim=1)[:, None, None]
        found[f"{owner}weight_v"] = 3 * value
    return {"generator": found}


def clip() -> CLIPModel:
    """Four patches a picture of 28 pixels, 77 tokens."""
    layers = {"intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {"hidden_size": 16, "vocab_size": 514, "max_position_embeddings": 77, **layers}
    config = CLIPConfig(
        text_config=text | {"bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513},
        vision_config={"hidden_size": 16, "image_size": 28, "patch_size": 14, **layers},
        projection_dim=8,
    )
    return shaken(seeded(CLIPModel, config))  # type: ignore[no-any-return]


def shelve_mmaudio(models: Path) -> Path:
    """Put all five cards on a shelf; gives the folder of the first."""
    folder = models / CLIP / "clip"
    folder.mkdir(parents=True)
    network = clip()
    network.config.save_pretrained(folder)
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    shelve(models, CLIP, clip_tokenizer(), part="clip")
    folder = models / VOCODER / "vocoder"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(SETTINGS))
    torch.save(vocoder_file(), folder / "bigvgan_generator.pt")
    shelve(models, VOCODER, part="vocoder", base=CLIP)
    _shelve_table(models, VAE, "vae", VOCODER, vae_file())
    _shelve_table(models, SYNCHFORMER, "synchformer", VAE, synchformer_file())
    return _shelve_table(models, CARD, "transformer", SYNCHFORMER, flow().state_dict() | {"latent_rot": torch.ones(1)})


def _shelve_table(models: Path, card_id: str, part: str, base: str, found: Tensors) -> Path:
    folder = models / card_id / part
    folder.mkdir(parents=True)
    save_file({name: value.contiguous() for name, value in found.items()}, folder / f"{card_id}.safetensors")
    return shelve(models, card_id, part=part, base=base)
