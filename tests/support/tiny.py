"""Tiny random networks in the formats of the real ones, put on a shelf as `unitask models` does.

Only tests of the engine `diffusers` import this: it needs torch.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model_state_dict
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
CARD = """
title = "Tiny {card_id}"
repository = "tiny/{card_id}"
files = ["*"]
dtype = "float32"
disk_bytes = 1
memory_bytes = 0
base = "{base}"
part = "{part}"
license = {{ name = "none" }}
"""


def shelve(models: Path, card_id: str, *contents: Any, base: str = "", part: str = "", lines: str = "") -> Path:
    """Save networks or a pipeline under a card's name, in single precision, with the manifest that makes it count."""
    folder = models / card_id
    for content in contents:
        content.save_pretrained(folder / part)
    cards = models / "cards"
    cards.mkdir(parents=True, exist_ok=True)
    (cards / f"{card_id}.toml").write_text(CARD.format(card_id=card_id, base=base, part=part) + lines)
    files = {
        path.relative_to(folder).as_posix(): {
            "size_bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "unitask.json"
    }
    (folder / "unitask.json").write_text(json.dumps({"revision": "tiny", "files": files}))
    return folder


def seeded(kind: Any, *arguments: Any, seed: int = 0, **named: Any) -> Any:
    """Build a network whose weights are the same in every run."""
    torch.manual_seed(seed)
    return kind(*arguments, **named)


def save_style(network: Any, pipeline: Any, path: Path, *, seed: int = 0) -> None:
    """Save a LoRA for a network, with a pipeline of its family, whose effect can be seen."""
    torch.manual_seed(seed)
    targets = ["to_q", "to_k", "to_v", "to_out.0"]
    network.add_adapter(LoraConfig(r=4, lora_alpha=4, init_lora_weights="gaussian", target_modules=targets))
    for parameter, values in network.named_parameters():
        if "lora_B" in parameter:
            torch.nn.init.normal_(values, std=0.3)
    pipeline.save_lora_weights(
        path.parent, transformer_lora_layers=get_peft_model_state_dict(network), weight_name=path.name
    )


def clip_tokenizer(max_length: int = 77) -> Any:
    """Every byte is a token, once inside a word and once at its end: 514 ids."""
    tokens = [*BYTES, *(f"{byte}</w>" for byte in BYTES), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: number for number, token in enumerate(tokens)}, merges=[], model_max_length=max_length
    )


def clip_text(width: int = 32) -> Any:
    """Two layers over 77 tokens."""
    config = CLIPTextConfig(
        vocab_size=514,
        hidden_size=width,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        projection_dim=width,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
    )
    return seeded(CLIPTextModel, config)


def t5_tokenizer(max_length: int = 512) -> Any:
    """Every printable ASCII character is a token: 98 ids."""
    scores = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
    scores += [(chr(code), -3.0) for code in range(33, 127)]
    return T5Tokenizer(vocab=scores, extra_ids=0, model_max_length=max_length)


def byte_tokenizer(max_length: int = 4096) -> Any:
    """Every byte is a token, as tokenizers of Qwen and Llama begin: 257 ids."""
    tokenizer = Tokenizer(BPE(vocab={byte: number for number, byte in enumerate(BYTES)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|endoftext|>"])
    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=end, eos_token=end, model_max_length=max_length
    )


def t5_text(width: int = 32, *, many_languages: bool = False) -> Any:
    """Two layers of T5, or of UMT5."""
    config, kind = (UMT5Config, UMT5EncoderModel) if many_languages else (T5Config, T5EncoderModel)
    return seeded(
        kind,
        config(
            vocab_size=98,
            d_model=width,
            d_ff=64,
            d_kv=8,
            num_layers=2,
            num_heads=4,
            relative_attention_num_buckets=8,
            feed_forward_proj="gated-gelu",
            dense_act_fn="gelu_new",
            is_encoder_decoder=False,
        ),
    )
