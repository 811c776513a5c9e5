"""The demo model's networks: each of the class that Flux has in its place, a few thousand times smaller."""

from dataclasses import dataclass
from typing import Any, Final, Self

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

from unitask.demo.scenes import vocabulary
from unitask.demo.words import TOKENS, clip_tokenizer, t5_tokenizer

LATENT: Final = 16
FACTOR: Final = 8
"""How many pixels of a side make one latent."""
_PATCH: Final = 2 * 2
WIDTH: Final = 128
_HEADS: Final = 4
_POOLED: Final = 96
_TEXT: Final = 64
_SHIFT: Final = 2.0
"""How much of the steps goes to the noisy end, where it is decided what is where."""


@dataclass(frozen=True, slots=True)
class Networks:
    """What is trained, and what turns words into its input. Attributes have the names of a pipeline's parts."""

    vae: Any
    text_encoder: Any
    text_encoder_2: Any
    transformer: Any
    tokenizer: Any
    tokenizer_2: Any

    @classmethod
    def fresh(cls, seed: int) -> Self:
        """Build them untrained; the same seed gives the same numbers."""
        torch.manual_seed(seed)
        words = vocabulary()
        tokenizer, tokenizer_2 = clip_tokenizer(words), t5_tokenizer(words)
        return cls(_vae(), _clip(len(tokenizer)), _t5(len(tokenizer_2)), _transformer(), tokenizer, tokenizer_2)

    @property
    def denoising(self) -> nn.ModuleDict:
        """What is trained together: the transformer and what reads the words."""
        names = "text_encoder", "text_encoder_2", "transformer"
        return nn.ModuleDict({name: getattr(self, name) for name in names})

    def tokens(self, texts: list[str]) -> tuple[Any, Any]:
        """Give the token ids of texts for both encoders, each (texts, TOKENS)."""
        how = {"padding": "max_length", "max_length": TOKENS, "truncation": True, "return_tensors": "pt"}
        return self.tokenizer(texts, **how).input_ids, self.tokenizer_2(texts, **how).input_ids

    def pipeline(self) -> Any:
        """Put them together as diffusers does."""
        return FluxPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(shift=_SHIFT),
            vae=self.vae,
            text_encoder=self.text_encoder,
            tokenizer=self.tokenizer,
            text_encoder_2=self.text_encoder_2,
            tokenizer_2=self.tokenizer_2,
            transformer=self.transformer,
        )


def _vae() -> Any:
    """Four levels; each block passes on what it is given until it learns better, which makes learning quick."""
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 16, 32, 32),
        layers_per_block=1,
        latent_channels=LATENT,
        norm_num_groups=1,
        sample_size=64,
        scaling_factor=1.0,
        shift_factor=0.0,
        use_quant_conv=False,
        use_post_quant_conv=False,
        mid_block_add_attention=False,
        force_upcast=False,
    )
    _still(layer for name, layer in vae.named_modules() if name.endswith("conv2"))
    return vae


def _clip(tokens: int) -> Any:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=tokens,
            hidden_size=_POOLED,
            intermediate_size=2 * _POOLED,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=TOKENS,
            projection_dim=_POOLED,
            bos_token_id=tokens - 2,
            eos_token_id=tokens - 1,
            pad_token_id=tokens - 1,
            initializer_factor=2.0,
        )
    )


def _t5(tokens: int) -> Any:
    return T5EncoderModel(
        T5Config(
            vocab_size=tokens,
            d_model=_TEXT,
            d_ff=2 * _TEXT,
            d_kv=16,
            num_layers=2,
            num_heads=4,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
            is_encoder_decoder=False,
        )
    )


def _transformer() -> Any:
    """One double and four single blocks, which change nothing until they learn what."""
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=LATENT * _PATCH,
        num_layers=1,
        num_single_layers=4,
        attention_head_dim=WIDTH // _HEADS,
        num_attention_heads=_HEADS,
        joint_attention_dim=_TEXT,
        pooled_projection_dim=_POOLED,
        guidance_embeds=False,
        axes_dims_rope=(8, 12, 12),
    )
    modulating = (layer for name, layer in transformer.named_modules() if "norm" in name and name.endswith("linear"))
    _still([*modulating, transformer.proj_out])
    return transformer


def _still(layers: Any) -> None:
    for layer in layers:
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
