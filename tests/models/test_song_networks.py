"""The networks of DiffRhythm: their published layouts, and what they compute, against other computations of it."""

import math
import warnings
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_song import (
    CHANNELS,
    INNER,
    TEXT,
    TOLD,
    WIDTH,
    Coder,
    flow_layout,
    flow_weights,
    mulan_weights,
    muq_config,
    reading_config,
    write_decoder,
)
from torch import Tensor
from torch.nn import functional
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

from unitask.engines.networks.song import decoder, flow, mulan, muq
from unitask.engines.networks.song.torchscript import tensors_of

PUBLISHED = {"width": 2048, "inner": 8192, "blocks": 16, "channels": 64, "told": 512, "text": 512, "mixes": 4}


@pytest.mark.parametrize(("whole", "million"), [(False, 1109), (True, 1110)])
def test_the_network_has_exactly_the_parameters_of_the_published_one(whole: bool, million: int) -> None:  # noqa: FBT001 - a case
    """Names and shapes, from a state dict that has no content; and as many as its makers say."""
    layout = flow_layout(**PUBLISHED, whole=whole)
    network = flow.built({name: torch.empty(shape, device="meta") for name, shape in layout.items()}, torch.float16)
    assert {f"transformer.{name}": tuple(value.shape) for name, value in network.state_dict().items()} == layout
    assert round(sum(map(math.prod, layout.values())) / 1e6) == million


@pytest.mark.parametrize("whole", [False, True])
def test_the_whole_network_is_that_of_the_published_description(whole: bool) -> None:  # noqa: FBT001 - a case
    """Composed anew from its weights, with layers of Llama and functions of torch."""
    weights = {name.removeprefix("transformer."): one for name, one in flow_weights(whole=whole).items()}
    network = flow.built(flow_weights(whole=whole), torch.float32)
    chance = torch.Generator().manual_seed(6)
    noisy, style = torch.randn((2, 9, CHANNELS), generator=chance), torch.randn((2, TOLD), generator=chance)

    def linear(name: str, given: Tensor) -> Tensor:
        return functional.linear(given, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def moment(name: str, value: float) -> Tensor:
        angles = 1000 * value * torch.exp(torch.arange(128) * -(math.log(10_000) / 127))
        waves = torch.cat([angles.sin(), angles.cos()])
        return linear(f"{name}.time_mlp.2", functional.silu(linear(f"{name}.time_mlp.0", waves)))

    with torch.no_grad():
        text = network.text_embed(torch.arange(18).reshape(2, 9))
        ours = network(noisy, flow.Told(text, style, 0.7), 0.25)
        when = moment("time_embed", 0.25) + moment("start_time_embed", 0.0)
        when = when + moment("duration_time_embed", 0.7) if whole else when
        around = [style[:, None].expand(-1, 9, -1), when.expand(2, 9, -1)]
        hidden = linear("input_embed.proj", torch.cat([noisy, torch.zeros_like(noisy), text, *around], -1))
        seen = hidden.transpose(1, 2)
        for number in (0, 2):
            name = f"input_embed.conv_pos_embed.conv1d.{number}"
            near = functional.conv1d(seen, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=15, groups=16)
            seen = functional.mish(near)
        hidden = hidden + seen.transpose(1, 2)
        for number in range(2):
            hidden = llama(weights, number, hidden)
            if number < 1:
                hidden = hidden + functional.silu(linear(f"text_fusion_linears.{number}.0", text))
        scale, shift = linear("norm_out.linear", functional.silu(when)).chunk(2)
        theirs = linear("proj_out", functional.layer_norm(hidden, (WIDTH,), eps=1e-6) * (1 + scale) + shift)
    assert torch.allclose(ours, theirs, atol=1e-4)


def llama(weights: dict[str, Tensor], number: int, given: Tensor) -> Tensor:
    """Run a layer as transformers does, every frame seeing every other."""
    config = LlamaConfig(
        hidden_size=WIDTH, intermediate_size=INNER, num_attention_heads=32, num_key_value_heads=32, rms_norm_eps=1e-6
    )
    config._attn_implementation = "eager"
    layer = LlamaDecoderLayer(config, 0).eval()
    prefix = f"transformer_blocks.{number}."
    layer.load_state_dict(
        {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
    )
    places = LlamaRotaryEmbedding(config)(given, torch.arange(given.shape[1])[None])
    made: Tensor = layer(given, position_embeddings=places, attention_mask=None)
    return made


def test_every_frame_is_told_its_symbol_the_style_and_the_moment() -> None:
    """Each of them changes where the flow goes; the length of the song only in the network for whole songs."""
    noisy = torch.randn((2, 9, CHANNELS), generator=torch.Generator().manual_seed(1))
    for whole in (False, True):
        network = flow.built(flow_weights(whole=whole), torch.float32)
        symbols = torch.tensor([[1, 2, 3, 4, 5, 6, 7, 8, 9]] * 2)
        with torch.no_grad():
            text, other = network.text_embed(symbols), network.text_embed(symbols.flip(1))
            style = torch.ones(2, TOLD)
            plain = network(noisy, flow.Told(text, style, 0.5), 0.25)
            changed = [
                network(noisy, flow.Told(other, style, 0.5), 0.25),
                network(noisy, flow.Told(text, -style, 0.5), 0.25),
                network(noisy, flow.Told(text, style, 0.5), 0.5),
                network(noisy, flow.Told(text, style, 0.9), 0.25),
            ]
        assert [bool((one - plain).abs().max() > 1e-3) for one in changed] == [True, True, True, whole]


def test_a_moment_becomes_sines_and_cosines_of_a_thousand_times_it() -> None:
    """From the fastest turn to one ten thousand times slower."""
    moment = flow.Moment(4)
    seen: list[Tensor] = []
    moment.time_mlp[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    moment(torch.tensor([0.3]))
    angles = 300 * np.geomspace(1, 1e-4, 128)
    assert np.allclose(seen[0].numpy()[0], np.concatenate([np.sin(angles), np.cos(angles)]), atol=1e-3)


def test_symbols_are_embedded_with_their_places_and_mixed_as_convnext_does() -> None:
    """By NumPy."""
    weights = {name.removeprefix("transformer.text_embed."): one.double().numpy() for name, one in _text().items()}
    symbols = [5, 0, 363, 7]
    places = np.outer(np.arange(4), 10_000 ** -(np.arange(0, TEXT, 2) / TEXT))
    given = weights["text_embed.weight"][symbols] + np.concatenate([np.cos(places), np.sin(places)], 1)
    block = {name.removeprefix("text_blocks.0."): one for name, one in weights.items()}
    padded = np.pad(given, ((3, 3), (0, 0)))
    near = sum(padded[tap : tap + 4] * block["dwconv.weight"][:, 0, tap] for tap in range(7)) + block["dwconv.bias"]
    near = (near - near.mean(1, keepdims=True)) / np.sqrt(near.var(1, keepdims=True) + 1e-6)
    wide = (near * block["norm.weight"] + block["norm.bias"]) @ block["pwconv1.weight"].T + block["pwconv1.bias"]
    wide = wide * 0.5 * (1 + np.vectorize(math.erf)(wide / math.sqrt(2)))
    strength = np.linalg.norm(wide, axis=0)
    share = strength / (strength.mean() + 1e-6)
    wide = block["grn.gamma"][0, 0] * wide * share + block["grn.beta"][0, 0] + wide
    expected = given + wide @ block["pwconv2.weight"].T + block["pwconv2.bias"]
    with torch.no_grad():
        ours = flow.built(flow_weights(whole=False), torch.float32).text_embed(torch.tensor([symbols]))[0]
    assert np.allclose(ours.numpy(), expected, atol=1e-4)


def _text() -> dict[str, Tensor]:
    return {name: one for name, one in flow_weights(whole=False).items() if ".text_embed." in name}


class Straight(torch.nn.Module):
    """A flow that leads from anywhere to one place with the words, to another without; notes when it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.proj_out = torch.nn.Linear(1, 1)
        self.moments: list[float] = []

    def forward(self, noisy: Tensor, told: flow.Told, at: float) -> Tensor:
        """Give the style as the direction."""
        self.moments.append(at)
        return told.style[:, None].expand_as(noisy)


def test_the_sampler_follows_the_flow_from_noise_and_away_from_what_is_unwanted() -> None:
    """By Euler's method over equal steps: `steps` moments from 0 to 1, the last of which is where it ends."""
    network, counted = Straight(), []
    noise = torch.randn(1, 3, 2)
    told = flow.Told(torch.zeros(0), torch.tensor([[1.0, 2.0], [0.5, 4.0]]), 0.0)
    made = flow.sampled(network, told, noise, steps=5, guidance=4.0, on_step=counted.append)
    assert torch.allclose(made, noise + torch.tensor([1 + 4 * 0.5, 2 - 4 * 2.0]), atol=1e-5)
    assert counted == [1, 2, 3, 4]
    assert network.moments == pytest.approx([0, 0.25, 0.5, 0.75])


@pytest.fixture(scope="module")
def coder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Coder]:
    """Save a decoder as TorchScript; gives the file and the module that was saved."""
    path = tmp_path_factory.mktemp("coder") / "vae_model.pt"
    return path, write_decoder(path)


def test_a_song_is_decoded_in_pieces_as_the_published_file_decodes_it_at_once(coder: tuple[Path, Coder]) -> None:
    """The edges of pieces, where they lack their neighbours, are not kept."""
    path, whole = coder
    network = decoder.built(tensors_of(path), torch.float32)
    latents = torch.randn((150, CHANNELS), generator=torch.Generator().manual_seed(2))
    shares: list[float] = []
    ours = decoder.decoded(network, latents, shares.append)
    with torch.no_grad():
        theirs = whole.decode_export(latents.T[None])[0]
    assert ours.shape == (2, 150 * 2048)
    assert torch.allclose(ours, theirs, atol=1e-4 * float(theirs.abs().max()))
    assert shares == sorted(shares)
    assert (len(shares), shares[-1]) == (2, 1)


@pytest.mark.parametrize("frames", [1, 127, 128, 129, 224, 2048, 6136])
def test_pieces_cover_a_song_without_gap_or_overlap(frames: int) -> None:
    """Each keeps at least the sixteen frames of distance to its edges, but at the song's."""
    spans = decoder.spans(frames)
    assert (spans[0][1], spans[-1][2]) == (0, frames)
    assert all(one[2] == other[1] for one, other in pairwise(spans))
    assert all(first - begin >= 16 for begin, first, _ in spans[1:])
    assert all(begin + 128 - last >= 16 for begin, _, last in spans[:-1])


def test_the_tensors_of_a_torchscript_file_are_read_without_its_code(coder: tuple[Path, Coder]) -> None:
    """As torch gives them, which runs what the file says."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = torch.jit.load(str(coder[0])).state_dict()
    ours = tensors_of(coder[0])
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("name", ["os system", "torch.hub load", "builtins eval", "torch.jit._serialization load"])
def test_a_torchscript_file_that_names_anything_else_is_refused(tmp_path: Path, name: str) -> None:
    """Pickle would import it, and call it with what the file says."""
    module, function = name.split()
    path = tmp_path / "vae_model.pt"
    with zipfile.ZipFile(path, "w") as archive:
        content = b"\x80\x02c" + f"{module}\n{function}\n".encode() + b"(X\x04\x00\x00\x00truetR."
        archive.writestr("x/data.pkl", content)
    with pytest.raises(ValueError, match=f"{module}.{function} is not taken"):
        tensors_of(path)


def test_a_mel_spectrogram_is_that_of_the_published_front_end() -> None:
    """Power in decibels over triangles on the scale of HTK, centred frames, the last one left out: by NumPy."""
    wave = np.random.default_rng(3).normal(0, 0.1, 4800).astype(np.float32)
    padded = np.pad(wave.astype(np.float64), 1024, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(2048) / 2048)
    frames = np.stack([padded[start : start + 2048] * window for start in range(0, 4800, 240)])
    power = np.abs(np.fft.rfft(frames)) ** 2
    scale = np.linspace(0, 2595 * np.log10(1 + 12_000 / 700), 130)
    points = 700 * (10 ** (scale / 2595) - 1)
    hertz = np.linspace(0, 12_000, 1025)
    bank = np.stack([np.interp(hertz, points[band : band + 3], [0, 1, 0], 0, 0) for band in range(128)])
    expected = 10 * np.log10(np.maximum(bank @ power.T, 1e-10))
    heard = muq.log_mel(torch.from_numpy(wave)[None], 128, 240)[0].numpy()
    assert heard.shape == (128, 20)
    assert np.allclose(heard[5:], expected[5:], atol=0.05)


def test_the_transformer_over_a_tower_is_that_of_the_published_model() -> None:
    """Queries and keys of length 1, eight times as sharp; a gate by GELU: by NumPy."""
    prefix = "mulan.text.transformer."
    weights = {name: one for name, one in mulan_weights().items() if name.startswith(prefix)}
    over = mulan.Over(weights, prefix)
    over.load_state_dict({name.removeprefix(prefix): one for name, one in weights.items()})
    layer = {name.removeprefix(prefix + "layers.0."): one.double().numpy() for name, one in weights.items()}
    given = np.random.default_rng(4).normal(size=(5, 12))

    def normed(values: np.ndarray, gamma: np.ndarray) -> np.ndarray:
        spread = np.sqrt(values.var(1, keepdims=True) + 1e-5)
        return (values - values.mean(1, keepdims=True)) / spread * gamma

    clear = normed(given, layer["0.norm.learned_gamma"])
    query, (key, value) = clear @ layer["0.to_q.weight"].T, np.split(clear @ layer["0.to_kv.weight"].T, 2, 1)
    seen = []
    for head in range(2):
        part = slice(4 * head, 4 * head + 4)
        ask, answer = (one[:, part] / np.linalg.norm(one[:, part], axis=1, keepdims=True) for one in (query, key))
        like = np.exp(8 * (ask * layer["0.q_scale"]) @ (answer * layer["0.k_scale"]).T)
        seen.append(like / like.sum(1, keepdims=True) @ value[:, part])
    hidden = given + np.concatenate(seen, 1) @ layer["0.to_out.0.weight"].T
    content, gate = np.split(normed(hidden, layer["1.0.learned_gamma"]) @ layer["1.1.weight"].T, 2, 1)
    gate = gate * 0.5 * (1 + np.vectorize(math.erf)(gate / math.sqrt(2)))
    expected = hidden + (gate * content) @ layer["1.4.weight"].T
    with torch.no_grad():
        ours = over(torch.from_numpy(given).float()[None])[0].numpy()
    assert np.allclose(ours, expected, atol=1e-4)


def test_both_towers_end_in_vectors_of_length_one_that_follow_what_is_given() -> None:
    """Two seconds become fifty moments; what only training needs is left out."""
    weights = mulan_weights()
    hearing = mulan.hearing(weights, muq_config(), torch.float32).eval()
    reading = mulan.reading(weights, reading_config().to_dict(), torch.float32).eval()
    waves = torch.randn((2, 48_000), generator=torch.Generator().manual_seed(5)) * 0.1
    with torch.no_grad():
        assert hearing.audio["model"]["model"](waves).shape == (2, 50, 16)
        heard, read = hearing(waves), reading(torch.tensor([[0, 9, 2], [0, 10, 2]]))
    for vectors in (heard, read):
        assert vectors.shape == (2, TOLD)
        assert torch.allclose(vectors.norm(dim=1), torch.ones(2))
        assert (vectors[0] - vectors[1]).abs().max() > 1e-4
