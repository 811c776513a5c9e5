"""What MMAudio's networks compute, against a second computation in NumPy, and how they look at a film."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_mmaudio import SETTINGS, clip, flow, synchformer, vae_file, vocoder, vocoder_file
from torch.nn import functional
from transformers import CLIPModel

from support import films
from unitask.engines.networks.foley import decoder
from unitask.engines.networks.foley.clip import MEAN, SPREAD, clip_of, meant, pictured
from unitask.engines.networks.foley.flow import places_of, sampled, turned
from unitask.engines.networks.foley.foley import Span
from unitask.engines.networks.foley.synchformer import noticed
from unitask.engines.networks.foley.watching import Look, watch
from unitask.kit.video import VideoLimits, read_video

torch.set_num_threads(1)
LIMITS = VideoLimits(1000, 4096, 4096**2, 10**8)
Floats = NDArray[np.float64]


def chance(*shape: int, seed: int = 1) -> torch.Tensor:
    """Draw numbers that are the same in every run."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def numbers(module: Any) -> dict[str, Floats]:
    """Give parameters to NumPy."""
    return {name: value.numpy().astype(np.float64) for name, value in module.state_dict().items()}


def softmax(scores: Floats) -> Floats:
    """Make shares of scores."""
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    shares: Floats = powers / powers.sum(-1, keepdims=True)
    return shares


def silu(rows: Floats) -> Floats:
    """Bend."""
    bent: Floats = rows / (1 + np.exp(-rows))
    return bent


def levelled(rows: Floats, epsilon: float = 1e-5) -> Floats:
    """Give each row the mean 0 and the spread 1."""
    level: Floats = (rows - rows.mean(-1, keepdims=True)) / np.sqrt(rows.var(-1, keepdims=True) + epsilon)
    return level


def along(rows: Floats, weight: Floats, bias: Floats | float = 0.0) -> Floats:
    """Convolve along the rows of (length, width), with nothing beyond both ends."""
    if weight.ndim == 2:
        return rows @ weight.T + bias
    half = weight.shape[2] // 2
    padded = np.pad(rows, ((half, half), (0, 0)))
    taps = [padded[tap : tap + len(rows)] @ weight[:, :, tap].T for tap in range(weight.shape[2])]
    made: Floats = np.sum(taps, axis=0) + bias
    return made


def headed(rows: Floats, own: dict[str, Floats], places: list[float] | None) -> list[Floats]:
    """Make query, key and value of one head, pairs turned by angles that fall with their number."""
    mixed = (rows @ own["attn.qkv.weight"].T + own["attn.qkv.bias"]).reshape(len(rows), 64, 3)
    made = []
    for kind, name in enumerate(("q_norm", "k_norm", "")):
        part = mixed[:, :, kind]
        if name:
            part = part / np.sqrt((part**2).mean(-1, keepdims=True) + 2**-23) * own[f"attn.{name}.weight"]
        if name and places is not None:
            angles = np.outer(places, 10_000.0 ** (-np.arange(32) / 32))
            even, odd = part[:, ::2].copy(), part[:, 1::2].copy()
            part[:, ::2] = even * np.cos(angles) - odd * np.sin(angles)
            part[:, 1::2] = even * np.sin(angles) + odd * np.cos(angles)
        made.append(part)
    return made


def streamed(rows: Floats, own: dict[str, Floats], led: Floats, places: list[float] | None) -> tuple[Any, list[Floats]]:
    """Compute a stream's part before the attention."""
    shift, scale, *rest = np.split(
        silu(led) @ own["adaLN_modulation.1.weight"].T + own["adaLN_modulation.1.bias"], 6, -1
    )
    return headed(levelled(rows) * (1 + scale) + shift, own, places), rest


def finished(rows: Floats, found: Floats, own: dict[str, Floats], rest: list[Floats]) -> Floats:
    """Compute a stream's part after it."""
    gate, shift, scale, opened = rest
    rows = rows + along(found, own["linear1.weight"], own["linear1.bias"]) * gate
    level = levelled(rows) * (1 + scale) + shift
    inner = silu(along(level, own["ffn.w1.weight"])) * along(level, own["ffn.w3.weight"])
    return rows + along(inner, own["ffn.w2.weight"]) * opened


def test_a_joint_block_computes_what_numpy_does() -> None:
    """Sound has its own lead at each moment and attends to pictures and words; pictures lie among the sound's rows."""
    block = flow().joint_blocks[0]
    sound, pictures, words, led, whole = (chance(1, n, 64, seed=n) for n in (6, 3, 4, 7, 1))
    led = led[:, :6]
    told = flow().told(chance(1, 3, 8), chance(1, 8, 64), chance(1, 4, 16), chance(1, 4, 16), 6)
    told = told._replace(pictures=pictures, words=words, whole=whole[:, 0])
    places = places_of(6, 1.0, torch.device("cpu")), places_of(3, 2.0, torch.device("cpu"))
    with torch.no_grad():
        heard, seen = block(sound, told, led, places)
    own = [numbers(part) for part in (block.latent_block, block.clip_block, block.text_block)]
    given = [rows[0].numpy().astype(np.float64) for rows in (sound, pictures, words)]
    leads = [led[0].numpy().astype(np.float64), *[whole[0].numpy().astype(np.float64)] * 2]
    angles: list[list[float] | None] = [[0, 1, 2, 3, 4, 5], [0, 2, 4], None]
    streams = [streamed(*parts) for parts in zip(given, own, leads, angles, strict=True)]
    query, key, value = (np.concatenate([attends[kind] for attends, _ in streams]) for kind in range(3))
    found = np.split(softmax(query @ key.T / 8) @ value, [6, 9])
    expected = [finished(*parts, rest) for *parts, (_, rest) in zip(given, found, own, streams, strict=True)]
    for made, wanted in zip((heard, seen.pictures, seen.words), expected, strict=True):
        assert np.allclose(made[0].numpy(), wanted, atol=1e-4)
    assert seen.movements is told.movements


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


def attended(rows: Floats, own: dict[str, Floats], seen: list[list[int]]) -> Floats:
    """Let each row attend to those that it sees, one head."""
    query, key, value = np.split(rows @ own["qkv.weight"].T + own["qkv.bias"], 3, -1)
    found = [softmax(query[row] @ key[others].T / 8) @ value[others] for row, others in enumerate(seen)]
    return np.stack(found) @ own["proj.weight"].T + own["proj.bias"]


def test_a_block_of_synchformer_looks_along_time_and_then_across_the_frame() -> None:
    """The first row sees all and is seen by all; row 1 + 4 * t + p is place p at time t."""
    block = synchformer().blocks[0]
    rows = chance(1, 1 + 8 * 4, 64)
    with torch.no_grad():
        made = block(rows, 8)[0].numpy()
    own, given = numbers(block), rows[0].numpy().astype(np.float64)
    everything = list(range(33))
    same_place = [everything] + [[0, *(1 + 4 * t + p for t in range(8))] for _ in range(8) for p in range(4)]
    same_time = [everything] + [[0, *(1 + 4 * t + p for p in range(4))] for t in range(8) for _ in range(4)]
    for name, norm, seen in (("timeattn", "norm3", same_place), ("attn", "norm1", same_time)):
        parts = {key.removeprefix(f"{name}."): value for key, value in own.items() if key.startswith(f"{name}.")}
        level = levelled(given, 1e-6) * own[f"{norm}.weight"] + own[f"{norm}.bias"]
        given = given + attended(level, parts, seen)
    inner = along(
        levelled(given, 1e-6) * own["norm2.weight"] + own["norm2.bias"], own["mlp.fc1.weight"], own["mlp.fc1.bias"]
    )
    bent = functional.gelu(torch.from_numpy(inner)).numpy()
    assert np.allclose(made, given + along(bent, own["mlp.fc2.weight"], own["mlp.fc2.bias"]), atol=1e-4)


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


@pytest.mark.parametrize(
    ("seconds", "segments", "movements", "pictures", "latents"),
    [
        (8.0, 24, 200, 64, 345),
        (0.04, 1, 16, 5, 28),
        (0.64, 1, 16, 5, 28),
        (0.65, 2, 24, 7, 42),
        (30.0, 93, 752, 240, 1296),
    ],
)
def test_a_span_covers_the_film_with_whole_segments(
    seconds: float, segments: int, movements: int, pictures: int, latents: int
) -> None:
    """For 8 seconds it is the published one; 1024 samples of 44,100 are a latent frame."""
    span = Span.of(seconds, 16)
    assert (span.segments, span.movements, span.pictures, span.latents(44_100, 512)) == (
        segments,
        movements,
        pictures,
        latents,
    )
    assert latents * 1024 >= seconds * 44_100


def shot(tmp_path: Path, count: int, fps: int) -> Any:
    """Film `count` frames whose brightness is five times their number, with a bright right half of no meaning."""
    frames = [np.full((32, 64, 3), 5 * number, np.uint8) for number in range(count)]
    films.write(tmp_path / "shot.mp4", frames, Fraction(fps))
    return read_video(tmp_path / "shot.mp4", LIMITS)


def test_a_look_takes_the_first_frame_that_is_not_before_its_moment(tmp_path: Path) -> None:
    """Ten frames a second, looked at 25 and 4 times a second; where the film is over it stands still."""
    fast, slow = Look(25, 14, 8, cut=True), Look(4, 4, 8, cut=False)
    watch(shot(tmp_path, 5, 10), (fast, slow), lambda _: None)
    assert fast.frames.shape == (14, 3, 8, 8)
    seen = [round(float(frame.float().mean()) / 5) for frame in fast.frames]
    assert seen == [0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4, 4, 4, 4]
    assert [round(float(frame.float().mean()) / 5) for frame in slow.frames] == [0, 3, 4, 4]


def test_a_look_squeezes_the_frame_or_cuts_its_middle_out() -> None:
    """Of a frame with a dark left and a bright right quarter the middle is grey."""
    frame = np.full((32, 64, 3), 128, np.uint8)
    frame[:, :16], frame[:, 48:] = 0, 255
    cut, squeezed = Look(1, 1, 16, cut=True), Look(1, 1, 16, cut=False)
    for look in (cut, squeezed):
        look.at(frame, Fraction(0))
    assert cut.frames[..., 2:-2].eq(128).all()
    assert squeezed.frames[0, 0, 8].tolist()[::5] == pytest.approx([0, 128, 128, 255], abs=12)


def test_clip_sees_what_its_patches_cover_in_its_own_units() -> None:
    """The last six pixels do not count; bytes become numbers about 0; rows have the length 1."""
    network = clip()
    shown = (chance(20, 3, 34, 34) * 60 + 128).clamp(0, 255).to(torch.uint8)
    beyond = shown.clone()
    beyond[..., 28:] = 0
    with torch.no_grad():
        rows = pictured(network, shown, lambda _: None)
        colours = (shown[:, :, :28, :28].numpy() / 255 - np.reshape(MEAN, (3, 1, 1))) / np.reshape(SPREAD, (3, 1, 1))
        seen = network.vision_model(torch.from_numpy(colours).float()).pooler_output
        plain = network.visual_projection(seen).numpy()
        assert torch.equal(pictured(network, beyond, lambda _: None), rows)
    assert np.allclose(rows[0], plain / np.linalg.norm(plain, axis=1, keepdims=True), atol=1e-5)
    assert rows.shape == (1, 20, 8)


def test_words_are_filled_up_with_the_token_zero_and_each_row_knows_only_those_before_it() -> None:
    """Rows come before they are summed up, with the length 1."""
    network = clip()
    with torch.no_grad():
        one, other = meant(network, [512, 5, 6, 513]), meant(network, [512, 5, 7, 513])
        whole = network.text_model(torch.tensor([[512, 5, 6, 513] + [0] * 73])).last_hidden_state
    assert torch.allclose(one, whole / whole.norm(dim=-1, keepdim=True), atol=1e-6)
    assert torch.allclose(one[:, :2], other[:, :2], atol=1e-6)
    assert not torch.allclose(one[:, 2:], other[:, 2:], atol=1e-3)
    assert one.shape == (1, 77, 16)


def test_clip_bends_as_its_makers_say_whatever_its_settings_say(tmp_path: Path) -> None:
    """They name a quick approximation; a table of positions that follows from the sizes is no harm."""
    network = clip()
    network.config.text_config.hidden_act = network.config.vision_config.hidden_act = "gelu"
    network.config.save_pretrained(tmp_path)
    found = network.state_dict() | {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    torch.save(found, tmp_path / "pytorch_model.bin")
    network.config.text_config.hidden_act = network.config.vision_config.hidden_act = "quick_gelu"
    expected = CLIPModel(network.config).eval()
    expected.load_state_dict(network.state_dict())
    with torch.no_grad():
        made = meant(clip_of(tmp_path, torch.float32).eval(), [512, 5, 513])
        assert torch.allclose(made, meant(expected, [512, 5, 513]), atol=1e-6)


def test_the_decoder_takes_directions_alone_from_its_convolutions() -> None:
    """Rows seven times as long decode the same; against NumPy the first of them has the length 1."""
    found = vae_file()
    longer = {name: 7 * value if name.endswith(".weight") else value for name, value in found.items()}
    with torch.no_grad():
        one, other = (decoder.vae(dict(each)).eval().decode(chance(1, 4, 9)).sample for each in (found, longer))
    assert one.shape == (1, 16, 18)
    assert torch.allclose(one, other, atol=1e-2)
    rows = found["decoder.conv_in.weight"].numpy()
    level = rows / np.linalg.norm(rows.reshape(len(rows), -1), axis=1)[:, None, None]
    assert np.allclose(decoder.vae(found).vae.decoder.conv_in.weight.detach().numpy(), level, rtol=1e-2)


@pytest.mark.parametrize(
    ("length", "direction"),
    [("weight_g", "weight_v"), ("parametrizations.weight.original0", "parametrizations.weight.original1")],
)
def test_the_vocoder_multiplies_directions_by_their_lengths(length: str, direction: str) -> None:
    """In both ways in which torch has written them: it sounds like the network that was split."""
    found = {
        name.replace("weight_g", length).replace("weight_v", direction): value
        for name, value in vocoder_file()["generator"].items()
    }
    mel = chance(1, 16, 5)
    with torch.no_grad():
        made = decoder.vocoder(found, SETTINGS).eval()(mel).sample
        assert torch.allclose(made, vocoder()(mel).sample, atol=1e-5)
    assert made.shape == (1, 1, 5 * 128)
    assert float(made.abs().max()) > 0.01
