"""The folder in which a worker keeps what it works on, and what is left of workers that were killed."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from unitask.kit.clock import SECOND_US, Clock

_PREFIX: Final = "unitask-scratch-"
_YOUNG_US: Final = 60 * SECOND_US


class Scratch:
    """A folder for its owner alone, locked while its process lives.

    Raises:
        OSError: there is no room, or no right to write.

    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
        self._lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def close(self) -> None:
        """Remove it with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def sweep() -> None:
    """Remove what workers left that have ended without a word: nobody else would."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # it is in use, another user's, or gone meanwhile
            _remove(left)


def _remove(folder: Path) -> None:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # One that is young may have been made just now, and not be locked yet.
        if os.fstat(lock).st_mtime_ns // 1000 < Clock().now_us() - _YOUNG_US:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
