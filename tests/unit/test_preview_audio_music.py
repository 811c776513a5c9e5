"""Music from words: its length, its tempo and key, who plays and who sings."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from support.previews import Made, Workshop, loudness, tone
from unitask.engines.preview.audio import hearing, lyrics, score, style, vocals
from unitask.engines.preview.audio.hearing import Heard
from unitask.engines.preview.audio.style import GROOVES
from unitask.engines.preview.engine import WARNING
from unitask.kit.errors import Cancelled, MediaFailure
from unitask.kit.pitch import mono

RATE = 16_000
LYRICS = "[verse]\nThe river is wide\nThe night is long\n[chorus]\nOh sing with me"
WAV = {"format": "wav", "rate": RATE}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Open a workshop in an empty folder."""
    return Workshop(tmp_path)


def music(workshop: Workshop, words: str, duration: int = 6, **fields: Any) -> Made:
    """Order music from words, as WAV."""
    return workshop.order("ace-step", "txt2audio", style_prompt=words, duration=duration, options=WAV, **fields)


def heard(made: Made) -> Heard:
    """Listen to what was made."""
    return hearing.listen(made.sound(), made.job.recipe.options["rate"])


@pytest.mark.parametrize("form", ["wav", "mp3"])
@pytest.mark.parametrize("duration", [1, 2, 7])
def test_music_lasts_exactly_as_ordered(workshop: Workshop, form: str, duration: int) -> None:
    """To the sample, also where a bar would be longer; neither silent nor clipped."""
    made = workshop.order(
        "ace-step", "txt2audio", style_prompt="pop", duration=duration, lyrics=LYRICS, options={"format": form}
    )
    with av.open(str(made.path("audio_url"))) as container:
        stream = container.streams.audio[0]
        assert (stream.rate, stream.channels) == (48_000, 2)
        assert sum(frame.samples for frame in container.decode(stream)) == duration * 48_000
    assert made.output.measures == {"second": duration}
    assert loudness(made.sound()) > 0.08
    assert np.abs(made.sound()).max() < 0.99
    assert WARNING in made.job.warnings
    assert made.job.fractions == sorted(made.job.fractions)
    assert made.job.fractions[-1] == 1


def test_the_same_order_gives_the_same_bytes(workshop: Workshop) -> None:
    """A second attempt makes the same file; other words or another seed make another."""
    orders: list[dict[str, Any]] = [{}, {}, {"seed": 8}, {"words": "rock"}, {"lyrics": LYRICS}]
    files = [music(workshop, **{"words": "folk", "duration": 3} | order).content("audio_url") for order in orders]
    assert files[0] == files[1]
    assert len(set(files)) == 4


@pytest.mark.parametrize(("bpm", "key", "root"), [(84, "C major", 0), (128, "A minor", 9), (150, "F# minor", 6)])
def test_tempo_and_key_are_followed(workshop: Workshop, bpm: int, key: str, root: int) -> None:
    """Where they stand in the words, they are heard in the sound."""
    found = heard(music(workshop, f"pop, {bpm} bpm, {key}", duration=8))
    assert found.bpm == pytest.approx(bpm, rel=0.02)
    assert (found.root, found.minor) in related(root, minor="minor" in key)


def related(root: int, *, minor: bool) -> set[tuple[int, bool]]:
    """List the keys that share all notes but one at most: profiles cannot tell them apart for sure."""
    relative = (root + 3) % 12 if minor else (root - 3) % 12
    near = {(root, minor), (relative, not minor)}
    return near | {((tonic + step) % 12, mode) for tonic, mode in near for step in (5, 7)}


@pytest.mark.parametrize(
    "words", [*GROOVES, "lofi", "ambient, slow piano", "edm", "brass band", "gospel choir", "zorp"]
)
def test_every_genre_plays(workshop: Workshop, words: str) -> None:
    """Also one that nobody has heard of."""
    sound = music(workshop, words, duration=2).sound()
    assert loudness(sound) > 0.08
    assert np.abs(sound).max() < 0.99


def test_drums_can_be_sent_away(workshop: Workshop) -> None:
    """By the negative prompt or by the words themselves; what is high and sudden is gone then."""

    def hiss(**fields: Any) -> float:
        sound = mono(music(workshop, **{"words": "rock, piano"} | fields).sound())
        spectrum = np.abs(np.fft.rfft(sound))
        return float(spectrum[len(spectrum) // 3 :].sum() / spectrum.sum())

    with_drums = hiss()
    assert hiss(negative_style_prompt="drums") < with_drums / 2
    assert hiss(words="rock, piano, no drums") < with_drums / 2


@pytest.mark.parametrize(
    ("words", "negative", "expected"),
    [
        ("lo-fi hip hop, Rhodes", "", {"chords": "epiano"}),
        ("rock", "guitar", {"groove": "rock"}),
        ("jazz with double bass and trumpet", "", {"bass": "walking", "lead": "brass"}),
        ("sad folk, female voice", "", {"minor": True, "high_voice": True}),
        ("happy ballad, male singer", "", {"minor": False, "high_voice": False}),
        ("techno", "vocals", {"voices": False, "groove": "house"}),
        ("pop", "bass", {"bass": "none"}),
        ("classical strings, 999 bpm", "strings", {"chords": "piano", "bpm": 220}),
    ],
)
def test_words_decide_who_plays(words: str, negative: str, expected: dict[str, object]) -> None:
    """Genres, instruments and moods; what is not wanted stays away."""
    found = style.read(words, negative, seed=3)
    assert {name: getattr(found, name) for name in expected} == expected
    assert 40 <= found.bpm <= 220


def test_lyrics_are_sung_line_by_line() -> None:
    """One note for each syllable, in order, none after the end, choruses known as such."""
    lines = lyrics.read(LYRICS)
    assert [len(line.syllables) for line in lines] == [5, 4, 4]
    assert [line.chorus for line in lines] == [False, False, True]
    sung = vocals.place(lines, beat_s=0.5, length_s=30)
    times = [time for line in sung for times in line.times for time in times]
    assert times == sorted(times)
    assert times[-1] <= 30
    assert len(sung) == 3


def test_lyrics_that_do_not_fit_are_told(workshop: Workshop) -> None:
    """The rest of the lines is not crammed in."""
    made = music(workshop, "pop", duration=5, lyrics="\n".join(f"line number {index}" for index in range(40)))
    assert any("lines of the lyrics did not fit" in warning for warning in made.job.warnings)


@pytest.mark.parametrize("text", ["", "[inst]", "[instrumental]\n", "[verse]\n[chorus]", "...\n♪"])
def test_no_words_are_no_singing(text: str) -> None:
    """Tags alone are not sung."""
    assert lyrics.read(text) == []


def test_singing_changes_the_music(workshop: Workshop) -> None:
    """A voice is in the middle and louder than what was there."""
    sung, played = (music(workshop, "pop, piano, 100 bpm, C major", lyrics=text).sound() for text in (LYRICS, ""))
    assert np.abs(sung - played).mean() > 0.02


def test_a_song_sings_at_the_times_given() -> None:
    """Each line begins when it says and ends before the next one."""
    lines = lyrics.read("[00:05.25] Once upon a time\n[00:06.00] there was\n[00:09.90] an end")
    sung = vocals.place(lines, beat_s=0.5, length_s=10)
    assert [line.at_s for line in sung] == [5.25, 6.0, 9.9]
    assert sung[0].until_s <= 6.0
    assert [len(line.syllables) for line in sung] == [5, 2, 1]
    piece = score.compose(style.read("pop", "", 1), 10, sung, seed=1)
    score.sing(piece, sung, seed=1)
    voice = [each for each in piece.notes if each.syllable]
    assert [each.at_s for each in voice] == [time for line in sung for time, _ in line.times]
    assert all(45 <= each.midi <= 80 for each in voice)


def test_a_sung_line_is_heard(workshop: Workshop) -> None:
    """The music changes while it is sung, and is the same before the bar in which it begins."""
    options = WAV | {"seconds": 12}
    order = {"style_prompt": "ambient, 60 bpm", "options": options}
    quiet = workshop.order("diffrhythm", "txt2audio-base", lyrics="[00:11.90]", **order).sound()
    sung = workshop.order("diffrhythm", "txt2audio-base", lyrics="[00:09.00] Once upon\n[00:11.90]", **order).sound()
    before, during = slice(RATE, 7 * RATE), slice(9 * RATE, 10 * RATE)
    assert np.corrcoef(quiet[before, 0], sung[before, 0])[0, 1] > 0.99
    assert np.corrcoef(quiet[during, 0], sung[during, 0])[0, 1] < 0.9


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("[00:02.00] One\n[00:04.50] Two", 16.5), ("One\nTwo", 20), ("[00:18.00] a\n[01:30.00] b", 20)],
)
def test_a_song_ends_after_its_last_line(workshop: Workshop, text: str, seconds: float) -> None:
    """And never after what its product allows; without times it is as long as that."""
    options = WAV | {"seconds": 20}
    made = workshop.order("diffrhythm", "txt2audio-base", lyrics=text, options=options)
    assert len(made.sound()) == seconds * RATE
    assert any("did not fit" in warning for warning in made.job.warnings) is ("01:30" in text)


def test_times_are_read_in_every_usual_form() -> None:
    """Several of one line, without hundredths, out of order."""
    lines = lyrics.read("[01:02] b\n[00:10.50][00:30:25] a\nno time")
    assert [line.at_s for line in lines] == [10.5, 30.25, 62]
    assert lyrics.last_time("[01:02] b\n[00:10.50] a") == 62


@pytest.mark.parametrize(
    ("model", "task_type", "fields"),
    [
        ("ace-step", "audio2audio", {"style_prompt": "rock", "duration": 10}),
        ("diffrhythm", "txt2audio-base", {"options": {"seconds": 10}}),
    ],
)
def test_a_recording_gives_tempo_and_key(
    workshop: Workshop, model: str, task_type: str, fields: dict[str, Any]
) -> None:
    """Where its beat is clear."""
    recording = music(workshop, "pop, 138 bpm, D major", duration=12).path("audio_url")
    options = fields.pop("options", {}) | WAV
    found = heard(workshop.order(model, task_type, style_audio=str(recording), options=options, **fields))
    assert found.bpm == pytest.approx(138, rel=0.03)
    assert (found.root, found.minor) in related(2, minor=False)


def test_a_recording_gives_length_and_colour(workshop: Workshop) -> None:
    """As long as the recording where nothing else is said; a dull one makes dull music."""
    order = {"style_prompt": "rock, 120 bpm", "options": WAV}
    dull = workshop.sound("dull.wav", tone(80, 3.21, RATE), RATE)
    made = workshop.order("ace-step", "audio2audio", style_audio=dull, **order)
    assert len(made.sound()) == round(3.21 * RATE)
    hiss = np.diff(np.random.default_rng(1).standard_normal((3 * RATE, 1)) * 0.1, axis=0).astype(np.float32)
    sharp = workshop.order("ace-step", "audio2audio", style_audio=workshop.sound("sharp.wav", hiss, RATE), **order)
    centres = [centre(each.sound()) for each in (made, sharp)]
    assert centres[1] > 1.5 * centres[0]


def centre(sound: np.ndarray[Any, np.dtype[np.float32]]) -> float:
    """Give the middle of a sound's spectrum, in bins."""
    spectrum = np.abs(np.fft.rfft(mono(sound)[: 2 * RATE]))
    return float((spectrum * np.arange(len(spectrum))).sum() / spectrum.sum())


@pytest.mark.parametrize(
    ("model", "task_type"),
    [("ace-step", "audio2audio"), ("diffrhythm", "txt2audio-base"), ("diffrhythm", "txt2audio-full")],
)
def test_a_bad_recording_is_refused(workshop: Workshop, model: str, task_type: str) -> None:
    """With the phrase that clients match on."""
    with pytest.raises(MediaFailure, match="failed to get input audio"):
        workshop.order(model, task_type, style_prompt="pop", style_audio=workshop.junk())


def test_a_cancelled_order_ends(workshop: Workshop) -> None:
    """While the band plays, with nothing stored."""
    with pytest.raises(Cancelled):
        music(workshop, "pop", duration=30, cancel_when=lambda share: share > 0.3)
