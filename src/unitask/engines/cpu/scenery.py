"""A picture as a scene with depth: a subject that stands before a wall, on a floor that leads to it.

The subject is cut out, and what it hides is completed; wall and floor are planes (Horry 1997, tour into the picture).
So what is near moves more than what is far when the camera goes, and nothing moves against each other when it turns.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu.camera import Matrix, Way
from unitask.engines.cpu.cutout import VAGUE_OUTLINE, doubts, matted, outlined
from unitask.engines.cpu.framing import Framed, completed
from unitask.engines.cpu.subject import find_subject
from unitask.kit.camera import STILL, Pose

Pixels = NDArray[Any]

LOOKED_AT_PX: Final = 400
"""Longest side of the copy on which the subject is looked for."""
SHARES: Final = (0.03, 0.7)
"""A subject that covers less or more of the picture than this is not believed."""
FLOOR_FROM: Final = 0.3
"""Where the floor meets the wall, as a share of the way from the middle of the frame to its lower edge."""
NEAREST: Final = 0.74
AFLOAT: Final = 0.86
"""Depth of the floor at the lower edge of the frame, and of a subject that does not reach down to the floor."""
CLOSED: Final = 0.035
SPREAD: Final = 0.008
"""By how much bays of the outline are closed, and how far round the subject the background is made anew, as shares of
the frame's width."""
COMPLETED_PX: Final = 480
FREE_FROM: Final = 0.25
"""How far from a part of its outline that is no edge the subject stands free, as a share of the picture."""
ROUNDS: Final = 3
"""How often the place that a ray meets is put right by the depth there."""
SAMPLES: Final = 13
HALVINGS: Final = 12
AIMS: Final = (1.0, 0.75, 0.5, 0.25, 0.0)
SLACK_PX: Final = 1.0
OPAQUE: Final = 255


class Scenery:
    """A framed picture to be filmed; `flat` says that no subject stands out in it, so that it is one plane."""

    def __init__(self, given: Framed, rng: np.random.Generator) -> None:
        self._given = given
        self._picture = given.picture
        self._high, self._wide = self._picture.shape[:2]
        found = _subject(given)
        self.flat = found is None
        self._back, self._front, self._depth = given.canvas, None, 1.0
        self._floor = np.array((0.0, 0.0, 1.0))
        self._nearness = np.ones((1, 1), np.float32)
        if found is not None:
            mask, free = found
            self._back, self._front = _layers(given.canvas, mask, self._wide, rng)
            self._floor = self._laid_floor()
            self._depth = self._depth_of(mask)
            self._nearness = self._nearness_of(free)
        rows, columns = np.indices((self._high, self._wide), np.float32)
        self._x = (columns + np.float32(0.5 - self._wide / 2)) / np.float32(self._wide)
        self._y = (rows + np.float32(0.5 - self._high / 2)) / np.float32(self._wide)

    def seen(self, view: Pose) -> Pixels:
        """Take a frame: uint8 (h, w, 3)."""
        if view == STILL:
            return self._picture.copy()
        back: Any = cv2.remap(
            self._back, *self._back_from(view, self._x, self._y), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
        )
        if self._front is None:
            return np.asarray(back, np.uint8)
        front: Any = cv2.remap(self._front, *self._front_from(view), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        free = cv2.merge([OPAQUE - front[..., 3]] * 3)
        shown: Any = cv2.add(cv2.multiply(back, free, scale=1 / OPAQUE), np.ascontiguousarray(front[..., :3]))
        return np.asarray(shown, np.uint8)

    def reachable(self, way: Way) -> Way:
        """Shorten a way until no frame shows what lies beyond the canvas, and none cuts a head off.

        A camera that comes nearer makes for the heads.
        """
        if way.goal.forward <= 0:
            return self._shortened(way)
        aimed = [way._replace(goal=self._aimed(way.goal, share)) for share in AIMS]
        return max((self._shortened(one) for one in aimed), key=lambda one: one.goal.forward)

    def _shortened(self, way: Way) -> Way:
        if self._holds(way):
            return way
        low, high = 0.0, 1.0
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._holds(way.times(middle)) else (low, middle)
        return way.times(low)

    def _aimed(self, goal: Pose, share: float) -> Pose:
        """Let the heads keep this share of their distance from the middle of the frame while the camera comes nearer.

        Without heads, it makes for the middle.
        """
        boxes = np.array(self._given.heads or [(0, 0, self._wide, self._high)])
        x, y = ((boxes[:, :2] + boxes[:, 2:]).mean(axis=0) / 2 - (self._wide / 2, self._high / 2)) / self._wide
        way = self._depth - share * (self._depth - goal.forward)
        return goal._replace(right=goal.right + float(x) * way, down=goal.down + float(y) * way)

    def _laid_floor(self) -> Matrix:
        """Give the floor as the plane of all points that this vector maps to 1."""
        lowest = self._high / self._wide / 2
        begin = FLOOR_FROM * lowest
        steep = (1 / NEAREST - 1) / (lowest - begin)
        return np.array((0.0, steep, 1 - steep * begin))

    def _depth_of(self, mask: Pixels) -> float:
        """Let the subject stand on the floor where its lowest point is."""
        in_frame = mask[self._given.frame]
        lowest = np.flatnonzero((in_frame > OPAQUE // 2).any(axis=1))[-1] + 1
        inverse = float(self._floor @ (0.0, (lowest - self._high / 2) / self._wide, 1.0))
        return AFLOAT if inverse < 1 / AFLOAT else 1 / inverse

    def _nearness_of(self, free: Pixels) -> Pixels:
        """Say how near the parts of the subject are, as 1 / depth, float32 (h, w) of the canvas.

        Where its outline is no edge of the picture, the subject lies on what is behind it, so that it does not tear.
        """
        top = self._given.frame[0].start
        y = (np.arange(free.shape[0], dtype=np.float32)[:, None] - top + 0.5 - self._high / 2) / self._wide
        behind = np.maximum(1, self._floor[1] * y + self._floor[2])
        return np.asarray(behind + free * (1 / self._depth - behind), np.float32)

    def _rays(self, view: Pose, x: Pixels, y: Pixels) -> tuple[Pixels, Pixels]:
        """Say how far aside and down the rays through these places of the frame go, for each step ahead."""
        across, down, ahead = (
            np.float32(row[0]) * x + np.float32(row[1]) * y + np.float32(row[2]) for row in view.turn()
        )
        return across / ahead, down / ahead

    def _met(self, view: Pose, rays: tuple[Pixels, Pixels], nearness: Pixels) -> tuple[Pixels, Pixels]:
        """Say from where in the canvas, column and row, come what the rays meet that is so near, 1 / depth."""
        ahead = 1 - np.float32(view.forward) * nearness
        top, left = (part.start for part in self._given.frame)
        columns = (np.float32(view.right) * nearness + ahead * rays[0]) * np.float32(self._wide)
        rows = (np.float32(view.down) * nearness + ahead * rays[1]) * np.float32(self._wide)
        return columns + np.float32(self._wide / 2 - 0.5 + left), rows + np.float32(self._high / 2 - 0.5 + top)

    def _back_from(self, view: Pose, x: Pixels, y: Pixels) -> tuple[Pixels, Pixels]:
        """Say from where in the canvas wall or floor come to these places in the frame."""
        rays = self._rays(view, x, y)
        nearness = np.ones_like(x)
        if not self.flat:
            # A ray meets the floor where the plane's equation holds, and the wall if that comes first.
            steep, level = self._floor[1:].astype(np.float32)
            place = np.array((view.right, view.down, view.forward))
            towards = steep * rays[1] + level
            met = np.float32(view.forward) + np.float32(1 - self._floor @ place) / np.maximum(towards, np.float32(1e-3))
            nearness = 1 / np.minimum(met, np.float32(1))
        return self._met(view, rays, nearness)

    def _front_from(self, view: Pose) -> tuple[Pixels, Pixels]:
        """Say from where in the canvas the subject comes to each place in the frame."""
        rays = self._rays(view, self._x, self._y)
        places = self._met(view, rays, np.full_like(self._x, 1 / self._depth))
        for _ in range(ROUNDS):
            near = cv2.remap(self._nearness, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            places = self._met(view, rays, np.asarray(near, np.float32))
        return places

    def _shown(self, view: Pose, points: Matrix) -> Matrix:
        """Say where in the frame points (n, 2) of the picture come to be that are as deep as the subject."""
        middle = np.array((self._wide / 2, self._high / 2))
        places = np.column_stack([(points - middle) / self._wide, np.ones(len(points))])
        seen = (places * self._depth - (view.right, view.down, view.forward)) @ view.turn()
        shown: Matrix = seen[:, :2] / seen[:, 2:] * self._wide + middle
        return shown

    def _holds(self, way: Way) -> bool:
        return all(self._shows_enough(way.at(number / (SAMPLES - 1))) for number in range(1, SAMPLES))

    def _shows_enough(self, view: Pose) -> bool:
        """Tell whether a frame shows nothing from beyond the canvas, and all of the heads."""
        rim = np.linspace(-0.5, 0.5, 5, dtype=np.float32)
        aspect = np.float32(self._high / self._wide)
        ends = np.full_like(rim, 0.5)
        x = np.concatenate([rim, rim, ends, -ends])
        y = np.concatenate([ends, -ends, rim, rim]) * aspect
        columns, rows = self._back_from(view, x, y)
        high, wide = self._given.canvas.shape[:2]
        if min(columns.min(), rows.min()) < -SLACK_PX or (columns > wide).any() or (rows > high).any():
            return False
        size = np.array((self._wide, self._high))
        for x0, y0, x1, y1 in self._given.heads:
            places = self._shown(view, np.array([(x, y) for x in (x0, x1) for y in (y0, y1)]))
            if places.min() < -SLACK_PX or (places > size + SLACK_PX).any():
                return False
        return True


def _subject(given: Framed) -> tuple[Pixels, Pixels] | None:
    """Mark the subject on the canvas, uint8 (h, w) of 0 to 255, if one stands out clearly enough to be cut out.

    Says too what of it stands free, float32 (h, w) of 0 to 1: less near a part of the outline that is no edge.
    """
    seen = given.canvas[given.known]
    scale = min(1.0, LOOKED_AT_PX / max(seen.shape[:2]))
    size = max(1, round(seen.shape[1] * scale)), max(1, round(seen.shape[0] * scale))
    small = cv2.resize(seen, size, interpolation=cv2.INTER_AREA)
    mask = find_subject(small)
    least, most = SHARES
    if not least <= mask.mean() <= most or any(doubts(small, mask)):
        return None
    solid = _closed(mask.astype(np.uint8) * OPAQUE)
    free = _free(small, solid > OPAQUE // 2)
    rows, columns = given.known
    high, wide = given.canvas.shape[:2]
    beyond = (rows.start, high - rows.stop), (columns.start, wide - columns.stop)
    on_canvas, free_there = (
        np.pad(cv2.resize(one, seen.shape[1::-1], interpolation=cv2.INTER_LINEAR), beyond, mode="edge")
        for one in (solid, free)
    )
    if (on_canvas[given.frame] > OPAQUE // 2).mean() < least:
        return None
    return on_canvas, free_there


def _free(small: Pixels, mask: Pixels) -> Pixels:
    """Say what of a subject stands free: not what is near an outline without edge; less if there is much of it."""
    outline, alike = outlined(small, mask)
    if not alike.any():
        return np.ones(mask.shape, np.float32)
    away = cv2.distanceTransform((~alike).astype(np.uint8), cv2.DIST_L2, 5) / (FREE_FROM * max(mask.shape))
    trust = max(0.0, 1 - float(alike.sum() / outline.sum()) / VAGUE_OUTLINE)
    smooth = cv2.GaussianBlur(np.clip(away, 0, 1).astype(np.float32), (0, 0), FREE_FROM / 5 * max(mask.shape))
    return np.asarray(trust * smooth, np.float32)


def _closed(mask: Pixels) -> Pixels:
    """Close bays and holes: a piece of wall that goes along with the subject is seen less than one of it that stays."""
    across = 2 * max(1, round(CLOSED * max(mask.shape))) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (across, across))
    padded = np.pad(mask, across, mode="edge")
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)[across:-across, across:-across].copy()
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled: Pixels = cv2.drawContours(closed, outlines, -1, (OPAQUE,), cv2.FILLED)
    return filled


def _layers(canvas: Pixels, mask: Pixels, width: int, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """Part a canvas into background, uint8 (h, w, 3), and subject, uint8 (h, w, 4), whose colours are times its alpha.

    One over the other they are the canvas.
    """
    alpha = matted(canvas, mask, max(2, round(width * 0.004)))[..., 3]
    reach = 2 * max(1, round(SPREAD * width)) + 1
    hole = cv2.dilate((alpha > 0).astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    filled = completed(canvas, hole, COMPLETED_PX, rng)
    # The seam is blurred away, but not where the canvas shows the subject.
    soft = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), reach / 4)
    share = np.where(alpha > 0, 1.0, np.clip(2 * soft - 0.5, 0, 1)).astype(np.float32)
    back = cv2.blendLinear(filled, canvas, share, 1 - share)
    kept = alpha.astype(np.float32)[..., None] / OPAQUE
    colours = np.clip(canvas - (1 - kept) * back + 0.5, 0, kept * OPAQUE)
    return np.asarray(back, np.uint8), np.dstack([colours.astype(np.uint8), alpha])
