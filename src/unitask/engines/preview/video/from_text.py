"""Videos from words alone."""

from dataclasses import replace
from typing import Any

from unitask.engines.preview import words
from unitask.engines.preview.strip import Label
from unitask.engines.preview.video.air import Air
from unitask.engines.preview.video.camera import Scenery, View
from unitask.engines.preview.video.film import Film, film_of, shoot
from unitask.engines.preview.video.moves import Drift
from unitask.engines.preview.video.scenes import LivingScene
from unitask.spec.engine import Job, Output
from unitask.spec.product import VideoResult


def text_to_video(inputs: Any, job: Job) -> Output:
    """Film the scene that the prompt describes: what lives in it moves, and the camera drifts."""
    film = film_of(inputs, job)
    wish = words.read(inputs.prompt, inputs.negative_prompt)
    job.progress(0.02, "painting")
    living = LivingScene(wish, inputs, film, job.seed)
    air = Air(wish.weather, film, job.seed)
    drift = Drift(inputs.prompt, job.seed)

    def frames() -> Any:
        for number, share in enumerate(film.shares):
            time_s = float(number / film.fps)
            frame = Scenery(living.at(time_s)).seen(_grounded(drift.at(share), film))
            air.fall(frame, time_s)
            yield frame

    reference, _ = shoot(job, film, frames(), Label(inputs.prompt, job.seed))
    return Output(VideoResult.of(reference))


def _grounded(view: View, film: Film) -> View:
    """Lower a camera that comes nearer, so that feet do not slip behind the strip."""
    room = (1 - 1 / view.zoom) / 2 * film.height / film.width
    return replace(view, down=min(view.down + 0.8 * room, room))
