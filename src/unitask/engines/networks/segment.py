"""Selections of a picture by words: what is named is found, what is not wanted taken out, and four pictures show it.

`segment` finds it by CLIPSeg, one small network; `unitask.engines.networks.grounded` by two larger ones.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from unitask.kit.errors import TaskFailure
from unitask.kit.masks import LEAST_SHARE, explained, followed, grown
from unitask.kit.pictures import with_profile
from unitask.runtime.pictures import fetch_picture, opaque, save
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

Mask = NDArray[np.bool_]
Find = Callable[[str], Mask]
"""Marks what a phrase names, in as many pixels as a network answers for: the same for every phrase of a picture."""
PART: Final = "segmenter"
MOST_PHRASES: Final = 24
LEVEL: Final = 0.4
"""How sure CLIPSeg must be of a pixel, 0 to 1."""
_BETWEEN: Final = re.compile(r"[,;\n]")
_TOO_MANY: Final = "{} names {} things: the first {} were looked for"
_NOT_REMOVED: Final = "nothing was found for negative_prompt, so nothing was taken out of the selection"


def segment(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make four pictures of what CLIPSeg finds; see `selection`.

    Raises:
        TaskFailure: nothing was found, or nothing is left.

    """

    def look(image: Image.Image) -> Find:
        return lambda phrase: _found(image, phrase, job.recipe.weights[0], runtime)

    return selection(inputs, job, look)


def selection(inputs: Any, job: Job, look: Callable[[Image.Image], Find]) -> Output:
    """Make four pictures: the mask, the selection shown, what was taken out shown, and the mask inverted.

    `look` is given the picture, without transparency, and finds things in it.

    Raises:
        TaskFailure: nothing was found, or nothing is left.

    """
    asked, unwanted = phrases(inputs.prompt, "prompt", job), phrases(inputs.negative_prompt, "negative_prompt", job)
    if not asked:
        raise TaskFailure("invalid request, prompt names nothing to select")
    job.progress(0.02, "reading the picture")
    picture = fetch_picture(inputs, "image", job)
    image = opaque(picture)
    find = look(image)
    found = []
    for number, phrase in enumerate(wanted := asked + unwanted):
        job.progress(0.05 + 0.6 * number / len(wanted), f"looking for {phrase[:40]!r}")
        found.append(find(phrase))
    selected = np.any(found[: len(asked)], axis=0)
    removed = np.any([np.zeros_like(selected), *found[len(asked) :]], axis=0)
    selected &= ~removed
    if selected.mean() < LEAST_SHARE:
        raise TaskFailure(f"nothing in this picture was found for {inputs.prompt.strip()[:80]!r}")
    if unwanted and not removed.any():
        job.warn(_NOT_REMOVED)
    job.progress(0.7, "following the edges")
    rgb = np.asarray(image)
    taken = followed(rgb, removed)
    mask = grown(followed(rgb, selected) & ~taken, inputs.segment_factor)
    if mask.mean() < LEAST_SHARE:
        raise TaskFailure("nothing is left of the selection: take a segment_factor nearer to 0")
    references = []
    for number, made in enumerate(explained(rgb, mask, taken)):
        job.progress(0.8 + 0.05 * number, "saving")
        references.append(save(with_profile(made, picture), job, job.seed))
    return Output(ImageResult.of(*references), {"megapixel": mask.size / 1_000_000})


def phrases(text: str, field: str, job: Job) -> list[str]:
    """Split a list of things at commas, semicolons and line ends; no more than `MOST_PHRASES`, each once."""
    named = list(dict.fromkeys(filter(None, (part.strip() for part in _BETWEEN.split(text)))))
    if len(named) > MOST_PHRASES:
        job.warn(_TOO_MANY.format(field, len(named), MOST_PHRASES))
    return named[:MOST_PHRASES]


def _found(image: Image.Image, phrase: str, card_id: str, runtime: Runtime) -> Mask:
    """Mark what a phrase names, in the few pixels that the network answers for."""
    model = runtime.model(card_id)
    network = runtime.networks({PART: model.parts[PART]}, work_bytes=model.card.memory_bytes)[PART]
    tokenizer = model.small("tokenizer")
    pixels = model.small("image_processor")(images=image, return_tensors="pt")["pixel_values"]
    words = tokenizer([phrase], truncation=True, return_tensors="pt").to(runtime.device)
    with torch.no_grad():
        logits = network(
            input_ids=words["input_ids"],
            attention_mask=words["attention_mask"],
            pixel_values=pixels.to(runtime.device, network.dtype),
        ).logits
    sure = logits.float().sigmoid().cpu().numpy().reshape(logits.shape[-2:])
    return np.asarray(sure > LEVEL)
