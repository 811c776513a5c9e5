"""Filling a hole in a picture with what the rest of it looks like.

Patches round and in the hole are matched with patches of the picture (PatchMatch, Barnes 2009), and every pixel becomes
the mean of what the matches propose (Wexler 2007), from a coarse copy to finer ones. A patch is told by its lowest
frequencies (discrete cosine transform), so that comparing two takes sixteen numbers instead of 147, and by where it
lies and what it belongs to: skies are filled with sky, lawns with lawn, and neither with a piece of the subject.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]

REACH: Final = 3
"""A patch has this many pixels on each side of its middle."""
COARSEST_PX: Final = 80
ROUNDS: Final = (8, 6, 4, 3, 2)
"""How often matches and pixels are improved in turn: on the coarsest copy, on the next ones, and on all others."""
SEARCHED_PX: Final = 400_000
"""On copies with a larger hole, matches are refined near where they are, not looked for anew."""
LEAST_SOURCES: Final = 30
TRUST: Final = 1.25
"""By which factor a pixel says less with each pixel that it lies deeper in the hole."""
SPREADS: Final = (2.0, 8.0, 32.0, 128.0)
SOFT: Final = 1.0
SHARP: Final = 0.03
SHARP_LEVELS: Final = 2
"""How unlike a match may be and still have a say: a mean of many is steady; a mean of few, at last on so many of the
finest copies, keeps details."""
SAME_HEIGHT: Final = 80.0
SAME_SIDE: Final = 45.0
"""How much it counts that a match lies as high, and as far aside, as what it is to fill."""
OTHER_KIND: Final = 150.0
"""How much it counts that a match belongs to a thing, and what it is to fill does not, or the other way round."""
Report = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Guide:
    """What is known of the picture.

    `belongs`: how much each place is part of a thing, or in the hole should become one, 0 to 1, float32 (h, w).
    `barred`: what must not be copied, bool (h, w).
    """

    belongs: Pixels
    barred: Pixels


@dataclass(slots=True)
class _Level:
    """A copy of the picture, float32 (h, w, 3) in Lab, its hole, bool (h, w), and `Guide`'s planes."""

    lab: Pixels
    hole: Pixels
    belongs: Pixels
    barred: Pixels


def fill(rgb: Pixels, hole: Pixels, rng: np.random.Generator, report: Report, guide: Guide | None = None) -> Pixels:
    """Fill the hole, bool (h, w), of a picture, uint8 (h, w, 3); what is not hole stays.

    Returns float32 RGB in 0..255.
    """
    lab = _lab(rgb)
    nothing = np.zeros(hole.shape, np.float32)
    guide = guide or Guide(nothing, nothing > 0)
    levels = [_Level(lab, hole, guide.belongs, guide.barred)]
    while min(levels[-1].hole.shape) > COARSEST_PX and levels[-1].hole.any():
        levels.append(_halved(levels[-1]))
    current, places = levels[-1].lab, None
    for number, level in enumerate(reversed(levels)):
        size = level.hole.shape[::-1]
        begin = cv2.resize(current, size, interpolation=cv2.INTER_CUBIC) if number else _smeared(level)
        current = np.where(level.hole[..., None], begin, level.lab).astype(np.float32)
        rounds = ROUNDS[min(number, len(ROUNDS) - 1)]
        tolerance = SHARP if number >= len(levels) - SHARP_LEVELS else SOFT
        current, places = _matched(current, level, places, (rounds, tolerance), rng)
        report((number + 1) / len(levels))
    filled: Pixels = cv2.cvtColor(current, cv2.COLOR_LAB2RGB) * 255
    return np.where(hole[..., None], filled, rgb).astype(np.float32)


def _lab(rgb: Pixels) -> Pixels:
    lab: Pixels = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab


def _halved(level: _Level) -> _Level:
    size = [max(1, side // 2) for side in level.hole.shape[::-1]]
    known = (~level.hole).astype(np.float32)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    colours = cv2.resize(level.lab * known[..., None], size, interpolation=cv2.INTER_AREA)
    belongs = cv2.resize(level.belongs, size, interpolation=cv2.INTER_AREA)
    barred = cv2.resize(level.barred.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    mean = colours / np.maximum(share, 1e-3)[..., None]
    return _Level(mean, share < 0.5, belongs, barred)  # noqa: PLR2004 - more hole than not


def _smeared(level: _Level) -> Pixels:
    """Let the colours round the hole run into it."""
    known = (~level.hole).astype(np.float32)
    total: Pixels = np.zeros_like(level.lab)
    weight: Pixels = np.full(known.shape, 1e-9, np.float32)
    for spread in SPREADS:
        total += cv2.GaussianBlur(level.lab * known[..., None], (0, 0), spread) / spread**4
        weight += cv2.GaussianBlur(known, (0, 0), spread) / spread**4
    smooth: Pixels = total / weight[..., None]
    return smooth


def _matched(
    lab: Pixels, level: _Level, coarse: Pixels | None, how: tuple[int, float], rng: np.random.Generator
) -> tuple[Pixels, Pixels | None]:
    """Improve matches and pixels in turn: `how` often, and with which tolerance at last.

    Gives the picture, and the row and column that each pixel was matched to, (h, w, 2).
    """
    match = _Matching(level, rng)
    if not match.possible:
        return lab, None
    match.begin(coarse)
    rounds, tolerance = how
    for number in range(rounds):
        match.improve(lab)
        lab = match.voted(lab, tolerance if number == rounds - 1 else SOFT)
    return lab, match.places()


class _Matching:
    """Which patch of the picture each patch at the hole is most like. Places are numbered row by row."""

    def __init__(self, level: _Level, rng: np.random.Generator) -> None:
        hole = level.hole
        self._rng = rng
        self._belongs = level.belongs
        self._shape = hole.shape
        self._high, self._wide = hole.shape
        kernel = np.ones((2 * REACH + 1,) * 2, np.uint8)
        self._source = _whole(hole | level.barred, kernel)
        if self._source.sum() < LEAST_SOURCES:
            self._source = _whole(hole, kernel)
        self._sources = np.flatnonzero(self._source)
        self.possible = len(self._sources) >= LEAST_SOURCES and bool(hole.any())
        self._hole = np.flatnonzero(hole)
        self._targets = np.flatnonzero(cv2.dilate(hole.astype(np.uint8), kernel))
        self._anew = len(self._targets) <= SEARCHED_PX
        depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3).ravel()[self._targets]
        self._trust = TRUST ** -np.minimum(depth, 60)
        self._match = np.arange(hole.size)
        self._far = np.zeros(len(self._targets), np.float32)

    def begin(self, coarse: Pixels | None) -> None:
        """Begin with the matches of the coarser copy, or anywhere."""
        self._match[self._targets] = self._sources[self._rng.integers(0, len(self._sources), len(self._targets))]
        if coarse is None:
            return
        rows, columns = np.divmod(self._targets, self._wide)
        high, wide = coarse.shape[:2]
        old_row, old_column = (
            np.minimum(rows * high // self._high, high - 1),
            np.minimum(columns * wide // self._wide, wide - 1),
        )
        shift = coarse[old_row, old_column] - np.stack([old_row, old_column], axis=1)
        ratio = self._high / high, self._wide / wide
        row = rows + np.round(shift[:, 0] * ratio[0]).astype(int)
        column = columns + np.round(shift[:, 1] * ratio[1]).astype(int)
        place, good = self._at(row, column)
        self._match[self._targets[good]] = place[good]

    def improve(self, lab: Pixels) -> None:
        """Try what the neighbours found, and places near what was found, ever nearer."""
        features = _features(lab, self._belongs)
        wanted = features[self._targets]
        self._far = self._distance(features, wanted, self._match[self._targets])
        rows, columns = np.divmod(self._targets, self._wide)
        for down, aside in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            for step in (1, 4) if self._anew else (1,):
                down_by, aside_by = down * step, aside * step
                beside, _ = self._at(rows - down_by, columns - aside_by, anywhere=True)
                row, column = np.divmod(self._match[beside], self._wide)
                self._try(features, wanted, row + down_by, column + aside_by)
        reach = max(self._shape) / 2 if self._anew else 4.0
        while reach >= 1:
            row, column = np.divmod(self._match[self._targets], self._wide)
            jump = np.round(self._rng.uniform(-reach, reach, (2, len(row)))).astype(int)
            self._try(features, wanted, row + jump[0], column + jump[1])
            reach /= 2.5

    def voted(self, lab: Pixels, tolerance: float) -> Pixels:
        """Give each pixel of the hole the mean of what the patches over it were matched to, the best ones above all."""
        spread = tolerance * float(np.percentile(self._far, 75)) + 1e-3
        weight = np.zeros(self._high * self._wide, np.float32)
        weight[self._targets] = np.exp(-self._far / (2 * spread)) * self._trust + 1e-9
        flat = lab.reshape(-1, 3)
        rows, columns = np.divmod(self._hole, self._wide)
        total, weights = np.zeros((len(self._hole), 3), np.float32), np.full(len(self._hole), 1e-12, np.float32)
        for down in range(-REACH, REACH + 1, 2):
            for aside in range(-REACH, REACH + 1, 2):
                middle, good = self._at(rows - down, columns - aside, anywhere=True)
                say = np.where(good, weight[middle], 0)
                proposed = np.where(say > 0, self._match[middle] + down * self._wide + aside, 0)
                total += flat[proposed] * say[:, None]
                weights += say
        result = flat.copy()
        result[self._hole] = total / weights[:, None]
        return result.reshape(lab.shape)

    def places(self) -> Pixels:
        """Give the row and column of each pixel's match: (h, w, 2)."""
        return np.stack(np.divmod(self._match, self._wide), axis=-1).reshape(*self._shape, 2)

    def _at(self, row: Pixels, column: Pixels, *, anywhere: bool = False) -> tuple[Pixels, Pixels]:
        """Give the numbers of places; says which are in the picture and, unless `anywhere`, may be copied from."""
        good = (row >= 0) & (row < self._high) & (column >= 0) & (column < self._wide)
        place = np.where(good, row * self._wide + column, 0)
        return place, good if anywhere else good & self._source[place]

    def _try(self, features: Pixels, wanted: Pixels, row: Pixels, column: Pixels) -> None:
        place, good = self._at(row, column)
        which = np.flatnonzero(good & (place != self._match[self._targets]))
        far = self._distance(features, wanted[which], place[which])
        better = far < self._far[which]
        chosen = which[better]
        self._match[self._targets[chosen]] = place[chosen]
        self._far[chosen] = far[better]

    @staticmethod
    def _distance(features: Pixels, wanted: Pixels, places: Pixels) -> Pixels:
        off = features[places]
        off -= wanted
        far: Pixels = np.einsum("ij,ij->i", off, off)
        return far


def _whole(not_this: Pixels, kernel: Pixels) -> Pixels:
    """Mark the middles of patches that have nothing of `not_this`: bool (h * w,)."""
    whole = cv2.erode((~not_this).astype(np.uint8), kernel, borderValue=0)
    whole[:REACH] = whole[-REACH:] = 0
    whole[:, :REACH] = whole[:, -REACH:] = 0
    return np.asarray(whole.ravel() > 0)


def _features(lab: Pixels, belongs: Pixels) -> Pixels:
    """Tell each patch by ten numbers of its lightness, three of each colour, its place and what it belongs to.

    Gives float32 (h * w, 19).
    """
    side = 2 * REACH + 1
    place = (np.arange(side) + 0.5) * np.pi / side
    waves = [np.cos(order * place) * np.sqrt((2 if order else 1) / side) for order in range(4)]
    wanted = [(0, across, down) for across in range(4) for down in range(4 - across)]
    wanted += [(channel, across, down) for channel in (1, 2) for across, down in ((0, 0), (0, 1), (1, 0))]
    planes = cv2.split(lab)
    features = np.empty((*lab.shape[:2], len(wanted) + 3), np.float32)
    for number, (channel, across, down) in enumerate(wanted):
        features[..., number] = cv2.sepFilter2D(planes[channel], cv2.CV_32F, waves[across], waves[down])
    rows, columns = np.indices(lab.shape[:2], np.float32)
    features[..., -3] = rows * SAME_HEIGHT / lab.shape[0]
    features[..., -2] = columns * SAME_SIDE / lab.shape[1]
    features[..., -1] = belongs * OTHER_KIND
    return features.reshape(-1, features.shape[2])
