"""The sound of a film by a tiny MMAudio: as long as the film, led by what is seen and said."""

import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from tiny_mmaudio import CARD, CLIP, RATE, SYNCHFORMER, VAE, VOCODER, shelve_mmaudio

from support import films
from support.previews import CATALOGUE, Made, Workshop, loudness
from unitask.engines.networks import ENGINE
from unitask.engines.networks.foley import foley
from unitask.engines.networks.states import tensors
from unitask.kit.errors import Cancelled, EngineFailure, MediaFailure
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.weights import Shelf

torch.set_num_threads(1)
SMALL = {"rate": RATE}
FPS = 24
PRODUCT = CATALOGUE.find("Qubico/mmaudio", "video2audio")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put the five models on a shelf."""
    folder = tmp_path_factory.mktemp("models")
    shelve_mmaudio(folder)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Open a workshop with this shelf."""
    return Workshop(tmp_path, "networks", models)


def shoot(workshop: Workshop, frames: int, shade: int = 40, *, sound: bool = False) -> str:
    """Film a bar that moves over a wall."""
    path = workshop.folder / f"{frames}-{shade}-{sound}.mp4"
    pictures = [np.full((36, 64, 3), shade, np.uint8) for _ in range(frames)]
    for number, picture in enumerate(pictures):
        picture[:, number % 56 : number % 56 + 8] = 255
    films.write(path, pictures, Fraction(FPS), sound=sound)
    return str(path)


def sounded(workshop: Workshop, video: str, **fields: Any) -> Made:
    """Order with small options and few steps."""
    options = SMALL | fields.pop("options", {})
    return workshop.order("mmaudio", "video2audio", video=video, options=options, **({"steps": 2} | fields))


@pytest.mark.parametrize("frames", [1, 7, 36, 49])
def test_the_sound_is_as_long_as_the_film_to_the_sample(workshop: Workshop, frames: int) -> None:
    """Shorter than a segment of movements, too; one channel, and that length is the measure."""
    made = sounded(workshop, shoot(workshop, frames))
    sound = made.sound()
    assert sound.shape == (round(frames / FPS * RATE), 1)
    assert loudness(sound) > 0.005
    assert made.output.measures == {"second": len(sound) / RATE}


def test_a_long_film_is_sounded_as_far_as_the_recipe_says(workshop: Workshop) -> None:
    """What comes later costs nothing."""
    made = sounded(workshop, shoot(workshop, 49), options={"limit_seconds": 1})
    assert made.sound().shape == (RATE, 1)
    assert made.output.measures == {"second": 1}


def test_the_file_is_what_the_recipe_says_and_names_what_made_it(workshop: Workshop) -> None:
    """WAV; the film itself is neither changed nor given back, and what sound it had plays no part."""
    silent, noisy = shoot(workshop, 24), shoot(workshop, 24, sound=True)
    before = Path(noisy).read_bytes()
    made = sounded(workshop, noisy)
    with av.open(str(made.path("audio_url"))) as file:
        stream = file.streams.audio[0]
        assert (file.format.name, stream.codec_context.name, stream.rate) == ("wav", "pcm_s16le", RATE)
        assert f"unitask:weights={CARD}" in file.metadata["comment"]
    assert list(made.job.saved) == [made.output.fields["audio_url"]]
    assert Path(noisy).read_bytes() == before
    assert np.array_equal(made.sound(), sounded(workshop, silent).sound())


def test_the_same_order_gives_the_same_bytes_and_everything_that_is_asked_counts(workshop: Workshop) -> None:
    """Film, words, words against, steps and chance each change the sound; the state of torch's chance does not."""
    video, other = shoot(workshop, 24), shoot(workshop, 24, shade=120)
    changes: list[dict[str, Any]] = [{}, {}, {"seed": 8}, {"prompt": "rain"}, {"negative_prompt": "rain"}, {"steps": 3}]
    torch.manual_seed(1)
    first, again, *others = (sounded(workshop, video, **change).content("audio_url") for change in changes)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    another = sounded(workshop, other).content("audio_url")
    assert sounded(workshop, video).content("audio_url") == first == again
    assert torch.equal(torch.get_rng_state(), before)
    assert len({first, another, *others}) == 6


def test_guidance_is_the_recipe_s(workshop: Workshop) -> None:
    """At 1 nothing is led away from, so words against have no effect."""
    video, plain = shoot(workshop, 12), {"guidance": 1.0}
    one, other = (
        sounded(workshop, video, negative_prompt=words, options=plain).content("audio_url") for words in ("", "rain")
    )
    assert one == other
    assert sounded(workshop, video).content("audio_url") != one


def test_progress_rises_while_it_watches_and_with_every_step(workshop: Workshop) -> None:
    """Then waves are made and the file is written."""
    fractions = sounded(workshop, shoot(workshop, 60), steps=5).job.fractions
    assert all(low < high for low, high in pairwise(fractions))
    assert fractions[0] < 0.05
    assert len([fraction for fraction in fractions if 0.05 <= fraction <= 0.4]) >= 5
    assert fractions[-8:] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 0.93, 0.97, 1.0])


@pytest.mark.parametrize("after", [0.04, 0.19, 0.29, 0.45, 0.92])
def test_a_cancelled_order_stops_at_once_and_leaves_no_trace(workshop: Workshop, after: float) -> None:
    """While it watches, looks, samples and plays; what is made next is what would have been made without it."""
    video = shoot(workshop, 36)
    before = sounded(workshop, video).content("audio_url")
    job = workshop.job(PRODUCT, **SMALL)
    job.cancel_when = lambda fraction: fraction > after
    with pytest.raises(Cancelled):
        ENGINE.run(PRODUCT, PRODUCT.input(video=video, steps=6), job)
    assert len([fraction for fraction in job.fractions if fraction > after]) == 1
    assert job.saved == {}
    assert sounded(workshop, video).content("audio_url") == before


def test_words_beyond_what_is_read_are_named(workshop: Workshop) -> None:
    """75 tokens are, here a word of one letter each: more of them change nothing."""
    video = shoot(workshop, 6)
    read = sounded(workshop, video, prompt="a " * 75, negative_prompt="b " * 75)
    assert read.job.warnings == []
    cut = sounded(workshop, video, prompt="a " * 76, negative_prompt="b " * 90)
    assert cut.content("audio_url") == read.content("audio_url")
    assert [sentence.split()[0] for sentence in cut.job.warnings] == ["prompt", "negative_prompt"]
    assert cut.job.warnings[0].startswith("prompt is too long: its first 75 tokens are read")


@pytest.mark.parametrize("missing", [CARD, SYNCHFORMER, VAE, VOCODER, CLIP])
def test_weights_that_are_missing_name_the_command(workshop: Workshop, tmp_path: Path, missing: str) -> None:
    """Each of the five is named when it alone is not there."""
    shelve_mmaudio(tmp_path / "shelf")
    (tmp_path / "shelf" / missing / "unitask.json").unlink()
    (tmp_path / "orders").mkdir()
    with pytest.raises(EngineFailure, match=f"unitask models pull {missing}") as failure:
        sounded(Workshop(tmp_path / "orders", "networks", tmp_path / "shelf"), shoot(workshop, 6))
    assert failure.value.retryable


@pytest.mark.parametrize(
    ("card_id", "path"),
    [
        (CARD, f"transformer/{CARD}.safetensors"),
        (SYNCHFORMER, f"synchformer/{SYNCHFORMER}.safetensors"),
        (VAE, f"vae/{VAE}.safetensors"),
        (VOCODER, "vocoder/bigvgan_generator.pt"),
        (VOCODER, "vocoder/config.json"),
        (CLIP, "clip/pytorch_model.bin"),
        (CLIP, "clip/config.json"),
        (CLIP, "clip/tokenizer.json"),
    ],
)
@pytest.mark.parametrize("rest", [0, 100])
def test_weights_that_are_damaged_name_the_command(tmp_path: Path, card_id: str, path: str, rest: int) -> None:
    """Cut off after some bytes, or empty: which card it is, and how to look."""
    shelve_mmaudio(tmp_path / "shelf")
    file = tmp_path / "shelf" / card_id / path
    file.write_bytes(file.read_bytes()[:rest])
    workshop = Workshop(tmp_path, "networks", tmp_path / "shelf")
    with pytest.raises(EngineFailure, match=f"unitask models check {card_id}"):
        sounded(workshop, shoot(workshop, 6))


class Intruder:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        """Say what unpickling does."""
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize(
    ("card_id", "path"), [(VOCODER, "vocoder/bigvgan_generator.pt"), (CLIP, "clip/pytorch_model.bin")]
)
def test_a_pickle_that_holds_more_than_tensors_is_refused_and_nothing_of_it_runs(
    tmp_path: Path, card_id: str, path: str
) -> None:
    """The folder that it would make is not there; a number among tensors is refused as well."""
    shelve_mmaudio(tmp_path / "shelf")
    workshop = Workshop(tmp_path, "networks", tmp_path / "shelf")
    file, made = tmp_path / "shelf" / card_id / path, tmp_path / "intruded"
    real = tensors(file.parent)
    number = {name: value if value.ndim < 3 else 3 for name, value in real.items()}
    for content in ({**real, "more": Intruder(made)}, number, [torch.ones(1)]):
        torch.save(content, file)
        with pytest.raises(EngineFailure, match=f"unitask models check {card_id}"):
            sounded(workshop, shoot(workshop, 6))
    assert not made.exists()


def test_a_wish_of_a_card_that_the_network_cannot_fulfil_is_named(tmp_path: Path) -> None:
    """It is not passed over in silence."""
    shelve_mmaudio(tmp_path / "shelf")
    card = tmp_path / "shelf/cards" / f"{CARD}.toml"
    card.write_text(f"block_cache = 0.1\n{card.read_text()}")
    workshop = Workshop(tmp_path, "networks", tmp_path / "shelf")
    with pytest.raises(EngineFailure, match=f"the card of {CARD} says block_cache"):
        sounded(workshop, shoot(workshop, 6))


def test_a_vocoder_of_another_kind_or_rate_is_refused(tmp_path: Path, models: Path) -> None:
    """It would sound wrong, not fail."""
    shelve_mmaudio(tmp_path / "shelf")
    workshop = Workshop(tmp_path, "networks", tmp_path / "shelf")
    settings = tmp_path / "shelf" / VOCODER / "vocoder/config.json"
    settings.write_text(settings.read_text().replace('"snake_logscale": true', '"snake_logscale": false'))
    with pytest.raises(EngineFailure, match=f"unitask models check {VOCODER}"):
        sounded(workshop, shoot(workshop, 6))
    with pytest.raises(EngineFailure, match="makes 8000 samples a second, not 44100"):
        sounded(Workshop(models.parent, "networks", models), shoot(workshop, 6), options={"rate": 44_100})


def test_what_is_no_film_is_refused(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the words of the field; so is one with more frames than are watched."""
    video = shoot(workshop, 11)
    with pytest.raises(MediaFailure, match="failed to get valid video"):
        sounded(workshop, workshop.junk(b"\0\0\0\x18ftypisom"))
    monkeypatch.setattr(foley, "MOST_FRAMES", 10)
    with pytest.raises(MediaFailure, match="frames"):
        sounded(workshop, video)


def test_on_a_device_that_holds_half_of_the_networks_the_sound_is_the_same(workshop: Workshop, models: Path) -> None:
    """What looks makes room for what plays."""
    video = shoot(workshop, 24)
    whole = sounded(workshop, video)
    job = workshop.job(PRODUCT, **SMALL)
    sizes = {name: part.size_bytes for name, part in foley.parts_of(Shelf(models), CARD, foley.BUILDS).items()}
    least = max(
        sum(sizes[name] for name in names) for names in (("clip", "synchformer"), ("transformer", "vae", "vocoder"))
    )
    runtime = Runtime(Shelf(models), Hardware("cpu", least + 1000, 2**40))
    inputs = PRODUCT.input(video=video, steps=2)
    output = runtime.attempt(lambda own: foley.sound_for_video(inputs, job, own), job)
    assert Made(output, job).content("audio_url") == whole.content("audio_url")
