"""Recordings in another style, with other words, and sound for films."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.previews import Made, Workshop, loudness, tone
from unitask.engines.preview.audio import beds, effects
from unitask.engines.preview.audio.foley import Motion
from unitask.kit.errors import Cancelled, MediaFailure
from unitask.kit.sound import read_audio
from unitask.kit.video import write_video

RATE = 16_000
WAV = {"format": "wav", "rate": RATE}
TUNE_S = 6


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Open a workshop in an empty folder."""
    return Workshop(tmp_path)


@pytest.fixture(scope="module")
def tune(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Play some bars with a clear beat."""
    workshop = Workshop(tmp_path_factory.mktemp("tune"))
    made = workshop.order("ace-step", "txt2audio", style_prompt="folk, 120 bpm, C major", duration=TUNE_S, options=WAV)
    return str(made.path("audio_url"))


def edit(workshop: Workshop, audio: str, **fields: Any) -> Made:
    """Order an edit as WAV."""
    return workshop.order("ace-step", "edit", audio=audio, options=WAV, **fields)


@pytest.mark.parametrize(
    "words", ["lofi", "rock", "", "house, fast", "telephone", "dark", "bright", "8bit", "choir", "jazz"]
)
def test_an_edit_changes_the_sound_and_keeps_the_length(workshop: Workshop, tune: str, words: str) -> None:
    """By an effect and a band, chosen by the words."""
    before = read_audio(Path(tune), limit_seconds=20, rate=RATE)
    made = edit(workshop, tune, style_prompt=words)
    after = made.sound()
    assert after.shape == before.shape
    assert np.abs(after - before).mean() > 0.02
    assert loudness(after) > 0.05
    assert np.abs(after).max() < 0.99
    assert made.output.measures == {"second": TUNE_S}


def test_edits_differ_by_words_and_seed(workshop: Workshop, tune: str) -> None:
    """The same order gives the same bytes."""
    orders: list[dict[str, Any]] = [{}, {}, {"seed": 8}, {"style_prompt": "rock"}, {"edit_type": "only_lyrics"}]
    files = [edit(workshop, tune, **{"style_prompt": "jazz"} | order).content("audio_url") for order in orders]
    assert files[0] == files[1]
    assert len(set(files)) == 4


def test_only_the_words_may_change(workshop: Workshop, tune: str) -> None:
    """The voice's place is cleared and the new words are sung there; without words a sentence says so."""
    sung = edit(workshop, tune, edit_type="only_lyrics", lyrics="[verse]\nOver the hills and far away")
    none = edit(workshop, tune, edit_type="only_lyrics")
    assert any("no lyrics to sing" in warning for warning in none.job.warnings)
    assert np.abs(sung.sound() - none.sound()).mean() > 0.02


def test_what_is_in_the_middle_is_lowered() -> None:
    """A voice there is, an instrument at the side is not."""
    voice, guitar = tone(700, 1, RATE)[:, 0], tone(330, 1, RATE)[:, 0]
    mixed = np.stack([voice + guitar, voice - guitar])
    cleared = effects.without_voice(mixed, RATE)
    side, middle = (cleared[0] - cleared[1]) / 2, (cleared[0] + cleared[1]) / 2
    assert loudness(middle) < 0.5 * loudness(voice)
    assert loudness(side) == pytest.approx(loudness(guitar), rel=0.01)


def test_the_beginning_of_a_long_recording_is_edited(workshop: Workshop) -> None:
    """As far as the limit."""
    audio = workshop.sound("long.wav", tone(220, 3, RATE), RATE)
    options = WAV | {"limit_seconds": 2}
    made = workshop.order("ace-step", "edit", audio=audio, style_prompt="rock", options=options)
    assert len(made.sound()) == 2 * RATE


def test_a_bad_recording_is_refused(workshop: Workshop) -> None:
    """With the phrase that clients match on."""
    with pytest.raises(MediaFailure, match="failed to get input audio"):
        edit(workshop, workshop.junk())


def test_a_cancelled_order_ends(workshop: Workshop, tune: str) -> None:
    """On the way, with nothing stored."""
    with pytest.raises(Cancelled):
        edit(workshop, tune, cancel_when=lambda share: share > 0.25)


@pytest.fixture
def film(tmp_path: Path) -> str:
    """Film a white bar that moves to the right for a second, then another scene that stands still."""

    def frames() -> Any:
        for number in range(36):
            frame = np.full((48, 96, 3), (20, 60, 160) if number < 24 else (230, 220, 60), np.uint8)
            if number < 24:
                frame[10:40, number * 3 : number * 3 + 12] = 255
            yield frame

    path = tmp_path / "film.mp4"
    write_video(path, frames(), fps=Fraction(24), size=(96, 48), labels={})
    return str(path)


def sounded(workshop: Workshop, film: str, prompt: str = "", **fields: Any) -> Made:
    """Order sound for a film."""
    return workshop.order("mmaudio", "video2audio", video=film, prompt=prompt, **fields)


@pytest.mark.parametrize("limit_seconds", [30, 1])
def test_sound_is_as_long_as_the_film(workshop: Workshop, film: str, limit_seconds: int) -> None:
    """And at most as long as the recipe says; stereo, neither silent nor clipped."""
    made = sounded(workshop, film, options={"limit_seconds": limit_seconds})
    sound = made.sound()
    length_s = min(1.5, limit_seconds)
    assert sound.shape == (round(length_s * 44_100), 2)
    assert made.output.measures["second"] == pytest.approx(length_s)
    assert loudness(sound) > 0.05
    assert np.abs(sound).max() < 0.95
    assert any("no noise that the prompt names" in warning for warning in made.job.warnings)
    assert made.job.fractions == sorted(made.job.fractions)


def test_a_cut_is_heard(workshop: Workshop, film: str) -> None:
    """The loudest moment is where the scene changes, at one second."""
    sound = sounded(workshop, film, "wind").sound()
    levels = [loudness(sound[start : start + 2205]) for start in range(0, len(sound) - 2205, 2205)]
    assert int(np.argmax(levels)) == 20


def test_motion_is_heard_where_it_is(workshop: Workshop, film: str) -> None:
    """A thing that goes from left to right is heard going from left to right."""
    sound = sounded(workshop, film, "car").sound()
    early, late = sound[2205:11_025], sound[33_075:41_895]
    assert loudness(early[:, 0]) > 1.1 * loudness(early[:, 1])
    assert loudness(late[:, 1]) > 1.1 * loudness(late[:, 0])


def test_sounds_differ_by_words_and_seed(workshop: Workshop, film: str) -> None:
    """The same order gives the same bytes; what is not wanted is left out."""
    orders: list[dict[str, Any]] = [{}, {}, {"seed": 8}, {"prompt": "fire"}, {"negative_prompt": "rain"}]
    files = [sounded(workshop, film, **{"prompt": "rain"} | order).content("audio_url") for order in orders]
    assert files[0] == files[1]
    assert len(set(files)) == 4


def test_negative_words_take_noises_away() -> None:
    """Those that mean the same noise."""
    assert set(beds.named("Rain and THUNDER", "")) == {"rain", "thunder"}
    assert set(beds.named("rain, thunder", "lightning")) == {"rain"}
    assert beds.named("a quiet afternoon", "") == {}


@pytest.mark.parametrize("name", sorted(beds.NAMES))
def test_every_noise_is_heard(name: str) -> None:
    """None is silent or infinite, however short it is."""
    for seconds in (0.1, 2):
        motion = np.linspace(0, 1, round(seconds * 44_100), dtype=np.float32)
        (bed,) = [bed for found, bed in beds.named(name, "").items() if found == name]
        sound = bed(motion, 44_100, np.random.default_rng(1))
        assert sound.shape == motion.shape
        assert np.isfinite(sound).all()
        assert seconds < 1 or loudness(sound) > 1e-4


def test_lasting_unrest_is_no_cut() -> None:
    """Only what stands out from its surroundings is."""
    restless = np.full(40, 40.0)
    single = np.where(np.arange(40) == 17, 60.0, 3.0)
    assert Motion(restless, restless * 0, 24, 0).cuts == []
    assert Motion(single, single * 0, 24, 0).cuts == [17]


@pytest.mark.parametrize("content", [b"\0\0\0\x18ftypisom\0\0\0\0isom", b"no film"])
def test_a_bad_film_is_refused(workshop: Workshop, content: bytes) -> None:
    """With the phrase that clients match on."""
    with pytest.raises(MediaFailure, match="failed to get valid video"):
        sounded(workshop, workshop.junk(content))


def test_a_cancelled_sound_track_ends(workshop: Workshop, film: str) -> None:
    """While the film is watched."""
    with pytest.raises(Cancelled):
        sounded(workshop, film, cancel_when=lambda share: share > 0.1)
