"""How much room there is."""

import os
from pathlib import Path


def free_bytes(folder: Path) -> int | None:
    """Tell the room on the disk of a folder, or of where it will be made; None: that cannot be read."""
    try:
        place = next(one for one in (folder, *folder.parents) if one.exists())
        disk = os.statvfs(place)
    except (OSError, StopIteration):
        return None
    return disk.f_bavail * disk.f_frsize
