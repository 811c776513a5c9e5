"""Faces followed through a video, so that what is laid onto them neither trembles nor flickers.

Every few frames the cascades look for faces; from frame to frame, points on each face are followed by optical flow
(Lucas and Kanade 1981), which tells its motion much more steadily than the cascades tell its place. A track is the
motion, plus the place averaged over a second of looks at it. Only small grey frames are held, and few of them.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu.faces import Face, Pixels, Points, find

LOOK_EVERY: Final = 5
"""Frames from one look for faces to the next."""
LOOK_BACK: Final = 10
"""Frames through which a face that was found is followed back."""
FADE: Final = 5
"""Frames in which a face fades in or out, unless the video was cut there."""
SMALL_PX: Final = 384
LARGE_PX: Final = 640
"""Sides up to which small frames are enlarged, and large ones reduced, for the cascades."""
FLOW_PX: Final = 256
"""Side up to which small frames are enlarged for the optical flow."""
MOST_ENLARGED: Final = 4.0
CUT: Final = (8.0, 0.5)
"""Mean difference of two frames' thumbnails above which, and correlation below which, they belong to two shots."""
THUMBNAIL: Final = (32, 18)
BRIDGED_S: Final = 0.5
"""How long a face may be out of sight without its track ending."""
STEADY_S: Final = 0.5
"""Over which time looks are averaged, as the sigma of a bell."""
SAME_PLACE: Final = 0.5
LEAST_POINTS: Final = 8
LEAST_FOLLOWED: Final = 0.4
BACK_AGAIN_PX: Final = 1.0
"""How far from its beginning a point may come out when it is followed there and back."""
SUDDEN: Final = 1.25
STRAY: Final = 0.15
"""Looks farther from the usual than this share of the distance between the eyes are left out."""
GRID: Final = np.array([(x, y) for x in np.linspace(-0.7, 0.7, 8) for y in np.linspace(-0.4, 1.2, 8)])
"""Points that are followed, from the middle of the eyes, in distances between them."""


@dataclass(frozen=True, slots=True)
class Track:
    """A face through the frames `start`, `start + 1`, ...: where it is, and how sure that is, 0 to 1.

    `number` is its place in the row when most faces were seen together with it.
    """

    number: int
    start: int
    anchors: list[Points]
    shares: list[float]


@dataclass(slots=True, eq=False)
class _Path:
    """A track in the making: `turns[i]` leads from its first frame to the frame `start + i`."""

    start: int
    turns: list[NDArray[Any]]
    looks: dict[int, Face] = field(default_factory=dict)
    ranks: list[tuple[int, int]] = field(default_factory=list)
    """How many faces were seen at a look, and the place of this one among them."""
    hard_start: bool = False
    hard_end: bool = False

    @property
    def end(self) -> int:
        """The frame after its last one."""
        return self.start + len(self.turns)

    def face_now(self) -> Face:
        """Give the face as last seen, moved along."""
        at = max(self.looks)
        face = self.looks[at]
        turn = self.turns[-1] @ np.linalg.inv(self.turns[at - self.start])
        side = face.size
        scale = float(np.sqrt(np.linalg.det(turn[:2, :2])))
        middle = _moved(np.array([face.middle]), turn)[0]
        return Face(
            (middle[0] - side * scale / 2, middle[1] - side * scale / 2, side * scale), _moved(face.anchors, turn)
        )

    def anchors_at_start(self) -> Points:
        """Give eyes and mouth as first seen, moved back to the first frame."""
        at = min(self.looks)
        return _moved(self.looks[at].anchors, np.linalg.inv(self.turns[at - self.start]))


class Tracker:
    """Takes the frames of a video one after the other; `tracks` says in the end who was where."""

    def __init__(self, fps: Fraction) -> None:
        self._bridged = max(LOOK_EVERY, round(BRIDGED_S * fps))
        self._sigma = max(float(LOOK_EVERY), float(STEADY_S * fps))
        self._count = 0
        self._scale = 1.0
        self._past: deque[Pixels] = deque(maxlen=LOOK_BACK + 1)
        self._thumbnail: NDArray[np.float32] | None = None
        self._shot = 0
        self._open: list[_Path] = []
        self._closed: list[_Path] = []

    def watch(self, frame: Pixels) -> None:
        """Take the next frame: uint8 (h, w, 3)."""
        longest = max(frame.shape[:2])
        self._scale = min(MOST_ENLARGED, FLOW_PX / longest) if longest < FLOW_PX else min(1.0, LARGE_PX / longest)
        size = [max(1, round(side * self._scale)) for side in frame.shape[1::-1]]
        seen = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if self._scale < 1 else cv2.INTER_LINEAR)
        grey = cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)
        number = self._count
        cut = self._is_cut(grey)
        if cut:
            self._shot = number
            self._past.clear()
            for path in self._open:
                path.hard_end = True
            self._close(self._open)
        elif self._open:
            self._close([path for path in self._open if not self._followed(path, grey)])
        self._past.append(grey)
        if cut or number % LOOK_EVERY == 0:
            self._look(number, seen)
            self._close([path for path in self._open if number - max(path.looks) > self._bridged])
        self._count += 1

    def tracks(self) -> list[Track]:
        """End all tracks; gives those that are more than a passing error."""
        for path in self._open:
            path.hard_end = True
        self._close(self._open)
        paths = [path for path in self._closed if len(path.looks) > 1 or path.end - path.start <= LOOK_EVERY]
        paths = _joined(sorted(paths, key=lambda path: path.start), self._bridged)
        return [self._smooth(path) for path in paths]

    def _is_cut(self, grey: Pixels) -> bool:
        thumbnail = cv2.resize(grey, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
        before, self._thumbnail = self._thumbnail, thumbnail
        if before is None:
            return True
        least, most = CUT
        one, other = thumbnail - thumbnail.mean(), before - before.mean()
        alike = float((one * other).sum() / (np.linalg.norm(one) * np.linalg.norm(other) + 1))
        return float(np.abs(thumbnail - before).mean()) > least and alike < most

    def _close(self, paths: Sequence[_Path]) -> None:
        for path in list(paths):
            self._open.remove(path)
            self._closed.append(path)

    def _followed(self, path: _Path, grey: Pixels) -> bool:
        step = _step(self._past[-1], grey, path.face_now().anchors)
        if step is not None:
            path.turns.append(step @ path.turns[-1])
        return step is not None

    def _look(self, number: int, seen: Pixels) -> None:
        """Look for faces: those of tracks confirm them, others begin new ones."""
        found = find(seen, SMALL_PX, LARGE_PX)
        known = list(self._open)
        for rank, face in enumerate(found):
            path = next((path for path in known if _same_place(path.face_now(), face)), None)
            if path is None:
                path = self._begun(number, face)
            else:
                known.remove(path)
            path.looks[number] = face
            path.ranks.append((len(found), rank))

    def _begun(self, number: int, face: Face) -> _Path:
        """Begin a track, and follow it back to where the cascades did not look."""
        steps = []
        anchors, later = face.anchors, self._past[-1]
        for earlier in list(self._past)[-2::-1]:
            step = _step(later, earlier, anchors)
            if step is None:
                break
            steps.append(step)
            anchors, later = _moved(anchors, step), earlier
        turns = [np.eye(3)]
        for step in reversed(steps):
            turns.append(np.linalg.inv(step) @ turns[-1])
        path = _Path(number - len(steps), turns, hard_start=number - len(steps) == self._shot)
        self._open.append(path)
        return path

    def _smooth(self, path: _Path) -> Track:
        """Average what was seen of the face, and let it fade where it was not confirmed any more, or not yet."""
        times = np.array(sorted(path.looks))
        origin = np.array(
            [_moved(path.looks[time].anchors, np.linalg.inv(path.turns[time - path.start])) for time in times]
        )
        usual = np.median(origin, axis=0)
        length = float(np.hypot(*(usual[1] - usual[0])))
        stray = np.abs(origin - usual).max(axis=(1, 2)) > STRAY * length
        reliable = np.where(stray, 1e-3, 1.0)
        anchors, shares = [], []
        end = path.end if path.hard_end else min(path.end, int(times[-1]) + FADE)
        for number in range(path.start, end):
            weight = reliable * np.exp(-0.5 * ((times - number) / self._sigma) ** 2) + 1e-9
            mean = (origin * weight[:, None, None]).sum(axis=0) / weight.sum()
            anchors.append(((_moved(mean, path.turns[number - path.start]) + 0.5) / self._scale) - 0.5)
            since = FADE if path.hard_start else number - path.start + 1
            left = FADE if path.hard_end else end - number
            shares.append(min(1.0, since / FADE, left / FADE))
        return Track(max(path.ranks, key=lambda rank: rank[0])[1], path.start, anchors, shares)


def _joined(paths: Sequence[_Path], bridged: int) -> list[_Path]:
    """Join paths that end and go on at nearly the same time and place: the face was out of sight for a moment."""
    joined: list[_Path] = []
    for path in paths:
        before = next((one for one in joined if _goes_on(one, path, bridged)), None)
        if before is None:
            joined.append(path)
            continue
        leap = _leap(before.face_now().anchors, path.anchors_at_start())
        base, missing = before.turns[-1], path.start - before.end + 1
        for part in range(1, missing):
            before.turns.append((np.eye(3) + (leap - np.eye(3)) * part / missing) @ base)
        before.turns.extend(turn @ leap @ base for turn in path.turns)
        before.looks.update(path.looks)
        before.ranks.extend(path.ranks)
        before.hard_end = path.hard_end
    return joined


def _goes_on(before: _Path, after: _Path, bridged: int) -> bool:
    if before.hard_end or after.hard_start or not 0 <= after.start - before.end <= bridged:
        return False
    return _same_place(before.face_now(), after.looks[min(after.looks)])


def _same_place(one: Face, other: Face) -> bool:
    """Tell whether two faces, found a moment apart, can be one."""
    apart = float(np.hypot(*np.subtract(one.middle, other.middle)))
    return apart < SAME_PLACE * max(one.size, other.size) and max(one.size, other.size) < 2 * min(one.size, other.size)


def _leap(old: Points, new: Points) -> NDArray[Any]:
    """Find shift, turn and scale from three points to three others: (3, 3)."""
    (x, y), (goal_x, goal_y) = (points.T for points in (old - old.mean(axis=0), new - new.mean(axis=0)))
    whole = (x**2 + y**2).sum()
    cosine, sine = (x * goal_x + y * goal_y).sum() / whole, (x * goal_y - y * goal_x).sum() / whole
    turn = np.array([(cosine, -sine), (sine, cosine)])
    return np.vstack([np.column_stack([turn, new.mean(axis=0) - turn @ old.mean(axis=0)]), (0, 0, 1)])


def _moved(points: Points, turn: NDArray[Any]) -> Points:
    moved: Points = points @ turn[:2, :2].T + turn[:2, 2]
    return moved


def _step(earlier: Pixels, later: Pixels, anchors: Points) -> NDArray[Any] | None:
    """Tell how a face moved from one grey frame to another: shift, turn and scale (3, 3); None where it is lost."""
    first, second = anchors[:2]
    across = second - first
    down = np.array((-across[1], across[0]))
    begin = (first + second) / 2 + GRID @ np.array([across, down])
    inside = ((begin >= 0) & (begin < earlier.shape[::-1])).all(axis=1)
    begin = begin[inside].astype(np.float32)[:, None]
    if len(begin) < LEAST_POINTS:
        return None
    there, good, _ = cv2.calcOpticalFlowPyrLK(earlier, later, begin, begin.copy())
    back, good_back, _ = cv2.calcOpticalFlowPyrLK(later, earlier, there, there.copy())
    kept = np.ravel(good).astype(bool) & np.ravel(good_back).astype(bool)
    kept &= np.abs(np.asarray(back) - begin).max(axis=(1, 2)) < BACK_AGAIN_PX
    if kept.sum() < max(LEAST_POINTS, LEAST_FOLLOWED * len(GRID)):
        return None
    step, agreeing = cv2.estimateAffinePartial2D(begin[kept], there[kept], ransacReprojThreshold=1.5)
    if step is None or agreeing.mean() < LEAST_FOLLOWED:
        return None
    scale = float(np.sqrt(np.linalg.det(step[:, :2])))
    return np.vstack([step, (0, 0, 1)]) if 1 / SUDDEN < scale < SUDDEN else None
