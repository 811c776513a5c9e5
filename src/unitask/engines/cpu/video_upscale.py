"""Video upscale: every frame enlarged by a Lanczos filter, the sound kept."""

from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu import LABELS
from unitask.kit.video import Video, write_video
from unitask.runtime.clips import fetch_small_video, reported
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
    video = fetch_small_video(inputs, "video", job)
    job.warn(WARNING)
    path = job.scratch / "upscaled.mp4"
    size = (video.width * scale, video.height * scale)
    count = write_video(path, _enlarged(video, size, job), fps=video.fps, size=size, labels=LABELS, sound_of=video)
    reference = job.save(path, "mp4")
    job.progress(1.0)
    return Output(VideoResult.of(reference), measures={"frame": count})


def _enlarged(video: Video, size: tuple[int, int], job: Job) -> Iterator[NDArray[np.uint8]]:
    for frame in reported(video, video.frames, job, note="enlarging", low=0.05, high=0.98):
        yield np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_LANCZOS4), np.uint8)
