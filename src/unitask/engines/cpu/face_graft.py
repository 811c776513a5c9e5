"""One face laid onto another so that skin goes over into skin.

    place     an affine map takes the donor's eyes and mouth to those of the target
    area      an egg round brows and chin; above the brows and at the temples only where both have skin: hair stays
    colour    mean and spread of the skin in Lab (Reinhard 2001), then the light from place to place: differences at
              the rim, where it is skin, are carried inwards as smoothly as can be. That is gradient-domain blending
              (Perez 2003, as a membrane: Farbman 2009), and what is no skin at the rim, glasses or hair, has no say
    edge      feathered

All but the donor's pixels is worked out on a small canvas on which the target's eyes have a fixed place; a video keeps
what it found there from frame to frame, so that nothing flickers.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from unitask.engines.cpu.faces import Face, Points, steady

Pixels = NDArray[Any]
Floats = NDArray[Any]

CANVAS: Final = (-1.3, 1.3, -1.4, 2.0)
"""Left, right, top and bottom of the canvas, from the middle of the eyes, in distances between the eyes."""
LEAST_PX: Final = 24.0
MOST_PX: Final = 160.0
"""Pixels between the eyes on the canvas, at least and at most, where no number is given."""
EGG: Final = (1.0, -1.05, 0.54)
"""Half its width; its top from the eyes, its bottom from the mouth."""
CORE: Final = (0.9, -0.58, 0.4)
DONOR_CORE: Final = (0.76, -0.58, 0.4)
"""The same of the part that changes whatever is there, and that is taken whatever it is: brows, eyes, nose, mouth."""
CHEEKS: Final = (0.62, 0.22, 0.2)
"""Half the width of where skin is surely found; its top from the eyes, its bottom above the mouth."""
SKIN_SPREAD: Final = ((7.0, 2.5, 2.5), (18.0, 7.0, 8.0))
SKIN_REACH: Final = (2.2, 3.6)
"""Standard deviations of skin in Lab, at least and at most; within how many of them a pixel is skin, beyond how many it
is not."""
CONTRAST: Final = (0.75, 1.2)
TINT: Final = (0.5, 1.15)
"""How much less or more contrast, and colour, a donor's face may be given."""
HUE: Final = 0.17
"""By which angle its hue may be turned, in radians: a turn that suits skin makes lips purple."""
NOT_SKIN: Final = 0.4
"""How much of the tint of the light lips, teeth and eyes get."""
RIM: Final = (0.03, 0.6)
"""Where the feathered edge says what light there is: shares of the donor, from and to."""
INSIDE: Final = 0.03
"""How much differences within the face say about the light, measured by those at its rim."""
FEATHER: Final = 0.055
KEPT: Final = 0.6
"""Share of what the frame before found that goes into the next."""
SHARPER: Final = 1.25
MOST_BLUR: Final = 0.8
LIGHT_PX: Final = 24.0
"""Pixels between the eyes where the light is worked out: it has no details."""
SHRUNK: Final = 0.7
"""What shrinks more than this is smoothed before; for less, interpolation does."""
COARSEST_PX: Final = 4
HALF: Final = 0.5


@dataclass(frozen=True, slots=True)
class Donor:
    """A face to be laid on: the part of its picture that shows it, uint8 (h, w, 3), and its anchors there."""

    rgb: Pixels
    anchors: Floats

    @classmethod
    def of(cls, rgb: Pixels, face: Face) -> Self:
        """Cut it out of a picture, uint8 (h, w, 3)."""
        anchors = steady(face.anchors)
        reach = 2.2 * float(np.hypot(*(anchors[1] - anchors[0])))
        middle = anchors[:2].mean(axis=0) + np.array((0, 0.15 * reach))
        left, top = (int(max(0, edge)) for edge in middle - reach)
        right, bottom = (int(edge) + 1 for edge in middle + reach)
        return cls(np.ascontiguousarray(rgb[top:bottom, left:right]), anchors - np.array((left, top), np.float32))

    def scaled(self, scale: float) -> Self:
        """Make a copy that may be shrunk by `scale` without losing pixels on the way."""
        if scale > SHRUNK:
            return self
        size = [max(1, round(side * scale)) for side in self.rgb.shape[1::-1]]
        by = np.array(size, np.float32) / self.rgb.shape[1::-1]
        reduced = cv2.resize(self.rgb, size, interpolation=cv2.INTER_AREA)
        return type(self)(reduced, np.asarray((self.anchors + HALF) * by - HALF, np.float32))


@dataclass(frozen=True, slots=True)
class Found:
    """What the canvas told: colours for `_recoloured`, the light and the area (h, w, ...), and a blur in its pixels."""

    colours: Floats
    light: Floats
    area: Floats
    blur: float

    def after(self, before: "Found") -> "Found":
        """Keep most of what the frame before told."""
        pairs = (before.colours, self.colours), (before.light, self.light), (before.area, self.area)
        colours, light, area = (KEPT * old + (1 - KEPT) * new for old, new in pairs)
        return Found(colours, light, area, KEPT * before.blur + (1 - KEPT) * self.blur)


def lay(
    picture: Pixels, anchors: Points, donor: Donor, *, unit: float = 0, share: float = 1.0, before: Found | None = None
) -> Found:
    """Lay the donor's face onto the one with these anchors, in place: uint8 (h, w, 3).

    `share` below 1 fades it. A video hands in what it was told at the frame `before`, and the same `unit` for all of
    them: how many pixels lie between the eyes on the canvas.
    """
    canvas = _Canvas(anchors, unit)
    onto = cv2.getAffineTransform(donor.anchors, canvas.goal)
    donor = donor.scaled(float(np.sqrt(abs(np.linalg.det(onto[:, :2])))))
    found = _Match(canvas, canvas.target(picture), *canvas.donor(donor)).found()
    if before is not None:
        found = found.after(before)
    _compose(picture, canvas, donor, found, share)
    return found


class _Canvas:
    """A small upright picture of the target's face: `turn` leads from the target to it."""

    def __init__(self, anchors: Points, unit: float) -> None:
        self.goal = steady(anchors)
        first, second = self.goal[0].astype(np.float64), self.goal[1].astype(np.float64)
        across, middle = second - first, (first + second) / 2
        length = float(np.hypot(*across))
        self.unit = unit or min(max(length, LEAST_PX), MOST_PX)
        self.scale = self.unit / length
        left, right, top, bottom = CANVAS
        self.size = round((right - left) * self.unit), round((bottom - top) * self.unit)
        cosine, sine = across / length * self.scale
        rotation = np.array([(cosine, sine), (-sine, cosine)])
        self.turn = np.column_stack([rotation, np.array((-left, -top)) * self.unit - rotation @ middle])
        self.anchors = (self.goal @ rotation.T + self.turn[:, 2]).astype(np.float32)

    def target(self, picture: Pixels) -> Floats:
        """Draw the target, in Lab."""
        low, high = self.window(picture.shape)
        part = picture[low[1] : high[1], low[0] : high[0]]
        turn = np.column_stack([self.turn[:, :2], self.turn[:, 2] + self.turn[:, :2] @ low])
        if self.scale < SHRUNK:
            part = cv2.GaussianBlur(part, (0, 0), 0.4 / self.scale)
        return _lab(cv2.warpAffine(part, turn, self.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))

    def donor(self, donor: "Donor") -> tuple[Floats, Floats]:
        """Draw the donor, in Lab; says too where there is some of its picture, 0 to 1."""
        onto = cv2.getAffineTransform(donor.anchors, self.anchors)
        given = cv2.warpAffine(donor.rgb, onto, self.size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return _lab(given), cv2.warpAffine(np.ones(donor.rgb.shape[:2], np.float32), onto, self.size)

    def window(self, shape: tuple[int, ...]) -> tuple[Pixels, Pixels]:
        """Give the corners, (x, y), of the part of a picture that the canvas shows."""
        wide, high = self.size
        corners = cv2.invertAffineTransform(self.turn) @ np.array([(0, wide, 0, wide), (0, 0, high, high), (1,) * 4])
        limit = np.array(shape[1::-1])
        low = np.clip(np.floor(corners.min(axis=1)).astype(int), 0, limit - 1)
        return low, np.clip(np.ceil(corners.max(axis=1)).astype(int) + 1, low + 1, limit)


def _lab(rgb: Pixels) -> Floats:
    lab: Floats = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return lab


class _Match:
    """What the canvas says about a donor and a target: both float32 Lab (h, w, 3)."""

    def __init__(self, canvas: _Canvas, under: Floats, given: Floats, whole: Floats) -> None:
        self._under, self._given, self._unit = under, given, canvas.unit
        rows, columns = np.indices(under.shape[:2], np.float32)
        aside, self._depth = (float(mouth) for mouth in canvas.anchors[2] / canvas.unit + np.array(CANVAS[::2]))
        self._y = rows / canvas.unit + CANVAS[2]
        # The chin lies below the mouth also where a head is turned a little.
        self._x = columns / canvas.unit + CANVAS[0] - 0.5 * aside * np.clip(self._y / self._depth, 0, 1)
        self._skin = _skin(under, self._cheeks()), _skin(given, self._cheeks())
        self._whole = whole
        self.area = self._area()
        self.colours = self._colours()

    def found(self) -> Found:
        """Give all of it."""
        return Found(self.colours, self._light(), self.area, self._blur())

    def _inside(self, half: float, top: float, bottom: float) -> Floats:
        """Distance within an egg from its top to its bottom: 1 in the middle, 0 on the line."""
        high = (bottom - top) / 2
        y = (self._y - top - high) / high
        x = np.abs(self._x) / (half * (1 - 0.14 * np.clip(y, 0, 1)))
        # Jaws are squarer than foreheads.
        power = np.where(y > 0, 2.6, 2.0)
        return np.asarray(1 - (x**power + np.abs(y) ** power) ** (1 / power), np.float32)

    def _core(self, egg: tuple[float, float, float]) -> Floats:
        half, top, bottom = egg
        core: Floats = np.clip(self._inside(half, top, self._depth + bottom) / 0.12, 0, 1)
        return core

    def _cheeks(self) -> NDArray[np.bool_]:
        half, top, bottom = CHEEKS
        cheeks: NDArray[np.bool_] = (np.abs(self._x) < half) & (self._y > top) & (self._y < self._depth - bottom)
        return cheeks

    def _area(self) -> Floats:
        """Say how much of each pixel changes: 0 to 1."""
        half, top, bottom = EGG
        egg = self._inside(half, top, self._depth + bottom)
        # Below the eyes a beard of the target changes too; above and beside them hair stays, and none is brought.
        upper = np.clip(0.5 - self._y / 0.5, 0, 1)
        outer = np.clip((np.abs(self._x) - 0.7) / 0.2, 0, 1)
        under, given = self._skin
        free = 1 - np.maximum(upper, outer * np.clip(1.4 - self._y / 0.6, 0, 1)) * (1 - under)
        clear = 1 - np.maximum(upper, outer) * (1 - given)
        free, clear = np.maximum(free, self._core(CORE)), np.maximum(clear, self._core(DONOR_CORE))
        area = (egg > 0) * np.minimum(free, clear) * np.clip(self._whole, 0, 1)
        feather = FEATHER * self._unit
        area = cv2.erode(area, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(feather) + 1,) * 2))
        return np.asarray(cv2.GaussianBlur(area, (0, 0), max(0.8, feather)), np.float32)

    def _colours(self) -> Floats:
        """Find what `_recoloured` needs."""
        both = (np.minimum(*self._skin) > HALF) & (self.area > HALF)
        if both.sum() < self._unit:
            both = self._cheeks()
        mine, yours = self._given[both], self._under[both]
        (light, *tint), (light_there, *tint_there) = np.median(mine, axis=0), np.median(yours, axis=0)
        turn = complex(*tint_there) / (complex(*tint) or 1)
        turn = float(np.clip(abs(turn), *TINT)) * np.exp(1j * np.clip(np.angle(turn), -HUE, HUE))
        plain = np.array([light, light_there, 1, turn.real, turn.imag], np.float32)
        contrast = yours[:, 0].std() / (_recoloured(mine, plain)[:, 0].std() + 1e-3)
        plain[2] = np.clip(contrast, *CONTRAST)
        return plain

    def _light(self) -> Floats:
        """Carry what is left of the differences from the rim inwards: float32 (h, w, 3) in Lab."""
        left = np.clip(self._under - _recoloured(self._given, self.colours), -40, 40)
        low, high = RIM
        rim = (self.area > low) & (self.area < high)
        say = np.minimum(*self._skin) * np.where(rim, 1, INSIDE * (self.area >= high)) * self._whole + 1e-6
        light = _membrane(left, say.astype(np.float32), min(1.0, LIGHT_PX / self._unit))
        light[..., 1:] *= (NOT_SKIN + (1 - NOT_SKIN) * cv2.GaussianBlur(self._skin[1], (0, 0), 1.0))[..., None]
        return light

    def _blur(self) -> float:
        """How much softer the target is than the donor, as the sigma of a blur, in pixels of the canvas."""
        inner = self.area > HALF
        mine, yours = (
            float(cv2.Laplacian(np.ascontiguousarray(lab[..., 0]), cv2.CV_32F)[inner].std())
            for lab in (self._given, self._under)
        )
        return min(MOST_BLUR, 0.45 * mine / (yours + 1e-3) - 0.2) if mine > SHARPER * yours else 0.0


def _skin(lab: Floats, cheeks: NDArray[np.bool_]) -> Floats:
    """Say how likely each pixel is skin, by the colours between eyes and mouth: 0 to 1."""
    known = lab[cheeks]
    middle = np.median(known, axis=0)
    spread = np.clip(1.48 * np.median(np.abs(known - middle), axis=0), *SKIN_SPREAD)
    off = np.sqrt((((lab - middle) / spread) ** 2).sum(axis=2) / 2)
    low, high = SKIN_REACH
    likely = np.clip((high - off) / (high - low), 0, 1).astype(np.float32)
    return np.asarray(cv2.medianBlur((likely * 255).astype(np.uint8), 5), np.float32) / 255


def _recoloured(lab: Floats, colours: Floats) -> Floats:
    """Bring skin to another light and tint, so that black, white and grey stay what they are: (..., 3)."""
    light, goal, contrast, real, imaginary = (float(value) for value in colours)
    light, goal = (min(max(value / 100, 0.02), 0.98) for value in (light, goal))
    share = np.clip(lab[..., 0] / 100, 0, 1)
    slope = goal / light
    if goal < light:
        share = 0.3 * share ** (np.log(goal) / np.log(light)) + 0.7 * share * slope
    else:
        above = np.clip((1 - share) / (1 - light), 0, 1) ** (slope * (1 - light) / (1 - goal))
        share = np.where(share < light, share * slope, 1 - (1 - goal) * above)
    share = (share - goal) * contrast + goal
    red, yellow = lab[..., 1], lab[..., 2]
    tinted = red * real - yellow * imaginary, red * imaginary + yellow * real
    return np.stack([100 * share, *tinted], axis=-1).astype(np.float32)


def _membrane(values: Floats, say: Floats, scale: float) -> Floats:
    """Fill in smoothly what has no say: each level of a pyramid fills from the coarser one where it knows little."""
    size = [max(1, round(side * scale)) for side in say.shape[::-1]]
    sums = [cv2.resize(values * say[..., None], size, interpolation=cv2.INTER_AREA)]
    weights = [cv2.resize(say, size, interpolation=cv2.INTER_AREA)]
    while min(weights[-1].shape) > COARSEST_PX:
        sums.append(cv2.pyrDown(sums[-1]))
        weights.append(cv2.pyrDown(weights[-1]))
    filled = sums[-1] / (weights[-1][..., None] + 1e-6)
    for total, weight in zip(sums[-2::-1], weights[-2::-1], strict=True):
        coarse = cv2.pyrUp(filled, dstsize=weight.shape[::-1])
        sure = np.clip(weight * 1.5, 0, 1)[..., None]
        filled = sure * total / (weight[..., None] + 1e-6) + (1 - sure) * coarse
    smooth: Floats = cv2.resize(filled.astype(np.float32), say.shape[::-1], interpolation=cv2.INTER_LINEAR)
    return smooth


def _compose(picture: Pixels, canvas: _Canvas, donor: Donor, found: Found, share: float) -> None:
    """Bring donor, light and area to the target's place and mix them into it."""
    low, high = canvas.window(picture.shape)
    size = tuple(int(side) for side in high - low)
    back = cv2.invertAffineTransform(canvas.turn)
    onto = cv2.getAffineTransform(donor.anchors, canvas.goal)
    back[:, 2] -= low
    onto[:, 2] -= low
    face = cv2.warpAffine(donor.rgb, onto, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    if found.blur > 0:
        face = cv2.GaussianBlur(face, (0, 0), found.blur / canvas.scale)
    lab = _recoloured(_lab(face), found.colours)
    lab += cv2.warpAffine(found.light, back, size, borderMode=cv2.BORDER_REPLICATE)
    rgb = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1) * 255
    area = np.clip(cv2.warpAffine(found.area, back, size), 0, 1)[..., None] * share
    part = picture[low[1] : high[1], low[0] : high[0]]
    part[:] = np.where(area > 0, part + (rgb - part) * area + HALF, part).astype(np.uint8)
