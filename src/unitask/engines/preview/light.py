"""What the hour and the weather do to colours."""

from dataclasses import dataclass, replace
from typing import Final

from unitask.engines.preview.colours import RGB, dim, luma, mix


@dataclass(frozen=True, slots=True)
class Light:
    """`sky` runs from the zenith to the horizon. `ambient` is what a white thing on the ground looks like.

    `haze` is the colour of distance. `dark` says that lamps and windows are lit. `clouds` is the share of the sky
    that they hide.
    """

    sky: tuple[RGB, RGB, RGB]
    ambient: RGB
    haze: RGB
    sun: RGB
    dark: bool = False
    clouds: float = 0.35


HOURS: Final[dict[str, Light]] = {
    "day": Light(
        sky=((0.20, 0.47, 0.84), (0.47, 0.72, 0.95), (0.86, 0.94, 0.98)),
        ambient=(1.0, 1.0, 0.98),
        haze=(0.74, 0.85, 0.94),
        sun=(1.0, 0.97, 0.82),
    ),
    "dawn": Light(
        sky=((0.38, 0.50, 0.80), (0.86, 0.68, 0.78), (1.0, 0.88, 0.72)),
        ambient=(1.0, 0.92, 0.88),
        haze=(0.92, 0.78, 0.78),
        sun=(1.0, 0.86, 0.70),
    ),
    "sunset": Light(
        sky=((0.20, 0.18, 0.44), (0.83, 0.39, 0.40), (1.0, 0.74, 0.38)),
        ambient=(0.96, 0.78, 0.70),
        haze=(0.90, 0.56, 0.46),
        sun=(1.0, 0.84, 0.52),
    ),
    "night": Light(
        sky=((0.02, 0.03, 0.10), (0.06, 0.09, 0.25), (0.17, 0.24, 0.44)),
        ambient=(0.46, 0.53, 0.74),
        haze=(0.13, 0.18, 0.34),
        sun=(0.98, 0.97, 0.88),
        dark=True,
        clouds=0.12,
    ),
}


def light_of(hour: str, weather: str) -> Light:
    """Combine the hour with the weather."""
    light = HOURS[hour]
    if weather == "clear":
        return light
    if weather == "storm":
        return _greyed(light, 0.75, 0.62, clouds=0.95)
    if weather == "rain":
        return _greyed(light, 0.65, 0.82, clouds=0.9)
    if weather == "fog":
        return _greyed(light, 0.6, 0.98, clouds=0.4)
    return _greyed(light, 0.45, 0.97, clouds=0.75)


def _greyed(light: Light, share: float, brightness: float, *, clouds: float) -> Light:
    def grey(colour: RGB) -> RGB:
        level = luma(colour)
        return dim(mix(colour, (level * 0.96, level, level * 1.05), share), brightness)

    top, middle, horizon = light.sky
    return replace(
        light,
        sky=(grey(mix(top, horizon, 0.35)), grey(mix(middle, horizon, 0.35)), grey(horizon)),
        ambient=grey(light.ambient),
        haze=grey(light.haze),
        clouds=clouds,
    )
