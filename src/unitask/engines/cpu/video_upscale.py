"""Video upscale: every frame enlarged by a Lanczos filter, the sound kept."""

from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu import LABELS
from unitask.engines.cpu.film import fetch_video, reported
from unitask.kit.errors import MediaFailure
from unitask.kit.video import PHRASE, Video, write_video
from unitask.spec.engine import Job, Output
from unitask.spec.product import VideoResult

WARNING: Final = "enlarged by a Lanczos filter: edges stay smooth, and no detail was invented"


def video_upscale(inputs: Any, job: Job) -> Output:
    """Enlarge the video `scale` times each way: as many frames at the same rate.

    Raises:
        MediaFailure: not a video, too short, too long or too large; its sentence says what the limits are.

    """
    scale = int(job.recipe.options["scale"])
    job.progress(0.02, "reading the video")
    video = _fetched(inputs, job)
    job.warn(WARNING)
    path = job.scratch / "upscaled.mp4"
    size = (video.width * scale, video.height * scale)
    count = write_video(path, _enlarged(video, size, job), fps=video.fps, size=size, labels=LABELS, sound_of=video)
    reference = job.save(path, "mp4")
    job.progress(1.0)
    return Output(VideoResult.of(reference), measures={"frame": count})


def _fetched(inputs: Any, job: Job) -> Video:
    """Fetch and check the video; as wide as `limit_width` and as high as `limit_height`, or the other way round."""
    options = job.recipe.options
    video = fetch_video(inputs, "video", job)
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


def _enlarged(video: Video, size: tuple[int, int], job: Job) -> Iterator[NDArray[np.uint8]]:
    for frame in reported(video, video.frames, job, note="enlarging", low=0.05, high=0.98):
        yield np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_LANCZOS4), np.uint8)
