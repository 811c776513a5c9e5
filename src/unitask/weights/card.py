"""Model cards: data, one file per set of weights. A new model's card is one file in `cards`."""

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unitask.kit.errors import UnitaskError


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
    lacks come from the card named by `base`; one that is a single part itself says which as `part`.
    `memory_bytes` is what the device needs besides the weights.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$")
    title: str
    repository: str
    revision: str = "main"
    files: tuple[str, ...]
    sha256: dict[str, str] = {}
    base: str = ""
    part: str = ""
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    storage: Literal["as loaded", "fp8", "int8", "gguf"] = "as loaded"
    compiled: bool = False
    block_cache: float = Field(0.0, ge=0, le=1)
    disk_bytes: int = Field(ge=0)
    memory_bytes: int = Field(ge=0)
    license: License


def read_cards(folder: Path) -> dict[str, Card]:
    """Read our own cards, and those of a folder, which win over ours of the same id (the name of the file).

    Raises:
        BadCard: one of them cannot be read.

    """
    ours = [entry for entry in files(__package__).joinpath("cards").iterdir() if entry.name.endswith(".toml")]
    theirs = sorted(folder.glob("*.toml"))
    found = {}
    for entry in (*ours, *theirs):
        card_id = entry.name.removesuffix(".toml")
        try:
            found[card_id] = Card(id=card_id, **tomllib.loads(entry.read_text("utf-8")))
        except (OSError, ValueError, TypeError, ValidationError) as error:
            raise BadCard(f"the model card {entry} cannot be read: {error}") from error
    return dict(sorted(found.items()))
