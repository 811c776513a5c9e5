"""Videos from one or two pictures: the camera moves, one picture passes into another."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, Final

import numpy as np

from unitask.engines.preview import lora, words
from unitask.engines.preview.arrays import Pixels, step
from unitask.engines.preview.sources import blend, fetch, opaque
from unitask.engines.preview.strip import Label
from unitask.engines.preview.video.air import Air
from unitask.engines.preview.video.camera import Scenery, View
from unitask.engines.preview.video.film import Film, film_of, shoot
from unitask.engines.preview.video.moves import Drift, told
from unitask.engines.preview.video.people import framed
from unitask.spec.engine import Job, Output
from unitask.spec.product import VideoResult

STILL: Final = "nothing inside the picture moves: this preview only moves the camera"
_MOVES_PER_S: Final = 16
_BESIDE: Final = 0.35
_SIDES_PX: Final = 16
_PASSING_S: Final = 2.0
_EFFECT_SHARE: Final = 0.4


def image_to_video(inputs: Any, job: Job) -> Output:
    """Move the camera over a picture as far as the prompt's words say, and on to `end_image` if there is one.

    A recipe with the option `sizes: "follow the image"` makes `duration` seconds in the picture's own proportions.
    """
    job.progress(0.02, "reading the picture")
    given = _fetched(inputs, job, "start_image" if "start_image" in type(inputs).model_fields else "image")
    last = _fetched(inputs, job, "end_image") if getattr(inputs, "end_image", "") else None
    following = job.recipe.options.get("sizes") == "follow the image"
    film = _film_following(given, inputs, job) if following else film_of(inputs, job)
    job.warn(STILL)
    if last is None:
        frames = _drifting(framed(given, *film.size), inputs, film, job.seed)
    else:
        frames = _passing(given, last, inputs, film, job.seed)
    pictures = [given] if last is None else [given, last]
    reference, count = shoot(job, film, frames, Label(inputs.prompt, job.seed, pictures))
    return Output(VideoResult.of(reference), measures={"second": float(count / film.fps)})


def keyframes(inputs: Any, job: Job) -> Output:
    """Pass from the first picture into the last; both are seen whole, one at each end."""
    film = film_of(inputs, job)
    job.progress(0.02, "reading the pictures")
    start, end = _fetched(inputs, job, "start_image"), _fetched(inputs, job, "end_image")
    job.warn("one picture fades into the other: nothing between the two was invented")
    frames = _passing(start, end, inputs, film, job.seed)
    reference, _ = shoot(job, film, frames, Label(inputs.prompt, job.seed, [start, end]))
    return Output(VideoResult.of(reference))


def camera_move(inputs: Any, job: Job) -> Output:
    """Move the camera before a picture as told; several movements add up."""
    film = film_of(inputs, job)
    job.progress(0.02, "reading the picture")
    given = _fetched(inputs, job, "image")
    job.warn(f"{STILL}, and bends its way where it would leave the picture")
    moves = [(move.motion_type, move.motion_speed) for move in inputs.control_camera_settings]
    scenery = Scenery(framed(given, *film.size), _BESIDE)
    air = Air(words.read(inputs.prompt).weather, film, job.seed)

    def view(number: int) -> View:
        return told(moves, number / _MOVES_PER_S)

    frames = _filmed(film, lambda number: scenery.seen(view(number)), air)
    reference, _ = shoot(job, film, frames, Label(inputs.prompt, job.seed, [given]))
    return Output(VideoResult.of(reference))


def _fetched(inputs: Any, job: Job, name: str) -> Pixels:
    return opaque(fetch(inputs, job, name))


def _film_following(given: Pixels, inputs: Any, job: Job) -> Film:
    """Keep the picture's proportions in even sides, the longer one as the recipe limits it."""
    options = job.recipe.options
    height, width = given.shape[:2]
    scale = min(1.0, options["limit_side_px"] / max(width, height))
    wide, high = (max(_SIDES_PX, round(side * scale / 2) * 2) for side in (width, height))
    fps = Fraction(options["fps"])
    return Film(wide, high, max(1, round(inputs.duration * fps)), fps)


def _filmed(film: Film, frame_at: Callable[[int], Pixels], air: Air) -> Iterator[Pixels]:
    for number in range(film.frames):
        frame = frame_at(number)
        air.fall(frame, float(number / film.fps))
        yield frame


def _drifting(picture: Pixels, inputs: Any, film: Film, seed: int) -> Iterator[Pixels]:
    """Drift over one picture; the effect of a LoRA, if one is asked for, comes in during the first part."""
    drift, shares = Drift(inputs.prompt, seed), film.shares
    air = Air(words.read(inputs.prompt).weather, film, seed)
    changed = lora.apply(picture, inputs, seed) if getattr(inputs, "lora_settings", None) else picture
    plain, styled = Scenery(picture), Scenery(changed)

    def frame_at(number: int) -> Pixels:
        share = shares[number]
        effect = min(1.0, share / _EFFECT_SHARE) if changed is not picture else 0.0
        scenery = styled if effect == 1 else plain if not effect else Scenery(blend(picture, changed, effect))
        return scenery.seen(drift.at(share))

    return _filmed(film, frame_at, air)


def _passing(start: Pixels, end: Pixels, inputs: Any, film: Film, seed: int) -> Iterator[Pixels]:
    """Drift over the first picture and fade into the last, which the camera leaves to be seen whole in the end."""
    first, last = (Scenery(framed(picture, *film.size)) for picture in (start, end))
    there, back = Drift(inputs.prompt, seed), Drift("", seed + 1)
    air = Air(words.read(inputs.prompt).weather, film, seed)
    shares = film.shares
    # The fade lies in the middle of a short film, and near the end of a long one.
    half = min(0.35, _PASSING_S / 2 / max(film.duration_s, 1e-6))
    middle = max(0.5, 1 - 2.2 * half)

    def frame_at(number: int) -> Pixels:
        share = shares[number]
        fade = float(step(middle - half, middle + half, np.float32(share)))  # type: ignore[arg-type]
        if fade <= 0:
            return first.seen(there.at(share))
        if fade >= 1:
            return last.seen(back.at(1 - share))
        return blend(first.seen(there.at(share)), last.seen(back.at(1 - share)), fade)

    return _filmed(film, frame_at, air)
