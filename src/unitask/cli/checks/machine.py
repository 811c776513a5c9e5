"""What is wrong with the machine: folders, disks, limits, who may read what, cards that nothing uses."""

import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from unitask.cli.checks.known import Findings, found
from unitask.kit.devices import memory
from unitask.settings import Settings

_DISK_NEEDED: Final = 2**30
_SCRATCH_NEEDED: Final = 2**28
_FILES_NEEDED: Final = 1000
_OPEN_FILES: Final = 1024
_TORCH_S: Final = 12.0
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_COUNT: Final = "import torch; print(torch.cuda.device_count())"


def folders(settings: Settings) -> Findings:
    """Look at the data folder, which need not be there yet, and at the folder of scratch files."""
    if settings.data.exists() and not settings.data.is_dir():
        yield found("data-no-folder", path=settings.data)
        return
    folder = settings.data.resolve()
    while not folder.exists():
        folder = folder.parent
    disk = os.statvfs(folder)
    if disk.f_flag & os.ST_RDONLY or not os.access(folder, os.W_OK | os.X_OK):
        yield found("data-read-only", path=folder)
    free = shutil.disk_usage(folder).free
    if free < _DISK_NEEDED:
        yield found("disk-full", free=free // 2**20, path=settings.data)
    if disk.f_files and disk.f_favail < _FILES_NEEDED:
        yield found("files-full", free=disk.f_favail, path=settings.data)
    scratch = Path(tempfile.gettempdir())
    if (free := shutil.disk_usage(scratch).free) < _SCRATCH_NEEDED:
        yield found("scratch-full", free=free // 2**20, path=scratch)


def is_full(folder: Path) -> bool:
    """Whether the disk of a folder counts as full; of one that is not there yet nobody knows."""
    return folder.is_dir() and shutil.disk_usage(folder).free < _DISK_NEEDED


def readers(settings: Settings) -> Findings:
    """See who else may read the secret and the database."""
    secret = settings.data / "secret"
    if settings.secret is None and _is_open(secret):
        yield found("secret-readable", path=secret)
    path = Path(settings.database.removeprefix("sqlite:///"))
    if settings.database.startswith("sqlite:///") and _is_open(path) and _is_open(path.parent):
        yield found("data-readable", path=path.parent)


def _is_open(path: Path) -> bool:
    return path.exists() and bool(path.stat().st_mode & _OTHERS)


def limits() -> Findings:
    """See how many files may be open."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - not on every platform

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and limit < _OPEN_FILES:
        yield found("files-few", limit=limit)


def cards() -> Findings:
    """See whether torch finds the cards that the driver has."""
    number = len(memory())
    if not number:
        return
    if importlib.util.find_spec("torch") is None:
        yield found("gpu-no-torch", number=number)
        return
    asked = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", _COUNT], capture_output=True, text=True, timeout=_TORCH_S, check=False
    )
    if asked.stdout.strip() in {"", "0"}:
        yield found("gpu-unseen", number=number)
