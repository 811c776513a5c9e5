"""Speech by espeak-ng: it follows the pitch, speed and tone of a recording, in a process of its own."""

import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from support.job import LocalJob
from support.recipes import plain_recipe
from unitask.catalogue import Catalogue
from unitask.engines.espeak import ENGINE
from unitask.engines.espeak.speech import WARNING, Manner, speaking
from unitask.engines.espeak.voices import language_of
from unitask.kit.errors import EngineFailure, TaskFailure
from unitask.kit.sound import read_audio, write_audio
from unitask.spec.engine import Output

PRODUCT = Catalogue.load().find("Qubico/tts", "zero-shot")
RECIPE = plain_recipe(PRODUCT)
RATE = 24_000
WORDS = "Some call me nature, others call me mother nature."
TEXT = "This sentence is spoken after a reference recording, and a little longer than that one."
Wave = NDArray[np.float32]


class Studio:
    """Records people who read, and has texts spoken after them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def record(self, manner: Manner) -> str:
        """Let somebody read the words; gives the file."""
        with speaking(RATE) as speaker:
            return self.keep(speaker.say(WORDS, manner))

    def keep(self, sound: Wave) -> str:
        """Store a recording."""
        path = self._folder / "recording.wav"
        path.write_bytes(write_audio(0.5 * sound[:, None], rate=RATE, form="wav", metadata={}))
        return str(path)

    def speak(self, recording: str, text: str = TEXT, words: str = "") -> tuple[Wave, LocalJob]:
        """Have a text spoken."""
        job = LocalJob(self._folder, RECIPE)
        output: Output = ENGINE.run(PRODUCT, PRODUCT.input(gen_text=text, ref_audio=recording, ref_text=words), job)
        sound = read_audio(job.saved[output.fields["audio_url"]], limit_seconds=600, rate=RATE)
        return sound[:, 0], job


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    """Open a studio."""
    return Studio(tmp_path)


def yin_pitch(sound: Wave) -> float:
    """Find the median pitch by YIN: another way than the engine's own, or errors would cancel."""
    size, high, low = 1024, RATE // 400, RATE // 65
    frames = np.lib.stride_tricks.sliding_window_view(sound, size + low)[::512]
    frames = frames[(frames**2).sum(axis=1) > np.percentile((frames**2).sum(axis=1), 60)]
    still = frames[:, None, :size]
    moved = np.lib.stride_tricks.sliding_window_view(frames, size, axis=1)[:, 1 : low + 1]
    apart = ((still - moved) ** 2).sum(axis=2)
    apart = apart * np.arange(1, low + 1) / np.maximum(np.cumsum(apart, axis=1), 1e-9)
    lags = [
        next((lag for lag in range(high, low - 1) if row[lag] < 0.2 and row[lag] <= row[lag + 1]), None)
        for row in apart
    ]
    return float(np.median([RATE / (lag + 1) for lag in lags if lag is not None]))


@pytest.mark.parametrize("manner", [Manner("en-us+f3", 150, 60), Manner("en-us+m7", 170, 40)], ids=["woman", "man"])
def test_speech_has_the_pitch_of_the_recording(studio: Studio, manner: Manner) -> None:
    """A high voice is answered high, a low one low."""
    recording = studio.record(manner)
    sound, job = studio.speak(recording)
    heard = read_audio(Path(recording), limit_seconds=60, rate=RATE)[:, 0]
    assert yin_pitch(sound) == pytest.approx(yin_pitch(heard), rel=0.1)
    assert job.warnings == [WARNING]


def test_speech_has_the_speed_of_the_recording(studio: Studio) -> None:
    """If the words of the recording are known."""
    lengths = [
        len(studio.speak(studio.record(Manner("en-us", speed)), words=WORDS)[0]) / RATE for speed in (110, 165, 260)
    ]
    assert lengths[0] > 1.2 * lengths[1] > 1.2 * 1.2 * lengths[2]
    assert 3 < lengths[1] < 8


def test_speech_has_the_tone_of_the_recording(studio: Studio) -> None:
    """A dull recording makes dull speech."""
    with speaking(RATE) as speaker:
        clear = speaker.say(WORDS, Manner("en-us"))
    dull = np.convolve(clear, np.ones(12) / 12, "same").astype(np.float32)

    def brightness(sound: Wave) -> float:
        power = np.abs(np.fft.rfft(sound)) ** 2
        hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
        return float(power[hertz > 3000].sum() / power.sum())

    assert brightness(studio.speak(studio.keep(dull))[0]) < 0.5 * brightness(studio.speak(studio.keep(clear))[0])


def test_a_recording_without_a_voice_is_said_to_have_none(studio: Studio) -> None:
    """The text is spoken all the same."""
    hiss = np.random.default_rng(1).normal(0, 0.1, RATE * 2).astype(np.float32)
    sound, job = studio.speak(studio.keep(hiss))
    assert len(sound) > 3 * RATE
    assert any("no voice was heard" in warning for warning in job.warnings)


@pytest.mark.parametrize("text", ["...", "\u3000?"])
def test_a_text_without_words_fails(studio: Studio, text: str) -> None:
    """Never an empty success."""
    with pytest.raises(TaskFailure, match="nothing that can be spoken"):
        studio.speak(studio.record(Manner("en-us")), text)


def test_a_voice_that_does_not_exist_is_no_other_voice() -> None:
    """Unchecked, the library would go on with the one before."""
    with speaking(RATE) as speaker:
        speaker.say("One.", Manner("de"))
        with pytest.raises(EngineFailure) as raised:
            speaker.say("Two.", Manner("xx-nowhere"))
        assert "xx-nowhere" in raised.value.raw_message
        assert len(speaker.say("Three.", Manner("fr"))) > RATE // 4


@pytest.mark.parametrize(
    ("text", "voice"),
    [
        ("The boat leaves at noon.", "en-us"),
        ("Das Boot fährt nicht vor dem Mittag.", "de"),
        ("Le bateau part à midi et il est plein.", "fr"),
        ("El barco sale por la tarde, pero no es grande.", "es"),
        ("Лодка уходит в полдень.", "ru"),
        ("船は正午に出ます。", "ja"),
        ("船在中午出发。", "cmn"),
        ("배는 정오에 떠난다.", "ko"),
        ("12345", "en-us"),
    ],
)
def test_the_voice_fits_the_language(text: str, voice: str) -> None:
    """By its script, or by its small words."""
    assert language_of(text) == voice


def test_the_library_is_not_loaded_here(studio: Studio) -> None:
    """It is under the GPL: only the process that speaks has it."""
    studio.speak(studio.record(Manner("en-us")))
    assert "espeakng_loader" not in sys.modules
    maps = Path("/proc/self/maps")
    assert not maps.exists() or "espeak" not in maps.read_text()
