"""The face of one picture given to the person of another; away from that face the picture stays as it was."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from unitask.engines.onnx.faces import Networks
from unitask.kit.errors import TaskFailure
from unitask.kit.pictures import with_profile
from unitask.runtime.face_restore import restorer_wanted
from unitask.runtime.faces import Face, Pixels
from unitask.runtime.pictures import fetch_picture, opaque, save
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job, Output
from unitask.spec.faces import NO_FACE, SEVERAL, chosen, largest
from unitask.spec.product import ImageResult


def face_swap(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Put the largest face of `swap_image` onto the largest one of `target_image`.

    Raises:
        TaskFailure: a picture has no face.

    """
    source, target, networks = _ready(inputs, job, runtime)
    taken, changed = seen(networks, source, "swap_image", job, 0.2), seen(networks, target, "target_image", job, 0.4)
    if len(changed) > 1:
        job.warn(SEVERAL.format(len(changed)))
    return _swapped(networks, (source, target), [(largest(taken), largest(changed))], job)


def multi_face_swap(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Put chosen faces of `swap_image` onto chosen ones of `target_image`, pair by pair.

    Raises:
        TaskFailure: a picture has no face, or not the one that is asked for.

    """
    source, target, networks = _ready(inputs, job, runtime)
    taken, changed = seen(networks, source, "swap_image", job, 0.2), seen(networks, target, "target_image", job, 0.4)
    pairs = [(chosen(taken, one, "swap"), chosen(changed, other, "target")) for one, other in inputs.face_pairs]
    return _swapped(networks, (source, target), pairs, job)


def seen(networks: Networks, picture: Image.Image, name: str, job: Job, at: float) -> list[Face]:
    """Find the faces of a picture of the client; `at` is how far the work is, 0 to 1.

    Raises:
        TaskFailure: there is none.

    """
    job.progress(at, f"looking for faces in {name}")
    found = networks.find(pixels(picture))
    if not found:
        raise TaskFailure(f"{NO_FACE.format('image')}: {name} needs a face that can be seen well")
    return found


def pixels(picture: Image.Image) -> Pixels:
    """Lay a picture on white where it is transparent: a copy, uint8 (h, w, 3)."""
    return np.array(opaque(picture))


def _ready(inputs: Any, job: Job, runtime: Runtime) -> tuple[Image.Image, Image.Image, Networks]:
    job.progress(0.02, "reading the pictures")
    target, source = fetch_picture(inputs, "target_image", job), fetch_picture(inputs, "swap_image", job)
    job.progress(0.05, "loading the networks")
    return source, target, Networks.ready(runtime, restoring=restorer_wanted(inputs, job, runtime))


def _swapped(
    networks: Networks, pictures: tuple[Image.Image, Image.Image], pairs: Sequence[tuple[Face, Face]], job: Job
) -> Output:
    source, target = pictures
    given, result = pixels(source), pixels(target)
    for number, (taken, changed) in enumerate(pairs):
        job.progress(0.5 + 0.4 * number / len(pairs), "changing a face")
        networks.swap(result, changed.points, networks.identity(given, taken))
    made = Image.fromarray(result)
    if target.mode == "RGBA":
        original = np.asarray(target)
        kept = (result == pixels(target)).all(axis=2)
        made = Image.fromarray(np.where(kept[..., None], original, np.dstack([result, original[..., 3]])))
    job.progress(0.95, "saving")
    return Output(ImageResult.of(save(with_profile(made, target), job, job.seed)))
