"""Lyrics of DiffRhythm: which symbols words are read to, and at which frames they are sung."""

import subprocess
import sys

import pytest

from unitask.engines.networks.song import english, lyrics, mandarin
from unitask.engines.networks.song.symbols import NUMBERS, SYMBOLS


def read(words: str) -> str:
    """Read a line to symbols, written with bars between them."""
    with lyrics.Singer() as singer:
        return "|".join(SYMBOLS[number - 1] for number in singer.numbers_of(words))


def test_the_symbols_have_their_published_numbers() -> None:
    """363 of them, no two alike; the network is told one more than their place in the list."""
    assert len(SYMBOLS) == len(NUMBERS) == 363
    places = {
        ",": 0,
        ".": 1,
        "_": 4,
        "iː": 5,
        "ʒ": 40,
        "tɹ": 51,
        "iːː": 74,
        "p⁼": 75,
        "s`": 86,
        "p⁼wo": 90,
        "fwo↓": 109,
    }
    places |= {"jɛn": 110, "ɥɛ↓": 209, "a": 210, "o↓": 219, "ə→": 220, "oʊ↓": 244, "əɹ↓": 269, "i→": 270, "ɥ": 278}
    places |= {"ts`⁼ɹ": 283, "sɹ↓": 317, "ɯ": 318, "tsɯ": 345, ":": 359, "…": 362}
    assert {symbol: NUMBERS[symbol] - 1 for symbol in places} == places


@pytest.mark.parametrize(
    ("words", "symbols"),
    [
        ("The river is wide", "ð|ə|_|ɹ|ɪ|v|ɚ|ɹ|_|ɪ|z|_|w|aɪ|d|."),
        ("Dragons drive trees", "dɹ|æ|ɡ|ə|n|z|_|dɹ|aɪ|v|_|tɹ|iː|z|."),
        ("its years, its bottle", "ɪ|ts|_|j|ɪɹ|z|,|ɪ|ts|_|b|ɑː|ɾ|l|."),
        ("Stop. Go!", "s|t|ɑː|p|,|ɡ|oʊ|!|."),
        ("你好，世界。", "n|i↑|x|ɑʊ↓↑|,|s`ɹ↓|tʃ⁼|iɛ↓|,|."),
        ("我的孩子是老师", "uo↓↑|t⁼|ə|x|aɪ↑|ts⁼|s`ɹ↓|l|ɑʊ↓↑|s`ɹ→|."),
        ("不是一样", "p⁼|u↑|s`ɹ↓|i→|iɑŋ↓|."),
        ("波浪 25 圆", "p⁼wo→|l|ɑŋ↓|əɹ↓|s`ɹ↑|u↓↑|ɥæn↑|."),
        ("你好 hello 世界", "n|i↑|x|ɑʊ↓↑|h|ə|l|oʊ|_|s`ɹ↓|tʃ⁼|iɛ↓|."),
        ("I love 你", "aɪ|_|l|ʌ|v|n|i↓↑|."),
        ("привет 123 …", ""),
    ],
)
def test_a_line_is_read_to_symbols(words: str, symbols: str) -> None:
    """English by espeak-ng, pairs as one; Mandarin with tones; within a line commas, at its end a full stop."""
    assert read(words) == symbols


def test_every_syllable_of_mandarin_has_symbols() -> None:
    """With all tones: at most an initial and a final, both in the list."""
    syllables = "a ai an ang ao ba biang bo chi ci dia diu e er fo gua guai hong ju juan jue jun lv lve m nv o ou qiong"
    syllables += " ri shuang si suo wa wei weng wo wu xiong ya yan yang yao ye yi yin ying yong you yu yuan yue yun zhi"
    for syllable in syllables.split():
        for tone in "12345":
            symbols = list(mandarin.sung(syllable + tone))
            assert 1 <= len(symbols) <= 2
            assert set(symbols) <= set(SYMBOLS)
    assert list(mandarin.sung("zhuang4")) == ["ts`⁼", "uɑŋ↓"]
    assert list(mandarin.sung("xiong2")) == ["ʃ", "jʊŋ↑"]
    assert list(mandarin.sung("yo5")) == ["i", "o"]


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        *[("0", "零"), ("10", "十"), ("15", "十五"), ("105", "一百零五"), ("110", "一百一十"), ("2000", "二千")],
        ("10050", "一万零五十"),
        ("123456", "十二万三千四百五十六"),
        ("012", "零一二"),
        ("123456789", "一二三四五六七八九"),
    ],
)
def test_numbers_are_spoken(digits: str, words: str) -> None:
    """As Chinese counts; very long ones digit by digit."""
    assert mandarin.numeral(digits) == words


def test_lines_are_sorted_by_their_times_and_may_have_several() -> None:
    """Tags and lines without words are no lines; a time may have hundredths after a colon."""
    text = "[verse]\n[01:02.50] b\n[00:10:25][01:03.00]a\n[00:50.00]\nno time\n"
    assert lyrics.read(text) == [lyrics.Line("a", 10.25), lyrics.Line("b", 62.5), lyrics.Line("a", 63.0)]
    assert lyrics.untimed(text)
    assert not lyrics.untimed(text.replace("no time", "[outro]"))
    assert lyrics.read("one\ntwo") == [lyrics.Line("one", None), lyrics.Line("two", None)]
    assert [line.at_s for line in lyrics.spread(lyrics.read("one\ntwo"), 9)] == [3, 6]


def test_lines_are_put_at_their_frames() -> None:
    """21.53 a second; one that would begin within another follows it; what does not fit is cut."""
    placed = lyrics.placed([(0.1, [5, 6, 7]), (0.15, [8, 9]), (0.6, [1, 2, 3, 4]), (9.0, [1])], 14)
    assert placed == [0, 0, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 1, 2]
    assert lyrics.placed([(60.0, [1])], 2048)[1291:1293] == [1, 0]


def test_without_english_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that is started ends with the lyrics."""
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen):  # type: ignore[type-arg]
        """Remembers that it was started."""

        def __init__(self, *args: object, **named: object) -> None:
            super().__init__(*args, **named)  # type: ignore[call-overload]
            started.append(self)

    monkeypatch.setattr(english.subprocess, "Popen", Noted)
    assert read("你好") != ""
    assert started == []
    assert read("hello") == "h|ə|l|oʊ|."
    assert started[0].returncode is not None


def test_the_engine_never_loads_espeak_itself() -> None:
    """It is under the GPL: only its own process does."""
    code = (
        "import sys; from unitask.engines.networks.song.lyrics import Singer\n"
        "with Singer() as singer: singer.numbers_of('hello')\n"
        "print('espeakng_loader' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert said.stdout.strip() == "False"
