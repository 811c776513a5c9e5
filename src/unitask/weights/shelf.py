"""The shelf: the folder in which weights lie, one folder per card, each with a manifest of its files."""

import re
from functools import cached_property
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from unitask.kit.errors import Unavailable
from unitask.weights.card import Card, LoraCard, read_cards, read_loras

MANIFEST: Final = "unitask.json"
SHIPPED: Final = Path(__file__).parent / "shipped"
"""Weights that come with Unitask itself, laid out as on a shelf."""
_LORA_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class StoredWeight(BaseModel):
    """One file as it was when it came: its size and the checksum of its content."""

    model_config = ConfigDict(frozen=True)

    size_bytes: int
    sha256: str


class Manifest(BaseModel):
    """What lies on the shelf for a card. `root` is where: empty for beside the manifest."""

    model_config = ConfigDict(frozen=True)

    revision: str
    root: str = ""
    files: dict[str, StoredWeight]


def place(shelf: Path, card_id: str) -> Path:
    """Tell in which folder the manifest of a card lies: on the shelf, or else where what came with Unitask lies."""
    own, ours = shelf / card_id, SHIPPED / card_id
    return ours if not (own / MANIFEST).exists() and (ours / MANIFEST).exists() else own


class Shelf:
    """Cards, and what of them lies here. Reads alone; `unitask models` puts things on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @cached_property
    def cards(self) -> dict[str, Card]:
        """Every card by its id."""
        return read_cards(self.folder / "cards")

    @cached_property
    def loras(self) -> dict[tuple[str, str], LoraCard]:
        """Every LoRA of which a source is known, by family and name. A file without a card is one as well."""
        return read_loras(self.folder / "cards")

    def has(self, card_id: str) -> bool:
        """Tell whether the weights of a card lie here, complete when they came."""
        return (place(self.folder, card_id) / MANIFEST).exists()

    def lacks(self, card_ids: tuple[str, ...]) -> str | None:
        """Say how to get what is missing of these cards and their bases, or None. Cheap: asked for every order."""
        for card_id in card_ids:
            card = self.cards.get(card_id)
            if card is None:
                return f"there is no model card {card_id!r}"
            if not self.has(card_id):
                return f"its weights are not here; get them with: {card.bringing}"
            if card.base and (lack := self.lacks((card.base,))):
                return lack
        return None

    def with_bases(self, card_id: str) -> list[Card]:
        """Give a card, and one after another those that it leans on; nothing where it is not known."""
        card = self.cards.get(card_id)
        return [card, *self.with_bases(card.base)] if card else []

    def manifest(self, card_id: str) -> Manifest:
        """Read what lies here for a card.

        Raises:
            Unavailable: nothing does, or the manifest is damaged.

        """
        path = place(self.folder, card_id) / MANIFEST
        try:
            return Manifest.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            raise Unavailable(
                f"the weights of {card_id} are not here; get them with: unitask models pull {card_id}"
            ) from None
        except (OSError, ValidationError) as error:
            raise Unavailable(f"{path} is damaged: {error}; mend it with: unitask models pull {card_id}") from error

    def stamp(self, card_id: str) -> tuple[int, ...]:
        """Give something that changes when other weights come for a card or its bases.

        Raises:
            Unavailable: nothing lies here for one of them.

        """
        path = place(self.folder, card_id) / MANIFEST
        try:
            own = path.stat().st_mtime_ns
        except FileNotFoundError:
            raise Unavailable(f"the weights of {card_id} are not here") from None
        base = self.cards[card_id].base
        return (own, *self.stamp(base)) if base else (own,)

    def root(self, card_id: str) -> Path:
        """Tell where the files of a card lie.

        Raises:
            Unavailable: they are not here.

        """
        manifest = self.manifest(card_id)
        return Path(manifest.root) if manifest.root else place(self.folder, card_id)

    def lora(self, family: str, name: str) -> Path:
        """Find a LoRA: `loras/<family>/<name>.safetensors`.

        Raises:
            Unavailable: it is not here; says how to get it.

        """
        path = self.folder / "loras" / family / f"{name}.safetensors"
        if not _LORA_NAME.fullmatch(name) or not path.is_file():
            raise Unavailable(
                f"the LoRA {name!r} is not here; get it with: unitask models pull lora:{family}/{name}, "
                f"or put it into the folder of models as loras/{family}/{name}.safetensors"
            )
        return path
