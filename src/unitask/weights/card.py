"""Model cards: data, one file per set of weights. A new model's card is one file in `cards`."""

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unitask.kit.errors import UnitaskError

OURS: Final = files(__package__)
PIPELINE: Final = ("model_index.json", "*/*.json", "*/*.safetensors", "*/*.txt", "*/*.model")
"""What is needed of a repository in the layout of diffusers: its parts, not the single-file copy beside them."""


class BadCard(UnitaskError):
    """A card cannot be read; the sentence names its file and what is wrong in it."""


class License(BaseModel):
    """Under what terms the weights are given. `forbids` is what a person must know before using them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    url: str = ""
    forbids: str = ""


class Card(BaseModel):
    """One set of weights, and how it is loaded.

    `files` are patterns of paths in the repository; `sha256` pins single ones. Parts (subfolders) that the repository
    lacks come from the card named by `base`. `part` is the subfolder into which the files go, for a repository whose
    root is one part. `repository` is empty for weights that are only imported. `disk_bytes` is about what they take,
    `memory_bytes` about what the device needs besides them. `verified` says who saw these very weights work, on what
    and when; empty: nobody who told us. `command` is what brings them where it is not a pull.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")
    title: str
    repository: str = ""
    revision: str = "main"
    files: tuple[str, ...] = PIPELINE
    sha256: dict[str, str] = {}
    base: str = ""
    part: str = Field("", pattern=r"^([a-z0-9_]{1,64})?$")
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    storage: Literal["as loaded", "fp8", "int8", "gguf"] = "as loaded"
    compiled: bool = False
    block_cache: float = Field(0.0, ge=0, le=1)
    disk_bytes: int = Field(ge=0)
    memory_bytes: int = Field(ge=0)
    license: License
    verified: str = ""
    command: str = ""

    @property
    def bringing(self) -> str:
        """Give the command that brings these weights."""
        return self.command or f"unitask models pull {self.id}"

    @model_validator(mode="after")
    def _a_single_file_is_a_part_of_something(self) -> Self:
        if self.storage == "gguf" and not (self.base and self.part):
            raise ValueError("storage = 'gguf' wants a base, which says how the network is built, and a part")
        return self


class LoraCard(BaseModel):
    """One LoRA of a family of models. `file` is its path in the repository, or a pattern that fits that one alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: str
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    repository: str
    revision: str = "main"
    file: str
    sha256: str = ""
    disk_bytes: int = Field(ge=0)
    license: License


def read_cards(folder: Path) -> dict[str, Card]:
    """Read our own cards, and those of a folder, which win over ours of the same id (the name of the file).

    Raises:
        BadCard: one of them cannot be read, or leans on a card that is not there.

    """
    licenses = _licenses()
    found = {}
    for entry in _entries(folder, "cards"):
        card_id = entry.name.removesuffix(".toml")
        try:
            found[card_id] = Card(id=card_id, **_with_license(_read(entry), licenses))
        except (OSError, ValueError, TypeError, ValidationError) as error:
            raise BadCard(f"the model card {entry} cannot be read: {error}") from error
    for card in found.values():
        _check_bases(card, found)
    return dict(sorted(found.items()))


def read_loras(folder: Path) -> dict[tuple[str, str], LoraCard]:
    """Read our own LoRAs, and those of a folder, by family (the name of the file) and name (of the table in it).

    Raises:
        BadCard: one of them cannot be read.

    """
    licenses = _licenses()
    found = {}
    for entry in _entries(folder / "loras", "cards/loras"):
        family = entry.name.removesuffix(".toml")
        try:
            for name, raw in _read(entry).items():
                found[family, name] = LoraCard(family=family, name=name, **_with_license(raw, licenses))
        except (OSError, ValueError, TypeError, ValidationError) as error:
            raise BadCard(f"the LoRAs of {entry} cannot be read: {error}") from error
    return dict(sorted(found.items()))


def _entries(folder: Path, ours: str) -> Iterable[Traversable]:
    own = [entry for entry in OURS.joinpath(ours).iterdir() if entry.name.endswith(".toml")]
    return (*own, *sorted(folder.glob("*.toml")))


def _read(entry: Traversable) -> dict[str, Any]:
    return tomllib.loads(entry.read_text("utf-8"))


def _licenses() -> Mapping[str, Any]:
    return _read(OURS.joinpath("licenses.toml"))


def _with_license(raw: dict[str, Any], licenses: Mapping[str, Any]) -> dict[str, Any]:
    """Put the licence in the place of its name in `licenses.toml`."""
    name = raw.get("license")
    if not isinstance(name, str):
        return raw
    if name not in licenses:
        raise ValueError(f"no licence {name!r}; give a table with its name, or one of: {', '.join(licenses)}")
    return raw | {"license": licenses[name]}


def _check_bases(card: Card, cards: Mapping[str, Card]) -> None:
    seen = [card.id]
    while card.base:
        if card.base not in cards or card.base in seen:
            why = "which has no card" if card.base not in cards else "which leans on it in turn"
            raise BadCard(f"the model card {card.id!r} has the base {card.base!r}, {why}")
        card = cards[card.base]
        seen.append(card.id)
