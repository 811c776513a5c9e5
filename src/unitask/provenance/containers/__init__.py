"""The IPTC mark in files: found, and put there without touching any other byte of the media."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from unitask.provenance.containers import gif, glb, iso, jpeg, mp3, png, riff
from unitask.provenance.containers.edits import Plan, Unmarkable, View
from unitask.provenance.packet import Words

__all__ = ["WALKERS", "Unmarkable", "packet_in", "put_into"]

WALKERS: Final[Mapping[str, Callable[[View, Words | None], Plan]]] = {
    "gif": gif.plan,
    "glb": glb.plan,
    "jpg": jpeg.plan,
    "m4a": iso.plan,
    "mov": iso.plan,
    "mp3": mp3.plan,
    "mp4": iso.plan,
    "png": png.plan,
    "wav": riff.wav,
    "webp": riff.webp,
}


def packet_in(path: Path, extension: str) -> bytes | None:
    """Read the packet of a file; None where there is none, or where its format has no place for one.

    Raises:
        Unmarkable: the file is not what its container demands.

    """
    if extension not in WALKERS:
        return None
    with path.open("rb") as file:
        return WALKERS[extension](View(file), None).packet


def put_into(path: Path, extension: str, words: Words, into: Path) -> None:
    """Write a file again with the mark in it, in place of a packet that was there.

    Raises:
        Unmarkable: its format has no place for a mark, or the file is not what its container demands.

    """
    if extension not in WALKERS:
        raise Unmarkable(f".{extension} has no place for the mark")
    with path.open("rb") as file:
        view = View(file)
        edits = WALKERS[extension](view, words).edits
        with into.open("wb") as marked:
            view.rewrite(marked, edits)
