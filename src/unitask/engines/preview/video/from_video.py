"""Videos from the client's own video: the inset of a face, the removal of a background. The sound is kept."""

from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.preview import lettering
from unitask.engines.preview.arrays import Pixels
from unitask.engines.preview.sources import fetch, opaque
from unitask.engines.preview.strip import Label, strip_height
from unitask.engines.preview.video.film import film_like, shoot
from unitask.engines.preview.video.keying import Key
from unitask.engines.preview.video.people import cut, faces
from unitask.kit.errors import TaskFailure
from unitask.kit.video import Video, VideoLimits, read_video
from unitask.spec.engine import Job, Output
from unitask.spec.media import media_values
from unitask.spec.product import Input, VideoResult

_GREEN: Final = (0, 177, 64)
_AMBER: Final = (255, 190, 60)
_WHITE: Final = (248, 248, 248)
_CAPTION: Final = "not swapped"
_CAPTION_FROM_PX: Final = 40


def video_face_swap(inputs: Any, job: Job) -> Output:
    """Show the video as it is, with the new face in a corner."""
    job.progress(0.02, "reading the picture and the video")
    given = opaque(fetch(inputs, job, "swap_image"))
    video = _fetched(inputs, job, "target_video")
    job.warn("no face was swapped: the video is shown as it was sent, with the new face in a corner")
    inset = _inset(given, min(video.width, video.height))
    film = film_like(video)
    top = left = max(1, min(film.size) // 40)
    bottom = min(top + inset.shape[0], film.height - strip_height(*film.size))

    def frames() -> Iterator[Pixels]:
        for frame in video:
            frame[top:bottom, left : left + inset.shape[1]] = inset[: bottom - top, : film.width - left]
            yield frame

    reference, count = shoot(job, film, frames(), Label("face swap", job.seed, [given]), sound_of=video)
    return Output(VideoResult.of(reference), measures={"frame": count})


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


def _inset(given: Pixels, short_px: int) -> Pixels:
    """Frame the face of the picture, or all of it, in white; where letters fit, say that nothing was swapped."""
    side = max(8, int(short_px * 0.24))
    edge = max(1, side // 30)
    found = faces(given)
    if found:
        height, width = given.shape[:2]
        face = max(found, key=lambda one: one.width)
        reach = face.width * width * 0.75
        x, y = face.x * width, face.y * height
        given = given[max(0, int(y - reach)) : int(y + reach), max(0, int(x - reach)) : int(x + reach)]
    inner = side - 2 * edge
    framed = np.full((side, side, 3), _WHITE, np.uint8)
    framed[edge : side - edge, edge : side - edge] = cut(given, inner, inner)
    if side >= _CAPTION_FROM_PX:
        high = max(9, side // 7)
        words = lettering.block(_CAPTION, inner, high)
        area = framed[side - edge - high : side - edge, edge : side - edge]
        area[:] = (16, 18, 26)
        place = area[(high - words.shape[0]) // 2 :][: words.shape[0], (inner - words.shape[1]) // 2 :][
            :, : words.shape[1]
        ]
        place[:] = place + (np.array(_AMBER) - place) * words[..., None]
    return framed
