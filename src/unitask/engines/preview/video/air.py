"""What falls through the air while the camera runs: rain, snow, a flash. Laid over frames, in place."""

from typing import Any, Final

import cv2
import numpy as np

from unitask.engines.preview.arrays import Pixels
from unitask.engines.preview.chance import dice
from unitask.engines.preview.video.film import Film

_RAIN_HEIGHTS_PER_S: Final = (1.9, 1.4)
_SNOW_HEIGHTS_PER_S: Final = (0.30, 0.20, 0.13)
_SLANT: Final = 0.22
_FLASH_S: Final = 0.35


class Air:
    """Weather that moves. Fair weather costs nothing."""

    def __init__(self, weather: str, film: Film, seed: int) -> None:
        self._width, self._height = film.size
        self._sheets: list[tuple[Pixels, float, float]] = []
        self._flashes_s: list[float] = []
        rng = dice(seed, "air")
        if weather in {"rain", "storm"}:
            for rank, speed in enumerate(_RAIN_HEIGHTS_PER_S):
                self._sheets.append((_tiled(self._rain(rng, rank)), speed, -_SLANT * speed))
        if weather == "snowfall":
            for rank, speed in enumerate(_SNOW_HEIGHTS_PER_S):
                self._sheets.append((_tiled(self._snow(rng, rank)), speed, 0.03 * (1 - rank)))
        if weather == "storm":
            count = max(1, round(film.duration_s / 2.5))
            self._flashes_s = [float(at) for at in rng.random(count) * film.duration_s]

    def fall(self, frame: Pixels, time_s: float) -> None:
        """Draw what is in the air at this time on (height, width, 3)."""
        for sheet, down, right in self._sheets:
            top = int(-down * time_s * self._height) % self._height
            left = int(-right * time_s * self._height) % self._width
            cv2.add(frame, sheet[top : top + self._height, left : left + self._width], dst=frame)
        for flash_s in self._flashes_s:
            since_s = time_s - flash_s
            if 0 <= since_s < _FLASH_S:
                cv2.convertScaleAbs(frame, dst=frame, alpha=1 + 0.9 * (1 - since_s / _FLASH_S) ** 2, beta=14)

    def _rain(self, rng: np.random.Generator, rank: int) -> Pixels:
        sheet = np.zeros((self._height, self._width), np.uint8)
        near = 1 - 0.4 * rank
        count = int(self._width * self._height / (2600 - 900 * rank))
        for x, y, long in rng.random((max(count, 3), 3)) * (self._width, self._height, 1):
            length = self._height * (0.03 + 0.06 * long) * near
            for up in (0, self._height):
                start = (int(x * 16), int((y - up) * 16))
                end = (int((x - length * _SLANT) * 16), int((y - up + length) * 16))
                cv2.line(sheet, start, end, (int(46 + 60 * long * near),), 1, cv2.LINE_AA, 4)
        return sheet

    def _snow(self, rng: np.random.Generator, rank: int) -> Pixels:
        sheet = np.zeros((self._height, self._width), np.uint8)
        unit = min(self._width, self._height) / 480
        radius = max(0.7, (3.4, 2.2, 1.3)[rank] * unit)
        for x, y, size in rng.random(((50, 90, 130)[rank], 3)) * (self._width, self._height, 1):
            for up in (-self._height, 0, self._height):
                centre = (int(x * 16), int((y + up) * 16))
                cv2.circle(sheet, centre, int(radius * (0.7 + 0.6 * size) * 16), (210,), -1, cv2.LINE_AA, 4)
        soft: Any = cv2.GaussianBlur(sheet, (0, 0), max(0.3, radius * 0.35))
        return np.asarray(soft, np.uint8)


def _tiled(sheet: Pixels) -> Pixels:
    """Lay the sheet out twice each way, in three channels: any part of it that is as large as the sheet is whole."""
    return np.ascontiguousarray(np.tile(sheet[..., None], (2, 2, 3)))
