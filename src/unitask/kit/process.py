"""What a child process does so that it never outlives its parent and never eats the machine."""

import contextlib
import ctypes
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with_parent() -> None:
    """Ask the kernel to end this process when its parent ends, however it ends. Linux only; elsewhere see the pipes."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def limit_memory(limit_bytes: int) -> None:
    """Let allocations beyond the limit fail with MemoryError. Linux counts all private memory; others ignore this."""
    import resource  # noqa: PLC0415 - not there on every platform

    if limit_bytes and sys.platform == "linux":
        with contextlib.suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))
