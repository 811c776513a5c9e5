"""Framepack: a long video from its first picture, in sections of equal work from its end to its beginning.

Source: FramePack of Lvmin Zhang, grown from HunyuanVideo, by the pipeline of diffusers. A recipe's options, besides
those of Hunyuan Video: `window`, how many latent frames a section has, and `limit_side_px`.
"""

from fractions import Fraction
from math import ceil
from typing import Any, Final

from unitask.engines.diffusers.hunyuan import filmed, warn_of_negative, words
from unitask.kit.pictures import even_size
from unitask.runtime.films import Film, shoot
from unitask.runtime.pictures import covering, fetch_picture, opaque
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job, Output
from unitask.spec.product import VideoResult

_FRAMES: Final = 4
"""Frames that one latent frame becomes; the first of all becomes one."""


def image_to_video(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make `duration` seconds in the proportions of `start_image`, up to `end_image` if there is one."""
    warn_of_negative(inputs, job)
    options = job.recipe.options
    job.progress(0.02, "reading the pictures")
    given = opaque(fetch_picture(inputs, "start_image", job))
    fps = Fraction(options["fps"])
    film = Film(*even_size(given.size, options["limit_side_px"]), round(inputs.duration * fps), fps)
    last = film.picture(inputs, "end_image", job) if inputs.end_image else None
    model = runtime.model(job.recipe.weights[0])
    told = words(inputs.prompt, job, runtime=runtime, model=model)
    sections, frames = _sections(film.frames, options["window"])
    made = filmed(
        "HunyuanVideoFramepackPipeline",
        job,
        runtime=runtime,
        model=model,
        sections=sections,
        arguments={
            **told,
            **film.arguments,
            "num_frames": frames,
            "image": covering(given, film.made_size),
            "last_image": last,
            "latent_window_size": options["window"],
            "sampling_type": "inverted_anti_drifting",
        },
    )
    if last is not None:
        made = _thinned(made, film.frames)
    reference = shoot(job, film, made)
    return Output(VideoResult.of(reference), measures={"second": float(film.seconds)})


def _sections(frames: int, window: int) -> tuple[int, int]:
    """Count the sections that give so many frames, and say for how many frames the pipeline must be asked to get them.

    It reckons with the frames that sections share, and so makes more than it is asked for.
    """
    sections = max(1, ceil((frames - 1) / (_FRAMES * window)))
    return sections, sections * (_FRAMES * (window - 1) + 1)


def _thinned(made: Any, frames: int) -> Any:
    """Leave frames out evenly, so that the first and the last one stay."""
    last = made.shape[0] - 1
    return made[[round(number * last / max(frames - 1, 1)) for number in range(frames)]]
