"""Video upscale: every frame enlarged by a Lanczos filter, the sound kept."""

from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu import LABELS
from unitask.kit.errors import MediaFailure
from unitask.kit.video import PHRASE, Video, VideoLimits, read_video, write_video
from unitask.spec.engine import Job, Output
from unitask.spec.media import media_values
from unitask.spec.product import VideoResult

_REPORTS: Final = 50
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
    value = next((value for value in media_values(inputs) if value.path == "input.video"), None)
    if value is None:
        raise MediaFailure(f"{PHRASE}: input.video is empty")
    options, media = job.recipe.options, value.media
    limits = VideoLimits(
        frames=options["limit_frames"],
        side_px=media.limit_side_px,
        pixels=media.limit_pixels,
        size_bytes=media.limit_bytes,
    )
    video = read_video(job.fetch(value.source, media), limits)
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
    every = max(1, video.frames // _REPORTS)
    for number, frame in enumerate(video):
        if number % every == 0:
            job.progress(0.05 + 0.93 * min(number / video.frames, 1), f"frame {number + 1} of {video.frames}")
        yield np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_LANCZOS4), np.uint8)
