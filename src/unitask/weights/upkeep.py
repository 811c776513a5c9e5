"""Looking after what lies on the shelf: checking it, and taking it off."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from unitask.kit.errors import Conflict, NotFound
from unitask.weights.checksums import sha256_of
from unitask.weights.parcel import Parcel, parcels
from unitask.weights.shelf import Shelf


def damages(parcel: Parcel) -> Iterator[str]:
    """Read every file of a parcel anew, and say which are missing or damaged and what mends that.

    Raises:
        NotFound: nothing lies here of it.

    """
    manifest = parcel.read()
    if manifest is None and not parcel.lies.exists():
        raise NotFound(f"{parcel.name} is not here; get it with: unitask models pull {parcel.name}")
    link = f"unitask models import {parcel.name} {manifest.root} --link" if manifest and manifest.root else ""
    mending = f"mend it with: {link or f'unitask models pull {parcel.name}'}"
    if manifest is None:
        yield f"{parcel.lies} is damaged; {mending}"
        return
    for place, stored in manifest.files.items():
        path = parcel.root(manifest) / place
        if not path.is_file():
            yield f"{path} is missing; {mending}"
        elif path.stat().st_size != stored.size_bytes or sha256_of(path) != stored.sha256:
            yield f"{path} is damaged; {mending}"


def remove(parcel: Parcel, shelf: Shelf, *, force: bool) -> None:
    """Take a parcel off the shelf; files that were only linked stay where they are.

    Raises:
        Conflict: another one that is here leans on it, and `force` is not given; or it came with Unitask.
        NotFound: nothing lies here of it.

    """
    manifest = parcel.read()
    if parcel.lies != parcel.manifest:
        raise Conflict(f"{parcel.name} came with Unitask itself and stays")
    if not parcel.manifest.exists() and (parcel.rename or not parcel.folder.exists()):
        raise NotFound(f"{parcel.name} is not here")
    leaning = [one.name for one in parcels(shelf).values() if one.base == parcel.name and one.manifest.exists()]
    if leaning and not force:
        raise Conflict(f"{', '.join(leaning)} would not work without {parcel.name}; remove them first, or use --force")
    parcel.manifest.unlink(missing_ok=True)
    if not parcel.rename:
        shutil.rmtree(parcel.folder)
    elif manifest and not manifest.root:
        Path(parcel.folder / parcel.rename).unlink(missing_ok=True)
