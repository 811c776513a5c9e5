"""Texts read aloud in the voice of a recording, by a tiny F5-TTS, a tiny Vocos and a tiny Whisper."""

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from tiny_speech import (
    F5,
    NON_COMMERCIAL,
    VOCOS,
    WHISPER,
    f5_weights,
    shelve_f5,
    shelve_safetensors,
    shelve_vocos,
    shelve_voice,
    shelve_whisper,
)

from support.previews import CATALOGUE, Made, Workshop, loudness, tone
from unitask.engines.networks import ENGINE
from unitask.engines.networks.speech import zero_shot
from unitask.engines.networks.speech.hearing import words_in
from unitask.engines.networks.speech.mel import HOP, RATE
from unitask.engines.networks.speech.pieces import FADE_S
from unitask.engines.networks.speech.reference import Reference
from unitask.kit.errors import Cancelled, EngineFailure, MediaFailure, TaskFailure
from unitask.runtime.hardware import Hardware
from unitask.runtime.runtime import Runtime
from unitask.weights import Shelf

torch.set_num_threads(1)
PRODUCT = CATALOGUE.find("Qubico/tts", "zero-shot")
SECONDS = 2.0
SAID = "It is late, and the boat is here."
WORDS = "The next boat leaves at noon."
FRAME_S = HOP / RATE
CLAUSE = "one two three four five six seven, "


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Put what speaks on a shelf, but not what hears."""
    folder = tmp_path_factory.mktemp("models")
    shelve_voice(folder)
    return folder


@pytest.fixture
def workshop(tmp_path: Path, models: Path) -> Workshop:
    """Open a workshop with this shelf."""
    return Workshop(tmp_path, "networks", models)


@pytest.fixture
def voice(workshop: Workshop) -> str:
    """Hum for two seconds."""
    return workshop.sound("voice.wav", tone(220, SECONDS, 16_000), 16_000)


def order(workshop: Workshop, voice: str, **fields: Any) -> Made:
    """Order with few steps."""
    options = {"steps": 2} | fields.pop("options", {})
    return workshop.order(
        "tts", "zero-shot", options=options, **{"gen_text": WORDS, "ref_audio": voice, "ref_text": SAID} | fields
    )


def seconds_of(made: Made) -> float:
    """Measure the speech."""
    return len(made.sound()) / made.job.recipe.options["rate"]


def test_speech_is_as_long_as_its_text_at_the_pace_of_the_recording(workshop: Workshop, voice: str) -> None:
    """At another speed accordingly; the file is what the recipe says and names what made it."""
    made = order(workshop, voice)
    pace = (len(SAID) + 1) / (SECONDS + 0.05)
    assert seconds_of(made) == pytest.approx(len(WORDS) / pace, abs=2 * FRAME_S)
    assert seconds_of(order(workshop, voice, options={"speed": 2.0})) == pytest.approx(
        len(WORDS) / pace / 2, abs=2 * FRAME_S
    )
    longer = order(workshop, voice, gen_text=f"{WORDS} {WORDS}")
    assert seconds_of(longer) == pytest.approx((2 * len(WORDS) + 1) / pace, abs=2 * FRAME_S)
    with av.open(str(made.path("audio_url"))) as file:
        stream = file.streams.audio[0]
        assert (stream.codec_context.name, stream.rate, stream.channels) == ("pcm_s16le", 24_000, 1)
        assert f"unitask:weights={F5} {VOCOS}" in file.metadata["comment"]
    assert made.output.measures == {"second": seconds_of(made)}
    assert made.job.warnings == []


def test_the_same_order_gives_the_same_bytes_and_everything_counts(workshop: Workshop, voice: str) -> None:
    """The seed, the text, the words of the recording and the recording itself."""
    other = workshop.sound("other.wav", tone(330, SECONDS, RATE), RATE)
    changes: list[dict[str, Any]] = [{}, {}, {"seed": 8}, {"gen_text": WORDS.replace("noon", "nine")}]
    changes += [{"ref_text": SAID.replace("late", "dark")}, {"ref_audio": other}, {"options": {"guidance": 0.0}}]
    first, again, *others = (order(workshop, voice, **change) for change in changes)
    assert first.content("audio_url") == again.content("audio_url")
    assert len({made.sound().tobytes() for made in (first, *others)}) == 6


def test_speech_is_as_soft_as_the_recording(workshop: Workshop) -> None:
    """The model hears soft ones raised to one loudness."""
    loud, soft = (
        loudness(order(workshop, workshop.sound(f"{level}.wav", tone(220, 2, RATE) * level, RATE)).sound())
        for level in (0.1, 0.01)
    )
    assert soft == pytest.approx(loud / 10, rel=0.1)


def test_a_long_text_is_spoken_in_pieces_that_fade_into_one_another(workshop: Workshop, voice: str) -> None:
    """As long as all of them less the fades, and each piece counts for the progress."""
    text = CLAUSE * 20
    made = order(workshop, voice, gen_text=text)
    pace = (len(SAID) + 1) / (SECONDS + 0.05)
    count = (len(made.job.fractions) - 4) // 2
    assert count == 3
    expected = (len(text) - count) / pace - (count - 1) * FADE_S
    assert seconds_of(made) == pytest.approx(expected, abs=count * 3 * FRAME_S)
    assert all(low < high for low, high in pairwise(made.job.fractions))


def test_the_rate_and_the_format_are_those_of_the_recipe(workshop: Workshop, voice: str) -> None:
    """Another rate is the same speech."""
    made = order(workshop, voice, options={"rate": 8000, "format": "flac"})
    with av.open(str(made.path("audio_url"))) as file:
        assert (file.streams.audio[0].codec_context.name, file.streams.audio[0].rate) == ("flac", 8000)
    assert seconds_of(made) == pytest.approx(seconds_of(order(workshop, voice)), abs=0.001)


def test_a_cancelled_order_stops_at_its_next_step(workshop: Workshop, voice: str) -> None:
    """What is made after it is what would have been made without it."""
    before = order(workshop, voice).content("audio_url")
    job = workshop.job(PRODUCT, steps=6)
    job.cancel_when = lambda fraction: fraction > 0.3
    with pytest.raises(Cancelled):
        ENGINE.run(PRODUCT, PRODUCT.input(gen_text=WORDS, ref_audio=voice, ref_text=SAID), job)
    assert len([fraction for fraction in job.fractions if fraction > 0.3]) == 1
    assert order(workshop, voice).content("audio_url") == before


def test_words_that_are_not_given_are_heard(tmp_path: Path) -> None:
    """The speech is that with the words that Whisper writes down."""
    shelve_voice(tmp_path)
    shelve_whisper(tmp_path)
    workshop = Workshop(tmp_path, "networks", tmp_path)
    wave = tone(220, SECONDS, RATE)
    voice = workshop.sound("voice.wav", wave, RATE)
    heard = words_in(Reference.of(wave[:, 0]).wave, Runtime(Shelf(tmp_path), Hardware("cpu", 2**40, 0)))
    assert len(heard) > 5
    made = order(workshop, voice, ref_text="")
    assert made.content("audio_url") == order(workshop, voice, ref_text=heard).content("audio_url")
    assert made.content("audio_url") != order(workshop, voice).content("audio_url")


def test_without_whisper_words_must_be_given_and_it_is_said_how(workshop: Workshop, voice: str) -> None:
    """All other orders are made without it."""
    with pytest.raises(EngineFailure, match=f"unitask models pull {WHISPER}|no model card.*write into ref_text"):
        order(workshop, voice, ref_text="")
    with pytest.raises(EngineFailure, match="write into ref_text what is said in ref_audio"):
        order(workshop, voice, ref_text=" \n")
    assert order(workshop, voice).job.warnings == []


def test_of_a_long_recording_a_part_is_followed_with_its_share_of_the_words(workshop: Workshop) -> None:
    """The client is told."""
    voice = workshop.sound("long.wav", tone(220, 24, RATE), RATE)
    made = order(workshop, voice, ref_text=f"{SAID} {'x' * 7} " * 6)
    assert [warning for warning in made.job.warnings if "the first 12.1 seconds" in warning]
    half = workshop.sound("half.wav", tone(220, 24, RATE)[: 12 * RATE], RATE)
    same = order(workshop, half, ref_text=f"{SAID} {'x' * 7} " * 3)
    assert made.content("audio_url") == same.content("audio_url")


@pytest.mark.parametrize("said", ["a", "so many words " * 500])
def test_words_that_cannot_be_those_of_the_recording_are_bounded(workshop: Workshop, voice: str, said: str) -> None:
    """They would make speech of hours, or none at all."""
    made = order(workshop, voice, ref_text=said)
    assert 0.3 < seconds_of(made) < 8
    assert any("does not look like what is said" in warning for warning in made.job.warnings)


def test_what_the_model_does_not_know_is_named_and_what_has_no_words_refused(workshop: Workshop, voice: str) -> None:
    """Unknown characters are passed over."""
    made = order(workshop, voice, gen_text=f"{WORDS} \u263a\u263a \u65e5")
    assert made.job.warnings == ["the model does not know, and passes over: \u263a ri4"]
    with pytest.raises(TaskFailure, match="nothing that can be spoken"):
        order(workshop, voice, gen_text="\u263a \u200b")


def test_a_recording_without_a_voice_is_refused(workshop: Workshop) -> None:
    """So is what is no recording."""
    with pytest.raises(MediaFailure, match="ref_audio is silent"):
        order(workshop, workshop.sound("silence.wav", np.zeros((RATE, 1), np.float32), RATE))
    with pytest.raises(MediaFailure, match="failed to get input audio"):
        order(workshop, workshop.junk())


def test_weights_of_the_other_file_kind_under_the_same_card_speak_alike(tmp_path: Path, workshop: Workshop) -> None:
    """An operator's own card of this id decides where the weights come from; the names in the file are the same."""
    folder = tmp_path / "switched"
    shelve_safetensors(folder, F5)
    shelve_vocos(folder)
    switched = Workshop(folder, "networks", folder)
    voice = workshop.sound("voice.wav", tone(220, SECONDS, RATE), RATE)
    assert order(switched, voice).content("audio_url") == order(workshop, voice).content("audio_url")


def test_the_configuration_beside_the_weights_tells_of_the_older_layout(tmp_path: Path, workshop: Workshop) -> None:
    """Text without a mask and one head that knows of places each change the speech."""
    voice = workshop.sound("voice.wav", tone(220, SECONDS, RATE), RATE)
    made = {order(workshop, voice).content("audio_url")}
    for number, lines in enumerate(("text_mask_padding: False", "pe_attn_head: 1  # of 16")):
        folder = tmp_path / str(number)
        shelve_f5(folder, f"model:\n  arch:\n    {lines}\n")
        shelve_vocos(folder)
        made.add(order(Workshop(folder, "networks", folder), voice).content("audio_url"))
    assert len(made) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "model.pt").write_bytes((folder / "model.pt").read_bytes()[:1000]),
        lambda folder: (folder / "model.pt").unlink(),
        lambda folder: torch.save({"ema_model_state_dict": {}}, folder / "model.pt"),
        lambda folder: torch.save([1], folder / "model.pt"),
        lambda folder: (folder / "vocab.txt").unlink(),
        lambda folder: (folder / "vocab.txt").write_text(" \na\nb\n"),
        lambda folder: (folder / "config.yaml").write_text("text_mask_padding: perhaps\n"),
    ],
)
def test_damaged_weights_name_the_command_that_looks_for_the_damage(
    tmp_path: Path, change: Callable[[Path], Any]
) -> None:
    """Cut, gone, empty, of another kind, or with symbols that are not the network's."""
    shelve_voice(tmp_path)
    workshop = Workshop(tmp_path, "networks", tmp_path)
    voice = workshop.sound("voice.wav", tone(220, SECONDS, RATE), RATE)
    change(tmp_path / F5)
    with pytest.raises(EngineFailure, match=f"weights of {F5} cannot be read.*unitask models check {F5}"):
        order(workshop, voice, gen_text="ab ab")


class Code:
    """Makes a folder when it is unpickled as such files are by default."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        """Say what to call."""
        return os.mkdir, (str(self.folder),)


def test_code_in_a_pickled_file_does_not_run(tmp_path: Path) -> None:
    """Also where the weights in it are whole."""
    shelve_voice(tmp_path)
    torch.save({"ema_model_state_dict": f5_weights(), "more": Code(tmp_path / "made")}, tmp_path / F5 / "model.pt")
    workshop = Workshop(tmp_path, "networks", tmp_path)
    with pytest.raises(EngineFailure, match=f"weights of {F5} cannot be read"):
        order(workshop, workshop.sound("voice.wav", tone(220, SECONDS, RATE), RATE))
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("card", [F5, VOCOS])
def test_missing_weights_name_the_command_that_brings_them(tmp_path: Path, card: str) -> None:
    """Whichever of the two is missing."""
    (shelve_vocos if card == F5 else shelve_f5)(tmp_path)
    workshop = Workshop(tmp_path, "networks", tmp_path)
    voice = workshop.sound("voice.wav", tone(220, SECONDS, RATE), RATE)
    with pytest.raises(EngineFailure, match=f"{card} cannot be used: its weights are not here; get .* pull {card}"):
        order(workshop, voice)


def test_the_networks_stay_in_memory_and_leave_it_like_all_others(models: Path, workshop: Workshop, voice: str) -> None:
    """Where there is no room on the device, they are set aside and come back."""
    runtime = Runtime(Shelf(models), Hardware("cpu", 2**40, 2**40))
    inputs = PRODUCT.input(gen_text=WORDS, ref_audio=voice, ref_text=SAID)
    job = workshop.job(PRODUCT, steps=2)
    first = Made(zero_shot.zero_shot(inputs, job, runtime), job).content("audio_url")
    assert len(runtime.residency.held("device")) == 2
    held = runtime.residency.used_bytes("device")
    assert held > 100_000
    small = Runtime(Shelf(models), Hardware("cpu", held // 4, 0))
    with pytest.raises(EngineFailure, match=f"{F5} and {VOCOS} with its work needs"):
        zero_shot.zero_shot(inputs, workshop.job(PRODUCT, steps=2), small)
    assert first == order(workshop, voice).content("audio_url")


def test_weights_under_terms_are_a_card_of_their_own() -> None:
    """What may be used for anything is what the product is made from; the other is named, and says what it forbids."""
    cards = Shelf(Path("nowhere")).cards
    assert PRODUCT.recipes[0].weights == (F5, VOCOS)
    assert not any(cards[card].license.forbids for card in (F5, VOCOS, WHISPER))
    assert "Commercial" in cards[NON_COMMERCIAL].license.forbids
