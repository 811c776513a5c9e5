"""Text in pictures: in Noto Sans, and where a line needs it in a font that has Chinese, Japanese and Korean.

Noto Sans comes with a package and has Latin, Greek and Cyrillic letters; the other font comes with the extra `fonts` or
with the system, if at all. A character that the line's font lacks becomes a visible mark.
"""

import io
import unicodedata
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pymupdf_fonts import fontbuffers

from unitask.engines.preview.arrays import Floats

MARK: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands for a character that the font lacks: the font draws its own empty box for it."""

Font = ImageFont.FreeTypeFont

_PACKAGE: Final = "noto_cjk_sans_otc"
"""The package of the extra `fonts`. It holds the first of these files."""
_WIDE: Final = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
)
"""Fonts with Chinese, Japanese and Korean that systems have or offer, for example as Debian's `fonts-noto-cjk`."""
_NOBODYS: Final = "\ue000"
"""A sign that no such font has: what is drawn for it is drawn for all that are missing."""


def font(size_px: int, text: str) -> Font:
    """Load the font that suits a line best, `size_px` high."""
    return _sized(_face(text), max(size_px, 1))


@cache
def _sized(face: int, size_px: int) -> Font:
    return _faces()[face].font_variant(size=size_px)


@cache
def _faces() -> list[Font]:
    letters = ImageFont.truetype(io.BytesIO(fontbuffers["notos"]()))
    for name in _wide():
        try:
            return [letters, ImageFont.truetype(name)]
        except OSError:
            continue
    return [letters]


def _wide() -> Iterator[str]:
    found = find_spec(_PACKAGE)
    if found:
        yield from (str(Path(folder) / _WIDE[0]) for folder in found.submodule_search_locations or ())
    yield from _WIDE


def _face(text: str) -> int:
    """Choose the font that lacks the fewest characters of a line, in doubt the first."""
    return min(range(len(_faces())), key=lambda face: sum(not _has(face, sign) for sign in text))


@cache
def _has(face: int, sign: str) -> bool:
    probe = _sized(face, 24)
    shape, missing = probe.getmask(sign), probe.getmask(_NOBODYS)
    return sign == " " or shape.size != missing.size or bytes(shape) != bytes(missing)


def drawable(text: str) -> str:
    """Make one line that the font can draw: accents go where that helps, unknown characters become the mark."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    face = _face(line)
    return "".join(_drawable(face, sign) for sign in line)


def _drawable(face: int, sign: str) -> str:
    if _has(face, sign):
        return sign
    plain = unicodedata.normalize("NFKD", sign)
    kept = "".join(part for part in plain if not unicodedata.combining(part))
    if kept and all(_has(face, part) for part in kept):
        return kept
    return "" if unicodedata.category(sign) == "Mn" else MARK


def length(text: str, size_px: int) -> float:
    """Measure one line, in pixels."""
    return font(size_px, text).getlength(text)


def fitted(text: str, size_px: int, room_px: float) -> str:
    """Shorten the line with an ellipsis until it fits; empty if not even that fits."""
    if length(text, size_px) <= room_px:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if length(text[:middle].rstrip() + "...", size_px) <= room_px:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "..." if low else ""


def block(text: str, width_px: int, height_px: int) -> Floats:
    """Set words in as many centred lines as make them largest in the box; a mask, 0 to 1, no larger than the box."""
    words = text.split()
    best, size_px = words, 0
    for count in range(1, len(words) + 1):
        lines = _lines(words, count)
        widest = max(length(line, 100) for line in lines) / 100
        size = int(min(width_px / max(widest, 0.1), height_px / (len(lines) * 1.25)))
        if size > size_px:
            best, size_px = lines, size
    if size_px < 5:  # noqa: PLR2004 - smaller letters cannot be told apart
        return np.zeros((0, 0), np.float32)
    sheet = Image.new("L", (width_px, min(height_px, int(size_px * 1.3 * len(best)))))
    pencil = ImageDraw.Draw(sheet)
    for row, line in enumerate(best):
        middle, base = width_px / 2, (1 + row * 1.22) * size_px
        pencil.text((middle, base), line, fill=255, font=font(size_px, line), anchor="ms")
    return np.asarray(sheet, np.float32) / 255


def _lines(words: list[str], count: int) -> list[str]:
    share = len(words) / count
    return [" ".join(words[round(share * row) : round(share * (row + 1))]) for row in range(count)]
