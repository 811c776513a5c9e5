"""The client's own videos: fetched, and written anew frame by frame with their sound. Nothing here needs torch."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from unitask.kit.errors import MediaFailure
from unitask.kit.video import PHRASE, Video, VideoLimits, read_video, write_video
from unitask.runtime.pictures import labels
from unitask.spec.engine import Job
from unitask.spec.media import media_values
from unitask.spec.product import Input

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Frame = NDArray[np.uint8]

REPORTS: Final = 50


def fetch_video(inputs: Input, name: str, job: Job) -> Video:
    """Fetch the video in the field `name` and check it against the field's limits and the recipe's `limit_frames`.

    Raises:
        MediaFailure: not a video, damaged, too long or too large.

    """
    value = next((value for value in media_values(inputs) if value.path == f"input.{name}"), None)
    if value is None:
        raise MediaFailure(f"{PHRASE}: input.{name} is empty")
    media = value.media
    limits = VideoLimits(
        frames=job.recipe.options["limit_frames"],
        side_px=media.limit_side_px,
        pixels=media.limit_pixels,
        size_bytes=media.limit_bytes,
    )
    return read_video(job.fetch(value.source, media), limits)


def fetch_small_video(inputs: Input, name: str, job: Job) -> Video:
    """Fetch a video as `fetch_video` does, with limits both ways up: `limit_width`, `limit_height`, `limit_frames_min`.

    Raises:
        MediaFailure: not a video, too short, too long or too large; its sentence says what the limits are.

    """
    options = job.recipe.options
    video = fetch_video(inputs, name, job)
    longer, shorter = sorted((options["limit_width"], options["limit_height"]), reverse=True)
    if max(video.width, video.height) > longer or min(video.width, video.height) > shorter:
        raise MediaFailure(
            f"{PHRASE}: it has {video.width}x{video.height} pixels, the limit is {longer}x{shorter}; send a smaller one"
        )
    if video.frames < options["limit_frames_min"]:
        raise MediaFailure(
            f"{PHRASE}: it has {video.frames} frames, at least {options['limit_frames_min']} are needed; "
            "send a longer one"
        )
    return video


def reported(
    frames: "Iterable[Frame]", count: int, job: Job, *, note: str, low: float, high: float
) -> "Iterator[Frame]":
    """Hand frames on, with a report of progress from `low` to `high` every now and then.

    Raises:
        Cancelled: the client took the order back.

    """
    every = max(1, count // REPORTS)
    for number, frame in enumerate(frames):
        if number % every == 0:
            job.progress(low + (high - low) * min(number / count, 1), f"{note}: frame {number + 1} of {count}")
        yield frame


def written(job: Job, video: Video, frames: "Iterable[Frame]", scale: int = 1) -> tuple[str, int]:
    """Encode what was made of a video's frames, `scale` times as large, with its sound and labels, and store it.

    Gives the reference and how many frames there are.
    """
    path = job.scratch / "made.mp4"
    size = video.width * scale, video.height * scale
    count = write_video(path, frames, fps=video.fps, size=size, labels=labels(job, job.seed), sound_of=video)
    reference = job.save(path, "mp4")
    job.progress(1.0)
    return reference, count
