"""Networks whose weights are one file with a table of tensors, without the index and settings that libraries write.

Such a card names in `part` what its network is; a chain of cards, each the base of the one before, gives all that a
product is made of.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch

from unitask.runtime.forms import Form
from unitask.runtime.parts import Part, computed_in, damaged, loaded_bytes
from unitask.runtime.tables import SAFE, SUFFIXES, Tensors, read_tensors
from unitask.weights import Card, Shelf

T = TypeVar("T")
Build = Callable[[Path, torch.dtype], Any]
"""Makes a network of the files in a folder, in a precision."""


@dataclass(frozen=True, slots=True)
class StatePart(Part):
    """A network that `build` makes of the files in its folder."""

    build: Build

    def read(self) -> Any:
        """Build it."""
        return self.build(self.root / self.name, self.dtype)


def parts_of(shelf: Shelf, card_id: str, builds: Mapping[str, Build]) -> dict[str, Part]:
    """Give the networks of a card and its bases, by what their cards call them; `builds` says how each is made.

    Raises:
        Unavailable: the weights are not here.
        EngineFailure: a folder does not hold one file of weights.

    """
    cards = {card.part: card for card in shelf.with_bases(card_id)}
    return {name: _part(shelf, cards[name], build) for name, build in builds.items()}


def tensors(folder: Path) -> Tensors:
    """Read the one table of tensors in a folder; see `read_tensors`.

    Raises:
        OSError, ValueError, RuntimeError, SafetensorError: there is none, or it is damaged, or holds something else.

    """
    return read_tensors(_only(sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)))


def numbered(found: Tensors, prefix: str) -> int:
    """Count the members of a list of modules, by the numbers that follow its name."""
    return len({name.removeprefix(prefix).split(".")[0] for name in found if name.startswith(prefix)})


def _part(shelf: Shelf, card: Card, build: Build) -> Part:
    root, manifest = shelf.root(card.id), shelf.manifest(card.id)
    files = {path: file for path, file in sorted(manifest.files.items()) if path.startswith(f"{card.part}/")}
    try:
        weights = _only([path for path in files if Path(path).suffix in SUFFIXES])
    except ValueError as error:
        raise damaged(card, card.part, error) from error
    kind, stored = card.part.title(), files[weights].size_bytes
    width, form = computed_in(card, kind).itemsize, Form.of(card, kind)
    size_bytes = loaded_bytes(root / weights, stored, width, form) if weights.endswith(SAFE) else stored
    digest = hashlib.sha256("\n".join(f"{path} {file.sha256}" for path, file in files.items()).encode()).hexdigest()
    return StatePart(card, root, card.part, "", kind, digest, size_bytes, build)


def _only(found: list[T]) -> T:
    if len(found) != 1:
        raise ValueError(f"there is one file of weights in such a folder, not {len(found)}")
    return found[0]
