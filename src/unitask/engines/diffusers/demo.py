"""The demo model: a Flux of a few megabytes that knows one shape, in one colour, at one place. See `unitask.demo`.

It is loaded and run as the real ones are. It paints small squares, which are enlarged to the size that was asked for.
Options of its recipe are those of Flux, and `side_px` of the square.
"""

from dataclasses import replace
from re import findall
from typing import Any, Final

import numpy as np
from PIL import Image

from unitask.engines.diffusers.flux import Brush, asked, painted, stored
from unitask.runtime.model import Model
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job, Output

WARNING: Final = (
    "made by the demo model, a stand-in of a few megabytes, not the model: it paints one shape in one colour at one "
    "place on a plain background, such as 'a red circle at the top left of a blue background'"
)
_SHOWN_WORDS: Final = 5


def shapes(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Paint `batch_size` pictures of shapes; says which words of the prompt it does not know."""
    side = job.recipe.options["side_px"]
    brush = Brush.of(inputs, job.recipe, (side, side))
    job.warn(WARNING)
    if strange := unknown(inputs.prompt, runtime.model(job.recipe.weights[0])):
        more = ", ..." if len(strange) > _SHOWN_WORDS else ""
        job.warn(f"the demo model does not know: {', '.join(strange[:_SHOWN_WORDS])}{more}")
    (pictures,) = painted("FluxPipeline", [(inputs, job)], runtime=runtime, brush=brush)
    width, height = asked(inputs)
    large = [enlarged(picture, (width, height)) for picture in pictures]
    return stored(large, job, replace(brush, width=width, height=height))


def unknown(prompt: str, model: Model) -> list[str]:
    """List the words that the model's tokenizer has no token for, each once."""
    known = model.small("tokenizer").get_vocab()
    return [word for word in dict.fromkeys(findall(r"\w+", prompt.lower())) if f"{word}</w>" not in known]


def enlarged(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Enlarge a square until it fills the shorter side, and continue its edges along the longer one."""
    side = min(size)
    rows, columns = (((length - side) // 2, length - side - (length - side) // 2) for length in reversed(size))
    square = np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))
    return Image.fromarray(np.pad(square, (rows, columns, (0, 0)), mode="edge"))
