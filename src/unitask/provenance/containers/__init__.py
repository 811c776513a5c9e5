"""The IPTC mark in files: found, and put there without touching any other byte of the media."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from unitask.provenance.containers import gif, glb, iso, jpeg, mp3, png, riff
from unitask.provenance.containers.edits import Plan, Unmarkable, View
from unitask.provenance.packet import Words

__all__ = ["WALKERS", "Plan", "Unmarkable", "look_into", "packet_in", "put_into"]

WALKERS: Final[Mapping[str, Callable[[View, Words | None, Plan], None]]] = {
    "gif": gif.walk,
    "glb": glb.walk,
    "jpg": jpeg.walk,
    "m4a": iso.walk,
    "mov": iso.walk,
    "mp3": mp3.walk,
    "mp4": iso.walk,
    "png": png.walk,
    "wav": riff.wav,
    "webp": riff.webp,
}


def look_into(path: Path, extension: str) -> Plan:
    """Read what a file says. One that is damaged has said what stands before the damage."""
    found = Plan()
    if extension in WALKERS:
        with path.open("rb") as file:
            try:
                WALKERS[extension](View(file), None, found)
            except Unmarkable as error:
                found.damaged = str(error)
    return found


def packet_in(path: Path, extension: str) -> bytes | None:
    """Read the packet of a file; None where there is none, or where its format has no place for one."""
    return look_into(path, extension).packet


def put_into(path: Path, extension: str, words: Words, into: Path) -> None:
    """Write a file again with the mark in it, in place of a packet that was there.

    Raises:
        Unmarkable: its format has no place for a mark, or the file is not what its container demands.

    """
    if extension not in WALKERS:
        raise Unmarkable(f".{extension} has no place for the mark")
    with path.open("rb") as file:
        view, found = View(file), Plan()
        WALKERS[extension](view, words, found)
        with into.open("wb") as marked:
            view.rewrite(marked, found.edits)
