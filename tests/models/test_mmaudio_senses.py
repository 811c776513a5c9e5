"""How MMAudio looks at a film and reads words, and how its latent becomes waves."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from second_computation import chance
from tiny_mmaudio import SETTINGS, clip, vae_file, vocoder, vocoder_file
from transformers import CLIPModel

from support import films
from unitask.engines.networks.foley import decoder
from unitask.engines.networks.foley.clip import MEAN, SPREAD, clip_of, meant, pictured
from unitask.engines.networks.foley.foley import Span
from unitask.engines.networks.foley.watching import Look, watch
from unitask.kit.video import VideoLimits, read_video

torch.set_num_threads(1)
LIMITS = VideoLimits(1000, 4096, 4096**2, 10**8)


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
