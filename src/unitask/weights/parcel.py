"""A parcel: what one name on the command line stands for, from where it comes and where it goes."""

from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final, Self

from unitask.kit.errors import NotFound, Unavailable
from unitask.weights.card import Card, License, LoraCard
from unitask.weights.shelf import MANIFEST, Manifest, Shelf, place

LORA: Final = "lora:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """The files of a card or of a LoRA.

    `files` are patterns of paths in the repository; each without a wildcard must be there. They go into `part` of
    `folder`, or under the name `rename` if that is set. `manifest` is the file that says that all of them came.
    """

    name: str
    title: str
    license: License
    disk_bytes: int
    repository: str
    revision: str
    files: tuple[str, ...]
    folder: Path
    manifest: Path
    pinned: dict[str, str] = field(default_factory=dict)
    part: str = ""
    rename: str = ""
    base: str = ""

    @classmethod
    def of_card(cls, card: Card, shelf: Path) -> Self:
        """Make the parcel of a card."""
        return cls(
            name=card.id,
            title=card.title,
            license=card.license,
            disk_bytes=card.disk_bytes,
            repository=card.repository,
            revision=card.revision,
            files=card.files,
            folder=shelf / card.id,
            manifest=shelf / card.id / MANIFEST,
            pinned=card.sha256,
            part=card.part,
            base=card.base,
        )

    @classmethod
    def of_lora(cls, card: LoraCard, shelf: Path) -> Self:
        """Make the parcel of a LoRA."""
        folder = shelf / "loras" / card.family
        return cls(
            name=f"{LORA}{card.family}/{card.name}",
            title=f"LoRA {card.name} of the family {card.family}",
            license=card.license,
            disk_bytes=card.disk_bytes,
            repository=card.repository,
            revision=card.revision,
            files=(card.file,),
            folder=folder,
            manifest=folder / f"{card.name}.{MANIFEST}",
            pinned={card.file: card.sha256} if card.sha256 else {},
            rename=f"{card.name}.safetensors",
        )

    def wants(self, path: str) -> bool:
        """Tell whether a path of the repository belongs to it."""
        return any(fnmatchcase(path, pattern) for pattern in self.files)

    def place(self, path: str) -> str:
        """Tell where a path of the repository goes, below `folder`.

        Raises:
            Unavailable: the path leads elsewhere.

        """
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or "\\" in path or pure.name == MANIFEST:
            raise Unavailable(f"{self.repository} holds a file with a path that is not taken: {path!r}")
        return self.rename or str(PurePosixPath(self.part) / pure)

    @property
    def lies(self) -> Path:
        """The manifest that counts: its own, or where there is none, that of what came with Unitask."""
        return self.manifest if self.rename else place(self.folder.parent, self.name) / MANIFEST

    @property
    def is_here(self) -> bool:
        """Tell whether it lies here, complete when it came; a LoRA may also have been put there by hand."""
        return self.lies.exists() or bool(self.rename and (self.folder / self.rename).exists())

    def read(self) -> Manifest | None:
        """Read what lies here of it; None where nothing does, or its manifest is damaged."""
        try:
            return Manifest.model_validate_json(self.lies.read_bytes())
        except (OSError, ValueError):
            return None

    def root(self, manifest: Manifest) -> Path:
        """Tell where its files lie."""
        return Path(manifest.root) if manifest.root else self.lies.parent


def parcels(shelf: Shelf) -> dict[str, Parcel]:
    """Give everything that the cards of a shelf know, by the name on the command line."""
    cards = [Parcel.of_card(card, shelf.folder) for card in shelf.cards.values()]
    loras = [Parcel.of_lora(card, shelf.folder) for card in shelf.loras.values()]
    return {one.name: one for one in (*cards, *loras)}


def own_loras(shelf: Shelf) -> list[str]:
    """Name the LoRAs that lie here and have no card: someone put them there."""
    files = (shelf.folder / "loras").glob("*/*.safetensors")
    return sorted(
        f"{LORA}{one.parent.name}/{one.stem}" for one in files if (one.parent.name, one.stem) not in shelf.loras
    )


def find(shelf: Shelf, name: str) -> Parcel:
    """Find what a name stands for.

    Raises:
        NotFound: no card has this name; says which come near.

    """
    known = parcels(shelf)
    if name in known:
        return known[name]
    if name.startswith(LORA):
        path = shelf.folder / "loras" / f"{name.removeprefix(LORA)}.safetensors"
        raise NotFound(f"no source of {name!r} is known: put a file at {path}, or name one in a card of your own")
    near = get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    raise NotFound(f"no model card {name!r}{hint} `unitask models list` shows them")


def with_bases(shelf: Shelf, parcel: Parcel) -> list[Parcel]:
    """Give a parcel after those that it leans on."""
    return [*(with_bases(shelf, find(shelf, parcel.base)) if parcel.base else ()), parcel]
