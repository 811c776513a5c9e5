"""Flux: pictures from words, and pictures changed by words.

Source: FLUX.1 of Black Forest Labs, by the pipelines of diffusers. `dev` weights take guidance as an input, and a
negative prompt works by a second pass at twice the time; `schnell` weights know neither. A recipe's options: `steps`
and `guidance` where the client asks for none (null: these weights do without), `tokens` of text that are read,
`negative` false where nothing can be made of a negative prompt.
"""

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import Any, Final

import torch
from PIL import Image

from unitask.kit.errors import TaskFailure
from unitask.runtime.model import Model
from unitask.runtime.pictures import covering, fetch_picture, middle, on_grid, opaque, save, within
from unitask.runtime.runtime import Runtime
from unitask.runtime.steps import Steps
from unitask.runtime.styles import added_bytes, wanted, worn
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult, Recipe

Order = tuple[Any, Job]
"""The input and its job."""

SIDE_PX: Final = 1024
LIMIT_PIXELS: Final = 1024 * 1024
WORDS: Final = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2")
"""What turns words into numbers."""
READERS: Final = (*WORDS, "image_encoder", "feature_extractor")
"""What is not needed any more when the picture is made."""
PICTURE: Final = ("transformer", "vae", "scheduler")
AWAY: Final = 2.0
"""How strongly a negative prompt pushes away."""
_NO_NEGATIVE: Final = "negative_prompt has no effect here: these weights cannot be steered away from words"
_NO_GUIDANCE: Final = "guidance_scale has no effect here: these weights were made to do without"


@dataclass(frozen=True, slots=True)
class Brush:
    """How a picture is made, apart from what it shows: jobs with equal brushes may be made together.

    `width` and `height` are those of the result, in pixels.
    """

    width: int
    height: int
    steps: int
    guidance: float | None
    negative: bool
    styles: tuple[tuple[str, float], ...]
    strength: float = 1.0

    @classmethod
    def of(cls, inputs: Any, recipe: Recipe, size: tuple[int, int], strength: float = 1.0) -> "Brush":
        """Read what the client asks for, and the recipe's options where it asks for nothing."""
        options = recipe.options
        guidance = options["guidance"]
        return cls(
            width=size[0],
            height=size[1],
            # A few steps at a low strength would round to none at all.
            steps=max(inputs.steps or options["steps"], ceil(1 / strength)),
            guidance=None if guidance is None else getattr(inputs, "guidance_scale", None) or guidance,
            negative=options.get("negative", True) and bool(getattr(inputs, "negative_prompt", "").strip()),
            styles=tuple((one.lora_type, one.lora_strength) for one in getattr(inputs, "lora_settings", [])),
            strength=strength,
        )

    @property
    def arguments(self) -> dict[str, Any]:
        """What every pipeline of the family takes."""
        width, height = on_grid((self.width, self.height))
        guidance = {} if self.guidance is None else {"guidance_scale": self.guidance}
        return {"width": width, "height": height, "num_inference_steps": self.steps, **guidance}

    @property
    def passes(self) -> int:
        """Count the steps that are really made: a picture to start from saves some."""
        return self.steps - int(max(self.steps - self.steps * self.strength, 0))

    def counting(self, jobs: Sequence[Job]) -> Steps:
        """Give what a pipeline calls after each of them."""
        return Steps(jobs, self.passes, view=Canvas(*on_grid((self.width, self.height))))


@dataclass(frozen=True, slots=True)
class Canvas:
    """How Flux keeps a picture: in patches of two by two latents; see `View`."""

    width: int
    height: int

    def picture(self, pipe: Any, latents: torch.Tensor) -> torch.Tensor:
        """Lay the patches out."""
        return pipe._unpack_latents(latents, self.height, self.width, pipe.vae_scale_factor)  # noqa: SLF001 - as it does at its end

    def decoded(self, pipe: Any, latents: torch.Tensor) -> torch.Tensor:
        """Decode as the pipeline does."""
        vae = pipe.vae
        plain = latents / vae.config.scaling_factor + vae.config.shift_factor
        return vae.decode(plain.to(vae.dtype), return_dict=False)[0]


def text_to_image(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Paint `batch_size` pictures from words, in the style of `lora_settings` if there is one."""
    brush = Brush.of(inputs, job.recipe, asked(inputs))
    (pictures,) = painted("FluxPipeline", [(inputs, job)], runtime=runtime, brush=brush)
    return stored(pictures, job, brush)


def texts_to_images(orders: Sequence[Order], runtime: Runtime) -> list[Output | TaskFailure]:
    """Do the same for several orders at once; each comes out as it does alone."""
    inputs, job = orders[0]
    brush = Brush.of(inputs, job.recipe, asked(inputs))
    made = painted("FluxPipeline", orders, runtime=runtime, brush=brush)
    results: list[Output | TaskFailure] = []
    for (_, own_job), pictures in zip(orders, made, strict=True):
        try:
            results.append(stored(pictures, own_job, brush))
        except TaskFailure as error:
            results.append(error)
    return results


def alike(inputs: Any, recipe: Recipe) -> Hashable | None:
    """Tell what orders of pictures from words have in common when they can be made at once; None goes alone.

    Several pictures are a batch of their own. Styles go alone, because their small products round differently in
    company: the same order would not make the same bytes.
    """
    brush = Brush.of(inputs, recipe, asked(inputs))
    return None if inputs.batch_size > 1 or brush.styles else (recipe.weights, brush)


def image_to_image(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Paint over a picture: `denoise` 1 leaves nothing of it. It keeps its size, if not both sides are given."""
    job.progress(0.02, "reading the picture")
    given = opaque(fetch_picture(inputs, "image", job))
    size = (inputs.width, inputs.height) if inputs.width and inputs.height else within(given.size, LIMIT_PIXELS)
    brush = Brush.of(inputs, job.recipe, size, inputs.denoise)
    start = covering(given, on_grid(size))
    more = {"image": start, "strength": inputs.denoise}
    (pictures,) = painted("FluxImg2ImgPipeline", [(inputs, job)], runtime=runtime, brush=brush, **more)
    return stored(pictures, job, brush)


def asked(inputs: Any) -> tuple[int, int]:
    """Give the size that was asked for; a side that is left out has 1024 pixels."""
    return inputs.width or SIDE_PX, inputs.height or SIDE_PX


def painted(
    pipeline: str, orders: Sequence[Order], *, runtime: Runtime, brush: Brush, **more: Any
) -> list[list[Image.Image]]:
    """Make the pictures of orders that want them made alike, a list for each; `more` goes to the pipeline."""
    inputs, job = orders[0]
    model = runtime.model(job.recipe.weights[0])
    told = [
        words(inputs, job, runtime=runtime, model=model, brush=brush)
        for inputs, job in orders
        for _ in range(inputs.batch_size)
    ]
    seeds = [job.seed + number for inputs, job in orders for number in range(inputs.batch_size)]
    with drawing(pipeline, inputs, job, runtime=runtime, model=model, pictures=len(seeds)) as pipe:
        made = pipe(
            **_stacked(told),
            **more,
            **brush.arguments,
            generator=runtime.generators(seeds),
            callback_on_step_end=brush.counting([job for _, job in orders]),
        ).images
    pictures = iter(made)
    return [list(islice(pictures, inputs.batch_size)) for inputs, _ in orders]


def words(inputs: Any, job: Job, *, runtime: Runtime, model: Model, brush: Brush) -> dict[str, Any]:
    """Turn the prompts of an order into what a pipeline takes instead."""
    job.progress(0.05, "reading the prompt")
    tokens, negative = job.recipe.options["tokens"], getattr(inputs, "negative_prompt", "")
    told = encoded(runtime, model, inputs.prompt, tokens)
    if getattr(inputs, "guidance_scale", None) is not None and brush.guidance is None:
        job.warn(_NO_GUIDANCE)
    if negative.strip() and not brush.negative:
        job.warn(_NO_NEGATIVE)
    if brush.negative:
        against = encoded(runtime, model, negative, tokens)
        told |= {f"negative_{name}": value for name, value in against.items()} | {"true_cfg_scale": AWAY}
    return told


def encoded(runtime: Runtime, model: Model, text: str, tokens: int) -> dict[str, Any]:
    """Encode one text: `prompt_embeds` (1, tokens, width) and `pooled_prompt_embeds` (1, width)."""

    def encode() -> dict[str, Any]:
        with runtime.pipeline("FluxPipeline", model, without=PICTURE) as pipe:
            embeds, pooled, _ = pipe.encode_prompt(text, None, device=runtime.device, max_sequence_length=tokens)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}

    kinds = tuple(model.parts[name].key for name in WORDS if name in model.parts)
    return runtime.embeddings.get(("flux", kinds, text, tokens), encode)


@contextmanager
def drawing(
    pipeline: str, inputs: Any, job: Job, *, runtime: Runtime, model: Model, pictures: int = 1
) -> Iterator[Any]:
    """Give a pipeline that needs no text any more, in the style that the input asks for, with room for its pictures."""
    styles = wanted(runtime.shelf, "flux", getattr(inputs, "lora_settings", []))
    job.progress(0.08, "loading the model")
    room = model.card.memory_bytes * pictures + added_bytes(styles)
    with (
        runtime.pipeline(pipeline, model, without=READERS, work_bytes=room) as pipe,
        worn(pipe, styles),
        torch.no_grad(),
    ):
        pipe.vae.enable_slicing()
        yield pipe


def stored(made: Sequence[Image.Image], job: Job, brush: Brush) -> Output:
    """Cut what was made to the size that was asked for, and store it."""
    job.progress(0.95, "saving")
    size = brush.width, brush.height
    references = [save(middle(picture, size), job, job.seed + number) for number, picture in enumerate(made)]
    job.progress(1.0)
    return Output(ImageResult.of(*references))


def _stacked(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Put rows of tensors under one another; what is no tensor is the same in all."""
    first = rows[0]
    return {
        name: torch.cat([row[name] for row in rows]) if isinstance(value, torch.Tensor) else value
        for name, value in first.items()
    }
