"""Videos from a picture with an effect: the camera drifts while the effect comes in."""

from collections.abc import Iterator
from typing import Any, Final

from unitask.engines.preview import lora, words
from unitask.engines.preview.arrays import Pixels
from unitask.engines.preview.sources import blend, fetch, opaque
from unitask.engines.preview.strip import Label
from unitask.engines.preview.video.air import Air
from unitask.engines.preview.video.camera import Scenery
from unitask.engines.preview.video.film import Film, film_of, shoot
from unitask.engines.preview.video.moves import Drift
from unitask.engines.preview.video.people import framed
from unitask.spec.engine import Job, Output
from unitask.spec.product import VideoResult

STILL: Final = "nothing inside the picture moves: this preview only moves the camera"
_EFFECT_SHARE: Final = 0.4


def image_to_video_lora(inputs: Any, job: Job) -> Output:
    """Move the camera over a picture as far as the prompt's words say, while the effect of the LoRA comes in."""
    job.progress(0.02, "reading the picture")
    given = opaque(fetch(inputs, job, "image"))
    film = film_of(inputs, job)
    job.warn(STILL)
    frames = _drifting(framed(given, *film.size), inputs, film, job.seed)
    reference, _ = shoot(job, film, frames, Label(inputs.prompt, job.seed, [given]))
    return Output(VideoResult.of(reference))


def _drifting(picture: Pixels, inputs: Any, film: Film, seed: int) -> Iterator[Pixels]:
    """Drift over one picture; the effect comes in during the first part."""
    drift = Drift(inputs.prompt, seed)
    air = Air(words.read(inputs.prompt).weather, film, seed)
    changed = lora.apply(picture, inputs, seed)
    plain, styled = Scenery(picture), Scenery(changed)
    for number, share in enumerate(film.shares):
        effect = min(1.0, share / _EFFECT_SHARE)
        scenery = styled if effect == 1 else plain if not effect else Scenery(blend(picture, changed, effect))
        frame = scenery.seen(drift.at(share))
        air.fall(frame, float(number / film.fps))
        yield frame
