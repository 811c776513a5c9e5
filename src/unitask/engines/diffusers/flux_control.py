"""Flux with a ControlNet: pictures from words that follow the shapes of another picture.

The ControlNet is the Union one, which is told what kind of map it gets. It knows none of soft edges: they go as what
it knows best of the kind, edges.
"""

from dataclasses import replace
from typing import Any, Final

from unitask.engines.diffusers.control_maps import read_map
from unitask.engines.diffusers.flux import LIMIT_PIXELS, Brush, painted, stored
from unitask.runtime.pictures import covering, fetch_picture, on_grid, opaque, save, within
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

MODES: Final = {"canny": 0, "soft_edge": 0, "depth": 2, "openpose": 4}
"""What the Union ControlNet calls each kind of map."""
USUAL_STRENGTH: Final = 0.6


def controlnet(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Paint along a map; over `image` if there is one, and in the style of `lora_settings`.

    Without a width and a height, the result is as large as `image` if there is one, else as the control picture.
    """
    setting = inputs.control_net_settings[0]
    job.progress(0.01, "reading the pictures")
    guide = opaque(fetch_picture(inputs, "control_net_settings[0].control_image", job))
    given = opaque(fetch_picture(inputs, "image", job)) if inputs.image else None
    size = (inputs.width, inputs.height) if inputs.width and inputs.height else (given or guide).size
    size = within(size, LIMIT_PIXELS)
    job.progress(0.02, "reading the map")
    seen = read_map(setting.control_type, covering(guide, on_grid(size)), job, runtime)
    brush = Brush.of(inputs, job.recipe, size, inputs.denoise if given else 1.0)
    following = {
        "control_image": seen,
        "control_mode": MODES[setting.control_type],
        "controlnet_conditioning_scale": USUAL_STRENGTH
        if setting.control_strength is None
        else setting.control_strength,
    }
    orders = [(inputs, job)]
    if given is None:
        (pictures,) = painted("FluxControlNetPipeline", orders, runtime=runtime, brush=brush, **following)
    else:
        following |= {"image": covering(given, on_grid(size)), "strength": inputs.denoise}
        brush = replace(brush, negative=False)
        (pictures,) = painted("FluxControlNetImg2ImgPipeline", orders, runtime=runtime, brush=brush, **following)
    output = stored(pictures, job, brush)
    if not setting.return_preprocessed_image:
        return output
    return Output(ImageResult.of(output.fields["image_url"], save(covering(seen, size), job, job.seed)))
