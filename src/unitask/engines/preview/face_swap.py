"""The face of one picture laid onto the face of another: turned into place, matched in colour, with a soft edge."""

from collections.abc import Sequence
from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.preview import faces
from unitask.engines.preview.arrays import Floats, Pixels
from unitask.engines.preview.faces import Face
from unitask.engines.preview.result import store
from unitask.engines.preview.sources import fetch, opaque
from unitask.engines.preview.strip import Label
from unitask.kit.errors import TaskFailure
from unitask.spec.engine import Job, Output
from unitask.spec.product import ImageResult

NO_FACE: Final = "invalid request, no face found in the image"
_SPREAD: Final = (0.65, 1.5)


def face_swap(inputs: Any, job: Job) -> Output:
    """Lay the largest face of `swap_image` onto the largest of `target_image`."""
    target, source = _pictures(inputs, job)
    taken, changed = _faces(source, "swap_image", job), _faces(target, "target_image", job)
    return _swapped(job, target, source, [(faces.largest(taken), faces.largest(changed))])


def multi_face_swap(inputs: Any, job: Job) -> Output:
    """Lay chosen faces of `swap_image` onto chosen faces of `target_image`, pair by pair."""
    target, source = _pictures(inputs, job)
    taken, changed = _faces(source, "swap_image", job), _faces(target, "target_image", job)
    pairs = [(_numbered(taken, one, "swap"), _numbered(changed, other, "target")) for one, other in inputs.face_pairs]
    return _swapped(job, target, source, pairs)


def _pictures(inputs: Any, job: Job) -> tuple[Pixels, Pixels]:
    job.progress(0.05, "reading the pictures")
    return fetch(inputs, job, "target_image"), fetch(inputs, job, "swap_image")


def _faces(picture: Pixels, name: str, job: Job) -> list[Face]:
    job.progress(0.2 if name == "swap_image" else 0.4, f"looking for faces in {name}")
    found = faces.find(opaque(picture))
    if not found:
        raise TaskFailure(f"{NO_FACE}: {name} needs a face seen from the front")
    return found


def _numbered(found: Sequence[Face], index: int, side: str) -> Face:
    if index < len(found):
        return found[index]
    faces_found = "one face, number 0" if len(found) == 1 else f"{len(found)} faces, numbers 0 to {len(found) - 1}"
    raise TaskFailure(f"invalid request, {side}_faces_index asks for face {index}, but {side}_image has {faces_found}")


def _swapped(job: Job, target: Pixels, source: Pixels, pairs: Sequence[tuple[Face, Face]]) -> Output:
    picture = opaque(target).copy()
    given = opaque(source)
    for index, (taken, changed) in enumerate(pairs):
        job.progress(0.55 + 0.3 * index / len(pairs), "laying the face on")
        _lay(picture, opaque(target), changed, given, taken)
    result = picture if target.shape[2] == picture.shape[2] else np.dstack([picture, target[..., 3]])
    job.progress(0.9, "saving")
    reference = store(job, result, Label("face swap", job.seed, [target, source]))
    job.progress(1.0)
    return Output(ImageResult.of(reference))


def _lay(picture: Pixels, before: Pixels, changed: Face, source: Pixels, taken: Face) -> None:
    """Lay one face on, in place. Colours are matched with the picture as it was `before` any swap."""
    from_points, to_points = faces.anchors(taken), faces.anchors(changed)
    mask = faces.oval(before.shape, to_points)
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return
    length = float(np.hypot(*(to_points[1] - to_points[0])))
    pad = int(0.5 * length) + 4
    top, bottom = max(0, rows.min() - pad), min(len(mask), rows.max() + pad)
    left, right = max(0, columns.min() - pad), min(mask.shape[1], columns.max() + pad)
    turn = cv2.getAffineTransform(from_points, to_points)
    shrunk = float(np.sqrt(abs(np.linalg.det(turn[:, :2]))))
    turn[:, 2] -= (left, top)
    sharp = cv2.GaussianBlur(source, (0, 0), 0.4 / shrunk) if shrunk < 0.6 else source  # noqa: PLR2004 - as small as needs it
    size = (right - left, bottom - top)
    warped = cv2.warpAffine(sharp, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    area, under = mask[top:bottom, left:right], before[top:bottom, left:right]
    face = _matched(np.asarray(warped, np.uint8), under, area, length)
    inner = cv2.erode(area, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * max(1, round(length * 0.07)) + 1,) * 2))
    share = cv2.GaussianBlur(inner, (0, 0), max(0.8, length * 0.055)).astype(np.float32)[..., None] / 255
    part = picture[top:bottom, left:right]
    part[:] = np.clip(part + (face - part) * share + 0.5 * (share > 0), 0, 255).astype(np.uint8)


def _matched(face: Pixels, under: Pixels, area: Pixels, length: float) -> Floats:
    """Give the face the colours of what it covers: as a whole in Lab, then softly from place to place."""
    inside = area > 0
    lab, below = (cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32) for image in (face, under))
    ratio = np.clip(below[inside].std(axis=0) / (lab[inside].std(axis=0) + 1e-3), *_SPREAD)
    lab = (lab - lab[inside].mean(axis=0)) * ratio + below[inside].mean(axis=0)
    rgb = cv2.cvtColor(np.clip(lab, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB).astype(np.float32)
    weight = inside.astype(np.float32)
    wide = max(1.0, length * 0.45)
    missing = cv2.GaussianBlur((under - rgb) * weight[..., None], (0, 0), wide)
    missing /= np.maximum(cv2.GaussianBlur(weight, (0, 0), wide), 1e-3)[..., None]
    result: Floats = rgb + 0.7 * missing
    return result
