"""Where the figures of a scene stand, and how large they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from unitask.engines.preview.chance import dice
from unitask.engines.preview.colours import RGB
from unitask.engines.preview.figures import Figure
from unitask.engines.preview.words import Wanted

MOST_FIGURES: Final = 8
# Lower feet would stand behind the strip.
_LOWEST_FOOT: Final = 0.885


@dataclass(frozen=True, slots=True)
class Stage:
    """The room there is: pixels, and what the ground is made of."""

    width: int
    height: int
    horizon: int
    ground: str
    floating: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one figure stands: the pixel under its feet, and its height in pixels."""

    figure: Figure
    x: float
    foot: float
    height_px: float
    colours: tuple[RGB, ...]
    index: int


def arrange(wanted: Sequence[Wanted], stage: Stage, seed: int) -> list[Spot]:
    """Set the figures side by side, the first named nearest to the middle; the furthest comes first."""
    items = [item for item in wanted for _ in range(item.count)][:MOST_FIGURES]
    if not items:
        return []
    short = min(stage.width, stage.height)
    heights = [min(item.figure.height * item.scale * short, stage.height * 0.86) for item in items]
    needed = sum(height * item.figure.width for height, item in zip(heights, items, strict=True))
    shrink = min(1.0, 0.97 * stage.width / needed)
    gap = (stage.width - needed * shrink) / (len(items) + 1)
    spots, x = [], 0.0
    for index in _middle_first(len(items)):
        height_px = heights[index] * shrink
        half = height_px * items[index].figure.width / 2
        x += gap + half
        rng = dice(seed, "spot", items[index].figure.name, index)
        aside = float(rng.uniform(-1, 1)) * min(gap * 0.35, stage.width * 0.05)
        foot = _level(items[index].figure, stage, height_px, float(rng.uniform(-0.5, 0.5)), alone=len(items) == 1)
        colours = items[index].colours
        spots.append(Spot(items[index].figure, x + aside, foot, min(height_px, foot * 0.96), colours, index))
        x += half
    return sorted(spots, key=lambda spot: spot.foot)


def _middle_first(count: int) -> list[int]:
    order: list[int] = []
    for index in range(count):
        order.insert(0 if index % 2 else len(order), index)
    return order


def _level(figure: Figure, stage: Stage, height_px: float, chance: float, *, alone: bool) -> float:
    """Choose the row of the figure's feet."""
    room = stage.height - stage.horizon
    if stage.floating or figure.stance == "deep":
        return stage.height * (0.47 + 0.16 * chance * (not alone)) + height_px * 0.5
    if figure.stance == "air":
        return max(stage.height * (0.40 + 0.20 * chance) + height_px * 0.5, height_px * 1.06)
    if figure.stance == "water" and stage.ground in {"water", "beach"}:
        return stage.horizon + room * (0.42 + 0.2 * chance)
    if figure.stance == "back":
        return stage.horizon + room * ((0.50 if alone else 0.34) + 0.12 * chance)
    return min(stage.horizon + room * (0.66 + 0.12 * chance), stage.height * _LOWEST_FOOT)
