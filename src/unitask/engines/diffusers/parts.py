"""A model on the shelf, taken apart: its networks (parts), and the small rest (tokenizers, schedulers, numbers)."""

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError

from unitask.kit.errors import EngineFailure
from unitask.weights import Card, Manifest, Shelf

INDEX: Final = "model_index.json"
_WEIGHTS: Final = ".safetensors"
_COMPUTED: Final = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
_FOREIGN: Final = ("diffusers", "transformers")


@dataclass(frozen=True, slots=True)
class Part:
    """One network. `key` is the same for the same content under another card: two models then share it in memory."""

    card: Card
    root: Path
    name: str
    library: str
    class_name: str
    digest: str
    size_bytes: int

    @property
    def key(self) -> tuple[str, ...]:
        """What it is, wherever it lies and however it is loaded."""
        return self.class_name, self.digest, self.card.dtype, self.card.storage

    def load(self) -> Any:
        """Read it into the machine's memory.

        Raises:
            EngineFailure: its files are missing, damaged, or not of this class.

        """
        kind = _class(self.library, self.class_name)
        try:
            network = kind.from_pretrained(
                self.root,
                subfolder=self.name,
                torch_dtype=_COMPUTED[self.card.dtype],
                local_files_only=True,
                use_safetensors=True,
            )
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise EngineFailure(
                f"the weights of {self.card.id} cannot be read ({self.name}); "
                f"look for the damage with: unitask models check {self.card.id}",
                raw_message=f"{type(error).__name__}: {error}"[:500],
            ) from error
        network.eval().requires_grad_(False)
        if self.card.storage == "fp8" and hasattr(network, "enable_layerwise_casting"):
            network.enable_layerwise_casting(torch.float8_e4m3fn, compute_dtype=_COMPUTED[self.card.dtype])
        if self.card.block_cache and hasattr(network, "enable_cache"):
            from diffusers import FirstBlockCacheConfig  # noqa: PLC0415 - wanted by few

            network.enable_cache(FirstBlockCacheConfig(threshold=self.card.block_cache))
        if self.card.compiled and hasattr(network, "compile_repeated_blocks"):
            network.compile_repeated_blocks(fullgraph=True)
        return network


@dataclass(frozen=True)
class Model:
    """All that a card and its bases offer, by the names that pipelines give them.

    `small_files` are those of tokenizers and the like: folder, library, class. `numbers` are plain settings.
    """

    card: Card
    parts: Mapping[str, Part]
    small_files: Mapping[str, tuple[Path, str, str]]
    numbers: Mapping[str, Any]
    _loaded: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def on(cls, shelf: Shelf, card_id: str) -> "Model":
        """Take a card's folder apart, over that of its base.

        Raises:
            Unavailable: the weights are not here.
            EngineFailure: the folder is not laid out as such models are.

        """
        card, root, manifest = shelf.cards[card_id], shelf.root(card_id), shelf.manifest(card_id)
        base = cls.on(shelf, card.base) if card.base else None
        parts: dict[str, Part] = dict(base.parts) if base else {}
        small = dict(base.small_files) if base else {}
        numbers: dict[str, Any] = dict(base.numbers) if base else {}
        for name, value in _index(card, root).items():
            if isinstance(value, list):
                library, class_name = value
                if not library:
                    continue  # left to the base
                if part := _part(card, root, manifest, (name, library, class_name)):
                    parts[name] = part
                elif (root / name).is_dir():
                    small[name] = root / name, library, class_name
            elif not name.startswith("_"):
                numbers[name] = value
        return cls(card, parts, small, numbers)

    def small(self, name: str) -> Any:
        """Give a tokenizer, a scheduler or the like; it is read once.

        Raises:
            EngineFailure: its files are damaged.

        """
        if name not in self._loaded:
            folder, library, class_name = self.small_files[name]
            try:
                self._loaded[name] = _class(library, class_name).from_pretrained(folder, local_files_only=True)
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise EngineFailure(
                    f"{name} of {self.card.id} cannot be read; look for the damage with: "
                    f"unitask models check {self.card.id}",
                    raw_message=f"{type(error).__name__}: {error}"[:500],
                ) from error
        return self._loaded[name]


def _index(card: Card, root: Path) -> dict[str, Any]:
    """Read which parts a folder has: a pipeline's index, or the head of the one part that the card says it is."""
    path = root / card.part / "config.json" if card.part else root / INDEX
    try:
        said: dict[str, Any] = json.loads(path.read_text("utf-8"))
        if not card.part:
            return said
        if "_class_name" in said:
            return {card.part: ["diffusers", said["_class_name"]]}
        return {card.part: ["transformers", said["architectures"][0]]}
    except (OSError, ValueError, LookupError) as error:
        raise EngineFailure(
            f"the weights of {card.id} have no readable {path.name}; look for the damage with: "
            f"unitask models check {card.id}",
            raw_message=f"{type(error).__name__}: {error}",
        ) from error


def _part(card: Card, root: Path, manifest: Manifest, entry: tuple[str, str, str]) -> Part | None:
    """Describe a network; None for what has no weights, such as a tokenizer."""
    name, library, class_name = entry
    prefix = f"{name}/"
    files = {
        path.removeprefix(prefix): file
        for path, file in sorted(manifest.files.items())
        if path.startswith(prefix) and "/" not in path.removeprefix(prefix)
    }
    weights = {name: file for name, file in files.items() if name.endswith(_WEIGHTS)}
    if not weights:
        return None
    said = "\n".join(
        f"{name} {file.sha256}" for name, file in files.items() if name in weights or name == "config.json"
    )
    digest = hashlib.sha256(said.encode()).hexdigest()
    size_bytes = sum(file.size_bytes for file in weights.values())
    return Part(card, root, name, library, class_name, digest, size_bytes)


def _class(library: str, class_name: str) -> Any:
    """Find a class by the names in an index: of the two libraries, or of a pipeline's own module; nothing else runs."""
    if library in _FOREIGN:
        return getattr(importlib.import_module(library), class_name)
    try:
        return getattr(importlib.import_module(f"diffusers.pipelines.{library}"), class_name)
    except (ImportError, AttributeError) as error:
        raise EngineFailure(
            f"these weights want {library}.{class_name}, which this installation does not have",
            raw_message=str(error),
        ) from error
