"""How far a task is: a bar on a terminal, a line for each step elsewhere."""

import shutil
from typing import Final, TextIO

from unitask.cli.speaking import plain
from unitask_sdk import Event

_BAR: Final = 24
_STEP: Final = 0.25
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_WORDS: Final = {"accepted": "accepted", "staged": "waiting for a free place", "pending": "waiting"}


def lasting(seconds: float) -> str:
    """Write a duration."""
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < _HOUR_S else f"{whole // 3600} h {whole % 3600 // 60} min"


def words(event: Event) -> str:
    """Say where a task stands."""
    parts = [_WORDS.get(event.status, event.status)]
    if event.queue_position:
        parts.append(f"{event.queue_position} before it")
    if event.eta_s:
        parts.append(f"about {lasting(event.eta_s)} left")
    return ", ".join(parts)


class Progress:
    """Shows events. Call it with each, and `end` it before anything else is printed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._shown = ("", 0)
        self._open = False

    def __call__(self, event: Event) -> None:
        """Show where a task stands now."""
        if self._is_terminal:
            self._draw(event)
            return
        step = int((event.progress or 0.0) / _STEP)
        if (event.status, step) != self._shown:
            self._shown = (event.status, step)
            share = f" {event.progress:.0%}" if event.progress and not event.task else ""
            self._stream.write(f"{plain(words(event))}{share}\n")
            self._stream.flush()

    def _draw(self, event: Event) -> None:
        share = 1.0 if event.status == "completed" else min(max(event.progress or 0.0, 0.0), 1.0)
        full = round(share * _BAR)
        line = f"[{'#' * full}{'-' * (_BAR - full)}] {share:4.0%}  {plain(words(event))}"
        width = shutil.get_terminal_size().columns - 1
        self._stream.write(f"\r\x1b[K{line[:width]}")
        self._stream.flush()
        self._open = True

    def end(self) -> None:
        """Leave the line of the bar."""
        if self._open:
            self._stream.write("\n")
            self._stream.flush()
            self._open = False
