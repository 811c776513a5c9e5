"""The face of one picture put onto the person of another; everything away from that face stays as it was."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from PIL import Image

from unitask.engines.cpu import Picture, fetch_picture, save_picture
from unitask.engines.cpu.face_graft import Donor, lay
from unitask.engines.cpu.faces import Face, Pixels, find
from unitask.kit.errors import TaskFailure
from unitask.spec.engine import Job, Output
from unitask.spec.faces import NO_FACE, SEVERAL, chosen, largest
from unitask.spec.product import ImageResult

WARNING: Final = (
    "only upright faces seen from the front are found; the new face keeps its expression, hair and shape of the head "
    "are the target's"
)
NOT_RESTORED: Final = "face_enhance was ignored: the engine cpu lays faces on as they are"
RGBA: Final = 4


def face_swap(inputs: Any, job: Job) -> Output:
    """Put the largest face of `swap_image` onto the largest one of `target_image`.

    Raises:
        TaskFailure: a picture has no face.

    """
    target, source = _pictures(inputs, job)
    taken, changed = seen(source, "swap_image", job, 0.1), seen(target, "target_image", job, 0.4)
    if len(changed) > 1:
        job.warn(SEVERAL.format(len(changed)))
    return _swapped(target, source, [(largest(taken), largest(changed))], job)


def multi_face_swap(inputs: Any, job: Job) -> Output:
    """Put chosen faces of `swap_image` onto chosen ones of `target_image`, pair by pair.

    Raises:
        TaskFailure: a picture has no face, or not the one that is asked for.

    """
    target, source = _pictures(inputs, job)
    taken, changed = seen(source, "swap_image", job, 0.1), seen(target, "target_image", job, 0.4)
    pairs = [(chosen(taken, one, "swap"), chosen(changed, other, "target")) for one, other in inputs.face_pairs]
    return _swapped(target, source, pairs, job)


def seen(picture: Picture, name: str, job: Job, at: float) -> list[Face]:
    """Find the faces of a picture of the client; none is a failure. `at` is how far the work is, 0 to 1."""
    job.progress(at, f"looking for faces in {name}")
    found = find(on_white(picture.image))
    if not found:
        raise TaskFailure(f"{NO_FACE.format('image')}: {name} needs an upright face seen from the front")
    return found


def on_white(image: Image.Image) -> Pixels:
    """Lay what is transparent on white: uint8 (h, w, 3), not to be written to."""
    if image.mode == "RGB":
        return np.asarray(image)
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(image)
    return np.asarray(white.convert("RGB"))


def _pictures(inputs: Any, job: Job) -> tuple[Picture, Picture]:
    job.progress(0.02, "reading the pictures")
    if inputs.face_enhance:
        job.warn(NOT_RESTORED)
    return fetch_picture(inputs, "target_image", job), fetch_picture(inputs, "swap_image", job)


def _swapped(target: Picture, source: Picture, pairs: Sequence[tuple[Face, Face]], job: Job) -> Output:
    job.warn(WARNING)
    result = np.array(target.image)
    colours = np.ascontiguousarray(result[..., :3])
    given = on_white(source.image)
    for number, (taken, changed) in enumerate(pairs):
        job.progress(0.7 + 0.2 * number / len(pairs), "laying the face on")
        lay(colours, changed.anchors, Donor.of(given, taken))
    result[..., :3] = colours
    job.progress(0.92, "saving")
    reference = save_picture(Image.fromarray(result), target, job)
    job.progress(1.0)
    return Output(ImageResult.of(reference))
