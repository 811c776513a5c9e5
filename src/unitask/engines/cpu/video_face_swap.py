"""Faces of a picture put onto people of a video: found and followed first, laid on in a second pass; the sound kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from unitask.engines.cpu import LABELS, fetch_picture
from unitask.engines.cpu.face_graft import Donor, Found, lay
from unitask.engines.cpu.face_swap import NOT_RESTORED, on_white, seen
from unitask.engines.cpu.face_tracks import Track, Tracker
from unitask.engines.cpu.faces import Pixels
from unitask.kit.errors import TaskFailure
from unitask.kit.video import Video, write_video
from unitask.runtime.clips import fetch_video, reported
from unitask.spec.engine import Job, Output
from unitask.spec.faces import NO_FACE, check_shown, chosen
from unitask.spec.product import VideoResult

WARNING: Final = (
    "only upright faces seen from the front are changed; the new face keeps the expression that it has in swap_image: "
    "its eyes and lips do not move"
)
CANVAS_PX: Final = 80.0
"""Pixels between the eyes, at most, of the canvas on which light and colours are matched."""
LEAST_CANVAS_PX: Final = 12.0


@dataclass(slots=True)
class _Part:
    """One donor on one track."""

    donor: Donor
    track: Track
    unit: float
    before: Found | None = None

    @classmethod
    def of(cls, donor: Donor, track: Track) -> "_Part":
        lengths = [float(np.hypot(*(anchors[1] - anchors[0]))) for anchors in track.anchors]
        return cls(donor, track, float(np.clip(max(lengths), LEAST_CANVAS_PX, CANVAS_PX)))

    def play(self, frame: Pixels, number: int) -> None:
        """Change the frame of this number, if the face is in it."""
        at = number - self.track.start
        if 0 <= at < len(self.track.anchors):
            anchors, share = self.track.anchors[at], self.track.shares[at]
            self.before = lay(frame, anchors, self.donor, unit=self.unit, share=share, before=self.before)


def video_face_swap(inputs: Any, job: Job) -> Output:
    """Put chosen faces of `swap_image` onto chosen people of `target_video`: as many frames at the same rate.

    Raises:
        MediaFailure: not a picture or a video, or beyond the limits.
        TaskFailure: no face, or not the one that is asked for.

    """
    job.progress(0.01, "reading the picture and the video")
    source = fetch_picture(inputs, "swap_image", job)
    video = fetch_video(inputs, "target_video", job)
    given = seen(source, "swap_image", job, at=0.02)
    taken = [chosen(given, number, "swap") for number, _ in inputs.face_pairs]
    tracks = _tracks(video, job)
    check_shown({track.number for track in tracks}, [number for _, number in inputs.face_pairs])
    job.warn(WARNING)
    if inputs.face_enhance:
        job.warn(NOT_RESTORED)
    rgb = on_white(source.image)
    parts = [
        _Part.of(Donor.of(rgb, face), track)
        for face, (_, number) in zip(taken, inputs.face_pairs, strict=True)
        for track in tracks
        if track.number == number
    ]
    if (without := _unchanged(video, parts)) > 0:
        job.warn(f"{without} of {video.frames} frames show no such face and stay as they were")
    path = job.scratch / "swapped.mp4"
    size = (video.width, video.height)
    count = write_video(path, _swapped(video, parts, job), fps=video.fps, size=size, labels=LABELS, sound_of=video)
    reference = job.save(path, "mp4")
    job.progress(1.0)
    return Output(VideoResult.of(reference), measures={"frame": count})


def _tracks(video: Video, job: Job) -> list[Track]:
    tracker = Tracker(video.fps)
    for frame in reported(video, video.frames, job, note="looking for faces", low=0.05, high=0.5):
        tracker.watch(frame)
    tracks = tracker.tracks()
    if not tracks:
        raise TaskFailure(f"{NO_FACE.format('video')}: target_video needs an upright face seen from the front")
    return tracks


def _unchanged(video: Video, parts: Sequence[_Part]) -> int:
    changed = {part.track.start + at for part in parts for at in range(len(part.track.anchors))}
    return video.frames - len(changed)


def _swapped(video: Video, parts: Sequence[_Part], job: Job) -> Iterator[Pixels]:
    frames = reported(video, video.frames, job, note="laying faces on", low=0.5, high=0.97)
    for number, frame in enumerate(frames):
        for part in parts:
            part.play(frame, number)
        yield frame
