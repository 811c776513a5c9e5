"""The rules of the products that make speech, sound and music: what they cost, and what they need."""

from typing import Any

import pytest

from support.recipes import plain_recipe
from unitask.catalogue import Catalogue, validate
from unitask.kit.errors import InvalidInput
from unitask.spec.product import Input, Product

TTS = ("Qubico/tts", "zero-shot")
MMAUDIO = ("Qubico/mmaudio", "video2audio")
SONGS = [("Qubico/diffrhythm", "txt2audio-base"), ("Qubico/diffrhythm", "txt2audio-full")]
ACE = "Qubico/ace-step"
CATALOGUE = Catalogue.load()
AUDIO = "https://example.com/voice.wav"
VIDEO = "https://example.com/film.mp4"
PER_SECOND = 5_000


def product(name: tuple[str, str]) -> Product:
    """Find a product by model and task type."""
    return CATALOGUE.find(*name)


def accepted(name: tuple[str, str], **raw: object) -> Any:
    """Validate an input that passes without a warning."""
    inputs, warnings = validate(product(name), raw)
    assert warnings == []
    return inputs


def refused(name: tuple[str, str], **raw: object) -> str:
    """Validate an input that must be refused; gives the sentence."""
    with pytest.raises(InvalidInput) as caught:
        validate(product(name), raw)
    return str(caught.value)


def quote(name: tuple[str, str], **raw: object) -> int:
    """Give the points of an input."""
    return product(name).price.quote(accepted(name, **raw))


def seed_of(inputs: Input) -> int:
    """Read the seed as a worker does; below 0 it draws one."""
    seed: int = getattr(inputs, inputs.seed_field)
    return seed


# Speech


@pytest.mark.parametrize(("text", "points"), [("a", 250), ("a" * 1000, 250_000), ("a b\n", 1000), ("жé🙂", 750)])
def test_speech_is_charged_by_the_character(text: str, points: int) -> None:
    """A thousand characters cost 250,000 points and each its share; letters of all scripts count as one."""
    assert quote(TTS, gen_text=text, ref_audio=AUDIO) == points


def test_the_words_of_the_recording_are_optional_and_free() -> None:
    """Left out or empty they are found by listening."""
    for raw in ({}, {"ref_text": ""}, {"ref_text": "ding dong " * 100}):
        assert quote(TTS, gen_text="Hello", ref_audio=AUDIO, **raw) == 1250


def test_the_longest_text_has_ten_thousand_characters() -> None:
    """One more is refused."""
    assert quote(TTS, gen_text="a" * 10_000, ref_audio=AUDIO) == 2_500_000
    assert "at most 10000 characters" in refused(TTS, gen_text="a" * 10_001, ref_audio=AUDIO)


# Sound for a video


def test_sound_is_held_for_the_longest_video_and_charged_for_the_real_one() -> None:
    """Thirty seconds are held; a started second counts whole, and what is beyond thirty costs nothing."""
    price = product(MMAUDIO).price
    held = quote(MMAUDIO, video=VIDEO)
    assert held == 30 * 500
    charges = [price.charge(held, {"second": seconds}) for seconds in (0.2, 1, 7.01, 30, 58)]
    assert charges == [500, 500, 4000, 15_000, 15_000]


@pytest.mark.parametrize("name", ["seed", "seeds"])
def test_the_seed_of_a_sound_goes_by_two_names(name: str) -> None:
    """Both spellings fill one field, with numbers of more than 32 bits."""
    inputs = accepted(MMAUDIO, video=VIDEO, **{name: 48511119825268})
    assert inputs.seed == seed_of(inputs) == 48511119825268


@pytest.mark.parametrize("seed", [None, 0, -1])
def test_seed_zero_draws_one(seed: int | None) -> None:
    """A worker takes a seed below 0 for none; the echo shows what was sent."""
    inputs = accepted(MMAUDIO, video=VIDEO, seed=seed)
    assert inputs.seed == (seed or 0)
    assert seed_of(inputs) == -1


@pytest.mark.parametrize(("sent", "taken"), [(None, 20), (0, 20), (1, 1), (50, 50)])
def test_steps_of_a_sound_are_twenty_unless_said_otherwise(sent: int | None, taken: int) -> None:
    """Zero and nothing stand for the default."""
    assert accepted(MMAUDIO, video=VIDEO, steps=sent).steps == taken


def test_a_sound_needs_no_words() -> None:
    """The documented request has empty prompts."""
    assert accepted(MMAUDIO, video=VIDEO, prompt="", negative_prompt="").prompt == ""


# Songs


@pytest.mark.parametrize("song", SONGS)
@pytest.mark.parametrize("key", ["lyrics", "style_prompt", "style_audio"])
def test_a_song_needs_any_one_of_three(song: tuple[str, str], key: str) -> None:
    """The other two may be left out, null or empty."""
    others = {"lyrics", "style_prompt", "style_audio"} - {key}
    for absent in ({}, dict.fromkeys(others), dict.fromkeys(others, "")):
        assert quote(song, **absent, **{key: AUDIO}) == 200_000


@pytest.mark.parametrize("song", SONGS)
@pytest.mark.parametrize("blank", ["", " \n", None])
def test_a_song_of_nothing_is_refused(song: tuple[str, str], blank: str | None) -> None:
    """Blanks are nothing; the sentence names the three fields."""
    sentence = refused(song, lyrics=blank, style_prompt=blank, style_audio=blank)
    assert sentence.endswith("one of lyrics, style_prompt and style_audio is required")


def test_the_two_songs_differ_in_length_alone() -> None:
    """Engines read the most seconds from the recipe; the length cannot be ordered."""
    assert [plain_recipe(product(song)).options["seconds"] for song in SONGS] == [95, 285]
    _, warnings = validate(product(SONGS[0]), {"style_prompt": "pop", "duration": 300})
    assert warnings == ["input.duration is not a field of this product and was ignored"]


# Music


@pytest.mark.parametrize("seconds", [1, 5, 10, 240])
@pytest.mark.parametrize("task_type", ["txt2audio", "audio2audio"])
def test_music_is_charged_by_the_second_that_was_ordered(task_type: str, seconds: int) -> None:
    """Five seconds are accepted although ten are documented as the least."""
    assert quote((ACE, task_type), **music(task_type), duration=seconds) == seconds * PER_SECOND


@pytest.mark.parametrize("seconds", [0, 241])
@pytest.mark.parametrize("task_type", ["txt2audio", "audio2audio"])
def test_music_of_no_length_or_too_long_is_refused(task_type: str, seconds: int) -> None:
    """A duration is 1 to 240 seconds."""
    assert "input.duration: " in refused((ACE, task_type), **music(task_type), duration=seconds)


def music(task_type: str) -> dict[str, object]:
    """Write the least that music of either kind needs."""
    return {"style_prompt": "jazz"} | ({"style_audio": AUDIO} if task_type == "audio2audio" else {})


def test_music_from_words_has_a_minute_unless_said_otherwise() -> None:
    """The default is ordered, held and charged like a duration that was sent."""
    for raw in ({}, {"duration": None}):
        assert quote((ACE, "txt2audio"), style_prompt="jazz", **raw) == 60 * PER_SECOND


@pytest.mark.parametrize(
    ("task_type", "raw"),
    [("audio2audio", {"style_audio": AUDIO, "style_prompt": "jazz"}), ("edit", {"audio": AUDIO})],
)
def test_music_as_long_as_a_recording_is_held_for_the_longest(task_type: str, raw: dict[str, object]) -> None:
    """Four minutes are held, and the seconds that were made are charged."""
    price = product((ACE, task_type)).price
    held = quote((ACE, task_type), **raw)
    assert held == 240 * PER_SECOND
    assert price.charge(held, {"second": 12.3}) == 13 * PER_SECOND
    assert price.charge(held, {"second": 600}) == held


@pytest.mark.parametrize("name", ["audio", "audio_url", "input_audio", "source_audio", "style_audio"])
def test_an_edit_knows_its_recording_by_several_names(name: str) -> None:
    """No page that names it is at hand, so every likely name is read."""
    inputs = accepted((ACE, "edit"), **{name: AUDIO})
    assert (inputs.audio, inputs.edit_type, inputs.lyrics) == (AUDIO, "remix", "")


@pytest.mark.parametrize(("sent", "taken"), [("", "remix"), ("remix", "remix"), ("only_lyrics", "only_lyrics")])
def test_an_edit_is_a_remix_unless_said_otherwise(sent: str, taken: str) -> None:
    """An empty choice is none."""
    assert accepted((ACE, "edit"), audio=AUDIO, edit_type=sent).edit_type == taken


@pytest.mark.parametrize(("left", "right"), [(0, 5), (5, 0), (2, 3), (None, 5), (5, None)])
def test_an_extension_is_charged_by_what_is_added(left: int | None, right: int | None) -> None:
    """Both ends count together; the recording itself is free."""
    raw = {"left_extend_duration": left, "right_extend_duration": right}
    assert quote((ACE, "extend"), audio=AUDIO, **raw) == 5 * PER_SECOND


@pytest.mark.parametrize("raw", [{}, {"left_extend_duration": 0, "right_extend_duration": 0}])
def test_an_extension_by_nothing_is_refused(raw: dict[str, object]) -> None:
    """The sentence names both durations."""
    sentence = refused((ACE, "extend"), audio=AUDIO, **raw)
    assert "right_extend_duration or left_extend_duration must be above 0" in sentence


def test_an_extension_has_a_limit_for_both_ends_together() -> None:
    """240 seconds may be added, 241 may not."""
    assert quote((ACE, "extend"), audio=AUDIO, left_extend_duration=120, right_extend_duration=120) == 1_200_000
    sentence = refused((ACE, "extend"), audio=AUDIO, left_extend_duration=120, right_extend_duration=121)
    assert "both durations are 241 seconds together; at most 240" in sentence
