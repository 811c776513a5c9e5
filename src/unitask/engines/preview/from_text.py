"""Pictures from words alone."""

from typing import Any

from unitask.engines.preview import lora, scene, styles, words
from unitask.engines.preview.arrays import Pixels
from unitask.engines.preview.result import store
from unitask.engines.preview.sources import DEFAULT_PX, resize, roomy
from unitask.engines.preview.strip import Label
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult


def txt2img(inputs: Any, job: Job) -> Output:
    """As many pictures as `batch_size` says, each from its own seed."""
    width, height = inputs.width or DEFAULT_PX, inputs.height or DEFAULT_PX
    references = []
    for index in range(inputs.batch_size):
        job.progress(0.05 + 0.9 * index / inputs.batch_size, "painting")
        seed = job.seed + index
        picture = painted(inputs, width, height, seed)
        references.append(store(job, picture, Label(inputs.prompt, seed)))
    job.progress(1.0)
    return Output(ImageResult.of(*references))


def txt2img_lora(inputs: Any, job: Job) -> Output:
    """One picture in the style of the LoRA."""
    width, height = inputs.width or DEFAULT_PX, inputs.height or DEFAULT_PX
    job.progress(0.05, "painting")
    picture = painted(inputs, *roomy(width, height), job.seed)
    job.progress(0.6, "styling")
    picture = resize(lora.apply(picture, inputs, job.seed), width, height)
    reference = store(job, picture, Label(inputs.prompt, job.seed))
    job.progress(1.0)
    return Output(ImageResult.of(reference))


def painted(inputs: Any, width: int, height: int, seed: int) -> Pixels:
    """Paint the prompt's scene at exactly this size, in the style that the prompt names."""
    wish = words.read(inputs.prompt, inputs.negative_prompt)
    picture = scene.paint(wish, *roomy(width, height), seed).rgb
    return resize(styles.apply(picture, wish.styles, seed), width, height)
