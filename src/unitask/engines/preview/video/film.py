"""The last step of every video: strip and counter on each frame, metadata, encoding, storage."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

from unitask.engines.preview import lettering
from unitask.engines.preview.arrays import Pixels
from unitask.engines.preview.strip import Label, lay_strip, strip_height
from unitask.kit.video import Video, write_video
from unitask.spec.engine import Job

_AMBER: Final = (255, 190, 60)
_TEXT: Final = (244, 245, 248)
_BAND: Final = (16, 18, 26)
_LETTERS_FROM_PX: Final = 11
_TWO_LINES_FROM_PX: Final = 24
_REPORTS: Final = 50


@dataclass(frozen=True, slots=True)
class Film:
    """What is to be shot: pixels, frames, frames per second."""

    width: int
    height: int
    frames: int
    fps: Fraction

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.width, self.height

    @property
    def duration_s(self) -> float:
        """How long it plays."""
        return float(self.frames / self.fps)

    @property
    def shares(self) -> list[float]:
        """Where each frame lies: 0 is the first, 1 the last; a single frame is the first."""
        return [number / max(self.frames - 1, 1) for number in range(self.frames)]


def film_of(inputs: Any, job: Job) -> Film:
    """Read size, length and rate from the recipe: `size` or one of `sizes` by aspect ratio, `frames`, `fps`."""
    options = job.recipe.options
    width, height = options.get("size") or options["sizes"][inputs.aspect_ratio]
    return Film(width, height, options["frames"], Fraction(options["fps"]))


def shoot(
    job: Job, film: Film, frames: Iterable[Pixels], label: Label, *, sound_of: Video | None = None
) -> tuple[str, int]:
    """Encode the frames (height, width, 3), which are drawn on, and store them; gives the reference and their number.

    Raises:
        Cancelled: the client took the order back.
        MediaFailure: the sound comes from a video that is damaged.

    """
    text = {
        "title": f"Preview: {label.prompt}",
        "Software": "unitask",
        "unitask:engine": "preview",
        "unitask:level": "preview",
        "unitask:seed": str(label.seed),
        "unitask:prompt": label.prompt,
    }
    path = job.scratch / "preview.mp4"
    marked = _marked(job, film, frames, label)
    count = write_video(path, marked, fps=film.fps, size=film.size, labels=text, sound_of=sound_of)
    reference = job.save(path, "mp4")
    job.progress(1.0)
    return reference, count


def _marked(job: Job, film: Film, frames: Iterable[Pixels], label: Label) -> Iterator[Pixels]:
    stamp = _Stamp(film, label)
    every = max(1, film.frames // _REPORTS)
    for number, frame in enumerate(frames):
        if number % every == 0:
            job.progress(0.1 + 0.88 * min(number / film.frames, 1), f"frame {number + 1} of {film.frames}")
        stamp.mark(frame, number)
        yield frame


class _Stamp:
    """The strip, drawn once, and on each frame a bar and a counter that move on."""

    def __init__(self, film: Film, label: Label) -> None:
        self._film = film
        self._high = strip_height(film.width, film.height)
        self._bar = max(1, self._high // 14)
        self._strip = self._drawn(label, ())
        self._room: tuple[slice, slice] | None = None
        # A white plate beside the client's pictures: where it comes to lie, there is room for the counter.
        with_plate = self._drawn(label, [np.full((1, 2, 3), 255, np.uint8)])
        rows, columns = np.nonzero((with_plate != self._drawn(label, [np.zeros((1, 2, 3), np.uint8)])).any(axis=2))
        if rows.size and np.ptp(rows) >= _LETTERS_FROM_PX:
            self._room = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
            self._strip = with_plate
        # Letters of dots fill the strip: there the bar begins beside them.
        dots = np.flatnonzero((self._strip[: self._bar] == _AMBER).all(axis=2).any(axis=0))
        self._bar_from = int(dots[-1]) + 2 if dots.size else 0

    def _drawn(self, label: Label, more: Any) -> Pixels:
        sheet = np.zeros((self._film.height, self._film.width, 3), np.uint8)
        lay_strip(sheet, Label(label.prompt, label.seed, [*label.inputs, *more]))
        return sheet[-self._high :].copy()

    def mark(self, frame: Pixels, number: int) -> None:
        """Draw on (height, width, 3), in place."""
        area = frame[-self._high :]
        area[:] = self._strip
        if self._room:
            area[self._room] = self._counter(number)
        played = round((self._film.width - self._bar_from) * min((number + 1) / self._film.frames, 1))
        area[: self._bar, self._bar_from : self._bar_from + played] = _AMBER

    def _counter(self, number: int) -> Pixels:
        rows, columns = self._room or (slice(0), slice(0))
        high, wide = rows.stop - rows.start, columns.stop - columns.start
        seconds = float(number / self._film.fps)
        of = f"{number + 1}/{self._film.frames}"
        clock = f"{int(seconds // 60)}:{seconds % 60:05.2f}"
        lines = [clock, of] if high >= _TWO_LINES_FROM_PX else [of]
        sheet = Image.new("RGB", (wide, high), _BAND)
        pencil = ImageDraw.Draw(sheet)
        widest = max(lettering.length(text, 100) for text in ("0:00.00", f"{self._film.frames}/{self._film.frames}"))
        font = lettering.font(int(min(high * 0.86 / len(lines), 100 * wide / widest)), of)
        for line, text in enumerate(lines):
            middle = high * (line + 0.5) / len(lines)
            pencil.text((wide - 1, middle), text, fill=_TEXT, font=font, anchor="rm")
        return np.asarray(sheet, np.uint8)
