"""Processes as the operating system sees them."""

import psutil


def runs(pid: int) -> bool:
    """Whether this process lives; a zombie does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
