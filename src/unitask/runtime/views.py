"""What a model has so far, as a small picture for clients who asked to see it.

Between two steps of flow matching everything is partly noise, in a share that the scheduler knows. Noise and picture go
along a straight line, so that two steps tell where it leads: to the picture that the model expects by now.
"""

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch
from PIL import Image

from unitask.spec.engine import Job

SIDE_PX: Final = 256
"""The longer side of a preview is no longer."""
SIDE_LATENTS: Final = 32
"""No more latents a side are decoded, however large the result is."""
_QUALITY: Final = 90
log = logging.getLogger(__name__)


class View(Protocol):
    """How a family of models keeps what it makes. Tensors are on the device; none may be changed in place."""

    def picture(self, pipe: Any, latents: torch.Tensor) -> torch.Tensor:
        """Take one picture of each result: of latents as callbacks have them, (rows, channels, height, width)."""

    def decoded(self, pipe: Any, latents: torch.Tensor) -> torch.Tensor:
        """Decode latents (1, channels, height, width) to values -1 to 1: (1, 3, height in px, width in px)."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """The share of noise, 0 to 1, and the latents that have it."""

    noise: float
    latents: torch.Tensor


class Showing:
    """Shows the jobs of a batch what becomes of their results. What goes wrong here ends the showing, not the work."""

    def __init__(self, jobs: Sequence[Job], view: View) -> None:
        self._jobs = jobs
        self._view = view
        self._before: _Moment | None = None
        self._broken = False

    def look(self, pipe: Any, latents: torch.Tensor) -> None:
        """See the latents after a step; costs nothing while nobody wants to."""
        if self._broken or not any(job.shows for job in self._jobs):
            return
        try:
            self._look(pipe, latents)
        except Exception:  # whatever a network or a disk comes to: it is no reason to fail
            self._broken = True
            log.warning("no more previews of this task", exc_info=True)

    def _look(self, pipe: Any, latents: torch.Tensor) -> None:
        scheduler = pipe.scheduler
        noise = float(scheduler.sigmas[scheduler.step_index])
        now, before = _Moment(noise, _small(self._view.picture(pipe, latents))), self._before
        self._before = now
        # Noise grows where a new section of a video begins.
        if before is None or before.noise <= now.noise:
            return
        expected = (before.noise * now.latents - now.noise * before.latents) / (before.noise - now.noise)
        each = len(expected) // len(self._jobs)
        for number, job in enumerate(self._jobs):
            if job.shows:
                row = expected[number * each : number * each + 1]
                job.show(_jpeg(self._view.decoded(pipe, row)), "jpg")
        self._before = None


def _small(latents: torch.Tensor) -> torch.Tensor:
    """Average latents (rows, channels, height, width) down to few, in proportion."""
    height, width = latents.shape[-2:]
    scale = min(1.0, SIDE_LATENTS / max(height, width))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return torch.nn.functional.adaptive_avg_pool2d(latents.float(), size)


def _jpeg(values: torch.Tensor) -> bytes:
    """Write values -1 to 1, (1, 3, height, width), as a small file."""
    pixels = ((values[0].float().clamp(-1, 1) + 1) * 127.5).round().byte()
    picture = Image.fromarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())
    picture.thumbnail((SIDE_PX, SIDE_PX))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=_QUALITY, subsampling=0)
    return stream.getvalue()
