"""One picture that passes into another: what both show is moved from where it was to where it comes to be.

First a shift, turn and scale, from the eyes of a face in both or else from matching details (SIFT, Lowe 2004); then
optical flow both ways (dense inverse search, Kroeger 2016), as far as the two agree. What has no counterpart is faded,
and nothing is invented.
"""

from math import atan2, cos, hypot, log, sin
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu.camera import Matrix
from unitask.engines.cpu.faces import find
from unitask.spec.faces import largest

Pixels = NDArray[Any]

WORK_PX: Final = 512
"""Longest side of the copies that are compared."""
FADING: Final = (0.15, 0.95)
"""From when to when one picture gives way to the other."""
FEATURES: Final = 1500
CLEARLY: Final = 0.75
"""How much nearer the best match of a detail must be than the next one."""
LEAST_MATCHES: Final = 20
LEAST_AGREEING: Final = 0.4
STRAY_MATCH: Final = 0.01
MOST_SCALE: Final = 2.5
MOST_FACE_SCALE: Final = 6.0
MOST_TURN: Final = 0.8
STRAY_PX: Final = 1.5
STRAY_SHARE: Final = 0.1
UNLIKE: Final = 30.0
"""Where following the flow there and back ends farther away than this, or at another lightness, it is not believed."""
LEAST_TRUST: Final = 0.3
ROUNDS: Final = 3
LEAST_FLOW_PX: Final = 32
"""The search for the flow wants pictures of some size."""
RIM: Final = 0.18
"""Over which share of its width a picture thins out towards its edge, so that its edge is not seen as it moves."""
FADES: Final = "the two pictures have little in common: one fades into the other"


class Passing:
    """How `first` becomes `last`, both uint8 (h, w, 3) of one size; `fades` warns where they do so by fading alone."""

    def __init__(self, first: Pixels, last: Pixels) -> None:
        self._last = last
        self._high, self._wide = last.shape[:2]
        found = _by_faces(first, last)
        if found is None:
            found = _by_details(first, last)
        self._turn = np.eye(3) if found is None else found
        self._there, self._back, trust = self._flows(first)
        self.fades = FADES if found is None and trust < LEAST_TRUST else ""
        rows_and_columns: Pixels = np.indices(last.shape[:2], np.float32)
        self._places = rows_and_columns[::-1]

    def at(self, first: Pixels, share: float) -> Pixels:
        """Give the frame when this share of the way, 0 to 1, is done; `first` may move a little meanwhile."""
        if share <= 0:
            return first
        if share >= 1:
            return self._last
        gone = _step(share, 0.0, 1.0)
        shown = _step(share, *FADING)
        x, y = self._in_last(gone)
        ours = _carried(np.linalg.inv(self._turn), *_followed(x, y, self._there, gone))
        theirs = _followed(x, y, self._back, 1 - gone)
        weights = [
            amount * (self._inside(*places) + np.float32(1e-3))
            for amount, places in ((1 - shown, ours), (shown, theirs))
        ]
        total = weights[0] + weights[1]
        pictures = [
            cv2.remap(picture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
            for picture, places in ((first, ours), (self._last, theirs))
        ]
        mixed: Any = cv2.blendLinear(pictures[0], pictures[1], weights[0] / total, weights[1] / total)
        return np.asarray(mixed, np.uint8)

    def _in_last(self, gone: float) -> tuple[Pixels, Pixels]:
        """Say where the places of the frame lie in the last picture, when so much of shift, turn and scale is done."""
        back = self._turn @ np.linalg.inv(_part(self._turn, gone, (self._wide / 2, self._high / 2)))
        return _carried(back, *self._places)

    def _inside(self, x: Pixels, y: Pixels) -> Pixels:
        """Tell what lies within a picture, 0 to 1, less and less towards its edge."""
        rim = np.float32(RIM * self._wide)
        far = np.minimum(np.minimum(x, self._wide - 1 - x), np.minimum(y, self._high - 1 - y))
        inside: Pixels = np.clip(far / rim, 0, 1)
        return inside

    def _flows(self, first: Pixels) -> tuple[Pixels, Pixels, float]:
        """Follow what moves beyond the turn, both float32 (h, w, 2): from the first picture to the last, and back.

        Says too how far both agree, 0 to 1.
        """
        size = self._wide, self._high
        turned = cv2.warpAffine(first, self._turn[:2], size, borderMode=cv2.BORDER_REFLECT_101)
        scale = min(1.0, WORK_PX / max(size))
        work = max(1, round(self._wide * scale)), max(1, round(self._high * scale))
        begin, end = (
            cv2.cvtColor(cv2.resize(one, work, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
            for one in (turned, self._last)
        )
        there, back = flow(begin, end), flow(end, begin)
        trusts = agreement(there, back, begin, end), agreement(back, there, end, begin)
        trust = float(np.mean(trusts))
        if trust < LEAST_TRUST:
            still = np.zeros((self._high, self._wide, 2), np.float32)
            return still, still, trust
        blur = max(1.0, max(work) / 60)
        flows = []
        for motion, sure in zip((there, back), trusts, strict=True):
            # Where the flow is not believed, it goes on as around.
            weight = cv2.GaussianBlur(sure, (0, 0), blur) + 1e-3
            smooth = cv2.GaussianBlur(motion * sure[..., None], (0, 0), blur) / weight[..., None]
            kept = sure[..., None] * motion + (1 - sure[..., None]) * smooth * np.minimum(1, 4 * weight)[..., None]
            flows.append(cv2.resize(kept, size, interpolation=cv2.INTER_LINEAR) / np.float32(scale))
        return flows[0], flows[1], trust


def flow(begin: Pixels, end: Pixels) -> Pixels:
    """Tell where each pixel of one grey picture went in another: float32 (h, w, 2)."""
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    if min(begin.shape) < LEAST_FLOW_PX:
        return np.zeros((*begin.shape, 2), np.float32)
    return np.asarray(search.calc(begin, end, np.zeros((*begin.shape, 2), np.float32)), np.float32)


def agreement(there: Pixels, back: Pixels, begin: Pixels, end: Pixels) -> Pixels:
    """Say how far a flow is to be believed, float32 (h, w): it leads back to where it began, and to the same grey."""
    rows, columns = np.indices(begin.shape, np.float32)
    x, y = columns + there[..., 0], rows + there[..., 1]
    returned = cv2.remap(back, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    off = np.hypot(*np.moveaxis(there + returned, 2, 0))
    allowed = STRAY_PX + STRAY_SHARE * np.hypot(there[..., 0], there[..., 1])
    unlike = np.abs(begin - cv2.remap(end.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
    unlike = cv2.GaussianBlur(unlike.astype(np.float32), (0, 0), 2)
    return np.asarray(np.exp(-((off / allowed) ** 2) - (unlike / UNLIKE) ** 2), np.float32)


def _followed(x: Pixels, y: Pixels, motion: Pixels, share: float) -> tuple[Pixels, Pixels]:
    """Say from where something came that has gone this share of its motion and is here now."""
    from_x, from_y = x, y
    for _ in range(ROUNDS):
        step = cv2.remap(motion, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        from_x, from_y = x - np.float32(share) * step[..., 0], y - np.float32(share) * step[..., 1]
    return from_x, from_y


def _carried(matrix: Pixels, x: Pixels, y: Pixels) -> tuple[Pixels, Pixels]:
    """Apply an affine matrix, (3, 3), to places."""
    across, down = matrix[:2].astype(np.float32)
    return across[0] * x + across[1] * y + across[2], down[0] * x + down[1] * y + down[2]


def _by_faces(first: Pixels, last: Pixels) -> Matrix | None:
    """Lay the eyes of the largest face onto those of the other."""
    faces = [find(picture) for picture in (first, last)]
    if not all(faces):
        return None
    (left, right), (other_left, other_right) = (largest(found).anchors[:2] for found in faces)
    across, goal = complex(*(right - left)), complex(*(other_right - other_left))
    ratio = goal / across
    if not 1 / MOST_FACE_SCALE < abs(ratio) < MOST_FACE_SCALE:
        return None
    turn = np.array([[ratio.real, -ratio.imag, 0], [ratio.imag, ratio.real, 0], [0, 0, 1]])
    middle, goal_middle = (left + right) / 2, (other_left + other_right) / 2
    turn[:2, 2] = goal_middle - turn[:2, :2] @ middle
    return turn


def _by_details(first: Pixels, last: Pixels) -> Matrix | None:
    """Find the shift, turn and scale on which most details agree that both pictures show."""
    sift = cv2.SIFT.create(nfeatures=FEATURES)
    seen = [sift.detectAndCompute(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), None) for one in (first, last)]
    (places, texts), (other_places, other_texts) = seen
    if min(len(places), len(other_places)) < LEAST_MATCHES:
        return None
    pairs = cv2.BFMatcher().knnMatch(texts, other_texts, k=2)
    good = [pair[0] for pair in pairs if len(pair) > 1 and pair[0].distance < CLEARLY * pair[1].distance]
    if len(good) < LEAST_MATCHES:
        return None
    begin = np.array([places[one.queryIdx].pt for one in good], np.float32)
    end = np.array([other_places[one.trainIdx].pt for one in good], np.float32)
    cv2.setRNGSeed(1)
    turned: Any = cv2.estimateAffinePartial2D(begin, end, ransacReprojThreshold=STRAY_MATCH * max(first.shape))
    found, agreeing = turned
    if found is None or agreeing.sum() < max(LEAST_MATCHES, LEAST_AGREEING * len(good)):
        return None
    scale = hypot(found[0, 0], found[1, 0])
    if not 1 / MOST_SCALE < scale < MOST_SCALE or abs(atan2(found[1, 0], found[0, 0])) > MOST_TURN:
        return None
    return np.vstack([found, (0, 0, 1)])


def _part(turn: Matrix, share: float, middle: tuple[float, float]) -> Matrix:
    """Do this share of a shift, turn and scale."""
    scale, angle = hypot(turn[0, 0], turn[1, 0]), atan2(turn[1, 0], turn[0, 0])
    size, turned = np.exp(share * log(scale)), share * angle
    part = np.array(
        [[size * cos(turned), -size * sin(turned), 0], [size * sin(turned), size * cos(turned), 0], [0, 0, 1]]
    )
    centre = np.array(middle)
    goal = turn[:2, :2] @ centre + turn[:2, 2]
    part[:2, 2] = centre + share * (goal - centre) - part[:2, :2] @ centre
    return part


def _step(value: float, low: float, high: float) -> float:
    """Go softly from 0 at `low` to 1 at `high`."""
    gone = min(1.0, max(0.0, (value - low) / (high - low)))
    return gone * gone * (3 - 2 * gone)
