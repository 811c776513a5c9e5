"""A tiny checkpoint of ACE-Step 1.5: 8000 samples a second, 25 latent frames."""

from pathlib import Path
from typing import Any

from diffusers import (
    AceStepPipeline,
    AceStepTransformer1DModel,
    AutoencoderOobleck,
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.pipelines.ace_step import (
    AceStepAudioTokenDetokenizer,
    AceStepAudioTokenizer,
    AceStepConditionEncoder,
)
from transformers import Qwen3Config, Qwen3Model

from support.tiny import byte_tokenizer, seeded, shelve

CARD = "ace-step-15-turbo"
RATE = 8000
LATENT = 4
LAYERS: Any = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "sliding_window": 16,
}
POOL: Any = {
    **LAYERS,
    "audio_acoustic_hidden_dim": LATENT,
    "pool_window_size": 5,
    "num_attention_pooler_hidden_layers": 1,
}


def vae(rate: int = RATE) -> Any:
    """320 samples of two channels for every latent frame."""
    return seeded(
        AutoencoderOobleck,
        encoder_hidden_size=2 * LATENT,
        downsampling_ratios=[4, 8, 10],
        channel_multiples=[1, 1, 2],
        decoder_channels=8,
        decoder_input_channels=LATENT,
        audio_channels=2,
        sampling_rate=rate,
    )


def ace_step(rate: int = RATE) -> Any:
    """Build a whole turbo pipeline."""
    tokenizer = byte_tokenizer()
    text = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=4096,
    )
    return AceStepPipeline(
        vae=vae(rate),
        text_encoder=seeded(Qwen3Model, text),
        tokenizer=tokenizer,
        transformer=seeded(
            AceStepTransformer1DModel,
            num_hidden_layers=2,
            in_channels=3 * LATENT,
            audio_acoustic_hidden_dim=LATENT,
            patch_size=2,
            is_turbo=True,
            **LAYERS,
        ),
        condition_encoder=seeded(
            AceStepConditionEncoder,
            text_hidden_dim=32,
            timbre_hidden_dim=LATENT,
            num_lyric_encoder_hidden_layers=1,
            num_timbre_encoder_hidden_layers=1,
            **LAYERS,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(num_train_timesteps=1, shift=1.0),
        audio_tokenizer=seeded(AceStepAudioTokenizer, fsq_dim=32, **POOL),
        audio_token_detokenizer=seeded(AceStepAudioTokenDetokenizer, **POOL),
    )


def shelve_ace_step(models: Path, rate: int = RATE) -> Path:
    """Put it on a shelf; gives its folder."""
    return shelve(models, CARD, ace_step(rate))
