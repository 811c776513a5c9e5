"""The strip along the lower edge that says PREVIEW, with the prompt, the seed, the size and the inputs in small."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from unitask.engines.preview import lettering
from unitask.engines.preview.arrays import Pixels
from unitask.engines.preview.sources import cover, opaque

_BAND: Final = (16, 18, 26)
_AMBER: Final = (255, 190, 60)
_TEXT: Final = (244, 245, 248)
_FAINT: Final = (176, 182, 194)
_OPACITY: Final = 0.84
_LETTERS_FROM_PX: Final = 14
_TWO_LINES_FROM_PX: Final = 32
_DOTS: Final = {
    "P": "111 101 111 100 100",
    "R": "110 101 110 101 101",
    "E": "111 100 110 100 111",
    "V": "101 101 101 101 010",
    "I": "1 1 1 1 1",
    "W": "10101 10101 10101 10101 01010",
}
"""Letters of 5 dots in height, for strips in which a font cannot be read."""


@dataclass(frozen=True, slots=True)
class Label:
    """What the strip says. `inputs` are the client's pictures, (height, width, 3 or 4)."""

    prompt: str
    seed: int
    inputs: Sequence[Pixels] = ()


def strip_height(width: int, height: int) -> int:
    """Rows of the strip: never more than 9% of the height, and low on a narrow picture."""
    return max(1, min(int(height * 0.085), 6 + int(width * 0.16)))


def lay_strip(picture: Pixels, label: Label) -> None:
    """Draw the strip over the lowest rows of (height, width, 3 or 4), in place; nothing above it changes."""
    height, width = picture.shape[:2]
    high = strip_height(width, height)
    area = picture[height - high :]
    area[..., :3] = (area[..., :3] * (1 - _OPACITY) + np.array(_BAND) * _OPACITY).astype(np.uint8)
    room = _lay_thumbnails(area, label.inputs)
    if high < _LETTERS_FROM_PX:
        _lay_dots(area, room)
    else:
        sheet = Image.fromarray(np.ascontiguousarray(area[..., :3]))
        size = f"{width} x {height}"
        _write(ImageDraw.Draw(sheet), label, size, (room, high))
        area[..., :3] = np.asarray(sheet)
    area[..., 3:] = 255


def _lay_thumbnails(area: Pixels, inputs: Sequence[Pixels]) -> int:
    """Lay the inputs side by side at the right end; gives the columns that are left for text."""
    high, width = area.shape[:2]
    edge = max(1, high // 14)
    side = max(1, high - 2 * edge)
    right: int = width - edge
    for picture in reversed(list(inputs)):
        rows, columns = picture.shape[:2]
        wide = min(max(round(side * columns / rows), 1), 2 * side)
        if right - wide < width // 4:
            break
        area[edge : edge + side, right - wide : right, :3] = cover(opaque(picture), wide, side)
        right -= wide + edge
    return right


def _lay_dots(area: Pixels, room: int) -> None:
    letters = ["0".join(rows) for rows in zip(*(_DOTS[sign].split() for sign in "PREVIEW"), strict=True)]
    dots = np.array([[sign == "1" for sign in row] for row in letters])
    scale = max(1, min(area.shape[0] // dots.shape[0], (room - 1) // (dots.shape[1] + 1)))
    dots = dots.repeat(scale, axis=0).repeat(scale, axis=1)[: area.shape[0], : max(room - 1, 0)]
    top = (area.shape[0] - dots.shape[0]) // 2
    target = area[top : top + dots.shape[0], 1 : 1 + dots.shape[1], :3]
    target[dots] = _AMBER


def _write(pencil: ImageDraw.ImageDraw, label: Label, size: str, room: tuple[int, int]) -> None:
    width, high = room
    prompt = lettering.drawable(label.prompt)
    if high < _TWO_LINES_FROM_PX:
        start = _badge(pencil, round(high * 0.60), (0, 0, width, high))
        _line(pencil, f"{prompt}  |  seed {label.seed}", round(high * 0.60), (start, high / 2, width), _TEXT)
        return
    letters = round(high * 0.34)
    start = _badge(pencil, letters, (0, 0, width, high * 0.52))
    _line(pencil, f"seed {label.seed}   {size}", letters, (start, high * 0.29, width), _FAINT)
    _line(pencil, prompt, letters, (high * 0.16, high * 0.72, width), _TEXT)


def _badge(pencil: ImageDraw.ImageDraw, letters: int, box: tuple[float, float, float, float]) -> float:
    """Draw the word on amber; gives where the text after it begins."""
    left, top, right, bottom = box
    while letters > 1 and lettering.length("PREVIEW", letters) + letters > right - left:
        letters -= 1
    middle, pad = (top + bottom) / 2 + (bottom - top) * 0.06, letters * 0.4
    end = left + pad + lettering.length("PREVIEW", letters) + 2 * pad
    pencil.rounded_rectangle(
        (left + pad, middle - letters * 0.62, end, middle + letters * 0.62), letters * 0.25, _AMBER
    )
    pencil.text((left + 2 * pad, middle), "PREVIEW", fill=_BAND, font=lettering.font(letters, "PREVIEW"), anchor="lm")
    return end + pad * 1.5


def _line(
    pencil: ImageDraw.ImageDraw,
    text: str,
    letters: int,
    place: tuple[float, float, float],
    colour: tuple[int, int, int],
) -> None:
    left, middle, right = place
    shown = lettering.fitted(text, letters, right - left - letters * 0.5)
    pencil.text((left, middle), shown, fill=colour, font=lettering.font(letters, shown), anchor="lm")
