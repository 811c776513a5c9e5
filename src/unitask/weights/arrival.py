"""How weights come onto the shelf: from the hub, or from a folder. The manifest comes last, so half is nothing."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from unitask.kit.errors import Unavailable
from unitask.weights.checksums import git_sha1_of, sha256_of
from unitask.weights.completeness import gaps
from unitask.weights.hub import Hub, RemoteFile
from unitask.weights.parcel import Parcel
from unitask.weights.shelf import Manifest, StoredWeight

PARTIAL: Final = ".partial"
IMPORTED: Final = "imported"
Say = Callable[[str], None]


def pull(parcel: Parcel, hub: Hub, siblings: Iterable[Parcel], say: Say) -> Manifest:
    """Bring the files of a parcel from the hub: what is here and right stays, what a sibling has is linked.

    Raises:
        Unavailable: the hub does not give them, there is no room, or what came is not what the hub announced.

    """
    if not parcel.repository:
        raise Unavailable(f"{parcel.name} is in no repository; use: unitask models import {parcel.name} FOLDER")
    listing = hub.listing(parcel.repository, parcel.revision)
    named = [one for one in listing.files if parcel.wants(one.path)]
    _check_listing(parcel, [one.path for one in named])
    wanted = {parcel.place(one.path): _pinned(one, parcel) for one in named}
    if any((parcel.folder / place).exists() for place in wanted):
        say(f"{parcel.name}: reading what is here")
    stored = {place: known for place, one in wanted.items() if (known := _right(parcel.folder / place, one))}
    if stored.keys() < wanted.keys():
        parcel.manifest.unlink(missing_ok=True)
    for place in wanted.keys() - stored.keys():
        if known := _link(parcel.folder / place, wanted[place], siblings):
            stored[place] = known
    lacking = {place: one for place, one in wanted.items() if place not in stored}
    _check_room(parcel, lacking)
    say(f"{parcel.name}: {len(stored)} of {len(wanted)} files are here, {in_words(_bytes_of(lacking))} to fetch")
    for place, one in sorted(lacking.items()):
        stored[place] = _fetch(parcel, hub, listing.commit, one, parcel.folder / place)
    if lacking_parts := gaps({place: parcel.folder / place for place in stored}, parcel.files, leans=bool(parcel.base)):
        raise Unavailable(f"{parcel.repository} is not complete: {'; '.join(lacking_parts)}; correct the card")
    return _finish(parcel, Manifest(revision=listing.commit, files=dict(sorted(stored.items()))))


def bring_in(parcel: Parcel, source: Path, *, link: bool, say: Say) -> Manifest:
    """Bring the files of a parcel from a folder: a shelf's folder of another machine, or a copy of the repository.

    With `link` they stay where they are; so do those that lie in their place already. A manifest among them says what
    they must be.

    Raises:
        Unavailable: files are missing, damaged, or there is no room.

    """
    source = source.resolve()
    if parcel.rename:
        raise Unavailable(f"a LoRA is one file: copy it to {parcel.folder / parcel.rename}")
    in_place = parcel.folder.resolve() == source
    found = _found(parcel, source, stay=link or in_place)
    say(f"{parcel.name}: reading {len(found)} files, {in_words(sum(one.stat().st_size for one in found.values()))}")
    stored = {place: StoredWeight(size_bytes=one.stat().st_size, sha256=sha256_of(one)) for place, one in found.items()}
    revision = _agree(parcel, source, stored)
    if link or in_place:
        return _finish(parcel, Manifest(revision=revision, root="" if in_place else str(source), files=stored))
    _check_room(parcel, {place: RemoteFile(place, one.size_bytes) for place, one in stored.items()})
    parcel.manifest.unlink(missing_ok=True)
    for place, one in found.items():
        target = parcel.folder / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(one, _partial(target))
        if sha256_of(_partial(target)) != stored[place].sha256:
            raise Unavailable(f"the copy of {one} differs from it: the disk may be failing")
        _partial(target).replace(target)
    return _finish(parcel, Manifest(revision=revision, files=stored))


def in_words(size_bytes: int) -> str:
    """Write a size: `34.0 GB`."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes >= scale:
            return f"{size_bytes / scale:.1f} {unit}"
    return f"{size_bytes} B"


def _pinned(one: RemoteFile, parcel: Parcel) -> RemoteFile:
    """Let a checksum in the card win over what the hub says."""
    if pin := parcel.pinned.get(one.path):
        return RemoteFile(one.path, one.size_bytes, pin)
    if not one.sha256 and not one.git_sha1:
        raise Unavailable(f"the hub tells no checksum of {one.path} in {parcel.repository}: put one into the card")
    return one


def _check_listing(parcel: Parcel, paths: list[str]) -> None:
    exact = [pattern for pattern in parcel.files if not set(pattern) & set("*?[")]
    if lacking := [pattern for pattern in exact if pattern not in paths]:
        raise Unavailable(f"{parcel.repository} has no {', '.join(lacking)} at {parcel.revision}; correct the card")
    if not paths:
        raise Unavailable(f"{parcel.repository} has none of {', '.join(parcel.files)}; correct the card")
    if parcel.rename and len(paths) > 1:
        raise Unavailable(f"{parcel.repository} has several files for {parcel.name}: {', '.join(paths)}; name one")


def _right(path: Path, one: RemoteFile) -> StoredWeight | None:
    """Describe a file if it is the one that is wanted."""
    try:
        if path.stat().st_size != one.size_bytes:
            return None
        sha256 = sha256_of(path)
        known = sha256 == one.sha256 if one.sha256 else git_sha1_of(path) == one.git_sha1
    except FileNotFoundError:
        return None
    return StoredWeight(size_bytes=one.size_bytes, sha256=sha256) if known else None


def _link(target: Path, one: RemoteFile, siblings: Iterable[Parcel]) -> StoredWeight | None:
    """Put a second name of a sibling's file in place; one outside the shelf is not looked at: it is its owner's."""
    for parcel in siblings:
        manifest = parcel.read()
        for place, stored in manifest.files.items() if manifest else ():
            if not one.sha256 or stored.sha256 != one.sha256:
                continue
            partial = _partial(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                partial.unlink(missing_ok=True)
                os.link(parcel.folder / place, partial)
            except OSError:  # the file is gone, or this file system has no links
                continue
            if right := _right(partial, one):
                partial.replace(target)
                return right
            partial.unlink()
    return None


def _check_room(parcel: Parcel, lacking: dict[str, RemoteFile]) -> None:
    here = sum(_size(_partial(parcel.folder / place)) for place in lacking)
    needed = _bytes_of(lacking) - here
    folder = parcel.folder
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise Unavailable(
            f"{parcel.name} needs {in_words(needed)} more in {parcel.folder}, where {in_words(free)} are free: "
            "make room, or set UNITASK_MODELS to another disk"
        )


def _fetch(parcel: Parcel, hub: Hub, commit: str, one: RemoteFile, target: Path) -> StoredWeight:
    partial = _partial(target)
    partial.parent.mkdir(parents=True, exist_ok=True)
    if _size(partial) > one.size_bytes:
        partial.unlink()
    hub.fetch(parcel.repository, commit, one, partial)
    if right := _right(partial, one):
        partial.replace(target)
        return right
    partial.unlink()
    raise Unavailable(
        f"{one.path} of {parcel.repository} did not arrive as it should be: its checksum differs. It is thrown away; "
        f"try again with: unitask models pull {parcel.name}"
    )


def _found(parcel: Parcel, source: Path, *, stay: bool) -> dict[str, Path]:
    """Find the files of a parcel in a folder: laid out as on a shelf, or as in the repository."""
    if not source.is_dir():
        raise Unavailable(f"{source} is not a folder")
    inner = source / parcel.part
    if parcel.part and not inner.is_dir():
        if stay:
            raise Unavailable(f"to stay where they are, the files must lie in {inner}: move them there")
        inner = source
    paths = [path.relative_to(inner).as_posix() for path in inner.rglob("*") if path.is_file()]
    wanted = sorted(path for path in paths if parcel.wants(path))
    _check_listing(parcel, wanted)
    found = {parcel.place(path): inner / path for path in wanted}
    if lacking := gaps(found, parcel.files, leans=bool(parcel.base)):
        raise Unavailable(f"{source} is not complete: {'; '.join(lacking)}")
    return found


def _agree(parcel: Parcel, source: Path, stored: dict[str, StoredWeight]) -> str:
    """Compare with a manifest among the files, and with the checksums of the card; give the revision."""
    for path, sha256 in parcel.pinned.items():
        place = parcel.place(path)
        if place in stored and stored[place].sha256 != sha256:
            raise Unavailable(f"{source / place} is damaged or another one: its checksum is not that of the card")
    if not (source / parcel.manifest.name).exists():
        return IMPORTED
    try:
        manifest = Manifest.model_validate_json((source / parcel.manifest.name).read_bytes())
    except ValueError as error:
        raise Unavailable(f"{source / parcel.manifest.name} is damaged: {error}") from error
    for place, one in manifest.files.items():
        if stored.get(place) != one:
            raise Unavailable(f"{source / place} is missing or damaged: its checksum is not that of its manifest")
    return manifest.revision


def _finish(parcel: Parcel, manifest: Manifest) -> Manifest:
    """Write the manifest in one step, and clear away what an earlier, broken or other arrival left."""
    parcel.folder.mkdir(parents=True, exist_ok=True)
    partial = _partial(parcel.manifest)
    partial.write_text(manifest.model_dump_json(indent=1), "utf-8")
    partial.replace(parcel.manifest)
    kept = {parcel.folder / place for place in manifest.files if not manifest.root}
    for path in () if parcel.rename else list((parcel.folder / parcel.part).rglob("*")):
        ours = parcel.wants(path.relative_to(parcel.folder / parcel.part).as_posix()) or path.suffix == PARTIAL
        if ours and path not in kept and not path.is_dir():
            path.unlink()
    return manifest


def _partial(path: Path) -> Path:
    return path.with_name(path.name + PARTIAL)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _bytes_of(files: dict[str, RemoteFile]) -> int:
    return sum(one.size_bytes for one in files.values())
