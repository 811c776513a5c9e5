"""What a child process does so that it never outlives its parent and never eats the machine."""

import contextlib
import ctypes
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_DATA_FIELD: Final = 5
_USUAL_FILES: Final = 1024
_MOST_FILES: Final = 65_536


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


@contextlib.contextmanager
def spare_memory(more_bytes: int) -> Iterator[None]:
    """Let allocations fail that would take this process so much further than it is now. Linux only; others ignore it.

    For decoders, which believe what a file says of itself before they look at what is in it. The limit is the whole
    process's, so that other threads than the first do without it: two of them would undo each other's.
    """
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        yield
        return
    import resource  # noqa: PLC0415 - not there on every platform

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    pages = int(Path("/proc/self/statm").read_text().split()[_DATA_FIELD])
    wanted = pages * resource.getpagesize() + more_bytes
    allowed = wanted if soft == resource.RLIM_INFINITY else min(soft, wanted)
    resource.setrlimit(resource.RLIMIT_DATA, (allowed, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def open_files() -> int:
    """Take as many file descriptors as this process may have, up to 65,536; tells how many."""
    try:
        import resource  # noqa: PLC0415 - not there on every platform
    except ImportError:
        return _USUAL_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
