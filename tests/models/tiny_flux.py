"""Tiny checkpoints of the Flux family."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    FluxControlNetModel,
    FluxFillPipeline,
    FluxPipeline,
    FluxPriorReduxPipeline,
    FluxTransformer2DModel,
)
from diffusers.pipelines.flux.modeling_flux import ReduxImageEncoder
from transformers import SiglipImageProcessorPil, SiglipVisionConfig, SiglipVisionModel

from support.tiny import clip_text, clip_tokenizer, save_style, seeded, shelve, t5_text, t5_tokenizer


def transformer(*, in_channels: int = 16, out_channels: int | None = None, guided: bool = True, seed: int = 0) -> Any:
    """Two double and two single blocks, 32 wide."""
    return seeded(
        FluxTransformer2DModel,
        patch_size=1,
        in_channels=in_channels,
        out_channels=out_channels,
        num_layers=2,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=guided,
        axes_dims_rope=(4, 4, 8),
        seed=seed,
    )


def vae() -> Any:
    """Two levels: a latent of 4 channels for every 2 x 2 pixels."""
    return seeded(
        AutoencoderKL,
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(16, 32),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
        force_upcast=False,
    )


def flux(network: Any) -> Any:
    """Build a whole pipeline round a transformer."""
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=vae(),
        text_encoder=clip_text(),
        tokenizer=clip_tokenizer(),
        text_encoder_2=t5_text(),
        tokenizer_2=t5_tokenizer(),
        transformer=network,
    )


def shelve_flux(models: Path) -> None:
    """Put `schnell` and `dev` on a shelf; all but their transformers is the same."""
    shelve(models, "flux1-schnell", flux(transformer(guided=False)))
    shelve(models, "flux1-dev", flux(transformer(seed=1)))


def shelve_controlnet(models: Path) -> None:
    """Put a Union ControlNet on a shelf that is loud enough to be seen; it needs `dev`."""
    network = seeded(
        FluxControlNetModel,
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=True,
        axes_dims_rope=[4, 4, 8],
        num_mode=10,
    )
    for blocks in (network.controlnet_x_embedder, network.controlnet_blocks, network.controlnet_single_blocks):
        for values in blocks.parameters():
            torch.nn.init.normal_(values, std=0.5)
    shelve(models, "flux1-controlnet-union", network, base="flux1-dev", part="controlnet")


def shelve_relatives(models: Path) -> None:
    """Put Fill, Kontext and Redux on a shelf; Redux needs `dev`."""
    latent, masked, mask = 16, 16, 4 * 2**2
    shelve(models, "flux1-fill-dev", filler(transformer(in_channels=latent + masked + mask, out_channels=16, seed=2)))
    shelve(models, "flux1-kontext-dev", flux(transformer(seed=3)))
    eyes = SiglipVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=32, patch_size=8
    )
    prior = FluxPriorReduxPipeline(
        image_encoder=seeded(SiglipVisionModel, eyes),
        feature_extractor=SiglipImageProcessorPil(size={"height": 32, "width": 32}),
        image_embedder=seeded(ReduxImageEncoder, redux_dim=32, txt_in_features=32),
    )
    shelve(models, "flux1-redux-dev", prior, base="flux1-dev")


def filler(network: Any) -> Any:
    """Build a pipeline that fills."""
    whole = flux(network)
    return FluxFillPipeline(**{name: part for name, part in whole.components.items() if part is not None})


def shelve_style(models: Path, name: str, *, seed: int = 0) -> None:
    """Put a LoRA for `dev` on a shelf."""
    save_style(transformer(), FluxPipeline, models / "loras/flux" / f"{name}.safetensors", seed=seed)
