"""Tiny checkpoints of the Wan family, under the ids of the real cards."""

import json
import re
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLWan,
    UniPCMultistepScheduler,
    WanImageToVideoPipeline,
    WanPipeline,
    WanTransformer3DModel,
)
from safetensors.torch import save_file
from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModel

from support.tiny import save_style, seeded, shelve, t5_text, t5_tokenizer

SIZES = {"16:9": [40, 24], "9:16": [24, 40], "1:1": [32, 32]}
"""No side is a multiple of 16 but those of the square: the rest is cut."""
SMALL = {"frames": 5, "sizes": SIZES, "steps": 2, "tokens": 16}


def transformer(*, in_channels: int = 16, pictures: int = 0, seed: int = 0, **more: Any) -> Any:
    """Two blocks, 24 wide; `pictures` is the width of the picture encoder, if there is one."""
    return seeded(
        WanTransformer3DModel,
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=in_channels,
        out_channels=16,
        text_dim=32,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=64,
        image_dim=pictures or None,
        added_kv_proj_dim=24 if pictures else None,
        seed=seed,
        **more,
    )


def vae() -> Any:
    """Make a latent of 16 channels of every 8 x 8 pixels of four frames."""
    return seeded(
        AutoencoderKLWan,
        base_dim=4,
        z_dim=16,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
    )


def eye() -> Any:
    """See pictures of 32 x 32 pixels in 16 patches."""
    return seeded(
        CLIPVisionModel,
        CLIPVisionConfig(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=32,
            patch_size=8,
            projection_dim=16,
        ),
    )


def _rest() -> dict[str, Any]:
    return {
        "tokenizer": t5_tokenizer(),
        "text_encoder": t5_text(many_languages=True),
        "vae": vae(),
        "scheduler": UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0),
    }


def shelve_from_words(models: Path) -> None:
    """Put those that need no picture on a shelf."""
    for seed, card_id in enumerate(("wan21-t2v-1.3b", "wan21-t2v-14b")):
        shelve(models, card_id, WanPipeline(transformer=transformer(seed=seed), **_rest()))
    experts = {"transformer": transformer(seed=2), "transformer_2": transformer(seed=3)}
    shelve(models, "wan22-t2v-a14b", WanPipeline(**experts, boundary_ratio=0.875, **_rest()))


def shelve_from_pictures(models: Path) -> None:
    """Put those that begin with a picture on a shelf."""
    seeing = {
        "image_encoder": eye(),
        "image_processor": CLIPImageProcessorPil(crop_size={"height": 32, "width": 32}, size={"shortest_edge": 32}),
    }
    first = transformer(in_channels=36, pictures=16)
    both = transformer(in_channels=36, pictures=16, pos_embed_seq_len=2 * 17, seed=1)
    shelve(models, "wan21-i2v-14b-480p", WanImageToVideoPipeline(transformer=first, **seeing, **_rest()))
    shelve(models, "wan21-flf2v-14b-720p", WanImageToVideoPipeline(transformer=both, **seeing, **_rest()))
    experts = {"transformer": transformer(in_channels=36, seed=2), "transformer_2": transformer(in_channels=36, seed=3)}
    shelve(models, "wan22-i2v-a14b", WanImageToVideoPipeline(**experts, boundary_ratio=0.9, **_rest()))


def shelve_style(models: Path, name: str, *, seed: int = 0) -> None:
    """Put a LoRA on a shelf."""
    save_style(transformer(), WanPipeline, models / "loras/wan" / f"{name}.safetensors", seed=seed)


_FIRST_NAMES = (
    (r"condition_embedder\.time_embedder\.linear_1", "time_embedding.0"),
    (r"condition_embedder\.time_embedder\.linear_2", "time_embedding.2"),
    (r"condition_embedder\.text_embedder\.linear_1", "text_embedding.0"),
    (r"condition_embedder\.text_embedder\.linear_2", "text_embedding.2"),
    (r"condition_embedder\.time_proj", "time_projection.1"),
    (r"condition_embedder\.image_embedder\.norm1", "img_emb.proj.0"),
    (r"condition_embedder\.image_embedder\.ff\.net\.0\.proj", "img_emb.proj.1"),
    (r"condition_embedder\.image_embedder\.ff\.net\.2", "img_emb.proj.3"),
    (r"condition_embedder\.image_embedder\.norm2", "img_emb.proj.4"),
    (r"(blocks\.\d+)\.norm2", r"\1.norm3"),
    (r"(blocks\.\d+)\.scale_shift_table", r"\1.modulation"),
    (r"^scale_shift_table", "head.modulation"),
    (r"^proj_out", "head.head"),
    (r"ffn\.net\.0\.proj", "ffn.0"),
    (r"ffn\.net\.2", "ffn.2"),
    (r"attn1\.", "self_attn."),
    (r"attn2\.", "cross_attn."),
    (r"\.norm_added_k\.", ".norm_k_img."),
    (r"\.add_([kv])_proj\.", r".\1_img."),
    (r"\.to_([qkv])\.", r".\1."),
    (r"\.to_out\.0\.", ".o."),
)
"""How the parameters were called when Wan was first published, on the right."""


def first_name(name: str) -> str:
    """Call a parameter as it was called first."""
    for ours, theirs in _FIRST_NAMES:
        name = re.sub(ours, theirs, name)
    return name


def adapter(seed: int = 5) -> dict[str, torch.Tensor]:
    """Weigh an adapter for rays of four frames, one residual block, as strong as to be seen."""
    torch.manual_seed(seed)
    shapes = {"conv.weight": (24, 24 * 64, 2, 2), "conv.bias": (24,)}
    for number in (1, 2):
        shapes[f"residual_blocks.0.conv{number}.weight"] = (24, 24, 3, 3)
        shapes[f"residual_blocks.0.conv{number}.bias"] = (24,)
    return {f"control_adapter.{name}": 0.1 * torch.randn(shape) for name, shape in shapes.items()}


def shelve_camera(models: Path, *, in_channels: int = 32) -> Any:
    """Put the weights for a moving camera on a shelf, in the first layout; gives the network that they are of."""
    network = transformer(in_channels=in_channels, pictures=16, seed=4)
    folder = models / "wan21-fun-control-camera-14b/transformer"
    folder.mkdir(parents=True, exist_ok=True)
    weights = {first_name(name): value.contiguous() for name, value in network.state_dict().items()}
    save_file(weights | adapter(), folder / "diffusion_pytorch_model.safetensors")
    (folder / "config.json").write_text(json.dumps({"_class_name": "WanModel", "dim": 24, "in_dim": in_channels}))
    shelve(models, folder.parent.name, base="wan21-i2v-14b-480p", part="transformer")
    return network
