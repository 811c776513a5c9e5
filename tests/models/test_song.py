"""Songs from lyrics and a style, by a tiny DiffRhythm in the files of the real one."""

import io
import json
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_song import TOLD, flow_weights, shelve_song

from support.previews import CATALOGUE, Made, Workshop, tone
from support.tiny import shelve
from unitask.engines.networks import ENGINE
from unitask.kit.errors import Cancelled, EngineFailure, MediaFailure
from unitask.weights import Shelf

torch.set_num_threads(1)
RATE = 44_100
SMALL: dict[str, Any] = {"seconds": 1, "frames": 22, "steps": 4, "format": "wav", "limit_seconds": 30}
BASE = CATALOGUE.find("Qubico/diffrhythm", "txt2audio-base")
LYRICS = "[00:00.20] 你好\n[00:00.60] 世界"
WORDS = {"lyrics": LYRICS, "style_prompt": "folk"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put everything on a shelf."""
    folder = tmp_path_factory.mktemp("models")
    shelve_song(folder)
    return folder


@pytest.fixture
def shelf(tmp_path: Path, models: Path) -> Path:
    """Copy it, to be damaged."""
    return shutil.copytree(models, tmp_path / "shelf")


@pytest.fixture
def own(tmp_path: Path, shelf: Path) -> Workshop:
    """Open a workshop with the copy."""
    return Workshop(tmp_path, "networks", shelf)


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Open a workshop with this shelf."""
    return Workshop(tmp_path, "networks", models)


def order(workshop: Workshop, size: str = "base", **fields: Any) -> Made:
    """Order with small options."""
    options = SMALL | fields.pop("options", {})
    return workshop.order("diffrhythm", f"txt2audio-{size}", options=options, **fields)


def hum(workshop: Workshop, seconds: float, hertz: float = 220) -> str:
    """Hum as long as said."""
    return workshop.sound(f"hum{hertz}-{seconds}.wav", tone(hertz, seconds, 8000), 8000)


@pytest.mark.parametrize("size", ["base", "full"])
def test_a_song_is_as_long_as_the_product_says_and_neither_silent_nor_clipped(workshop: Workshop, size: str) -> None:
    """Two channels, the loudest sample at -1 dB; nothing is measured: a song has one price."""
    made = order(workshop, size, **WORDS)
    sound = made.sound()
    assert sound.shape == (RATE, 2)
    assert np.abs(sound).max() == pytest.approx(10 ** (-1 / 20), abs=1e-3)
    assert made.job.warnings == []
    assert made.output.measures == {}


def test_the_same_order_gives_the_same_bytes_and_every_field_counts(workshop: Workshop) -> None:
    """Chance, words to sing, when they are sung, and the style each change the song."""
    changes: list[dict[str, Any]] = [{}, {}, {"seed": 8}, {"style_prompt": "rock"}, {"lyrics": "[00:00.20] 再见"}]
    changes += [{"lyrics": LYRICS.replace("0.20", "0.30")}, {"lyrics": ""}, {"options": {"guidance": 2.0}}]
    first, again, *others = (order(workshop, **(WORDS | change)).content("audio_url") for change in changes)
    assert first == again
    assert len({first, *others}) == 1 + len(others)


def test_a_recording_gives_the_style_and_counts_more_than_words(workshop: Workshop) -> None:
    """Its ten seconds in the middle are heard; a short one over and over."""
    one = order(workshop, lyrics=LYRICS, style_audio=hum(workshop, 12))
    other = order(workshop, lyrics=LYRICS, style_audio=hum(workshop, 12, 330))
    both = order(workshop, **WORDS, style_audio=hum(workshop, 12))
    short = order(workshop, lyrics=LYRICS, style_audio=hum(workshop, 1.3))
    assert one.content("audio_url") == both.content("audio_url") != other.content("audio_url")
    assert [sentence.split()[0] for sentence in both.job.warnings] == ["style_prompt"]
    assert one.job.warnings == []
    assert any("shorter than 10 seconds" in sentence for sentence in short.job.warnings)
    middle = np.concatenate([tone(330, 8, 8000), tone(220, 10, 8000), tone(330, 8, 8000)])
    kept = order(workshop, lyrics=LYRICS, style_audio=workshop.sound("middle.wav", middle, 8000))
    plain = order(workshop, lyrics=LYRICS, style_audio=hum(workshop, 26))
    near, far = (np.abs(one.sound() - plain.sound()).max() for one in (kept, other))
    assert near < far / 4


def test_lyrics_alone_are_sung_in_a_style_that_is_named(workshop: Workshop) -> None:
    """It is the recipe's; asked for by name it makes the same song."""
    alone = order(workshop, lyrics=LYRICS, options={"style": "Jazz"})
    named = order(workshop, lyrics=LYRICS, style_prompt="Jazz")
    assert alone.content("audio_url") == named.content("audio_url")
    assert alone.job.warnings == ["no style is given: the song is made in the style 'Jazz'"]


def test_what_is_not_sung_is_said(workshop: Workshop) -> None:
    """Lines after the end, without a time beside lines with one, in other languages, and beyond the number."""
    late = order(workshop, **WORDS | {"lyrics": f"{LYRICS}\n[00:01.00] 再见"})
    assert [sentence for sentence in late.job.warnings if "from 1 seconds on" in sentence]
    assert late.content("audio_url") == order(workshop, **WORDS).content("audio_url")
    mixed = order(workshop, **WORDS | {"lyrics": f"再见\n{LYRICS}"})
    assert [sentence for sentence in mixed.job.warnings if "say no time" in sentence]
    assert mixed.content("audio_url") == late.content("audio_url")
    foreign = order(workshop, **WORDS | {"lyrics": f"{LYRICS}\n[00:00.90] привет"})
    assert [sentence for sentence in foreign.job.warnings if "without English or Chinese" in sentence]
    assert foreign.content("audio_url") == late.content("audio_url")
    untimed = order(workshop, **WORDS | {"lyrics": "你好\n[verse]\n世界"})
    assert [sentence for sentence in untimed.job.warnings if "spread evenly" in sentence]
    many = order(workshop, **WORDS | {"lyrics": "[00:00.10]啊\n" * 401})
    assert [sentence for sentence in many.job.warnings if "first 400 lines" in sentence]


def test_what_is_led_away_from_may_be_imported(workshop: Workshop, models: Path) -> None:
    """The makers' vector against singing without music; a damaged one is said to be."""
    plain = order(workshop, **WORDS).content("audio_url")
    folder = models / "diffrhythm-against"
    try:
        folder.mkdir()
        np.save(folder / "vocal.npy", np.full((1, TOLD), 0.3, np.float32))
        shelve(models, "diffrhythm-against")
        assert order(workshop, **WORDS).content("audio_url") != plain
        np.save(folder / "vocal.npy", np.array([{}], object), allow_pickle=True)
        with pytest.raises(EngineFailure, match="unitask models check diffrhythm-against"):
            order(workshop, **WORDS)
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def test_progress_rises_through_steps_and_decoding(workshop: Workshop) -> None:
    """Three steps lie between four moments; long songs are decoded in several pieces."""
    made = order(workshop, **WORDS, options={"frames": 150, "seconds": 6})
    assert all(low < high for low, high in pairwise(made.job.fractions))
    assert len(made.job.fractions) == 3 + 3 + 2 + 2
    assert made.job.fractions[-1] == 1


@pytest.mark.parametrize("after", [0.3, 0.86])
def test_a_cancelled_order_stops_at_its_next_step_and_leaves_no_trace(workshop: Workshop, after: float) -> None:
    """Also while it is decoded."""
    before = order(workshop, **WORDS).content("audio_url")
    job = workshop.job(BASE, **(SMALL | {"frames": 150}))
    job.cancel_when = lambda fraction: fraction > after
    with pytest.raises(Cancelled):
        ENGINE.run(BASE, BASE.input(**WORDS), job)
    assert len([fraction for fraction in job.fractions if fraction > after]) == 1
    assert order(workshop, **WORDS).content("audio_url") == before


def test_a_recording_that_cannot_be_read_is_refused(workshop: Workshop) -> None:
    """With the sentence that all products use."""
    path = workshop.sound("noise.wav", tone(220, 1, 8000), 8000)
    Path(path).write_bytes(b"nothing")
    with pytest.raises(MediaFailure, match="failed to get input audio"):
        order(workshop, style_audio=path)


def test_weights_that_are_missing_name_the_command(own: Workshop, shelf: Path) -> None:
    """Also those that give only a configuration, on the order itself too."""
    weights = BASE.recipes[0].weights
    assert Shelf(shelf).lacks(weights) is None
    for card_id in (*weights, "muq-large", "xlm-roberta-base"):
        manifest = shelf / card_id / "unitask.json"
        text = manifest.read_bytes()
        manifest.unlink()
        assert f"unitask models pull {card_id}" in (Shelf(shelf).lacks(weights) or "")
        with pytest.raises(EngineFailure, match=f"unitask models pull {card_id}"):
            order(own, **WORDS)
        manifest.write_bytes(text)


def pickled(content: Any) -> bytes:
    """Pickle as torch does."""
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


class Trap:
    """Writes a file when it is unpickled by one who trusts it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


DAMAGED = {
    "no pickle": ("diffrhythm-base/cfm_model.pt", b"nothing"),
    "no state dict": ("diffrhythm-base/cfm_model.pt", pickled([1, 2])),
    "weights missing": ("diffrhythm-base/cfm_model.pt", pickled({"transformer.proj_out.weight": torch.zeros(4, 64)})),
    "one too many": (
        "diffrhythm-base/cfm_model.pt",
        pickled(flow_weights(whole=False) | {"transformer.more": torch.zeros(1)}),
    ),
    "no archive": ("diffrhythm-vae/vae_model.pt", b"nothing"),
    "no objects": ("diffrhythm-vae/vae_model.pt", pickled({})),
    "no towers": ("muq-mulan-large/pytorch_model.bin", pickled({"mulan.text.model.x": torch.zeros(1)})),
    "no configuration": ("xlm-roberta-base/config.json", b"[]"),
    "no tokenizer": ("xlm-roberta-base/tokenizer.json", b"{}"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damaged_weights_name_the_command_that_finds_it(own: Workshop, shelf: Path, what: str) -> None:
    """Whichever file it is; weights that are too many are damage too."""
    file, content = DAMAGED[what]
    (shelf / file).write_bytes(content)
    with pytest.raises(EngineFailure, match=f"unitask models check {file.partition('/')[0]}"):
        order(own, **WORDS)


def test_no_code_of_a_pickled_file_is_run(own: Workshop, shelf: Path, tmp_path: Path) -> None:
    """What would be called when it is read is refused instead."""
    torch.save({"model_state_dict": Trap(tmp_path / "sprung")}, shelf / "diffrhythm-base/cfm_model.pt")
    with pytest.raises(EngineFailure, match="unitask models check diffrhythm-base"):
        order(own, **WORDS)
    assert not (tmp_path / "sprung").exists()


def test_a_configuration_of_another_rate_is_refused(own: Workshop, shelf: Path) -> None:
    """Its vectors would mean something else."""
    path = shelf / "muq-large/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hop_length": 480}))
    with pytest.raises(EngineFailure, match="unitask models check muq-mulan-large"):
        order(own, lyrics=LYRICS, style_audio=hum(own, 10))
