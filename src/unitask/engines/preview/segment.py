"""Selecting parts of a picture by words: a small vocabulary, and a clear sentence about every other word."""

import re
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.preview import regions
from unitask.engines.preview.arrays import Pixels
from unitask.engines.preview.cutout import Mask, enlarged
from unitask.engines.preview.regions import View
from unitask.engines.preview.result import store
from unitask.engines.preview.sources import fetch, opaque, resize
from unitask.engines.preview.strip import Label
from unitask.kit.errors import TaskFailure
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

_WORK_PX: Final = 768
_LEAST_SHARE: Final = 0.0005
_SELECTED: Final = (60, 220, 120)
_REMOVED: Final = (240, 70, 70)
_PHRASES: Final = re.compile(r"[,;.+/\n]|\b(?:and|or|plus)\b")
_TAIL: Final = re.compile(r"\b(?:of|in|on|at|with|under|behind|over|near|from)\b.*")
_EMPTY: Final = frozenset(
    {"the", "a", "an", "all", "every", "any", "his", "her", "their", "its", "my", "main", "whole"}
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One phrase: regions and colours; with both, the regions as far as they have the colours."""

    regions: tuple[str, ...]
    colours: tuple[str, ...]


def segment(inputs: Any, job: Job) -> Output:
    """Make four pictures: the mask, the selection shown, what was taken out shown, and the mask inverted."""
    asked, unwanted = read(inputs.prompt, "prompt"), read(inputs.negative_prompt, "negative_prompt")
    if not asked:
        raise TaskFailure(f"invalid request, prompt names nothing to select; {_vocabulary()}")
    job.progress(0.05, "reading the picture")
    picture = opaque(fetch(inputs, job, "image"))
    height, width = picture.shape[:2]
    scale = min(1.0, _WORK_PX / max(height, width))
    view = View(resize(picture, max(8, round(width * scale)), max(8, round(height * scale))))
    job.progress(0.15, "selecting")
    removed = _marked(view, unwanted)
    selected = _marked(view, asked) & ~removed
    job.progress(0.6, "selecting")
    if selected.mean() < _LEAST_SHARE:
        raise TaskFailure(f"nothing in this picture was found for {inputs.prompt.strip()[:80]!r}; {_vocabulary()}")
    if unwanted and not removed.any():
        job.warn("nothing was found for negative_prompt, so nothing was taken out of the selection")
    mask = _resized(enlarged(selected, width, height) > 0.5, inputs.segment_factor)  # noqa: PLR2004 - half
    if not mask.any():
        raise TaskFailure("nothing is left of the selection: take a segment_factor nearer to 0")
    job.warn("the selection follows colours and simple shapes; it does not know what things are")
    return _saved(job, picture, mask, enlarged(removed, width, height) > 0.5, inputs.prompt)  # noqa: PLR2004 - half


def _saved(job: Job, picture: Pixels, mask: Mask, removed: Mask, prompt: str) -> Output:
    label = Label(prompt, job.seed, [picture])
    white = mask.astype(np.uint8) * 255
    # A strip on a mask would be read as a part of the selection.
    references = [store(job, white, label, strip=False)]
    for index, (part, colour) in enumerate(((mask, _SELECTED), (removed, _REMOVED))):
        job.progress(0.75 + 0.07 * index, "saving")
        references.append(store(job, _shown(picture, part, colour), label))
    references.append(store(job, ~white, label, strip=False))
    job.progress(1.0)
    height, width = mask.shape
    return Output(ImageResult.of(*references), {"megapixel": width * height / 1_000_000})


def read(text: str, field: str) -> list[Asked]:
    """Understand a list of phrases.

    Raises:
        TaskFailure: a word is not known; the sentence lists those that are.

    """
    asked = []
    for phrase in _PHRASES.split(text.lower()):
        words = [word for word in re.findall(r"[^\W\d_]+", _TAIL.sub("", phrase)) if word not in _EMPTY]
        unknown = [word for word in words if not (regions.region_of(word) or regions.colour_of(word))]
        if unknown:
            raise TaskFailure(
                f"invalid request, {field} has a word that is not known here, {unknown[0][:40]!r}; {_vocabulary()}"
            )
        named = tuple(dict.fromkeys(filter(None, map(regions.region_of, words))))
        colours = tuple(dict.fromkeys(filter(None, map(regions.colour_of, words))))
        if words and Asked(named, colours) not in asked:
            asked.append(Asked(named, colours))
    return asked


def _vocabulary() -> str:
    return f"the words known are {', '.join(regions.known())}"


def _marked(view: View, asked: list[Asked]) -> Mask:
    mask = np.zeros((view.height, view.width), bool)
    for phrase in asked:
        named = [regions.region(view, name) for name in phrase.regions]
        coloured = [regions.colour(view, name) for name in phrase.colours]
        where = np.any(named, axis=0) if named else True
        what = np.any(coloured, axis=0) if coloured else True
        mask |= where & what
    return mask


def _resized(mask: Mask, grow_px: int) -> Mask:
    """Grow the mask by so many pixels, or shrink it; the picture's edge does not count as an outline."""
    if not grow_px:
        return mask
    distance = cv2.distanceTransform(
        (mask if grow_px < 0 else ~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE
    )
    result: Mask = distance > -grow_px if grow_px < 0 else distance <= grow_px
    return result


def _shown(picture: Pixels, mask: Mask, colour: tuple[int, int, int]) -> Pixels:
    """Show a mask on the picture: the rest pale, the outline in colour."""
    shown = picture.copy()
    shown[~mask] = (picture[~mask] * 0.35 + 150).astype(np.uint8)
    shown[mask] = (picture[mask] * 0.75 + np.array(colour) * 0.25).astype(np.uint8)
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(shown, outlines, -1, colour, max(1, round(max(mask.shape) / 400)))
    return shown
