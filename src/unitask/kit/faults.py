"""Crash points: places where the tests kill the process. A no-op unless armed through the environment.

`UNITASK_FAULT=name` ends the process at the first visit of the point `name`, as hard as `kill -9` would;
`UNITASK_FAULT=name:3` at the third. `POINTS` lists every point, and a test visits each.
"""

import os
import signal
from typing import Final

POINTS: Final = (
    "create.before_commit",
    "create.after_commit",
    "claim.before_commit",
    "claim.after_commit",
    "run.started",
    "run.saved",
    "run.finished",
    "upload.before_publish",
    "upload.after_publish",
    "keep.before_commit",
    "keep.after_commit",
    "settle.before_commit",
    "settle.after_commit",
    "promote.before_commit",
    "promote.after_commit",
    "cancel.before_commit",
    "cancel.after_commit",
    "reroute.before_commit",
    "reap.before_commit",
    "reap.after_commit",
    "deliver.before_post",
    "deliver.after_post",
    "deliver.before_commit",
    "deliver.after_commit",
    "sweep.before_forget",
    "complete.moved",
)

_armed, _, _count = os.environ.get("UNITASK_FAULT", "").partition(":")
_visits_left = int(_count or 1)


def point(name: str) -> None:
    """End the process here if this point is armed."""
    global _visits_left  # noqa: PLW0603 - one counter for the process is what a crash point is
    if name != _armed:
        return
    _visits_left -= 1
    if _visits_left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
