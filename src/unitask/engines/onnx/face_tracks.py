"""People through a video: the faces of each frame, joined to tracks by place, and to people by identity."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from unitask.engines.onnx.faces import Networks
from unitask.runtime.faces import Face, Floats, Pixels

SAME_PERSON: Final = 0.4
"""Identities whose product is more are one person's."""
SAME_PLACE: Final = 0.5
"""How far a face moves from a frame to the next at most, in sizes of it."""
STEADY: Final = (0.25, 0.5, 0.25)
"""How much the frames before, at and after a place have a say in it."""


@dataclass(slots=True, eq=False)
class Person:
    """Whoever was seen: `number` is the place in the row of faces when most were seen together."""

    identity: Floats
    ranks: list[tuple[int, int]] = field(default_factory=list)
    """How many faces were seen in a frame, and the place of this one among them."""

    @property
    def number(self) -> int:
        """The place in the fullest row; where there were several places, the usual one."""
        most = max(count for count, _ in self.ranks)
        return Counter(rank for count, rank in self.ranks if count == most).most_common(1)[0][0]


@dataclass(slots=True, eq=False)
class Track:
    """One person's face in frames that follow each other: `faces[i]` in the frame `start + i`."""

    person: Person
    start: int
    faces: list[Face]

    def points(self, frame: int) -> Floats | None:
        """Give the points of the face in a frame, without their trembling; None where it is not seen."""
        at = frame - self.start
        if not 0 <= at < len(self.faces):
            return None
        before, here, after = (self.faces[min(max(one, 0), len(self.faces) - 1)].points for one in (at - 1, at, at + 1))
        early, now, late = STEADY
        return np.asarray(early * before + now * here + late * after, np.float32)


def followed(frames: Iterable[Pixels], networks: Networks) -> list[Track]:
    """Find everybody in a video. Who somebody is, is looked up once, when a track begins."""
    tracks: list[Track] = []
    people: list[Person] = []
    for number, frame in enumerate(frames):
        found = networks.find(frame)
        going_on = [track for track in tracks if track.start + len(track.faces) == number]
        for rank, face in enumerate(found):
            track = next((track for track in going_on if _goes_on(track.faces[-1], face)), None)
            if track is None:
                track = Track(_known(networks.identity(frame, face), people), number, [])
                tracks.append(track)
            else:
                going_on.remove(track)
            track.faces.append(face)
            track.person.ranks.append((len(found), rank))
    return tracks


def _goes_on(before: Face, now: Face) -> bool:
    """Tell whether two faces of frames that follow each other can be one."""
    apart = float(np.hypot(*np.subtract(before.middle, now.middle)))
    large, small = max(before.size, now.size), min(before.size, now.size)
    return apart < SAME_PLACE * small and large < 2 * small


def _known(identity: Floats, people: list[Person]) -> Person:
    """Recognise a person, or get to know a new one."""
    alike = [float(identity @ one.identity) for one in people]
    if alike and max(alike) > SAME_PERSON:
        return people[int(np.argmax(alike))]
    people.append(Person(identity))
    return people[-1]


def of_number(tracks: Sequence[Track], number: int) -> list[Track]:
    """Choose the tracks of all people with this number."""
    return [track for track in tracks if track.person.number == number]
