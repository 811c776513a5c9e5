"""The layouts of MMAudio's public files: names and shapes as its authors publish them, written out here once more."""

from typing import Any

import pytest
import torch
from tiny_mmaudio import SETTINGS, flow, synchformer_file, vae_file, vocoder_file

from unitask.engines.networks.foley import decoder
from unitask.engines.networks.foley.flow import COMPUTED, Flow
from unitask.engines.networks.foley.synchformer import PREFIX, Synchformer

Shapes = dict[str, tuple[int, ...]]
WIDTH, HIDDEN = 896, 2560


def linear(name: str, high: int, wide: int, kernel: int = 1, *, bias: bool = True) -> Shapes:
    """Write a layer."""
    weight = {f"{name}.weight": (high, wide) if kernel == 1 else (high, wide, kernel)}
    return weight | ({f"{name}.bias": (high,)} if bias else {})


def gated(name: str, kernel: int = 1) -> Shapes:
    """Write the three layers of which one opens another."""
    shapes = linear(f"{name}.w1", HIDDEN, WIDTH, kernel, bias=False)
    shapes |= linear(f"{name}.w2", WIDTH, HIDDEN, kernel, bias=False)
    return shapes | linear(f"{name}.w3", HIDDEN, WIDTH, kernel, bias=False)


def stream(name: str, kernel: int, *, lends: bool = False) -> Shapes:
    """Write a block of one stream; what only lends its rows has no layers after the attention."""
    shapes = linear(f"{name}.attn.qkv", 3 * WIDTH, WIDTH)
    shapes |= {f"{name}.attn.q_norm.weight": (64,), f"{name}.attn.k_norm.weight": (64,)}
    shapes |= linear(f"{name}.adaLN_modulation.1", (2 if lends else 6) * WIDTH, WIDTH)
    return shapes if lends else shapes | linear(f"{name}.linear1", WIDTH, WIDTH, kernel) | gated(f"{name}.ffn", kernel)


def large_44k_v2() -> Shapes:
    """Write the flow network: 7 blocks of three streams, 14 of one."""
    shapes: Shapes = {
        "sync_pos_emb": (1, 1, 8, 768),
        "latent_mean": (1, 1, 40),
        "latent_std": (1, 1, 40),
        "empty_string_feat": (77, 1024),
        "empty_clip_feat": (1, 1024),
        "empty_sync_feat": (1, 768),
    }
    for name, wide, kernel, mixed in (
        ("audio", 40, 7, 7),
        ("clip", 1024, 1, 3),
        ("sync", 768, 7, 3),
        ("text", 1024, 1, 1),
    ):
        shapes |= linear(f"{name}_input_proj.0", WIDTH, wide, kernel) | gated(f"{name}_input_proj.2", mixed)
    for name in ("clip_cond_proj", "text_cond_proj", "t_embed.mlp.0", "t_embed.mlp.2"):
        shapes |= linear(name, WIDTH, WIDTH)
    shapes |= gated("global_cond_mlp")
    shapes |= linear("final_layer.adaLN_modulation.1", 2 * WIDTH, WIDTH) | linear("final_layer.conv", 40, WIDTH, 7)
    for number in range(7):
        at, last = f"joint_blocks.{number}", number == 6
        shapes |= stream(f"{at}.latent_block", 3) | stream(f"{at}.clip_block", 3, lends=last)
        shapes |= stream(f"{at}.text_block", 1, lends=last)
    for number in range(14):
        shapes |= stream(f"fused_blocks.{number}", 3)
    return shapes


def synchformer() -> Shapes:
    """Write the eye: 12 blocks 768 wide, patches of two frames and 16 pixels, a summary of each pair of frames."""
    width = 768
    shapes: Shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 197, width),
        "temp_embed": (1, 8, width),
        "patch_embed.proj.weight": (width, 3, 16, 16),
        "patch_embed.proj.bias": (width,),
        "patch_embed_3d.proj.weight": (width, 3, 2, 16, 16),
        "patch_embed_3d.proj.bias": (width,),
        "spatial_attn_agg.cls_token": (1, 1, width),
        "spatial_attn_agg.self_attn.in_proj_weight": (3 * width, width),
        "spatial_attn_agg.self_attn.in_proj_bias": (3 * width,),
    }
    norms = ["norm", "spatial_attn_agg.norm1", "spatial_attn_agg.norm2"]
    layers = [("spatial_attn_agg.self_attn.out_proj", 1, 1)]
    layers += [("spatial_attn_agg.linear1", 4, 1), ("spatial_attn_agg.linear2", 1, 4)]
    for number in range(12):
        at = f"blocks.{number}"
        norms += [f"{at}.norm1", f"{at}.norm2", f"{at}.norm3"]
        layers += [(f"{at}.{kind}.qkv", 3, 1) for kind in ("attn", "timeattn")]
        layers += [(f"{at}.{kind}.proj", 1, 1) for kind in ("attn", "timeattn")]
        layers += [(f"{at}.mlp.fc1", 4, 1), (f"{at}.mlp.fc2", 1, 4)]
    for name in norms:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    for name, high, wide in layers:
        shapes |= linear(name, high * width, wide * width)
    return {f"{PREFIX}{name}": shape for name, shape in shapes.items()}


def imagined(shapes: Shapes) -> dict[str, torch.Tensor]:
    """Make tensors that take no memory."""
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def shapes_of(network: Any) -> Shapes:
    """Write out what a network is made of."""
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def test_the_flow_network_has_the_layout_of_large_44k_v2() -> None:
    """All 416 names with their shapes, from which its size is read; 4.12 GB in single precision."""
    expected = large_44k_v2()
    network = Flow.of(imagined(expected))
    assert shapes_of(network) == expected
    assert len(expected) == 416
    assert sum(value.numel() for value in network.parameters()) == 1_030_575_608


def test_synchformer_has_the_layout_of_its_public_file() -> None:
    """The eye of it, less the patches of still pictures, which nothing looks at."""
    expected = synchformer()
    network = Synchformer.of(imagined(expected) | {"afeat_extractor.cls_token": torch.ones(1)})
    used = {name.removeprefix(PREFIX): shape for name, shape in expected.items() if "patch_embed." not in name}
    assert shapes_of(network) == used
    assert (network.segment, network.side_px) == (16, 224)
    assert len(expected) == 238


@pytest.mark.parametrize("name", ["t_embed.mlp.0.weight", "joint_blocks.1.clip_block.attn.qkv.bias", "latent_std"])
def test_a_flow_network_that_lacks_something_or_has_more_is_refused(name: str) -> None:
    """Strictly, but for tables that follow from the sizes, which some files hold."""
    found = dict(flow().state_dict())
    Flow.of(found | {table: torch.ones(1) for table in COMPUTED})
    with pytest.raises(RuntimeError, match="other"):
        Flow.of(found | {"joint_blocks.0.other": torch.ones(1)})
    del found[name]
    with pytest.raises(RuntimeError, match=name):
        Flow.of(found)


def test_all_other_networks_are_read_strictly_too() -> None:
    """One name less is one too few."""
    eye, coder, singer = synchformer_file(), vae_file(), vocoder_file()["generator"]
    Synchformer.of(eye)
    decoder.vae(coder)
    decoder.vocoder(singer, SETTINGS)
    for found in (eye, coder, singer):
        found.pop(next(name for name in reversed(found) if name.endswith(".bias") or "up.0" in name))
    with pytest.raises(RuntimeError):
        Synchformer.of(eye)
    with pytest.raises(RuntimeError):
        decoder.vae(coder)
    with pytest.raises(RuntimeError):
        decoder.vocoder(singer, SETTINGS)
