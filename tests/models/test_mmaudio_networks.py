"""What MMAudio's networks compute, against a second computation in NumPy."""

from typing import Any

import numpy as np
import pytest
import torch
from second_computation import (
    Floats,
    along,
    attended,
    chance,
    finished,
    gated,
    joined,
    levelled,
    numbers,
    silu,
    streamed,
    under,
)
from tiny_mmaudio import flow, synchformer
from torch.nn import functional

from unitask.engines.networks.foley.flow import Told, places_of, sampled, turned
from unitask.engines.networks.foley.synchformer import noticed

torch.set_num_threads(1)


def array(rows: torch.Tensor) -> Floats:
    """Give the first of a batch to NumPy."""
    return rows[0].numpy().astype(np.float64)


def test_the_flow_network_computes_what_numpy_does() -> None:
    """Sound has its own lead at each moment; it attends to words, and to pictures, which lie among its own rows."""
    network = flow()
    told = Told(chance(1, 3, 64, seed=2), chance(1, 6, 64, seed=3), chance(1, 4, 64, seed=4), chance(1, 64, seed=5))
    given = chance(1, 6, 4)
    with torch.no_grad():
        made = network(given, torch.tensor(0.3), told)
    own = numbers(network)
    angles = 0.3 * 10_000 * 10_000.0 ** (-np.arange(0, 64, 2) / 64)
    waves = np.concatenate([np.cos(angles), np.sin(angles)])[None]
    moment = silu(along(waves, own["t_embed.mlp.0.weight"], own["t_embed.mlp.0.bias"]))
    whole = along(moment, own["t_embed.mlp.2.weight"], own["t_embed.mlp.2.bias"]) + told.whole.numpy()
    led = whole + array(told.movements)
    sound = silu(along(array(given), own["audio_input_proj.0.weight"], own["audio_input_proj.0.bias"]))
    rows = [gated(sound, under(own, "audio_input_proj.2")), array(told.pictures), array(told.words)]
    places: list[list[float] | None] = [[0, 1, 2, 3, 4, 5], [0, 2, 4], None]
    for number in range(2):
        parts = [under(own, f"joint_blocks.{number}.{name}_block") for name in ("latent", "clip", "text")]
        streams = [streamed(*each) for each in zip(rows, parts, (led, whole, whole), places, strict=True)]
        done = zip(rows, joined(streams), parts, [rest for _, rest in streams], strict=True)
        rows = [finished(one, found, part, rest) if rest else one for one, found, part, rest in done]
    alone = under(own, "fused_blocks.0")
    stream = streamed(rows[0], alone, led, places[0])
    sound = finished(rows[0], joined([stream])[0], alone, stream[1])
    ending = under(own, "final_layer")
    shift, scale = np.split(
        silu(whole) @ ending["adaLN_modulation.1.weight"].T + ending["adaLN_modulation.1.bias"], 2, -1
    )
    expected = along(levelled(sound) * (1 + scale) + shift, ending["conv.weight"], ending["conv.bias"])
    assert np.allclose(array(made), expected, atol=1e-3 * np.abs(expected).max())


def test_places_turn_pairs_of_numbers() -> None:
    """By hand: the first pair by its place in radians, the last by ten-thousandths of it; lengths stay."""
    rows = torch.zeros(1, 1, 3, 64)
    rows[..., 0] = rows[..., 62] = 1
    made = turned(rows, places_of(3, 2.0, torch.device("cpu")))[0, 0]
    assert np.allclose(made[:, 0], np.cos([0, 2, 4]), atol=1e-6)
    assert np.allclose(made[:, 1], np.sin([0, 2, 4]), atol=1e-6)
    assert np.allclose(made[:, 63], np.sin(np.array([0, 2, 4]) * 10_000 ** (-31 / 32)), atol=1e-6)
    assert np.allclose(made.norm(dim=-1), rows[0, 0].norm(dim=-1))


def test_what_leads_a_sound_comes_beside_nothing_to_see_and_other_words() -> None:
    """Row 1 is what the network has learned for nothing; movements are stretched to the sound, eight have a place."""
    network = flow()
    pictures, movements, words, against = (
        chance(1, 3, 8),
        chance(1, 16, 64),
        chance(1, 77, 16),
        chance(1, 77, 16, seed=2),
    )
    nothing = network.empty_clip_feat[None].expand(1, 3, -1), network.empty_sync_feat[None].expand(1, 16, -1)
    with torch.no_grad():
        told = network.told(pictures, movements, words, against, 32)
        other = network.told(*nothing, against, against, 32)
        plain = network.sync_input_proj((movements.reshape(2, 8, 64) + network.sync_pos_emb[0]).reshape(1, 16, 64))
    for made, wanted in zip(told, other, strict=True):
        assert torch.allclose(made[1], wanted[0], atol=1e-6)
        assert not torch.allclose(made[0], wanted[0], atol=1e-3)
    assert torch.allclose(told.movements[0, ::2], plain[0], atol=1e-6)
    assert torch.equal(told.movements[0, ::2], told.movements[0, 1::2])


class Wind(torch.nn.Module):
    """Blows 2 with what leads, 1 away from it, times a thousand to the moment's power of zero."""

    def __init__(self) -> None:
        super().__init__()
        self.latent_mean, self.latent_std = torch.tensor(5.0), torch.tensor(10.0)
        self.moments: list[float] = []

    def forward(self, sound: torch.Tensor, time: torch.Tensor, told: Any) -> torch.Tensor:  # noqa: ARG002 - the signature of a flow
        """Remember when it was asked."""
        self.moments.append(float(time))
        return torch.tensor([2.0, 1.0])[:, None, None].expand_as(sound)


def test_sampling_follows_the_flow_in_equal_steps() -> None:
    """With guidance 3 the wind is 3 * 2 - 2 * 1 = 4; one unit of time further the latent is scaled back."""
    wind, steps = Wind(), []
    told: Any = flow().told(chance(1, 3, 8), chance(1, 8, 64), chance(1, 77, 16), chance(1, 77, 16), 7)
    made = sampled(wind, torch.ones(1, 7, 4), told, steps=4, guidance=3.0, on_step=steps.append)  # type: ignore[arg-type]
    assert torch.allclose(made, torch.full((1, 7, 4), 55.0))
    assert wind.moments == [0, 0.25, 0.5, 0.75]
    assert steps == [1, 2, 3, 4]


def test_synchformer_computes_what_numpy_does() -> None:
    """Each patch looks along time, then across its frame; row 1 + 4 * t + p is place p at time t.

    The first row sees all and is seen by all; at the end a row of its own sums up the places of each time.
    """
    network = synchformer()
    seen = chance(1, 16, 3, 32, 32)
    with torch.no_grad():
        made = network(seen)
    own = numbers(network)
    blocks = array(seen).reshape(8, 2, 3, 2, 16, 2, 16)
    patches = np.einsum("tdcyhxw,ocdhw->tyxo", blocks, own["patch_embed_3d.proj.weight"]).reshape(8, 4, 64)
    patches = patches + own["patch_embed_3d.proj.bias"] + own["pos_embed"][0, 1:] + own["temp_embed"][0][:, None]
    rows = np.concatenate([own["cls_token"][0] + own["pos_embed"][0, :1], patches.reshape(32, 64)])
    everything = list(range(33))
    same_place = [everything] + [[0, *(1 + 4 * t + p for t in range(8))] for _ in range(8) for p in range(4)]
    same_time = [everything] + [[0, *(1 + 4 * t + p for p in range(4))] for t in range(8) for _ in range(4)]
    block = under(own, "blocks.0")
    for name, norm, others in (("timeattn", "norm3", same_place), ("attn", "norm1", same_time)):
        rows = rows + attended(normal(rows, block, norm), under(block, name), others)
    rows = rows + bent(normal(rows, block, "norm2"), under(block, "mlp"), "fc1", "fc2")
    rows = normal(rows, own, "norm")[1:].reshape(8, 4, 64)
    last = under(own, "spatial_attn_agg")
    looks = {"qkv.weight": last["self_attn.in_proj_weight"], "qkv.bias": last["self_attn.in_proj_bias"]}
    looks |= {f"proj.{kind}": last[f"self_attn.out_proj.{kind}"] for kind in ("weight", "bias")}
    expected = []
    for places in rows:
        five = np.concatenate([last["cls_token"][0], places])
        five = five + attended(normal(five, last, "norm1"), looks, [list(range(5))] * 5)
        expected.append((five + bent(normal(five, last, "norm2"), last, "linear1", "linear2"))[0])
    assert np.allclose(array(made), expected, atol=1e-3 * np.abs(expected).max())


def normal(rows: Floats, own: dict[str, Floats], name: str) -> Floats:
    """Level rows, and scale and shift them as a layer has learned."""
    return levelled(rows, 1e-6) * own[f"{name}.weight"] + own[f"{name}.bias"]


def bent(rows: Floats, own: dict[str, Floats], first: str, second: str) -> Floats:
    """Compute two layers with a bend between them."""
    inner = torch.from_numpy(along(rows, own[f"{first}.weight"], own[f"{first}.bias"]))
    return along(functional.gelu(inner).numpy(), own[f"{second}.weight"], own[f"{second}.bias"])


class Stare(torch.nn.Module):
    """Gives back the brightness of each pair of frames."""

    segment = 16

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = torch.nn.Parameter(torch.zeros(1))

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """Go from (segments, frames, 3, side, side) to (segments, frames / 2, 1)."""
        return seen.mean((2, 3, 4)).reshape(len(seen), 8, 2).mean(-1, keepdim=True)


def test_segments_share_half_of_their_frames_and_come_one_after_the_other() -> None:
    """Frames as bright as their number: bytes become numbers from -1 to 1."""
    frames = torch.arange(56, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 4, 4)
    shares: list[float] = []
    rows = noticed(Stare(), frames, shares.append)  # type: ignore[arg-type]
    expected = [(start + 2 * pair + 0.5) / 127.5 - 1 for start in range(0, 41, 8) for pair in range(8)]
    assert rows.shape == (1, 48, 1)
    assert np.allclose(rows[0, :, 0].detach().numpy(), expected, atol=1e-6)
    assert shares == [pytest.approx(4 / 6), 1]


def test_synchformer_tells_places_and_times_apart() -> None:
    """A light in another corner, or a moment later, gives other rows; the batch does not matter."""
    network = synchformer()
    seen = torch.zeros(3, 16, 3, 32, 32)
    seen[0, 4, :, :16, :16] = seen[1, 4, :, 16:, 16:] = seen[2, 10, :, :16, :16] = 1
    with torch.no_grad():
        rows = network(seen)
        alone = network(seen[1:2])
    assert rows.shape == (3, 8, 64)
    assert torch.allclose(rows[1:2], alone, atol=1e-5)
    assert min(float((rows[a] - rows[b]).abs().max()) for a, b in ((0, 1), (0, 2), (1, 2))) > 5e-4
