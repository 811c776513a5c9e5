"""Colours by name, and the arithmetic that shading needs. A colour is (red, green, blue), each 0 to 1."""

from typing import Final

RGB = tuple[float, float, float]

WHITE: Final[RGB] = (0.97, 0.97, 0.96)
BLACK: Final[RGB] = (0.09, 0.09, 0.11)

NAMED: Final[dict[str, RGB]] = {
    "red": (0.85, 0.16, 0.15),
    "scarlet": (0.86, 0.18, 0.12),
    "crimson": (0.72, 0.08, 0.20),
    "ruby": (0.72, 0.08, 0.22),
    "maroon": (0.48, 0.08, 0.13),
    "coral": (0.98, 0.50, 0.40),
    "orange": (0.95, 0.52, 0.14),
    "amber": (0.95, 0.66, 0.16),
    "ginger": (0.89, 0.53, 0.24),
    "yellow": (0.97, 0.83, 0.22),
    "lemon": (0.98, 0.90, 0.36),
    "gold": (0.86, 0.67, 0.22),
    "golden": (0.86, 0.67, 0.22),
    "blonde": (0.93, 0.78, 0.45),
    "green": (0.22, 0.62, 0.30),
    "lime": (0.62, 0.84, 0.24),
    "emerald": (0.10, 0.58, 0.40),
    "olive": (0.47, 0.50, 0.20),
    "mint": (0.62, 0.90, 0.76),
    "teal": (0.10, 0.52, 0.53),
    "turquoise": (0.22, 0.76, 0.74),
    "cyan": (0.25, 0.80, 0.90),
    "aqua": (0.30, 0.80, 0.86),
    "azure": (0.27, 0.60, 0.93),
    "blue": (0.16, 0.36, 0.84),
    "navy": (0.10, 0.16, 0.40),
    "indigo": (0.28, 0.20, 0.60),
    "purple": (0.50, 0.24, 0.68),
    "violet": (0.58, 0.34, 0.82),
    "lavender": (0.73, 0.65, 0.90),
    "magenta": (0.84, 0.18, 0.60),
    "pink": (0.96, 0.58, 0.72),
    "brown": (0.46, 0.29, 0.17),
    "wooden": (0.55, 0.37, 0.22),
    "chestnut": (0.50, 0.27, 0.16),
    "copper": (0.72, 0.43, 0.27),
    "bronze": (0.65, 0.47, 0.26),
    "beige": (0.87, 0.80, 0.67),
    "cream": (0.96, 0.92, 0.80),
    "tan": (0.80, 0.65, 0.47),
    "white": WHITE,
    "ivory": (0.97, 0.95, 0.87),
    "silver": (0.75, 0.78, 0.82),
    "metal": (0.66, 0.70, 0.75),
    "gray": (0.53, 0.54, 0.57),
    "grey": (0.53, 0.54, 0.57),
    "black": BLACK,
}


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """Go from `first` (share 0) to `second` (share 1)."""
    keep = 1 - share
    return (
        first[0] * keep + second[0] * share,
        first[1] * keep + second[1] * share,
        first[2] * keep + second[2] * share,
    )


def dim(colour: RGB, factor: float) -> RGB:
    """Darken (factor under 1) or brighten; a channel ends at 1."""
    return min(colour[0] * factor, 1.0), min(colour[1] * factor, 1.0), min(colour[2] * factor, 1.0)


def times(first: RGB, second: RGB) -> RGB:
    """See `first` under light of the colour `second`."""
    return first[0] * second[0], first[1] * second[1], first[2] * second[2]


def luma(colour: RGB) -> float:
    """How bright the eye finds it, 0 to 1."""
    return 0.30 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]
