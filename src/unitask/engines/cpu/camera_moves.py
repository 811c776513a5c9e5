"""Videos from pictures: the camera moves through a scene with depth, or one picture passes into another."""

from collections.abc import Iterator
from fractions import Fraction
from math import pi, sin
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu import fetch_picture
from unitask.engines.cpu.camera import Way, gentle, told
from unitask.engines.cpu.cutout import flattened
from unitask.engines.cpu.film import Film, shoot
from unitask.engines.cpu.framing import framed
from unitask.engines.cpu.passing import Passing
from unitask.engines.cpu.scenery import Scenery
from unitask.kit.pictures import even_size
from unitask.spec.engine import Job, Output
from unitask.spec.product import VideoResult

Pixels = NDArray[Any]

STILL: Final = "only the camera moves: nothing in the picture moves by itself"
UNREAD: Final = "the prompt was not followed: the engine cpu does not know what words mean"
NOTHING_BETWEEN: Final = "one picture is bent into the other: nothing between the two was invented"
FLAT: Final = "no subject stands out clearly from its background, so the picture was filmed as a flat one"
SHORTENED: Final = (
    "the camera does not go as far as was asked: beyond that it would leave the picture or cut a head off"
)
TOLD_SHORT: Final = 0.75
PASSING_S: Final = 4.0
LEAST_MOVE: Final = 0.3
"""The share of a film from which on it is worth while to move the camera before the pictures change."""


def image_to_video(inputs: Any, job: Job) -> Output:
    """Move the camera gently, and pass into `end_image` if there is one; the first frame is the picture.

    A recipe with the option `sizes: "follow the image"` makes `duration` seconds in the picture's own proportions.
    """
    job.progress(0.01, "reading the picture")
    given = _given(inputs, "start_image" if "start_image" in type(inputs).model_fields else "image", job)
    last = _given(inputs, "end_image", job) if getattr(inputs, "end_image", "") else None
    following = job.recipe.options.get("sizes") == "follow the image"
    film = _film_following(given, inputs, job) if following else Film.of(inputs, job)
    frames = _moving(given, film, job) if last is None else _passing(given, last, film, job)
    _warn(inputs, job)
    reference, count = shoot(job, film, frames)
    return Output(VideoResult.of(reference), measures={"second": float(count / film.fps)})


def keyframes(inputs: Any, job: Job) -> Output:
    """Pass from `start_image`, which is the first frame, into `end_image`, which is the last."""
    job.progress(0.01, "reading the pictures")
    film = Film.of(inputs, job)
    frames = _passing(_given(inputs, "start_image", job), _given(inputs, "end_image", job), film, job)
    _warn(inputs, job)
    reference, _ = shoot(job, film, frames)
    return Output(VideoResult.of(reference))


def camera_move(inputs: Any, job: Job) -> Output:
    """Move the camera as told; several movements add up."""
    job.progress(0.01, "reading the picture")
    film = Film.of(inputs, job)
    scenery = _scenery(_given(inputs, "image", job), film, job)
    moves = [(move.motion_type, move.motion_speed) for move in inputs.control_camera_settings]
    asked = told(moves, film.seconds)
    way = scenery.reachable(asked)
    if any(abs(part) < TOLD_SHORT * abs(most) for part, most in zip(way.goal, asked.goal, strict=True)):
        job.warn(SHORTENED)
    _warn(inputs, job)
    reference, _ = shoot(job, film, _along(scenery, way, film))
    return Output(VideoResult.of(reference))


def _warn(inputs: Any, job: Job) -> None:
    job.warn(STILL)
    if inputs.prompt.strip():
        job.warn(UNREAD)


def _given(inputs: Any, name: str, job: Job) -> Pixels:
    rgb, _ = flattened(fetch_picture(inputs, name, job).image)
    return rgb


def _scenery(given: Pixels, film: Film, job: Job) -> Scenery:
    rng = np.random.default_rng(job.seed)
    job.progress(0.03, "cutting the picture to shape")
    cut = framed(given, film.width, film.height, rng)
    job.progress(0.05, "parting subject and background")
    scenery = Scenery(cut, rng)
    if scenery.flat:
        job.warn(FLAT)
    return scenery


def _film_following(given: Pixels, inputs: Any, job: Job) -> Film:
    """Keep the picture's proportions in even sides, the longer one as the recipe limits it."""
    options = job.recipe.options
    height, width = given.shape[:2]
    wide, high = even_size((width, height), options["limit_side_px"])
    fps = Fraction(options["fps"])
    return Film(wide, high, max(1, round(inputs.duration * fps)), fps)


def _moving(given: Pixels, film: Film, job: Job) -> Iterator[Pixels]:
    scenery = _scenery(given, film, job)
    way = scenery.reachable(gentle(film.seconds, np.random.default_rng(job.seed)))
    return _along(scenery, way, film)


def _along(scenery: Scenery, way: Way, film: Film) -> Iterator[Pixels]:
    for share in film.shares:
        yield scenery.seen(way.at(share))


def _passing(start: Pixels, end: Pixels, film: Film, job: Job) -> Iterator[Pixels]:
    """Pass from the first picture into the last; a film that is longer than that takes begins with a camera move."""
    job.progress(0.02, "comparing the pictures")
    rng = np.random.default_rng(job.seed)
    first, last = (framed(one, film.width, film.height, rng).picture for one in (start, end))
    passing = Passing(first, last)
    job.warn(passing.fades or NOTHING_BETWEEN)
    begin = max(0.0, 1 - PASSING_S / film.seconds)
    if begin < LEAST_MOVE:
        return (passing.at(first, share) for share in film.shares)
    return _moved_and_passed(_scenery(start, film, job), passing, film, begin, rng)


def _moved_and_passed(
    scenery: Scenery, passing: Passing, film: Film, begin: float, rng: np.random.Generator
) -> Iterator[Pixels]:
    """Go a little way and come back, then pass into the last picture."""
    goal = scenery.reachable(gentle(film.seconds, rng)).goal
    for share in film.shares:
        gone = sin(pi * share / begin) ** 2 if share < begin else 0.0
        frame = scenery.seen(goal.times(gone))
        yield passing.at(frame, (share - begin) / (1 - begin))
