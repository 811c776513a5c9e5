"""Tiny checkpoints of Trellis, DINOv2 and CLIP; the cube has 8 voxels a side, the mesh 32."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, Dinov2WithRegistersConfig, Dinov2WithRegistersModel
from trellis_layout import BUILDS, SHAPES

from support.tiny import clip_tokenizer, seeded, shelve

IMAGE, TEXT = "trellis-image-large", "trellis-text-large"
EYES, READER = "dinov2-registers-large", "clip-vit-large-patch14"
THIN: Final = 0.5
"""So much less full is the cube: things are thin, and orders quick."""
TOLD: Final = 20
"""Channels of what is seen or read."""
NAMES: Final = {
    "SparseStructureFlowModel": ("sparse_structure_flow_model", "ss_flow_{}_dit_L_16l8_fp16"),
    "SparseStructureDecoder": ("sparse_structure_decoder", "ss_dec_conv3d_16l8_fp16"),
    "ElasticSLatFlowModel": ("slat_flow_model", "slat_flow_{}_dit_L_64l8p2_fp16"),
    "ElasticSLatMeshDecoder": ("slat_decoder_mesh", "slat_dec_mesh_swin8_B_64l8m256c_fp16"),
}
DECODERS: Final = ("SparseStructureDecoder", "ElasticSLatMeshDecoder")
SAMPLER: Final = {
    "name": "FlowEulerGuidanceIntervalSampler",
    "args": {"sigma_min": 1e-5},
    "params": {"steps": 25, "cfg_strength": 5.0, "cfg_interval": [0.5, 1.0], "rescale_t": 3.0},
}


def scattered(shape: tuple[int, ...], number: int) -> NDArray[np.float64]:
    """Give numbers from -1 to 1 without any order, the same everywhere."""
    at = np.arange(np.prod(shape), dtype=np.float64)
    return (2 * np.modf(np.abs(np.sin(at * 12.9898 + number * 78.233) * 43758.5453))[0] - 1).reshape(shape)


def weights(kind: str, first: int = 0) -> dict[str, torch.Tensor]:
    """Give all tensors of a network: of a size that keeps what goes through them; others for another `first`."""
    found = {}
    for number, (name, shape) in enumerate(SHAPES[kind].items(), first):
        values = scattered(shape, number)
        if len(shape) == 1 or name.endswith("gamma"):
            values = 0.1 * values + (not name.endswith("bias"))
        elif name != "pos_emb":
            values = values * 1.7 / np.sqrt(values[0].size)
        found[name] = torch.from_numpy(values).float()
    return found


def shelve_trellis(models: Path, card_id: str = IMAGE, lines: str = "") -> Path:
    """Put one on a shelf as it is published; the one for words has its decoders from the one for pictures."""
    folder = models / card_id / "ckpts"
    folder.mkdir(parents=True)
    named = {}
    for kind, (role, pattern) in NAMES.items():
        name = pattern.format("img" if card_id == IMAGE else "txt")
        elsewhere = card_id == TEXT and kind in DECODERS
        named[role] = f"microsoft/TRELLIS-image-large/ckpts/{name}" if elsewhere else f"ckpts/{name}"
        if not elsewhere:
            (folder / f"{name}.json").write_text(json.dumps({"name": kind, "args": BUILDS[kind]}))
            tensors = weights(kind, len(card_id))
            if kind == "SparseStructureDecoder":
                tensors["out_layer.2.bias"] -= THIN
            save_file(tensors, folder / f"{name}.safetensors")
    arguments: dict[str, Any] = {
        "models": {**named, "slat_decoder_gs": "ckpts/slat_dec_gs_swin8_B_64l8gs32_fp16"},
        "sparse_structure_sampler": SAMPLER,
        "slat_sampler": SAMPLER,
        "slat_normalization": {"mean": [0.5, 0.0, -0.5, 0.1], "std": [2.0, 1.0, 1.0, 2.0]},
    }
    (models / card_id / "pipeline.json").write_text(json.dumps({"name": "Trellis", "args": arguments}))
    return shelve(models, card_id, base=IMAGE if card_id == TEXT else "", lines=lines)


def shelve_eyes(models: Path) -> Path:
    """Put what sees pictures on a shelf: 28 pixels a side."""
    config = Dinov2WithRegistersConfig(
        hidden_size=TOLD, num_hidden_layers=2, num_attention_heads=2, image_size=28, patch_size=14
    )
    return shelve(models, EYES, seeded(Dinov2WithRegistersModel, config), part="image_encoder")


def shelve_reader(models: Path) -> Path:
    """Put what reads words on a shelf: whole, as it is published."""
    towers = {"hidden_size": TOLD, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    marks = {"bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513}
    config = CLIPConfig(
        text_config={**towers, **marks, "vocab_size": 514},
        vision_config={**towers, "image_size": 28, "patch_size": 14},
        projection_dim=TOLD,
    )
    return shelve(models, READER, seeded(CLIPModel, config), clip_tokenizer(), part="text_encoder")


def shelve_all(models: Path) -> None:
    """Put everything that the family needs on a shelf."""
    shelve_trellis(models)
    shelve_trellis(models, TEXT)
    shelve_eyes(models)
    shelve_reader(models)
