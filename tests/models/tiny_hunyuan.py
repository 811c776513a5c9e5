"""Tiny checkpoints of Hunyuan Video and what grew from it, laid out as the published ones are."""

import json
from pathlib import Path
from typing import Any

from diffusers import (
    AutoencoderKLHunyuanVideo,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoFramepackTransformer3DModel,
    HunyuanVideoImageToVideoPipeline,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
)
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlamaModel,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from support.tiny import BYTES, clip_text, clip_tokenizer, save_style, seeded, shelve

BEGIN, END, PAD, IMAGE = "<|begin_of_text|>", "<|end_of_text|>", "<pad>", "<image>"
MARKS = (BEGIN, END, "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", PAD, IMAGE)
UNITS = ("system", "\n\n")
"""Tokens before the picture's place: the pipeline counts on it being the sixth."""
AT = {mark: len(BYTES) + number for number, mark in enumerate((*MARKS, *UNITS))}


class Published:
    """A pipeline saved with the names of classes that the published index has, whatever ours are called."""

    def __init__(self, pipe: Any, **classes: str) -> None:
        self._pipe, self._classes = pipe, classes

    def save_pretrained(self, folder: Path) -> None:
        """Write all of it."""
        self._pipe.save_pretrained(folder)
        index = folder / "model_index.json"
        said = json.loads(index.read_text())
        index.write_text(json.dumps(said | {name: ["transformers", kind] for name, kind in self._classes.items()}))


class Parts:
    """Networks in subfolders, without an index."""

    def __init__(self, **parts: Any) -> None:
        self._parts = parts

    def save_pretrained(self, folder: Path) -> None:
        """Write all of it."""
        for name, part in self._parts.items():
            part.save_pretrained(folder / name)


def tokenizer() -> Any:
    """Every byte is a token, as in a Llama of the third generation that has learned no words."""
    inner = Tokenizer(models.BPE(vocab={byte: number for number, byte in enumerate(BYTES)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(list(MARKS))
    inner.add_tokens([AddedToken(unit, normalized=False) for unit in UNITS])
    inner.post_processor = processors.TemplateProcessing(single=f"{BEGIN} $A", special_tokens=[(BEGIN, AT[BEGIN])])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        padding_side="right",
        model_max_length=4096,
    )


def llama_config() -> LlamaConfig:
    """Four layers, of which the pipelines take the output of the second."""
    return LlamaConfig(
        vocab_size=len(BYTES) + len(AT),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=4096,
        bos_token_id=AT[BEGIN],
        eos_token_id=AT[END],
        pad_token_id=AT[PAD],
    )


def llava() -> Any:
    """Look at pictures of 48 x 48 pixels in 576 patches, as many as the real one has."""
    seeing = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=48,
        patch_size=2,
        projection_dim=16,
    )
    config = LlavaConfig(
        vision_config=seeing, text_config=llama_config(), image_token_index=AT[IMAGE], pad_token_id=AT[PAD]
    )
    return seeded(LlavaForConditionalGeneration, config)


def vae() -> Any:
    """Give a latent of 4 channels for every 4 frames of 8 x 8 pixels."""
    return seeded(
        AutoencoderKLHunyuanVideo,
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        down_block_types=("HunyuanVideoDownBlock3D",) * 4,
        up_block_types=("HunyuanVideoUpBlock3D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        scaling_factor=0.476986,
        spatial_compression_ratio=8,
        temporal_compression_ratio=4,
        mid_block_add_attention=True,
    )


def transformer(kind: Any = HunyuanVideoTransformer3DModel, *, in_channels: int = 4, seed: int = 0, **more: Any) -> Any:
    """One double and one single block, 20 wide."""
    return seeded(
        kind,
        **{
            "in_channels": in_channels,
            "out_channels": 4,
            "num_attention_heads": 2,
            "attention_head_dim": 10,
            "num_layers": 1,
            "num_single_layers": 1,
            "num_refiner_layers": 1,
            "patch_size": 2,
            "patch_size_t": 1,
            "guidance_embeds": True,
            "text_embed_dim": 16,
            "pooled_projection_dim": 32,
            "rope_axes_dim": (2, 4, 4),
            **more,
        },
        seed=seed,
    )


def shelve_hunyuan(folder: Path) -> None:
    """Put the model that starts from words on a shelf: others lean on it."""
    shelve(folder, "hunyuan-video", _from_words(transformer()))


def shelve_fast(folder: Path) -> None:
    """Put the quick one on a shelf: a whole pipeline, with the noise schedule of the slow one."""
    shelve(folder, "fast-hunyuan", _from_words(transformer(seed=1)))


def shelve_from_pictures(folder: Path) -> None:
    """Put the two that start from a picture on a shelf."""
    concat = transformer(in_channels=9, seed=2, image_condition_type="latent_concat", guidance_embeds=False)
    replace = transformer(seed=3, image_condition_type="token_replace")
    shelve(folder, "hunyuan-video-i2v-concat", _from_picture(concat))
    shelve(folder, "hunyuan-video-i2v-replace", _from_picture(replace))


def shelve_skyreels(folder: Path) -> None:
    """Put a transformer on a shelf; the rest is Hunyuan Video's."""
    network = transformer(in_channels=8, seed=4)
    shelve(folder, "skyreels-v1-i2v", network, base="hunyuan-video", part="transformer")


def shelve_framepack(folder: Path) -> None:
    """Put a transformer and an image encoder on a shelf; the rest is Hunyuan Video's."""
    looking = SiglipVisionConfig(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=32, patch_size=8
    )
    encoder = Parts(
        image_encoder=seeded(SiglipVisionModel, looking),
        feature_extractor=SiglipImageProcessor(size={"height": 32, "width": 32}),
    )
    network = transformer(
        HunyuanVideoFramepackTransformer3DModel,
        seed=5,
        has_image_proj=True,
        image_proj_dim=16,
        has_clean_x_embedder=True,
    )
    shelve(folder, "framepack-image-encoder", encoder, base="hunyuan-video")
    shelve(folder, "framepack-i2v", network, base="framepack-image-encoder", part="transformer")


def shelve_style(folder: Path, name: str, *, seed: int = 0) -> None:
    """Put a LoRA for the model that starts from words on a shelf."""
    save_style(transformer(), HunyuanVideoPipeline, folder / "loras/hunyuan" / f"{name}.safetensors", seed=seed)


def _from_words(network: Any) -> Published:
    pipe = HunyuanVideoPipeline(text_encoder=seeded(LlamaModel, llama_config()), **_shared(network))
    return Published(pipe, tokenizer="LlamaTokenizerFast")


def _from_picture(network: Any) -> Published:
    looking = CLIPImageProcessor(crop_size={"height": 48, "width": 48}, size={"shortest_edge": 48})
    pipe = HunyuanVideoImageToVideoPipeline(text_encoder=llava(), image_processor=looking, **_shared(network))
    return Published(pipe, tokenizer="LlamaTokenizerFast", image_processor="CLIPImageProcessor")


def _shared(network: Any) -> dict[str, Any]:
    return {
        "tokenizer": tokenizer(),
        "text_encoder_2": clip_text(),
        "tokenizer_2": clip_tokenizer(),
        "transformer": network,
        "vae": vae(),
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=7.0),
    }
