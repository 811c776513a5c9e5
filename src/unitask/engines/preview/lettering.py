"""Text in pictures: in a font of this machine that has Chinese, Japanese and Korean too, or else in Noto Sans.

Noto Sans comes with a package and has Latin, Greek and Cyrillic letters. A character that the font lacks becomes a
visible mark.
"""

import io
import unicodedata
from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from unitask.engines.preview.arrays import Floats

MARK: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands for a character that the font lacks: the font draws its own empty box for it."""

Font = ImageFont.FreeTypeFont

WIDE: Final = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "SourceHanSansSC-Regular.otf",
    "wqy-microhei.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
)
"""Fonts for all scripts that systems have or offer: `fonts-noto-cjk` or `fonts-wqy-microhei` on Debian."""
_NOBODYS: Final = "\ue000"
"""A sign that no such font has: what is drawn for it is drawn for all that are missing."""


@cache
def font(size_px: int) -> Font:
    """Load the font, `size_px` high."""
    return _face().font_variant(size=max(size_px, 1))


@cache
def _face() -> Font:
    for name in WIDE:
        try:
            return ImageFont.truetype(name)
        except OSError:
            continue
    from pymupdf_fonts import fontbuffers  # noqa: PLC0415 - unpacked only where the system has no font

    return ImageFont.truetype(io.BytesIO(fontbuffers["notos"]()))


@cache
def _has(sign: str) -> bool:
    probe = font(24)
    shape, missing = probe.getmask(sign), probe.getmask(_NOBODYS)
    return shape.size != missing.size or bytes(shape) != bytes(missing)


def drawable(text: str) -> str:
    """Make one line that the font can draw: accents go where that helps, unknown characters become the mark."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return "".join(_drawable(sign) for sign in line)


def _drawable(sign: str) -> str:
    if sign == " " or _has(sign):
        return sign
    plain = unicodedata.normalize("NFKD", sign)
    kept = "".join(part for part in plain if not unicodedata.combining(part))
    if kept and all(_has(part) for part in kept):
        return kept
    return "" if unicodedata.category(sign) == "Mn" else MARK


def length(text: str, size_px: int) -> float:
    """Measure one line, in pixels."""
    return font(size_px).getlength(text)


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
        pencil.text((width_px / 2, row * size_px * 1.22), line, fill=255, font=font(size_px), anchor="ma")
    return np.asarray(sheet, np.float32) / 255


def _lines(words: list[str], count: int) -> list[str]:
    share = len(words) / count
    return [" ".join(words[round(share * row) : round(share * (row + 1))]) for row in range(count)]
