"""What F5-TTS is told: symbols of a text, its pieces and their lengths, and the part of a recording that it hears."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from support.previews import loudness, tone
from unitask.engines.networks.speech.mel import HOP, RATE
from unitask.engines.networks.speech.pieces import FADE_S, PACES, TOGETHER_S, Pace, joined, pieces, size
from unitask.engines.networks.speech.reference import LEAST_S, LOUDNESS, MOST_S, Reference
from unitask.engines.networks.speech.symbols import Vocabulary, plain, symbols
from unitask.kit.errors import MediaFailure

HELLO_WORLD = "\u4f60\u597d\u4e16\u754c"
SENTENCES = "The boat leaves at noon. The next one, at two, is slower; take it if you like! Will you? Yes."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, you", "H|e|l|l|o|,| |y|o|u"),
        ("say \u201cno\u201d; it\u2019s", 's|a|y| |"|n|o|"|,| |i|t|\'|s'),
        ("well-known (so) $10", "w|e|l|l|-| |k|n|o|w|n| |(| |s|o|)| |$| |1|0"),
        ("3.14 or 50%, wait...", "3|.|1|4| |o|r| |5|0|%|,| |w|a|i|t| |.|.|."),
        ("caf\u00e9 A.B.", "c|a|f|\u00e9| |A|.|B|."),
        (f"{HELLO_WORLD}\uff0cyes", " |ni2| |hao3| |shi4| |jie4|\uff0c| |y|e|s"),
        ("\u4e0d\u662f\u94f6\u884c\u884c\u957f", " |bu2| |shi4| |yin2| |hang2| |hang2| |zhang3"),
        ("\u6211\u7684\u310a\u310b3", " |wo3| |de| |\u310a| |\u310b|3"),
    ],
)
def test_a_text_is_divided_as_the_texts_of_the_training_were(text: str, expected: str) -> None:
    """Letters as they are, blanks before words, syllables with their tone, which changes beside others."""
    assert symbols(text) == expected.split("|")


def test_a_text_has_one_form() -> None:
    """White space, composed letters and what only formats; pauses that are written as blanks stay."""
    assert plain(" e\u0301\tone\r\ntwo\u200b\u00adx  three\u00a0") == "\u00e9 one  twox  three"


def test_what_is_not_in_the_vocabulary_counts_as_a_blank_and_is_named(tmp_path: Path) -> None:
    """Once each; a symbol may be any character but a line's end."""
    (tmp_path / "vocab.txt").write_bytes(" \na\n\u2028\nni3\n".encode())
    vocabulary = Vocabulary.of(tmp_path / "vocab.txt")
    assert vocabulary.numbers == {" ": 0, "a": 1, "\u2028": 2, "ni3": 3}
    assert vocabulary.ids("a\u4f60xax") == [1, 0, 3, 0, 0, 1, 0]
    assert vocabulary.unknown("a\u4f60xax") == ["x"]


@pytest.mark.parametrize("most", [10, 25, 60, 1000])
@pytest.mark.parametrize("text", [SENTENCES, f"{HELLO_WORLD}\u3002" * 5 + HELLO_WORLD * 9, "word " * 30 + "x" * 90])
def test_no_piece_is_too_long_and_nothing_is_lost(text: str, most: int) -> None:
    """Whatever the script is, and also where there is no place to cut."""
    found = pieces(text, most)
    assert all(found)
    assert max(map(size, found)) <= most
    assert "".join("".join(found).split()) == "".join(text.split())


def test_pieces_end_where_sentences_and_clauses_do() -> None:
    """As many together as fit; a sentence that is too long for one piece ends between words."""
    assert pieces(SENTENCES, 200) == [SENTENCES]
    assert pieces(SENTENCES, 50) == [
        "The boat leaves at noon. The next one, at two,",
        "is slower; take it if you like! Will you? Yes.",
    ]
    assert pieces("one two three four five", 10) == ["one two", "three four", "five"]
    assert pieces(f"{HELLO_WORLD}\u3002{HELLO_WORLD}\uff01", 16) == [f"{HELLO_WORLD}\u3002", f"{HELLO_WORLD}\uff01"]


def test_a_piece_takes_as_long_as_its_bytes_at_the_pace_of_the_recording() -> None:
    """Twice the speed, half the time; what is very short gets more."""
    pace = Pace.of("a" * 60, 4.0, 1.0)
    assert pace.bytes_per_s == 15
    assert pace.frames("b" * 30) == round(2 * RATE / HOP)
    assert Pace.of("a" * 60, 4.0, 2.0).frames("b" * 30) == round(1 * RATE / HOP)
    assert pace.frames(HELLO_WORLD) == round(12 / 15 * RATE / HOP)
    assert pace.frames("b" * 9) > pace.frames("b" * 20)


@pytest.mark.parametrize(("text", "seconds"), [("a", 12.0), ("a" * 9000, 0.1)])
def test_a_pace_that_nobody_has_is_brought_near(text: str, seconds: float) -> None:
    """So no text takes longer than a recording with what follows it may."""
    pace = Pace.of(text, seconds, 1.0)
    assert pace.bytes_per_s in PACES
    longest = pace.frames("b" * pace.most_bytes(seconds)) * HOP / RATE
    assert longest <= TOGETHER_S - seconds + HOP / RATE


def test_sounds_fade_into_one_another_without_a_click() -> None:
    """Nothing jumps where they meet, what is outside the fade is untouched, and a short one fades as long as it is."""
    one, other = np.full(RATE, 0.8, np.float32), np.full(RATE, -0.8, np.float32)
    both = joined([one, other])
    fade = round(FADE_S * RATE)
    assert len(both) == 2 * RATE - fade
    assert np.array_equal(both[: RATE - fade], one[: RATE - fade])
    assert np.array_equal(both[RATE:], other[fade:])
    assert np.abs(np.diff(both)).max() < 1.7 / fade
    assert len(joined([one, other[:10], one])) == 2 * RATE - 10 - fade + 10


def voice(seconds: float, level: float = 0.5) -> NDArray[np.float32]:
    """Hum."""
    return (tone(200, seconds, RATE)[:, 0] * level).astype(np.float32)


def quiet(seconds: float) -> NDArray[np.float32]:
    """Say nothing."""
    return np.zeros(round(seconds * RATE), np.float32)


def test_a_recording_loses_the_quiet_around_the_voice_and_ends_with_a_pause() -> None:
    """Its pauses stay, and all of it is followed."""
    heard = Reference.of(np.concatenate([quiet(1), voice(1), quiet(0.5), voice(1), quiet(2)]))
    assert heard.seconds == pytest.approx(2.55, abs=0.03)
    assert heard.share == 1
    assert np.count_nonzero(heard.wave[-round(0.05 * RATE) :]) == 0


def test_a_soft_recording_is_raised_and_a_loud_one_left() -> None:
    """How much is remembered, so that speech is as soft as the recording."""
    soft, loud = Reference.of(voice(2, 0.01)), Reference.of(voice(2, 1.0))
    assert loudness(soft.wave[: 2 * RATE]) == pytest.approx(LOUDNESS, rel=0.02)
    assert soft.raised == pytest.approx(LOUDNESS / loudness(voice(2, 0.01)), rel=0.02)
    assert loud.raised == 1


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        ([(8, 0.4), (10, 0.2)], 8),
        ([(3, 2.0), (9, 0.3)], 9),
        ([(10, 0.05)], MOST_S),
        ([], MOST_S),
    ],
)
def test_a_long_recording_is_cut_in_its_longest_pause(pauses: list[tuple[float, float]], expected: float) -> None:
    """But where it has gone on for a while; without any pause at the end of what the model hears."""
    wave = voice(20)
    for start, seconds in pauses:
        wave[round(start * RATE) : round((start + seconds) * RATE)] = 0
    heard = Reference.of(wave)
    assert heard.seconds == pytest.approx(expected + 0.05, abs=0.03)
    assert heard.share == pytest.approx(expected / 20, abs=0.01)
    assert LEAST_S <= heard.seconds <= MOST_S + 0.06


@pytest.mark.parametrize("wave", [quiet(1), np.full(RATE, 1e-6, np.float32)])
def test_silence_is_no_voice(wave: NDArray[np.float32]) -> None:
    """It is said so."""
    with pytest.raises(MediaFailure, match="ref_audio is silent"):
        Reference.of(wave)


def test_the_shortest_voice_is_heard() -> None:
    """A click, too: nothing is refused for its length."""
    wave = quiet(1)
    wave[5000] = 0.5
    assert Reference.of(wave).seconds == pytest.approx(0.06, abs=0.001)
