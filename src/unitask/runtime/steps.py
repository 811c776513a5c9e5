"""From the steps of a pipeline to progress; and the place where a cancelled task stops."""

from collections.abc import Sequence
from typing import Any

from unitask.kit.errors import Cancelled
from unitask.runtime.views import Showing, View
from unitask.spec.engine import Job


class Steps:
    """A pipeline's `callback_on_step_end`: reports to all jobs of a batch, and stops when none is left.

    `total` counts the steps of all sections. Progress goes from `low`, where the text is encoded and pictures are
    read, to `high`, where decoding and saving begin. Who asked for previews gets them where there is a `view`. A
    pipeline is as good as new after the exception.
    """

    def __init__(
        self, jobs: Sequence[Job], total: int, *, view: View | None = None, low: float = 0.1, high: float = 0.9
    ) -> None:
        self._jobs = list(jobs)
        self._showing = Showing(self._jobs, view) if view else None
        self._total = max(total, 1)
        self._low = low
        self._high = high
        self._done = 0

    def __call__(self, pipe: Any, index: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - the signature that pipelines call
        """Count a step.

        Raises:
            Cancelled: every job of the batch was cancelled.

        """
        self._done += 1
        share = min(self._done / self._total, 1.0)
        note = f"step {self._done} of {self._total}" if share < 1 else "decoding"
        report(self._jobs, self._low + (self._high - self._low) * share, note)
        if self._showing and share < 1:
            self._showing.look(pipe, tensors["latents"])
        return tensors


def report(jobs: Sequence[Job], fraction: float, note: str) -> None:
    """Tell all jobs how far they are; whoever was cancelled does not keep the others from going on.

    Raises:
        Cancelled: every one was.

    """
    stopped: Cancelled | None = None
    left = 0
    for job in jobs:
        try:
            job.progress(fraction, note)
            left += 1
        except Cancelled as error:
            stopped = error
    if stopped and not left:
        raise stopped
