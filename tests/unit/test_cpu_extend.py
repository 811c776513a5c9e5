"""Recordings made longer by the engine cpu: out of themselves, without a click, charged by the second."""

from pathlib import Path

import numpy as np
import pytest

from support.previews import Workshop, loudness, tone
from unitask.engines.cpu.looping import following
from unitask.engines.cpu.music_extend import WARNING
from unitask.kit.errors import Cancelled, MediaFailure
from unitask.kit.sound import read_audio

RATE = 16_000
WAV = {"format": "wav", "rate": RATE}
TUNE_S = 6


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Open a workshop in an empty folder."""
    return Workshop(tmp_path, "cpu")


@pytest.fixture(scope="module")
def tune(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Play some bars with a clear beat."""
    workshop = Workshop(tmp_path_factory.mktemp("tune"))
    made = workshop.order("ace-step", "txt2audio", style_prompt="folk, 120 bpm, C major", duration=TUNE_S, options=WAV)
    return str(made.path("audio_url"))


@pytest.mark.parametrize(("left", "right"), [(0, 3), (2, 0), (4, 9)])
def test_an_extension_keeps_every_sample_of_the_recording(workshop: Workshop, tune: str, left: int, right: int) -> None:
    """It is exactly so much longer, joined without a click; what is added is as loud and is charged."""
    lengths = {"left_extend_duration": left, "right_extend_duration": right}
    made = workshop.order("ace-step", "extend", audio=tune, options=WAV, **lengths)
    before, after = read_audio(Path(tune), limit_seconds=20, rate=RATE), made.sound()
    start, end = left * RATE, left * RATE + len(before)
    assert len(after) == end + right * RATE
    assert np.array_equal(after[start:end], before)
    largest_step = np.abs(np.diff(before, axis=0)).max()
    for at in [start] * bool(left) + [end] * bool(right):
        assert np.abs(after[at] - after[at - 1]).max() < 0.5 * largest_step
    for added in (after[:start], after[end:]):
        assert not len(added) or 0.5 < loudness(added) / loudness(before) < 1.5
    assert made.output.measures == {"second": left + right}
    assert made.job.warnings == [WARNING]
    assert made.job.fractions == sorted(made.job.fractions)


@pytest.mark.parametrize("seconds", [0.02, 0.3, 1.0, 4.0])
@pytest.mark.parametrize("channels", [1, 2])
def test_short_recordings_are_extended_too(workshop: Workshop, seconds: float, channels: int) -> None:
    """Also those of a fraction of a second, in as many channels as they have."""
    samples = tone(220, seconds, RATE, channels)
    audio = workshop.sound("short.wav", samples, RATE)
    after = workshop.order("ace-step", "extend", audio=audio, right_extend_duration=2, options=WAV).sound()
    assert after.shape == (len(samples) + 2 * RATE, channels)
    assert np.array_equal(after[: len(samples)], samples)
    assert loudness(after[len(samples) :]) > 0.3 * loudness(samples)


def test_the_beat_goes_on() -> None:
    """Clicks twice a second go on twice a second."""
    rate = 12_000
    clicks = np.zeros((8 * rate, 1), np.float32)
    rng = np.random.default_rng(1)
    stroke = rng.standard_normal(300).astype(np.float32) * np.linspace(0.5, 0, 300, dtype=np.float32)
    for start in range(600, len(clicks) - 300, rate // 2):
        clicks[start : start + 300, 0] = stroke
    added = following(clicks, 5 * rate, rate)
    found = np.flatnonzero(np.correlate(added[: 4 * rate, 0], stroke) > 0.7 * float(stroke @ stroke))
    expected = [600 + beat * rate // 2 for beat in range(8)]
    assert all(np.abs(found - at).min() < 60 for at in expected)


def test_a_recording_that_dies_away_is_taken_up_again(workshop: Workshop) -> None:
    """What follows is made of the loud part, and swells."""
    samples = tone(220, 6, RATE)
    samples[4 * RATE :] *= np.linspace(1, 0, 2 * RATE, dtype=np.float32)[:, None]
    audio = workshop.sound("dying.wav", samples, RATE)
    after = workshop.order("ace-step", "extend", audio=audio, right_extend_duration=4, options=WAV).sound()
    assert loudness(after[7 * RATE : 8 * RATE]) > 0.7 * loudness(samples[: 3 * RATE])


def test_a_recording_that_is_too_long_is_refused(workshop: Workshop) -> None:
    """The whole of it is to be kept."""
    audio = workshop.sound("long.wav", tone(220, 3, RATE), RATE)
    options = WAV | {"limit_seconds": 2}
    with pytest.raises(MediaFailure, match="failed to get input audio: it is longer than 2 seconds"):
        workshop.order("ace-step", "extend", audio=audio, right_extend_duration=1, options=options)


def test_a_bad_recording_is_refused(workshop: Workshop) -> None:
    """With the phrase that clients match on."""
    with pytest.raises(MediaFailure, match="failed to get input audio"):
        workshop.order("ace-step", "extend", audio=workshop.junk(), right_extend_duration=1)


def test_a_cancelled_order_ends(workshop: Workshop, tune: str) -> None:
    """On the way, with nothing stored."""
    with pytest.raises(Cancelled):
        workshop.order(
            "ace-step", "extend", audio=tune, right_extend_duration=5, cancel_when=lambda share: share > 0.25
        )
