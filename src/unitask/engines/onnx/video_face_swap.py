"""Faces of a picture given to people of a video: found and followed first, changed in a second pass; the sound kept."""

from collections.abc import Iterator, Sequence
from typing import Any

from unitask.engines.onnx.face_swap import pixels, seen
from unitask.engines.onnx.face_tracks import Track, followed, of_number
from unitask.engines.onnx.faces import Networks
from unitask.kit.errors import TaskFailure
from unitask.kit.video import Video
from unitask.runtime.clips import fetch_video, reported, written
from unitask.runtime.face_restore import restorer_wanted
from unitask.runtime.faces import Floats, Pixels
from unitask.runtime.pictures import fetch_picture
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job, Output
from unitask.spec.faces import NO_FACE, check_shown, chosen
from unitask.spec.product import VideoResult

Part = tuple[Track, Floats]
"""A track, and whose face it gets."""


def video_face_swap(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Put chosen faces of `swap_image` onto chosen people of `target_video`: as many frames at the same rate.

    Raises:
        MediaFailure: not a picture or a video, or beyond the limits.
        TaskFailure: no face, or not the one that is asked for.

    """
    job.progress(0.01, "reading the picture and the video")
    source = fetch_picture(inputs, "swap_image", job)
    video = fetch_video(inputs, "target_video", job)
    networks = Networks.ready(runtime, restoring=restorer_wanted(inputs, job, runtime))
    given = seen(networks, source, "swap_image", job, at=0.03)
    identities = [networks.identity(pixels(source), chosen(given, number, "swap")) for number, _ in inputs.face_pairs]
    frames = reported(video, video.frames, job, note="looking for faces", low=0.05, high=0.4)
    tracks = followed(frames, networks)
    if not tracks:
        raise TaskFailure(f"{NO_FACE.format('video')}: target_video needs a face that can be seen well")
    numbers = [number for _, number in inputs.face_pairs]
    check_shown({track.person.number for track in tracks}, numbers)
    parts = [
        (track, identity)
        for number, identity in zip(numbers, identities, strict=True)
        for track in of_number(tracks, number)
    ]
    changed = {track.start + at for track, _ in parts for at in range(len(track.faces))}
    if (without := video.frames - len(changed)) > 0:
        job.warn(f"{without} of {video.frames} frames show no such face and stay as they were")
    reference, count = written(job, video, _swapped(video, parts, networks, job))
    return Output(VideoResult.of(reference), measures={"frame": count})


def _swapped(video: Video, parts: Sequence[Part], networks: Networks, job: Job) -> Iterator[Pixels]:
    frames = reported(video, video.frames, job, note="changing faces", low=0.4, high=0.98)
    for number, frame in enumerate(frames):
        for track, identity in parts:
            if (points := track.points(number)) is not None:
                networks.swap(frame, points, identity)
        yield frame
