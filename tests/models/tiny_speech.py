"""Tiny checkpoints of F5-TTS, Vocos and Whisper, in the layouts of the public files."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from support.tiny import BYTES, seeded, shelve

F5, NON_COMMERCIAL, VOCOS, WHISPER = "openf5-tts-base", "f5-tts-v1-base", "vocos-mel-24khz", "whisper-large-v3-turbo"
BANDS = 100
LETTERS = " !\"#$%&'()*+,-./0123456789:=?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz\u00e9\u3002\uff0c"
VOCABULARY = [*LETTERS, "ni2", "hao3", "shi4", "jie4"]
COMMANDS = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]

Shapes = dict[str, tuple[int, ...]]


def f5_layout(symbols: int, text: int, text_blocks: int, width: int, blocks: int) -> Shapes:
    """Name what the public files hold of the network, and its shapes."""
    layout: Shapes = {
        "rotary_embed.inv_freq": (32,),
        "text_embed.text_embed.weight": (symbols + 1, text),
        **dense("time_embed.time_mlp.0", 256, width),
        **dense("time_embed.time_mlp.2", width, width),
        **dense("input_embed.proj", 2 * BANDS + text, width),
        **dense("norm_out.linear", width, 2 * width),
        **dense("proj_out", width, BANDS),
    }
    for number in range(text_blocks):
        layout |= convnext(f"text_embed.text_blocks.{number}", text, 2 * text)
        layout |= dict.fromkeys(
            (f"text_embed.text_blocks.{number}.grn.gamma", f"text_embed.text_blocks.{number}.grn.beta"),
            (1, 1, 2 * text),
        )
    for number in (0, 2):
        name = f"input_embed.conv_pos_embed.conv1d.{number}"
        layout |= {f"{name}.weight": (width, width // 16, 31), f"{name}.bias": (width,)}
    for number in range(blocks):
        block = f"transformer_blocks.{number}"
        layout |= dense(f"{block}.attn_norm.linear", width, 6 * width)
        for part in ("to_q", "to_k", "to_v", "to_out.0"):
            layout |= dense(f"{block}.attn.{part}", width, width)
        layout |= dense(f"{block}.ff.ff.0.0", width, 2 * width) | dense(f"{block}.ff.ff.2", 2 * width, width)
    return layout


def vocos_layout(width: int, inner: int, blocks: int) -> Shapes:
    """Name what the public file holds, and its shapes."""
    layout: Shapes = {
        "feature_extractor.mel_spec.spectrogram.window": (1024,),
        "feature_extractor.mel_spec.mel_scale.fb": (513, BANDS),
        "head.istft.window": (1024,),
        "backbone.embed.weight": (width, BANDS, 7),
        "backbone.embed.bias": (width,),
        **dense("head.out", width, 1026),
    }
    for name in ("backbone.norm", "backbone.final_layer_norm"):
        layout |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for number in range(blocks):
        layout |= convnext(f"backbone.convnext.{number}", width, inner)
        layout[f"backbone.convnext.{number}.gamma"] = (width,)
    return layout


def dense(name: str, given: int, made: int) -> Shapes:
    """Name the weights of one dense layer."""
    return {f"{name}.weight": (made, given), f"{name}.bias": (made,)}


def convnext(name: str, width: int, inner: int) -> Shapes:
    """Name what both kinds of ConvNeXt blocks hold."""
    return {
        f"{name}.dwconv.weight": (width, 1, 7),
        f"{name}.dwconv.bias": (width,),
        f"{name}.norm.weight": (width,),
        f"{name}.norm.bias": (width,),
        **dense(f"{name}.pwconv1", width, inner),
        **dense(f"{name}.pwconv2", inner, width),
    }


def drawn(layout: Shapes, seed: int = 0) -> dict[str, torch.Tensor]:
    """Draw weights: the same in every run."""
    source = torch.Generator().manual_seed(seed)
    return {name: 0.1 * torch.randn(shape, generator=source) for name, shape in sorted(layout.items())}


def f5_weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """Draw a network 128 wide with two heads and two blocks, named as in the public files."""
    network = drawn(f5_layout(len(VOCABULARY), text=16, text_blocks=1, width=128, blocks=2), seed)
    named = {f"ema_model.transformer.{name}": value for name, value in network.items()}
    counters = {"initted": torch.tensor([1]), "step": torch.tensor([1_250_000])}
    return {**named, "ema_model.mel_spec.mel_stft.spectrogram.window": torch.hann_window(1024), **counters}


def shelve_f5(models: Path, config: str = "", seed: int = 0) -> Path:
    """Shelve F5-TTS as OpenF5 comes: pickled, with what the training kept beside it."""
    folder = models / F5
    folder.mkdir(parents=True)
    content = {"ema_model_state_dict": f5_weights(seed), "update": 5, "scheduler_state_dict": {"last_epoch": 1}}
    torch.save(content, folder / "model.pt")
    (folder / "vocab.txt").write_text("".join(f"{symbol}\n" for symbol in VOCABULARY), "utf-8")
    (folder / "config.yaml").write_text(
        config or "model:\n  arch:\n    text_mask_padding: True\n    pe_attn_head: null\n"
    )
    return shelve(models, F5)


def shelve_safetensors(models: Path, card_id: str = NON_COMMERCIAL) -> Path:
    """Shelve the same network as F5-TTS v1 comes: in a folder, without a configuration."""
    folder = models / card_id
    (folder / "F5TTS_v1_Base").mkdir(parents=True)
    save_file(f5_weights(), folder / "F5TTS_v1_Base/model_1250000.safetensors")
    (folder / "F5TTS_v1_Base/vocab.txt").write_text("".join(f"{symbol}\n" for symbol in VOCABULARY), "utf-8")
    return shelve(models, card_id)


def shelve_vocos(models: Path) -> Path:
    """Shelve a vocoder 16 wide."""
    folder = models / VOCOS
    folder.mkdir(parents=True)
    save_file(drawn(vocos_layout(16, 32, 2)), folder / "model.safetensors")
    return shelve(models, VOCOS)


def shelve_voice(models: Path) -> None:
    """Shelve what speaks."""
    shelve_f5(models)
    shelve_vocos(models)


def shelve_whisper(models: Path) -> Path:
    """Shelve what hears: every byte is a token."""
    vocabulary = {token: number for number, token in enumerate([*BYTES, *COMMANDS])}
    tokenizer = WhisperTokenizer(vocab=vocabulary, merges=[], additional_special_tokens=COMMANDS)
    numbers = {token: vocabulary[token] for token in COMMANDS}
    config = WhisperConfig(
        vocab_size=len(vocabulary),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_mel_bins=80,
        decoder_start_token_id=numbers["<|startoftranscript|>"],
        eos_token_id=numbers["<|endoftext|>"],
        bos_token_id=numbers["<|endoftext|>"],
        pad_token_id=numbers["<|endoftext|>"],
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    network = seeded(WhisperForConditionalGeneration, config)
    unspoken = [vocabulary[letter] for letter in BYTES if letter not in VOCABULARY]
    network.generation_config = GenerationConfig(
        decoder_start_token_id=numbers["<|startoftranscript|>"],
        eos_token_id=numbers["<|endoftext|>"],
        pad_token_id=numbers["<|endoftext|>"],
        no_timestamps_token_id=numbers["<|notimestamps|>"],
        is_multilingual=True,
        lang_to_id={"<|en|>": numbers["<|en|>"]},
        task_to_id={"transcribe": numbers["<|transcribe|>"]},
        suppress_tokens=[*unspoken, *numbers.values()],
        max_length=40,
    )
    return shelve(models, WHISPER, network, WhisperFeatureExtractor(feature_size=80), tokenizer, part="whisper")
