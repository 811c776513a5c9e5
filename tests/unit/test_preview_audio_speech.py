"""Placeholder speech: its length, its pitch, and what cannot be spoken."""

from pathlib import Path

import numpy as np
import pytest

from support.previews import Workshop, loudness, tone
from unitask.engines.preview.audio import syllables
from unitask.engines.preview.audio.speech import LEAST_S, planned
from unitask.engines.preview.engine import WARNING
from unitask.kit.errors import Cancelled, MediaFailure
from unitask.kit.pitch import median_pitch

RATE = 24_000
TEXT = "Some call me nature, others call me mother nature."


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Open a workshop in an empty folder."""
    return Workshop(tmp_path)


@pytest.fixture
def voice(workshop: Workshop) -> str:
    """Save two seconds of a hum at 200 Hz."""
    return workshop.sound("voice.wav", tone(200, 2, RATE), RATE)


@pytest.mark.parametrize("text", [TEXT, TEXT * 9, "A", "你好世界", "Привет, мир", "مرحبا", "3 + 4 = 7"])
def test_speech_lasts_as_long_as_talking(workshop: Workshop, voice: str, text: str) -> None:
    """Fourteen letters a second; a sign that is a whole syllable takes three times as long."""
    made = workshop.order("tts", "zero-shot", gen_text=text, ref_audio=voice)
    sound = made.sound()
    letters = sum(3 if syllables.is_whole(sign) else 1 for sign in text)
    assert len(sound) == pytest.approx(max(letters / 14, LEAST_S) * RATE, abs=1)
    assert made.output.measures["second"] == len(sound) / RATE
    assert loudness(sound) > 0.05
    assert np.abs(sound).max() < 0.95
    assert WARNING in made.job.warnings
    assert made.job.fractions == sorted(made.job.fractions)
    assert made.job.fractions[-1] == 1


@pytest.mark.parametrize("pitch_hz", [95, 180, 300])
def test_speech_is_as_high_as_the_recording(workshop: Workshop, pitch_hz: int) -> None:
    """Within two semitones: sentences fall, and questions rise."""
    recording = workshop.sound("voice.wav", tone(pitch_hz, 2, RATE), RATE)
    made = workshop.order("tts", "zero-shot", gen_text=TEXT, ref_audio=recording)
    assert median_pitch(made.sound(), RATE) == pytest.approx(pitch_hz, rel=0.12)
    assert f"{pitch_hz} Hz" in made.job.warnings[-1]


@pytest.mark.parametrize("level", [0, 0.1])
def test_a_recording_without_a_voice_is_no_obstacle(workshop: Workshop, level: float) -> None:
    """Silence and noise have no pitch: the speech has its own, and says so."""
    noise = np.random.default_rng(1).standard_normal((RATE, 1), np.float32) * np.float32(level)
    recording = workshop.sound("noise.wav", noise, RATE)
    made = workshop.order("tts", "zero-shot", gen_text=TEXT, ref_audio=recording)
    assert "no voice was heard" in made.job.warnings[-1]
    assert loudness(made.sound()) > 0.05


def test_the_same_order_gives_the_same_bytes(workshop: Workshop, voice: str) -> None:
    """A second attempt makes the same file; another text, seed or voice makes another."""
    orders = {
        "first": {"gen_text": TEXT, "ref_audio": voice},
        "again": {"gen_text": TEXT, "ref_audio": voice},
        "text": {"gen_text": TEXT.replace("mother", "father"), "ref_audio": voice},
        "seed": {"gen_text": TEXT, "ref_audio": voice, "seed": 8},
        "voice": {"gen_text": TEXT, "ref_audio": workshop.sound("low.wav", tone(100, 1, RATE), RATE)},
    }
    files = {name: workshop.order("tts", "zero-shot", **order).content("audio_url") for name, order in orders.items()}
    assert files["first"] == files["again"]
    assert len(set(files.values())) == 4


@pytest.mark.parametrize("text", ["...", "♪", "\x00 -"])
def test_what_cannot_be_spoken_is_hummed(workshop: Workshop, voice: str, text: str) -> None:
    """There is a sound all the same, and a sentence about it."""
    made = workshop.order("tts", "zero-shot", gen_text=text, ref_audio=voice)
    assert loudness(made.sound()) > 0.05
    assert any("nothing that can be spoken" in warning for warning in made.job.warnings)


def test_a_long_text_is_spoken_to_its_end(workshop: Workshop, voice: str) -> None:
    """Minutes of it, with no part left silent."""
    text = "One word after another, and then some more. " * 75
    made = workshop.order("tts", "zero-shot", gen_text=text, ref_audio=voice)
    sound = made.sound(limit_seconds=800)
    assert len(sound) == pytest.approx(len(text) / 14 * RATE, abs=1)
    assert min(loudness(sound[start : start + RATE]) for start in range(0, len(sound) - RATE, RATE)) > 0.03


@pytest.mark.parametrize(
    ("word", "count"),
    [("nature", 2), ("call", 1), ("make", 1), ("banana", 3), ("Привет", 2), ("你好", 2), ("7", 1), ("tsk", 2)],
)
def test_words_have_syllables(word: str, count: int) -> None:
    """A run of vowels each; a silent e is none; scripts without vowels are cut by length."""
    assert len(syllables.of_word(word)) == count


def test_one_endless_letter_is_cut() -> None:
    """No syllable is longer than a few letters, whatever a stranger sends."""
    spoken, length_s = planned("a" * 10_000, seed=1)
    assert max(each.end_s - each.start_s for each in spoken) < 1
    assert length_s == pytest.approx(10_000 / 14)


def test_a_question_rises() -> None:
    """Its last syllable is the highest of all."""
    spoken, _ = planned("Is it you?", seed=1)
    assert spoken[-1].rises
    assert not any(each.rises for each in planned("It is you.", seed=1)[0])


def test_a_bad_recording_is_refused(workshop: Workshop) -> None:
    """With the phrase that clients match on."""
    with pytest.raises(MediaFailure, match="failed to get input audio"):
        workshop.order("tts", "zero-shot", gen_text=TEXT, ref_audio=workshop.junk())


def test_a_cancelled_order_ends(workshop: Workshop, voice: str) -> None:
    """In the middle of the text, with nothing stored."""
    with pytest.raises(Cancelled):
        workshop.order("tts", "zero-shot", gen_text=TEXT * 20, ref_audio=voice, cancel_when=lambda share: share > 0.2)
