"""A tiny DiffRhythm in the files of the real one: a pickled state dict, a TorchScript file, and MuQ-MuLan's two."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2ConformerConfig, XLMRobertaConfig, XLMRobertaTokenizer

from support.tiny import shelve

WIDTH, INNER, TOLD, TEXT, CHANNELS = 64, 96, 16, 8, 4
SYMBOLS = 364
STRIDES = (8, 8, 4, 4, 2)
WIDTHS = (6, 6, 4, 4, 2, 2)
READ = {"vocab_size": 102, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
HEARD = {"label_rate": 25, "hop_length": 240, "n_mels": 128, "conv_dim": 2, "encoder_dim": 16, "encoder_depth": 1}
OVER = 12


def flow_layout(
    *, width: int, inner: int, blocks: int, channels: int, told: int, text: int, mixes: int, whole: bool
) -> dict[str, tuple[int, ...]]:
    """List the parameters of the network as published: names and shapes."""
    found: dict[str, tuple[int, ...]] = {}

    def linear(name: str, out: int, given: int, *, bias: bool = True) -> None:
        found[f"{name}.weight"] = (out, given)
        if bias:
            found[f"{name}.bias"] = (out,)

    for name in ("time_embed", "start_time_embed", *(["duration_time_embed"] if whole else [])):
        linear(f"{name}.time_mlp.0", told, 256)
        linear(f"{name}.time_mlp.2", told, told)
    found["text_embed.text_embed.weight"] = (SYMBOLS, text)
    for number in range(mixes):
        block = f"text_embed.text_blocks.{number}"
        found |= {f"{block}.dwconv.weight": (text, 1, 7), f"{block}.dwconv.bias": (text,)}
        found |= {f"{block}.norm.weight": (text,), f"{block}.norm.bias": (text,)}
        linear(f"{block}.pwconv1", 2 * text, text)
        found |= {f"{block}.grn.{name}": (1, 1, 2 * text) for name in ("gamma", "beta")}
        linear(f"{block}.pwconv2", text, 2 * text)
    linear("input_embed.proj", width, 2 * channels + text + 2 * told)
    for number in (0, 2):
        name = f"input_embed.conv_pos_embed.conv1d.{number}"
        found |= {f"{name}.weight": (width, width // 16, 31), f"{name}.bias": (width,)}
    for number in range(blocks):
        block = f"transformer_blocks.{number}"
        for name in "qkvo":
            linear(f"{block}.self_attn.{name}_proj", width, width, bias=False)
        linear(f"{block}.mlp.gate_proj", inner, width, bias=False)
        linear(f"{block}.mlp.up_proj", inner, width, bias=False)
        linear(f"{block}.mlp.down_proj", width, inner, bias=False)
        found |= {f"{block}.{name}_layernorm.weight": (width,) for name in ("input", "post_attention")}
    for number in range(blocks // 2):
        linear(f"text_fusion_linears.{number}.0", width, text)
    linear("norm_out.linear", 2 * width, told)
    linear("proj_out", channels, width)
    return {f"transformer.{name}": shape for name, shape in found.items()}


def flow_weights(*, whole: bool, seed: int = 0) -> dict[str, Tensor]:
    """Draw the weights of a network of two blocks."""
    layout = flow_layout(
        width=WIDTH, inner=INNER, blocks=2, channels=CHANNELS, told=TOLD, text=TEXT, mixes=1, whole=whole
    )
    chance = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=chance) * 0.2 for name, shape in layout.items()}


class Snake(nn.Module):
    """Oobleck's activation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.randn(width) * 0.3)
        self.beta = nn.Parameter(torch.randn(width) * 0.3)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, width, samples)."""
        alpha, beta = (torch.exp(one[None, :, None]) for one in (self.alpha, self.beta))
        return x + (1.0 / (beta + 1e-9)) * torch.sin(x * alpha) ** 2


class Unit(nn.Module):
    """Oobleck's residual unit."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        near = nn.Conv1d(width, width, 7, dilation=dilation, padding=3 * dilation)
        self.layers = nn.Sequential(Snake(width), near, Snake(width), nn.Conv1d(width, width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, width, samples)."""
        return x + self.layers(x)


class Stack(nn.Module):
    """Layers under the name `layers`."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Keep the shape (batch, width, samples)."""
        return self.layers(x)


class Coder(nn.Module):
    """What the published file holds: an encoder that is not used, and a decoder."""

    def __init__(self) -> None:
        super().__init__()
        blocks = [
            Stack(
                Snake(given),
                nn.ConvTranspose1d(given, width, 2 * stride, stride, padding=stride // 2),
                *(Unit(width, dilation) for dilation in (1, 3, 9)),
            )
            for given, width, stride in zip(WIDTHS, WIDTHS[1:], STRIDES, strict=False)
        ]
        first, last = nn.Conv1d(CHANNELS, WIDTHS[0], 7, padding=3), nn.Conv1d(WIDTHS[-1], 2, 7, padding=3, bias=False)
        self.encoder = nn.Sequential(nn.Conv1d(2, 2 * CHANNELS, 3))
        self.decoder = Stack(first, *blocks, Snake(WIDTHS[-1]), last)

    def encode_export(self, x: Tensor) -> Tensor:
        """Encode; never called here."""
        return self.encoder(x)

    def decode_export(self, x: Tensor) -> Tensor:
        """Go from (batch, latents, frames) to sound."""
        return self.decoder(x)


def write_decoder(path: Path) -> Coder:
    """Save a coder as TorchScript; gives it."""
    torch.manual_seed(0)
    coder = Coder()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TorchScript is deprecated; the published file is one all the same
        examples = {"encode_export": torch.zeros(1, 2, 64), "decode_export": torch.zeros(1, CHANNELS, 3)}
        torch.jit.trace_module(coder, examples).save(str(path))
    return coder


def mulan_layout() -> dict[str, tuple[int, ...]]:
    """List the parameters of MuQ-MuLan's towers as published, less those of the Conformer and of XLM-RoBERTa."""
    found: dict[str, tuple[int, ...]] = {}
    heard, channels = HEARD["encoder_dim"], HEARD["conv_dim"]
    for number, given in enumerate((1, channels)):
        block = f"audio.model.model.conv.conv.{number}"
        for conv, into in ((1, given), (2, channels), (3, given)):
            found |= {f"{block}.conv{conv}.weight": (channels, into, 3, 3), f"{block}.conv{conv}.bias": (channels,)}
            found |= {f"{block}.bn{conv}.{name}": (channels,) for name in ("weight", "bias")}
    found["audio.model.model.conv.linear.weight"] = (heard, channels * 32)
    found["audio.model.model.conv.linear.bias"] = (heard,)
    for tower, given in (("audio", heard), ("text", READ["hidden_size"])):
        found |= {f"{tower}.proj.weight": (OVER, given), f"{tower}.proj.bias": (OVER,)}
        found |= {f"{tower}_to_latents.weight": (TOLD, OVER), f"{tower}_to_latents.bias": (TOLD,)}
        block = f"{tower}.transformer.layers.0"
        found |= {f"{block}.0.norm.learned_gamma": (OVER,), f"{block}.1.0.learned_gamma": (OVER,)}
        found |= {f"{block}.0.to_q.weight": (8, OVER), f"{block}.0.to_kv.weight": (16, OVER)}
        found |= {f"{block}.0.q_scale": (4,), f"{block}.0.k_scale": (4,), f"{block}.0.to_out.0.weight": (OVER, 8)}
        found |= {f"{block}.1.1.weight": (20, OVER), f"{block}.1.4.weight": (OVER, 10)}
    found |= {"contrast.temperatures": (1, 1, 1), "audio.aggregator.weight": (1, 25, 1)}  # for training only
    return {f"mulan.{name}": shape for name, shape in found.items()}


def muq_config() -> dict[str, Any]:
    """Write the configuration of a tiny MuQ."""
    plan = Wav2Vec2ConformerConfig(
        hidden_size=HEARD["encoder_dim"],
        num_attention_heads=2,
        num_hidden_layers=1,
        intermediate_size=24,
        position_embeddings_type="rotary",
        conv_depthwise_kernel_size=5,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
    )
    stat = {"melspec_2048_mean": 6.8, "melspec_2048_std": 18.4}
    return {**HEARD, "stat": stat, "w2v2_config": plan.to_dict()}


def reading_config() -> Any:
    """Describe a tiny XLM-RoBERTa."""
    return XLMRobertaConfig(**READ, intermediate_size=24, max_position_embeddings=514, type_vocab_size=1)


def mulan_weights() -> dict[str, Tensor]:
    """Draw the weights of both towers."""
    from transformers import XLMRobertaModel  # noqa: PLC0415 - slow to import
    from transformers.models.wav2vec2_conformer import modeling_wav2vec2_conformer as conformer  # noqa: PLC0415

    torch.manual_seed(0)
    weights = {name: torch.randn(shape) * 0.3 for name, shape in mulan_layout().items()}
    for name in [name for name in weights if name.endswith(".weight") and ".bn" in name]:
        bare, channels = name.removesuffix("weight"), len(weights[name])
        weights |= {f"{bare}running_mean": torch.randn(channels), f"{bare}running_var": torch.rand(channels) + 0.5}
        weights[f"{bare}num_batches_tracked"] = torch.tensor(1)
    plan = Wav2Vec2ConformerConfig.from_dict(muq_config()["w2v2_config"])
    inner = {
        "mulan.audio.model.model.conformer.": conformer.Wav2Vec2ConformerEncoder(plan),
        "mulan.text.model.": XLMRobertaModel(reading_config()),
    }
    for prefix, network in inner.items():
        weights |= {prefix + name: value for name, value in network.state_dict().items()}
    return weights


def tokenizer() -> Any:
    """Every printable ASCII character is a token."""
    scores = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -2.0)]
    scores += [(chr(code), -3.0) for code in range(33, 127)]
    return XLMRobertaTokenizer(vocab=scores)


def shelve_song(models: Path) -> None:
    """Put all that songs are made from on a shelf."""
    for name, whole in (("base", False), ("full", True)):
        folder = models / f"diffrhythm-{name}"
        folder.mkdir(parents=True)
        torch.save({"model_state_dict": flow_weights(whole=whole)}, folder / "cfm_model.pt")
        shelve(models, folder.name)
    (models / "diffrhythm-vae").mkdir()
    write_decoder(models / "diffrhythm-vae/vae_model.pt")
    shelve(models, "diffrhythm-vae")
    shelve(models, "xlm-roberta-base", tokenizer(), reading_config())
    (models / "muq-large").mkdir()
    (models / "muq-large/config.json").write_text(json.dumps(muq_config()))
    shelve(models, "muq-large", base="xlm-roberta-base")
    (models / "muq-mulan-large").mkdir()
    torch.save(mulan_weights(), models / "muq-mulan-large/pytorch_model.bin")
    shelve(models, "muq-mulan-large", base="muq-large")
