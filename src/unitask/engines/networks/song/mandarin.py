"""Mandarin as DiffRhythm sings it: each syllable as its initial and its final with the tone.

Readings come from the dictionaries of pypinyin, with the changes of tone that neighbours cause.
"""

import re
from collections.abc import Iterator
from typing import Final

from pypinyin import Style, lazy_pinyin
from pypinyin.contrib.tone_convert import to_finals, to_initials

from unitask.engines.networks.song.symbols import TONES

_INITIALS: Final = {
    "b": "p⁼", "p": "pʰ", "m": "m", "f": "f", "d": "t⁼", "t": "tʰ", "n": "n", "l": "l", "g": "k⁼", "k": "kʰ", "h": "x",
    "j": "tʃ⁼", "q": "tʃʰ", "x": "ʃ", "zh": "ts`⁼", "ch": "ts`ʰ", "sh": "s`", "r": "ɹ`", "z": "ts⁼", "c": "tsʰ",
    "s": "s",
}  # fmt: skip
_FINALS: Final = {
    "a": "a", "o": "o", "e": "ə", "ê": "ɛ", "ai": "aɪ", "ei": "eɪ", "ao": "ɑʊ", "ou": "oʊ", "an": "an", "en": "ən",
    "ang": "ɑŋ", "eng": "əŋ", "er": "əɹ", "i": "i", "ia": "ia", "ie": "iɛ", "iao": "iɑʊ", "iou": "ioʊ", "ian": "jɛn",
    "in": "in", "iang": "iɑŋ", "ing": "iŋ", "u": "u", "ua": "ua", "uo": "uo", "uai": "uaɪ", "uei": "ueɪ", "uan": "uan",
    "uen": "uən", "uang": "uɑŋ", "ueng": "ʊŋ", "ong": "ʊŋ", "v": "ɥ", "ve": "ɥɛ", "van": "ɥæn", "vn": "ɥn",
    "iong": "jʊŋ",
}  # fmt: skip
_BUZZED: Final = ("zh", "ch", "sh", "r", "z", "c", "s")
"""After these, `i` is no vowel: the consonant goes on."""
_LIPS: Final = ("b", "p", "m", "f")
"""With these, `o` is one symbol together with its initial."""
_MARKS: Final = str.maketrans("，。！？；：、‘’⋯", ",.!?;:,''…")
_PIECES: Final = re.compile(r"[\u4e00-\u9fff]+|[,.!?;:'…]")
_NUMBER: Final = re.compile(r"\d+")
_DIGITS: Final = "零一二三四五六七八九"
_PLACES: Final = ("", "十", "百", "千")
_MOST_DIGITS: Final = 8
_THOUSAND: Final = 1000


def symbols_of(text: str) -> Iterator[str]:
    """Read a Chinese text; what is neither Chinese, a number nor punctuation is passed over."""
    spoken = _NUMBER.sub(lambda found: numeral(found[0]), text.translate(_MARKS).replace("...", "…"))
    for piece in _PIECES.findall("".join(spoken.split())):
        if len(piece) == 1 and not piece.isalpha():
            yield piece
            continue
        for syllable in lazy_pinyin(piece, Style.TONE3, errors="ignore", neutral_tone_with_five=True, tone_sandhi=True):
            yield from sung(syllable)


def sung(syllable: str) -> Iterator[str]:
    """Give the symbols of a syllable such as `hao3`; 5 is no tone."""
    plain, tone = syllable[:-1], ("", *TONES, "")[int(syllable[-1])]
    initial, final = to_initials(plain), to_finals(plain, v_to_u=False).replace("ü", "v")
    if final == "i" and initial in _BUZZED:
        yield _INITIALS[initial] + (f"ɹ{tone}" if tone else "")
    elif final == "o" and initial in _LIPS:
        yield f"{_INITIALS[initial]}wo{tone}"
    elif plain == "yo":
        yield from ("i", f"o{tone}")
    else:
        if initial:
            yield _INITIALS[initial]
        if final in _FINALS:
            yield _FINALS[final] + tone


def numeral(digits: str) -> str:
    """Write a number as it is spoken; long ones, and those that begin with 0, digit by digit."""
    if len(digits) > _MOST_DIGITS or digits[0] == "0":
        return "".join(_DIGITS[int(digit)] for digit in digits)
    great, small = divmod(int(digits), 10_000)
    if not great:
        return _below_ten_thousand(small)
    gap = "零" if 0 < small < _THOUSAND else ""
    return _below_ten_thousand(great) + "万" + gap + (_below_ten_thousand(small) if small else "")


def _below_ten_thousand(number: int) -> str:
    written = ""
    for place, digit in enumerate(reversed(str(number))):
        written = _DIGITS[int(digit)] + (_PLACES[place] if digit != "0" else "") + written
    written = re.sub("零+", "零", written).rstrip("零")
    return written.removeprefix("一") if written.startswith("一十") else written
