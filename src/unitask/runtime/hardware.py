"""The device that this process works on, and how much fits on it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import torch

SHARE: Final = 0.9
"""How much of a device's memory we plan with; the rest is the driver's, and what fragments."""
HOST_SHARE: Final = 0.6
"""How much of the machine's free memory we plan with: others live here too."""
_UNLIMITED: Final = 2**60
_FILES: Final = ("active_file", "inactive_file")


@dataclass(frozen=True, slots=True)
class Hardware:
    """`device` as torch names it. `device_bytes` is for models and their work, `host_bytes` for models set aside.

    Where the device is the machine itself, there is no second place: `host_bytes` is 0.
    """

    device: str
    device_bytes: int
    host_bytes: int

    @classmethod
    def found(cls) -> Self:
        """Look what there is: `UNITASK_DEVICE` if it is set, else the first GPU, else this machine's processors."""
        device = os.environ.get("UNITASK_DEVICE") or _best()
        if device.startswith("cuda"):
            _, total = torch.cuda.mem_get_info(device)
            return cls(device, int(total * SHARE), int(_free_bytes() * HOST_SHARE))
        return cls(device, int(_free_bytes() * HOST_SHARE), 0)

    @property
    def streams(self) -> bool:
        """Tell whether a model too large for the device can be streamed to it layer by layer."""
        return self.host_bytes > 0

    def clear(self) -> None:
        """Give back what torch keeps for later."""
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()


def _best() -> str:
    if torch.cuda.is_available():
        return "cuda:0"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _free_bytes() -> int:
    """Count the memory that processes may still take: the machine's, or that of our control group if it is less."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    return min(free, group_bytes(), _process_bytes())


def group_bytes(folder: Path = Path("/sys/fs/cgroup")) -> int:
    """Count what a control group leaves us; what it holds of files that were read, it gives up when it must."""
    try:
        limit, used = (int((folder / name).read_text()) for name in ("memory.max", "memory.current"))
        lines = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return limit - used + sum(int(size) for name, size in lines if name in _FILES)
    except (OSError, ValueError):
        return _UNLIMITED


def _process_bytes() -> int:
    import resource  # noqa: PLC0415 - not there on every platform

    soft, _ = resource.getrlimit(resource.RLIMIT_DATA)
    return _UNLIMITED if soft == resource.RLIM_INFINITY else soft
