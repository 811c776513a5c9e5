"""Music from words, after a recording, and recordings changed or made longer, by a tiny ACE-Step."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tiny_ace_step import CARD, RATE, shelve_ace_step

from support.previews import CATALOGUE, Made, Workshop, loudness, tone
from unitask.engines.diffusers import ENGINE, ace_step
from unitask.kit.errors import Cancelled, EngineFailure, MediaFailure
from unitask.kit.sound import read_audio
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.weights import Shelf

torch.set_num_threads(1)
SMALL = {"rate": RATE, "format": "wav", "steps": 2}
STEPS = SMALL["steps"]
SECONDS = 2
SEAM = round(ace_step.SEAM_S * RATE)
WORDS = {"style_prompt": "techno", "lyrics": "[verse] la la", "duration": SECONDS}
FROM_WORDS = CATALOGUE.find("Qubico/ace-step", "txt2audio")
EDIT = CATALOGUE.find("Qubico/ace-step", "edit")
LOUDEST = 10 ** (-1 / 20)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put the model on a shelf."""
    folder = tmp_path_factory.mktemp("models")
    shelve_ace_step(folder)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Open a workshop with this shelf."""
    return Workshop(tmp_path, "diffusers", models)


@pytest.fixture
def tune(workshop: Workshop) -> str:
    """Hum for a bit more than two seconds, in stereo; the samples do not fill the last latent frame."""
    return workshop.sound("tune.wav", tone(220, 2.171, RATE, channels=2), RATE)


def order(workshop: Workshop, task_type: str, **fields: Any) -> Made:
    """Order with small options."""
    options = SMALL | fields.pop("options", {})
    return workshop.order("ace-step", task_type, options=options, **fields)


def heard(path: str) -> NDArray[np.float32]:
    """Decode a recording as the engine does: (samples, 2)."""
    take = read_audio(Path(path), limit_seconds=60, rate=RATE)
    return np.broadcast_to(take, (len(take), 2))


def psnr(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Give the peak signal-to-noise ratio in dB; equal sounds have 200."""
    return float(-10 * np.log10(max(np.square(one - other).mean(), 1e-20)))


def test_music_from_words_is_exactly_as_long_as_ordered_and_neither_silent_nor_clipped(workshop: Workshop) -> None:
    """Two channels, the loudest sample at -1 dB."""
    made = order(workshop, "txt2audio", **WORDS)
    sound = made.sound()
    assert sound.shape == (SECONDS * RATE, 2)
    assert np.abs(sound).max() == pytest.approx(LOUDEST, abs=1e-3)
    assert loudness(sound) > 0.02
    assert made.output.measures == {"second": SECONDS}


def test_the_file_is_what_the_recipe_says_and_names_what_made_it(workshop: Workshop) -> None:
    """The recipe's format is MP3, which says its length but for a part of a frame."""
    made = order(workshop, "txt2audio", **WORDS, options={"format": "mp3"})
    with av.open(str(made.path("audio_url"))) as file:
        stream = file.streams.audio[0]
        assert (stream.codec_context.name, stream.rate, stream.channels) == ("mp3float", RATE, 2)
        assert f"unitask:weights={CARD}" in file.metadata["comment"]
    assert len(made.sound()) == pytest.approx(SECONDS * RATE, abs=0.15 * RATE)


def test_the_same_order_gives_the_same_bytes_and_every_word_counts(workshop: Workshop) -> None:
    """Seed, style and lyrics each change the music; music without singing has one name."""
    changes: list[dict[str, Any]] = [{}, {}, {"seed": 8}, {"style_prompt": "folk"}, {"lyrics": "[verse] lo lo"}]
    changes += [{"lyrics": ""}, {"lyrics": "[inst]"}]
    first, again, *others, silent, instrumental = (
        order(workshop, "txt2audio", **(WORDS | change)).content("audio_url") for change in changes
    )
    assert first == again
    assert silent == instrumental
    assert len({first, *others, silent}) == 5


def test_music_after_a_recording_is_as_long_as_it_or_as_ordered(workshop: Workshop, tune: str) -> None:
    """At most as long as the limit: what comes later in the recording does not count."""
    after = {"style_audio": tune, "style_prompt": "brass"}
    assert len(order(workshop, "audio2audio", **after).sound()) == len(heard(tune))
    assert len(order(workshop, "audio2audio", **after, duration=3).sound()) == 3 * RATE
    limited = order(workshop, "audio2audio", **after, options={"limit_seconds": 1})
    assert len(limited.sound()) == RATE
    assert limited.output.measures == {"second": 1}


def test_music_after_a_recording_follows_it(workshop: Workshop, tune: str) -> None:
    """Another recording gives other music with the same seed; the same one gives the same, whatever chance did."""
    other = workshop.sound("other.wav", tone(330, 2.171, RATE), RATE)
    torch.manual_seed(1)
    first = order(workshop, "audio2audio", style_audio=tune, style_prompt="brass").content("audio_url")
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert order(workshop, "audio2audio", style_audio=tune, style_prompt="brass").content("audio_url") == first
    assert torch.equal(torch.get_rng_state(), before)
    assert order(workshop, "audio2audio", style_audio=other, style_prompt="brass").content("audio_url") != first


def test_silence_is_followed_too(workshop: Workshop) -> None:
    """It is no reference; a very short one neither."""
    nothing = workshop.sound("nothing.wav", np.zeros((RATE // 100, 1), np.float32), RATE)
    assert len(order(workshop, "audio2audio", style_audio=nothing, style_prompt="brass").sound()) == RATE // 100


def test_an_edit_keeps_the_length_and_says_what_cannot_be_held(workshop: Workshop, tune: str) -> None:
    """A remix takes the style from the words; other lyrics are sung in the sound of the recording."""
    remix = order(workshop, "edit", audio=tune, style_prompt="jazz", lyrics="[verse] lo")
    again = order(workshop, "edit", audio=tune, style_prompt="jazz", lyrics="[verse] lo", edit_type="only_lyrics")
    assert remix.sound().shape == again.sound().shape == heard(tune).shape
    assert remix.content("audio_url") != again.content("audio_url")
    assert remix.job.warnings == []
    assert any("plays all of it anew" in sentence for sentence in again.job.warnings)
    unsung = order(workshop, "edit", audio=tune, edit_type="only_lyrics")
    assert any("no lyrics to sing" in sentence for sentence in unsung.job.warnings)
    assert remix.output.measures == {"second": len(heard(tune)) / RATE}


@pytest.mark.parametrize(("left", "right"), [(0, 2), (1, 0), (4, 1)])
@pytest.mark.parametrize("channels", [1, 2])
def test_an_extension_keeps_every_sample_of_the_recording_but_at_the_seams(
    workshop: Workshop, left: int, right: int, channels: int
) -> None:
    """What is added is music, no louder than full scale, and it is what is charged."""
    tune = workshop.sound("tune.wav", tone(220, 2.171, RATE, channels), RATE)
    made = order(workshop, "extend", audio=tune, left_extend_duration=left, right_extend_duration=right)
    sound, given = made.sound(), heard(tune)
    assert len(sound) == len(given) + (left + right) * RATE
    begin, end = left * RATE, left * RATE + len(given)
    kept = slice(SEAM if left else 0, len(given) - (SEAM if right else 0))
    assert psnr(sound[begin:end][kept], given[kept]) > 90
    for added in (sound[:begin], sound[end:]):
        assert not len(added) or loudness(added) > 0.01
    assert np.abs(sound).max() <= 1
    assert made.output.measures == {"second": left + right}


def test_seams_fade_and_what_was_made_is_kept_below_full_scale() -> None:
    """From the one level to the other in equal steps, within the end of what was given."""
    whole, made = np.full((RATE, 2), 0.5, np.float32), np.full((2 * RATE, 2), -2, np.float32)
    both = ace_step.joined(whole, made, RATE)
    assert np.array_equal(both[: RATE - SEAM], whole[: RATE - SEAM])
    assert np.array_equal(both[RATE:], np.full((RATE, 2), -1))
    assert np.abs(np.diff(both, axis=0)).max() == pytest.approx(1.5 / SEAM, rel=1e-3)


def test_a_long_extension_is_made_piece_by_piece(
    workshop: Workshop, tune: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each piece goes on from the one before it, and counts for the progress."""
    monkeypatch.setattr(ace_step, "MOST_GAP_S", 2)
    made = order(workshop, "extend", audio=tune, left_extend_duration=3, right_extend_duration=2)
    assert len(made.sound()) == len(heard(tune)) + 5 * RATE
    assert len(made.job.fractions) == 2 + 3 * STEPS + 2
    assert all(low < high for low, high in pairwise(made.job.fractions))
    kept = made.sound()[3 * RATE :][: len(heard(tune))][SEAM:-SEAM]
    assert psnr(kept, heard(tune)[SEAM:-SEAM]) > 90


def test_an_extension_of_what_is_too_long_is_refused(workshop: Workshop, tune: str) -> None:
    """Its end would be lost."""
    with pytest.raises(MediaFailure, match="longer than 2 seconds"):
        order(workshop, "extend", audio=tune, right_extend_duration=1, options={"limit_seconds": 2})


def test_progress_rises_with_every_step(workshop: Workshop) -> None:
    """Before it the model is loaded, after it the file is written."""
    fractions = order(workshop, "txt2audio", **WORDS, options={"steps": 4}).job.fractions
    assert len(fractions) == 1 + 4 + 2
    assert all(low < high for low, high in pairwise(fractions))
    assert fractions[-1] == 1


def test_a_cancelled_order_stops_at_its_next_step_and_leaves_no_trace(workshop: Workshop) -> None:
    """What is made after it is what would have been made without it."""
    before = order(workshop, "txt2audio", **WORDS).content("audio_url")
    job = workshop.job(FROM_WORDS, **(SMALL | {"steps": 6}))
    job.cancel_when = lambda fraction: fraction > 0.3
    with pytest.raises(Cancelled):
        ENGINE.run(FROM_WORDS, FROM_WORDS.input(**WORDS), job)
    assert len([fraction for fraction in job.fractions if fraction > 0.3]) == 1
    assert order(workshop, "txt2audio", **WORDS).content("audio_url") == before


def test_what_the_model_does_not_read_is_said(workshop: Workshop) -> None:
    """Words against something, and what is beyond the length of its texts."""
    made = order(
        workshop,
        "txt2audio",
        **WORDS | {"negative_style_prompt": "noise", "style_prompt": "a" * 191, "lyrics": "l" * 2031},
    )
    assert [sentence.split()[0] for sentence in made.job.warnings] == [
        "negative_style_prompt",
        "style_prompt",
        "lyrics",
    ]
    cut = order(workshop, "txt2audio", **WORDS | {"style_prompt": "a" * 190, "lyrics": "l" * 2030})
    assert cut.job.warnings == []
    assert cut.content("audio_url") == made.content("audio_url")


def test_weights_that_are_missing_or_damaged_name_the_command(workshop: Workshop, tmp_path: Path) -> None:
    """So do weights of another rate say what they are."""
    folder = tmp_path / "orders"
    folder.mkdir()
    with pytest.raises(EngineFailure, match=f"unitask models pull {CARD}|no model card"):
        order(Workshop(folder, "diffusers", tmp_path / "empty"), "txt2audio", **WORDS)
    broken = tmp_path / "broken"
    weights = shelve_ace_step(broken) / "transformer/diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(EngineFailure, match=f"unitask models check {CARD}"):
        order(Workshop(broken, "diffusers", broken), "txt2audio", **WORDS)
    with pytest.raises(EngineFailure, match="makes 8000 samples a second, not 48000"):
        order(workshop, "txt2audio", **WORDS, options={"rate": 48_000})


def test_a_model_too_large_for_the_device_is_streamed_and_makes_the_same(
    workshop: Workshop, models: Path, tune: str
) -> None:
    """Its sound coder says that it cannot be streamed, and is not."""
    inputs = EDIT.input(audio=tune, style_prompt="jazz")
    whole = order(workshop, "edit", audio=tune, style_prompt="jazz")
    job = workshop.job(EDIT, **SMALL)
    runtime = Runtime(Shelf(models), Hardware("cpu", 0, 2**40))
    output = runtime.attempt(lambda own: ace_step.music_edit(inputs, job, own), job)
    assert Made(output, job).content("audio_url") == whole.content("audio_url")
    parts = runtime.model(CARD).parts
    networks = runtime.networks({name: parts[name] for name in ("transformer", "vae")})
    hooked = {name for name, network in networks.items() if any(map(is_streamed, network.modules()))}
    assert hooked == {"transformer"}


def is_streamed(module: torch.nn.Module) -> bool:
    """Tell whether diffusers fetches a module's weights when it is called."""
    return hasattr(module, "_diffusers_hook")
