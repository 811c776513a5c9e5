"""Selecting parts of a picture by words: a small vocabulary, and a clear sentence about every other word.

where is it            `regions`, on a copy of at most `WORK_PX` a side
where does it end      guided filter with a colour guide (He 2013), at full size, tile by tile
"""

import re
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.cpu import Picture, fetch_picture, regions, save_picture
from unitask.engines.cpu.cutout import flattened
from unitask.engines.cpu.view import Mask, Pixels, View
from unitask.kit.errors import TaskFailure
from unitask.kit.masks import LEAST_SHARE, explained, followed, grown
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

WORK_PX: Final = 512
WARNING: Final = "the selection follows colours and simple shapes; it does not know what things are"
PHRASES: Final = re.compile(r"[,;.+/\n]|\b(?:and|or|plus)\b")
TAIL: Final = re.compile(r"\b(?:of|in|on|at|with|under|behind|over|near|from)\b.*")
EMPTY: Final = frozenset({"the", "a", "an", "all", "every", "any", "his", "her", "their", "its", "my", "main", "whole"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One phrase: regions and colours; with both, the regions as far as they have the colours."""

    regions: tuple[str, ...]
    colours: tuple[str, ...]


def segment(inputs: Any, job: Job) -> Output:
    """Make four pictures: the mask, the selection shown, what was taken out shown, and the mask inverted.

    Raises:
        TaskFailure: a word is not known, or nothing was found for those that are.

    """
    asked, unwanted = read(inputs.prompt, "prompt"), read(inputs.negative_prompt, "negative_prompt")
    if not asked:
        raise TaskFailure(f"invalid request, prompt names nothing to select; {_vocabulary()}")
    job.progress(0.05, "reading the picture")
    picture = fetch_picture(inputs, "image", job)
    rgb = flattened(picture.image)[0]
    view = View(_reduced(rgb))
    job.progress(0.15, "selecting")
    removed = marked(view, unwanted)
    selected = marked(view, asked) & ~removed
    job.progress(0.6, "following the edges")
    if selected.mean() < LEAST_SHARE:
        raise TaskFailure(f"nothing in this picture was found for {inputs.prompt.strip()[:80]!r}; {_vocabulary()}")
    if unwanted and not removed.any():
        job.warn("nothing was found for negative_prompt, so nothing was taken out of the selection")
    taken = followed(rgb, removed)
    mask = grown(followed(rgb, selected) & ~taken, inputs.segment_factor)
    if mask.mean() < LEAST_SHARE:
        raise TaskFailure("nothing is left of the selection: take a segment_factor nearer to 0")
    for sentence in (WARNING, *dict.fromkeys(view.notes)):
        job.warn(sentence)
    return _saved(job, picture, rgb, (mask, taken))


def _saved(job: Job, picture: Picture, rgb: Pixels, masks: tuple[Mask, Mask]) -> Output:
    references = []
    for number, made in enumerate(explained(rgb, *masks)):
        job.progress(0.8 + 0.05 * number, "saving")
        references.append(save_picture(made, picture, job))
    job.progress(1.0)
    height, width = masks[0].shape
    return Output(ImageResult.of(*references), {"megapixel": width * height / 1_000_000})


def read(text: str, field: str) -> list[Asked]:
    """Understand a list of phrases.

    Raises:
        TaskFailure: a word is not known; the sentence lists those that are.

    """
    asked = []
    for phrase in PHRASES.split(text.lower()):
        words = [word for word in re.findall(r"[^\W\d_]+", TAIL.sub("", phrase)) if word not in EMPTY]
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


def marked(view: View, asked: list[Asked]) -> Mask:
    """Mark all that the phrases name."""
    mask = view.empty()
    for phrase in asked:
        where = np.any([regions.region(view, name) for name in phrase.regions] or [~view.empty()], axis=0)
        if phrase.regions and phrase.colours:
            mask |= regions.coloured(view, where, phrase.colours)
        elif phrase.colours:
            mask |= np.any([regions.colour(view, name) for name in phrase.colours], axis=0)
        else:
            mask |= where
    return mask


def _reduced(rgb: Pixels) -> Pixels:
    height, width = rgb.shape[:2]
    scale = min(1.0, WORK_PX / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    reduced: Pixels = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return reduced
