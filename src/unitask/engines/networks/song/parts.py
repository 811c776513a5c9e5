"""Networks whose weights are one file of a card, in a format that must not be unpickled at will."""

import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from unitask.kit.errors import EngineFailure
from unitask.runtime.parts import Part, damaged
from unitask.runtime.runtime import Runtime
from unitask.weights import Card

BROKEN = (pickle.UnpicklingError, zipfile.BadZipFile, EOFError, LookupError, AttributeError, TypeError)
"""What damaged files raise, besides OSError, ValueError and RuntimeError."""


@dataclass(frozen=True, slots=True)
class FilePart(Part):
    """A network that `build(file, dtype)` makes; it raises ValueError, RuntimeError or `BROKEN` if it cannot."""

    build: Callable[[Path, torch.dtype], Any]

    def read(self) -> Any:
        """Build it."""
        try:
            return self.build(self.root / self.name, self.dtype)
        except BROKEN as error:
            raise ValueError(f"{type(error).__name__}: {error}") from error


def card_of(runtime: Runtime, card_id: str) -> Card:
    """Give a card whose weights are here.

    Raises:
        EngineFailure: they are not.

    """
    if lack := runtime.shelf.lacks((card_id,)):
        raise EngineFailure(f"{card_id} cannot be used: {lack}", retryable=True)
    return runtime.shelf.cards[card_id]


def part_of(runtime: Runtime, card_id: str, file: str, kind: str, build: Callable[[Path, torch.dtype], Any]) -> Part:
    """Describe the network `kind` in a file of a card.

    Raises:
        EngineFailure: the weights are not here, or the file is not among them.

    """
    card = card_of(runtime, card_id)
    stored = runtime.shelf.manifest(card_id).files.get(file)
    if stored is None:
        raise damaged(card, file, FileNotFoundError(file))
    root = runtime.shelf.root(card_id)
    return FilePart(card, root, file, "unitask", kind, stored.sha256, stored.size_bytes, build)


def numbers_in(runtime: Runtime, card_id: str, file: str) -> dict[str, Any]:
    """Read a JSON object that lies with a card.

    Raises:
        EngineFailure: it is not here, or no such thing.

    """
    card = card_of(runtime, card_id)
    try:
        content = json.loads((runtime.shelf.root(card_id) / file).read_bytes())
    except (OSError, ValueError) as error:
        raise damaged(card, file, error) from error
    if not isinstance(content, dict):
        raise damaged(card, file, TypeError("no object"))
    return content
