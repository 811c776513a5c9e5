"""F5-TTS's network, sampler and spectrograms, and Vocos: the public layout, and their numbers computed once more."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_speech import drawn, f5_layout, vocos_layout

from support.previews import tone
from unitask.engines.networks.speech import mel
from unitask.engines.networks.speech.dit import HEAD, Attention, Block, Build, DiT, TextEmbedding
from unitask.engines.networks.speech.flow import FEW, Sampler, times
from unitask.engines.networks.speech.vocos import Head, Vocos

Numbers = NDArray[np.float64]
SIZES: dict[str, int] = {"symbols": 7, "text_width": 8, "text_blocks": 1, "width": 128, "blocks": 1, "mult": 2}


def build(**changes: Any) -> Build:
    """Describe a network with two heads."""
    return Build(**{**SIZES, "heads": 2, "bands": 100, **changes})


def filled(module: Any) -> Any:
    """Give a module weights that are the same in every run, some of which would otherwise be zero."""
    source = torch.Generator().manual_seed(1)
    for value in module.state_dict().values():
        value.copy_(0.2 * torch.randn(value.shape, generator=source))
    return module.requires_grad_(False)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    """Draw numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def dense(weights: dict[str, Numbers], name: str, given: Numbers) -> Numbers:
    """Compute a dense layer."""
    return given @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def normed(given: Numbers) -> Numbers:
    """Bring the last axis to mean 0 and variance 1."""
    return (given - given.mean(-1, keepdims=True)) / np.sqrt(given.var(-1, keepdims=True) + 1e-6)


def doubles(module: Any) -> dict[str, Numbers]:
    """Give a module's weights to NumPy."""
    return {name: value.double().numpy() for name, value in module.state_dict().items()}


def test_the_network_has_the_names_and_shapes_of_the_public_weights_of_v1() -> None:
    """337 million numbers under 363 names; the table of rotations, which follows from the layout, is computed."""
    layout = f5_layout(2545, text=512, text_blocks=4, width=1024, blocks=22)
    weights = {name: torch.empty(shape, device="meta") for name, shape in layout.items()}
    del weights["rotary_embed.inv_freq"]
    with torch.device("meta"):
        network = DiT(Build.of(weights, masked=True, turned=None))
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == {
        name: tuple(value.shape) for name, value in weights.items()
    }
    assert len(weights) == 363
    assert sum(value.numel() for value in weights.values()) == 337_096_804
    assert network.build.heads == 16


def test_vocos_has_the_names_and_shapes_of_the_public_weights() -> None:
    """13.5 million numbers; windows and filters, which follow from the layout, are computed."""
    layout = vocos_layout(512, 1536, 8)
    weights = {
        name: torch.empty(shape, device="meta")
        for name, shape in layout.items()
        if name.startswith(("backbone", "head.out"))
    }
    vocoder = Vocos.of(weights)
    assert {name: tuple(value.shape) for name, value in vocoder.state_dict().items()} == {
        name: tuple(value.shape) for name, value in weights.items()
    }
    assert sum(value.numel() for value in weights.values()) == 13_531_650


def test_filters_are_triangles_on_the_scale_of_htk() -> None:
    """Each band rises from the middle of the one below it to its own, and falls to that of the one above it."""
    mels = np.linspace(0, 2595 * np.log10(1 + 12_000 / 700), 102)
    corners = 700 * (10 ** (mels / 2595) - 1)
    frequencies = np.arange(513) * 24_000 / 1024
    expected = np.stack([np.interp(frequencies, corners[band : band + 3], [0, 1, 0]) for band in range(100)], axis=1)
    assert np.abs(mel.filters().numpy() - expected).max() < 1e-5
    assert expected.max(axis=0).min() > 0.2


def test_a_spectrogram_is_what_its_definition_says() -> None:
    """A Fourier transform written out, over a mirrored sound; what is silent has the least value."""
    wave = tone(440, 0.1, mel.RATE)[:, 0] + 0.01 * random(2400, seed=3).double().numpy()
    mirrored = np.pad(wave, 512, mode="reflect")
    bell = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    frames = np.stack([mirrored[start : start + 1024] * bell for start in range(0, len(wave) + 1, 256)])
    turns = np.exp(-2j * np.pi * np.outer(np.arange(1024), np.arange(513)) / 1024)
    expected = np.log(np.maximum(np.abs(frames @ turns) @ mel.filters().double().numpy(), 1e-5))
    found = mel.log_mel(torch.from_numpy(wave.astype(np.float32))).numpy()
    assert found.shape == (len(wave) // 256 + 1, 100)
    assert np.abs(found - expected).max() < 1e-3
    assert torch.equal(mel.log_mel(torch.zeros(2000)), torch.full((8, 100), 1e-5).log())


@pytest.mark.parametrize("turned", [None, 1])
def test_a_block_computes_what_its_definition_says(turned: int | None) -> None:
    """Modulated attention with turned heads and a modulated network, written out with NumPy."""
    block = filled(Block(build(turned=turned)))
    given, now, frames = random(1, 5, 128), random(1, 128, seed=2), 5
    angles = np.outer(np.arange(frames), 10_000.0 ** (-np.arange(32) / 32))
    weights, seen = doubles(block), given[0].double().numpy()
    time = now[0].double().numpy()
    shift, scale, gate, shift_after, scale_after, gate_after = np.split(
        dense(weights, "attn_norm.linear", time / (1 + np.exp(-time))), 6
    )
    moved = normed(seen) * (1 + scale) + shift
    heads = []
    for head in range(2):
        part = slice(head * HEAD, (head + 1) * HEAD)
        asked, offered, value = (dense(weights, f"attn.to_{name}", moved)[:, part] for name in "qkv")
        if turned is None or head < turned:
            asked, offered = (
                np.stack([(one[:, ::2] + 1j * one[:, 1::2]) * np.exp(1j * angles)]).view(float)[0]
                for one in (asked, offered)
            )
        likeness = np.exp(asked @ offered.T / np.sqrt(HEAD))
        heads.append(likeness / likeness.sum(1, keepdims=True) @ value)
    seen = seen + gate * dense(weights, "attn.to_out.0", np.concatenate(heads, axis=1))
    inner = dense(weights, "ff.ff.0.0", normed(seen) * (1 + scale_after) + shift_after)
    inner = 0.5 * inner * (1 + np.tanh(np.sqrt(2 / np.pi) * (inner + 0.044715 * inner**3)))
    expected = seen + gate_after * dense(weights, "ff.ff.2", inner)
    turns = torch.from_numpy(np.cos(angles)).float(), torch.from_numpy(np.sin(angles)).float()
    found = block(given, now, turns)[0].numpy()
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_attention_knows_places_only_by_turning() -> None:
    """Without any turned head, frames that change places change nothing else."""
    for turned, alike in ((0, True), (1, False)):
        attention = filled(Attention(build(turned=turned)))
        given, order = random(1, 6, 128), [3, 1, 5, 0, 2, 4]
        angles = torch.outer(torch.arange(6.0), torch.linspace(1, 0.1, 32))
        turns = angles.cos(), angles.sin()
        one, other = attention(given, turns)[:, order], attention(given[:, order], turns)
        assert torch.allclose(one, other, atol=1e-5) is alike


def test_where_there_is_no_text_the_masked_layout_passes_nothing_on() -> None:
    """The older one does, and what is beyond the frames is not read in either."""
    ids = torch.tensor([[3, 0, 6]])
    masked, open_ = (filled(TextEmbedding(build(masked=masked))) for masked in (True, False))
    assert torch.count_nonzero(masked(ids, 10)[0, 3:]) == 0
    assert torch.count_nonzero(masked(ids, 10, silent=True)[0, 3:]) == 0
    assert torch.count_nonzero(open_(ids, 10)[0, 3:]) > 50
    assert not torch.allclose(masked(ids, 10)[0, :3], masked(ids, 10, silent=True)[0, :3])
    assert torch.equal(masked(ids, 2), masked(ids[:, :2], 2))


def test_steps_grow_as_they_sway_and_few_ones_stop_where_they_are_known_to_do_best() -> None:
    """From 0 to 1 in any case."""
    assert times(4, 0.0) == [0, 0.25, 0.5, 0.75, 1]
    assert times(7, 0.0) == [place / 32 for place in (0, 2, 4, 6, 8, 16, 24, 32)]
    assert times(32, -1.0) == pytest.approx([1 - np.cos(np.pi / 2 * step / 32) for step in range(33)])
    for steps in (*FEW, 3, 32):
        way = times(steps, -1.0)
        assert len(way) == steps + 1
        assert (way[0], way[-1]) == (0, pytest.approx(1))


class Straight:
    """In the place of a network: leads to a target by what it is told, and elsewhere without it."""

    dtype = torch.float32

    def __init__(self, target: torch.Tensor) -> None:
        self.target = target
        self.given: list[tuple[torch.Tensor, torch.Tensor, float]] = []

    def text_embed(self, ids: torch.Tensor, frames: int, *, silent: bool) -> torch.Tensor:
        """Tell the sum of the symbols."""
        return torch.full((1, frames, 1), 0.0 if silent else float(ids.sum()))

    def __call__(
        self, noisy: torch.Tensor, heard: torch.Tensor, told: torch.Tensor, time: torch.Tensor
    ) -> torch.Tensor:
        """Lead, and remember what was given."""
        self.given.append((noisy.clone(), heard, float(time)))
        return self.target * told + 2 * time


def test_the_sampler_goes_where_guidance_says_step_by_step() -> None:
    """Led and free directions are known here, so the end is known: Euler's sum, with the recording left away."""
    target, noise, heard = random(6, 100), random(6, 100, seed=1), random(2, 100, seed=2)
    network: Any = Straight(target)
    steps: list[int] = []
    way = times(3, -1.0)
    found = Sampler(network, way, 0.5).go_on(heard, torch.tensor([1, 2]), noise, lambda: steps.append(1))
    led_by_text = 3 * target
    drift = sum(2 * now * (then - now) for now, then in pairwise(way))
    assert torch.allclose(found, (noise + led_by_text * 1.5 + drift)[2:], atol=1e-4)
    assert [time for _, _, time in network.given] == pytest.approx(way[:-1])
    assert len(steps) == 3
    known = network.given[0][1]
    assert torch.equal(known[0, :2], heard)
    assert torch.count_nonzero(known[0, 2:]) == 0


def test_the_two_halves_of_the_network_are_with_and_without_what_is_known() -> None:
    """The second half is what comes out where there is neither a recording nor a text."""
    network = filled(DiT(build()))
    noisy, heard, told, time = random(1, 9, 100), random(1, 9, 100, seed=1), random(2, 9, 8, seed=2), torch.tensor(0.3)
    both = network(noisy, heard, told, time)
    free = network(noisy, torch.zeros_like(heard), told[1:].expand(2, -1, -1), time)
    assert torch.allclose(both[1], free[0], atol=1e-5)
    assert not torch.allclose(both[0], free[0], atol=1e-2)


def test_the_head_of_vocos_makes_the_sound_whose_spectra_it_is_given() -> None:
    """With a head that only passes a sound's own spectrum on, that sound comes out; what is too loud is held at 100."""
    wave = torch.from_numpy(tone(300, 0.2, mel.RATE)[:4608, 0].copy())
    spectra = torch.stft(wave, 1024, 256, window=torch.hann_window(1024), return_complex=True)
    head = Head(1026).requires_grad_(False)
    head.out.weight.copy_(torch.eye(1026))
    head.out.bias.zero_()
    given = torch.cat([spectra.abs().clamp(min=1e-6).log(), spectra.angle()]).T[None]
    assert torch.allclose(head(given)[0], wave, atol=1e-4)
    loud = torch.tensor([1.0] * 513 + [0.0] * 513).bool()
    assert torch.allclose(head(torch.where(loud, 20.0, given)), head(torch.where(loud, np.log(100), given)), atol=1e-3)


def test_a_block_of_vocos_computes_what_its_definition_says() -> None:
    """A convolution along time for each channel, a small network over channels, scaled and added."""
    layout = {name: shape for name, shape in vocos_layout(6, 8, 1).items() if name.startswith(("backbone", "head.out"))}
    block = Vocos.of(drawn(layout)).backbone.convnext[0].requires_grad_(False)
    given, weights = random(1, 6, 11), doubles(block)
    padded = np.pad(given[0].double().numpy(), ((0, 0), (3, 3)))
    beside = sum(padded[:, tap : tap + 11] * weights["dwconv.weight"][:, 0, tap : tap + 1] for tap in range(7))
    beside = normed((beside + weights["dwconv.bias"][:, None]).T) * weights["norm.weight"] + weights["norm.bias"]
    inner = torch.nn.functional.gelu(torch.from_numpy(dense(weights, "pwconv1", beside))).numpy()
    expected = given[0].double().numpy() + (weights["gamma"] * dense(weights, "pwconv2", inner)).T
    assert np.abs(block(given)[0].numpy() - expected).max() < 1e-4
