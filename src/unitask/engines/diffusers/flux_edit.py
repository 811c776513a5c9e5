"""Flux's relatives: regions painted anew (Fill), variations (Redux), edits as told (Kontext).

Small pictures are enlarged for the work to a recipe's option `least_pixels`: the weights were made on about a million.
Fill knows guidance on a scale of its own, ten times as wide: a recipe's option `guidance_each` says how much of it
one unit of the wire's is.
"""

from typing import Any, Final

import numpy as np
import torch
from PIL import Image, ImageFilter

from unitask.engines.diffusers.flux import AWAY, LIMIT_PIXELS, Brush, asked, drawing, painted, stored, words
from unitask.kit.errors import TaskFailure
from unitask.kit.pictures import white_region
from unitask.runtime.model import Model
from unitask.runtime.pictures import covering, fetch_picture, on_grid, opaque, save, within
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

LIMIT_WORKED_PIXELS: Final = 2 * LIMIT_PIXELS
"""Larger pictures are filled at a smaller size; what was not to be filled stays as sharp as it was."""
_SEAM_PX: Final = 8
"""How far new and old are blended, on the old side."""


def inpaint(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Paint the pure white or transparent region anew; a few pixels from it everything stays as it was.

    Raises:
        TaskFailure: the picture has no such region.

    """
    job.progress(0.02, "reading the picture")
    given = fetch_picture(inputs, "image", job)
    hole = white_region(np.asarray(given))
    if not hole.any():
        raise TaskFailure("no region to repaint: paint it pure white in `image`")
    result = _filled(opaque(given), hole, inputs, job, runtime)
    if given.mode == "RGBA":
        alpha = np.asarray(given.getchannel("A")).copy()
        alpha[hole] = 255
        result.putalpha(Image.fromarray(alpha))
    return _stored(result, job)


def outpaint(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Continue the picture on each side; what was sent stays at its place.

    Raises:
        TaskFailure: more pixels would be added than the product allows.

    """
    job.progress(0.02, "reading the picture")
    given = opaque(fetch_picture(inputs, "image", job))
    sides = inputs.custom_settings[0]
    left, top = sides.outpaint_left, sides.outpaint_top
    size = given.width + left + sides.outpaint_right, given.height + top + sides.outpaint_bottom
    added, limit = size[0] * size[1] - given.width * given.height, job.recipe.options["limit_added_pixels"]
    if added > limit:
        raise TaskFailure(f"the outpaint would add {added} pixels to this picture, the limit is {limit}: add fewer")
    canvas = Image.new("RGB", size, "grey")
    canvas.paste(given, (left, top))
    hole = np.ones(size[::-1], bool)
    hole[top : top + given.height, left : left + given.width] = False
    if not hole.any():
        return _stored(given, job)
    return _stored(_filled(canvas, hole, inputs, job, runtime), job)


def redux(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Paint a variation: the picture is read into what the words are, and both together are painted."""
    job.progress(0.02, "reading the picture")
    given = opaque(fetch_picture(inputs, "image", job))
    model = runtime.model(job.recipe.weights[0])
    brush = Brush.of(inputs, job.recipe, asked(inputs))
    told = _seen(given, inputs.prompt, runtime, model)
    if brush.negative:
        # The picture is on both sides, so that only the words push away.
        away = _seen(given, inputs.negative_prompt, runtime, model)
        told |= {f"negative_{name}": value for name, value in away.items()} | {"true_cfg_scale": AWAY}
    with drawing("FluxPipeline", inputs, job, runtime=runtime, model=model) as pipe:
        made = pipe(
            **told,
            **brush.arguments,
            generator=runtime.generators([job.seed]),
            callback_on_step_end=brush.counting([job]),
        ).images
    return stored(made, job, brush)


def kontext(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Edit a picture as told: it is given to the model beside the one that is painted."""
    job.progress(0.02, "reading the picture")
    given = opaque(fetch_picture(inputs, "image", job))
    reference = covering(given, on_grid(within(given.size, LIMIT_PIXELS, job.recipe.options["least_pixels"])))
    brush = Brush.of(inputs, job.recipe, asked(inputs))
    area = brush.arguments["width"] * brush.arguments["height"]
    (pictures,) = painted(
        "FluxKontextPipeline",
        [(inputs, job)],
        runtime=runtime,
        brush=brush,
        image=reference,
        max_area=area,
        _auto_resize=False,
    )
    return stored(pictures, job, brush)


def _seen(picture: Image.Image, text: str, runtime: Runtime, model: Model) -> dict[str, Any]:
    """Read a picture and words together into what a pipeline takes in place of words."""
    with runtime.pipeline("FluxPriorReduxPipeline", model) as prior, torch.no_grad():
        seen = prior(picture, prompt=text)
    return {"prompt_embeds": seen.prompt_embeds, "pooled_prompt_embeds": seen.pooled_prompt_embeds}


def _filled(rgb: Image.Image, hole: "np.ndarray[Any, Any]", inputs: Any, job: Job, runtime: Runtime) -> Image.Image:
    """Paint the hole, bool (h, w), and lay what was made over the picture where it belongs."""
    model = runtime.model(job.recipe.weights[0])
    size = on_grid(within(rgb.size, LIMIT_WORKED_PIXELS, job.recipe.options["least_pixels"]))
    brush = Brush.of(inputs, job.recipe, size)
    asked_for = getattr(inputs, "guidance_scale", None)
    scale = asked_for * job.recipe.options["guidance_each"] if asked_for else brush.guidance
    mask = Image.fromarray(hole.astype(np.uint8) * 255)
    with_words = words(inputs, job, runtime=runtime, model=model, brush=brush)
    with drawing("FluxFillPipeline", inputs, job, runtime=runtime, model=model) as pipe:
        made = pipe(
            **with_words,
            **{**brush.arguments, "guidance_scale": scale},
            image=rgb.resize(size, Image.Resampling.LANCZOS),
            mask_image=mask.resize(size, Image.Resampling.NEAREST),
            generator=runtime.generators([job.seed]),
            callback_on_step_end=brush.counting([job]),
        ).images[0]
    job.progress(0.92, "joining")
    half = _SEAM_PX // 2
    over = mask.filter(ImageFilter.MaxFilter(2 * half + 1)).filter(ImageFilter.BoxBlur(half))
    return Image.composite(made.resize(rgb.size, Image.Resampling.LANCZOS), rgb, over)


def _stored(picture: Image.Image, job: Job) -> Output:
    job.progress(0.95, "saving")
    reference = save(picture, job, job.seed)
    job.progress(1.0)
    return Output(ImageResult.of(reference))
