"""Pictures from words that follow the shapes of a control picture."""

from typing import Any, Final

from unitask.engines.preview import control, lora
from unitask.engines.preview.from_picture import transformed
from unitask.engines.preview.from_text import painted
from unitask.engines.preview.result import store
from unitask.engines.preview.sources import asked_size, cover, fetch, opaque, resize, workable
from unitask.engines.preview.strip import Label
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

_USUAL_STRENGTH: Final = 0.6
_LARGEST_MAP_PX: Final = 4096 * 4096


def controlnet(inputs: Any, job: Job) -> Output:
    """Read the map and paint the prompt's scene along it.

    Without a width and a height, the result is as large as `image` if there is one, else as the control picture.
    """
    setting = inputs.control_net_settings[0]
    job.progress(0.05, "reading the pictures")
    guide = fetch(inputs, job, "control_net_settings[0].control_image")
    given = [fetch(inputs, job, "image")] if inputs.image else []
    first = (given or [guide])[0]
    size = asked_size(inputs, (first.shape[1], first.shape[0]))
    job.progress(0.25, "reading the map")
    read, note = control.MAPS[setting.control_type]
    job.warn(note)
    control_map = resize(read(workable(cover(opaque(guide), *size), _LARGEST_MAP_PX)), *size)
    job.progress(0.45, "painting")
    base = workable(cover(opaque(first), *size))
    height, width = base.shape[:2]
    picture = transformed(base, inputs, job.seed) if given else painted(inputs, width, height, job.seed)
    strength = _USUAL_STRENGTH if setting.control_strength is None else setting.control_strength
    picture = control.follow(picture, control_map, setting.control_type, strength)
    picture = resize(lora.apply(picture, inputs, job.seed), *size)
    job.progress(0.9, "saving")
    label = Label(inputs.prompt, job.seed, [*given, guide])
    references = [store(job, picture, label)]
    if setting.return_preprocessed_image:
        references.append(store(job, control_map, label, strip=False))
    job.progress(1.0)
    return Output(ImageResult.of(*references))
