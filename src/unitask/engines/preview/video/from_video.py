"""Videos from the client's own video: the removal of a background. The sound is kept."""

from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.preview.arrays import Pixels
from unitask.engines.preview.strip import Label
from unitask.engines.preview.video.film import film_like, shoot
from unitask.engines.preview.video.keying import Key
from unitask.kit.errors import TaskFailure
from unitask.kit.video import Video, VideoLimits, read_video
from unitask.spec.engine import Job, Output
from unitask.spec.media import media_values
from unitask.spec.product import Input, VideoResult

_GREEN: Final = (0, 177, 64)


def video_background_remove(inputs: Any, job: Job) -> Output:
    """Lay the subject on green, or with `invert_output` the background without it."""
    job.progress(0.02, "reading the video")
    video = _fetched(inputs, job, "video")
    job.warn("the subject was told from the background by colour and place alone; it stands on green, MP4 has no alpha")
    key = Key()

    def frames() -> Iterator[Pixels]:
        for frame in video:
            subject = key.subject(frame)
            yield _on_green(frame, 1 - subject if inputs.invert_output else subject)

    label = Label("background alone" if inputs.invert_output else "subject alone", job.seed)
    reference, count = shoot(job, film_like(video), frames(), label, sound_of=video)
    return Output(VideoResult.of(reference), measures={"frame": count})


def _fetched(inputs: Input, job: Job, name: str) -> Video:
    value = next((item for item in media_values(inputs) if item.path == f"input.{name}"), None)
    if value is None:
        raise TaskFailure(f"`{name}` is empty: give a URL or a base64 video")
    media = value.media
    limits = VideoLimits(
        frames=job.recipe.options["limit_frames"],
        side_px=media.limit_side_px,
        pixels=media.limit_pixels,
        size_bytes=media.limit_bytes,
    )
    return read_video(job.fetch(value.source, media), limits)


def _on_green(frame: Pixels, share: Any) -> Pixels:
    """Keep `share` (height, width) of the frame and make the rest green."""
    green = np.empty_like(frame)
    green[:] = _GREEN
    kept: Any = cv2.blendLinear(frame, green, share, 1 - share)
    return np.asarray(kept, np.uint8)
