"""A model on the shelf, taken apart: its networks (parts), and the small rest (tokenizers, schedulers, numbers)."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from unitask.kit.errors import EngineFailure
from unitask.runtime.forms import Form
from unitask.runtime.gguf import GgufPart
from unitask.runtime.parts import Part, class_of, computed_in, damaged, loaded_bytes
from unitask.weights import Card, Manifest, Shelf

INDEX: Final = "model_index.json"
_CONFIG: Final = "config.json"
_PREPARES: Final = "preprocessor_config.json"
_TOKENIZES: Final = "tokenizer_config.json"
_WEIGHTS: Final = ".safetensors"
_READ_AS: Final = {"LlamaTokenizer": "PreTrainedTokenizerFast", "LlamaTokenizerFast": "PreTrainedTokenizerFast"}
"""transformers 5 builds Llama's tokenizers as those of the first two generations were, and drops all spaces of later
ones; the plain class takes them as their file says."""


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

        Where a folder says how pictures are prepared for its network, that is the model's `image_processor`; how
        sound and words are, its `processor`; how words alone are, its `tokenizer`.

        Raises:
            Unavailable: the weights are not here.
            EngineFailure: the folder is not laid out as such models are, or cannot take the form that the card wants.

        """
        card, root, manifest = shelf.cards[card_id], shelf.root(card_id), shelf.manifest(card_id)
        base = cls.on(shelf, card.base) if card.base else None
        parts: dict[str, Part] = dict(base.parts) if base else {}
        small = dict(base.small_files) if base else {}
        numbers: dict[str, Any] = dict(base.numbers) if base else {}
        if card.part and (root / card.part / _PREPARES).is_file():
            small["image_processor"] = root / card.part, "transformers", "AutoImageProcessor"
            small["processor"] = root / card.part, "transformers", "AutoProcessor"
        if base and card.storage == "gguf":
            plans = {name: (part.root / name, part.library, part.class_name) for name, part in base.parts.items()}
            parts[card.part] = GgufPart.on(card, root, manifest, {**base.small_files, **plans})
            small.pop(card.part, None)
        if card.part and (root / card.part / _TOKENIZES).is_file():
            small["tokenizer"] = root / card.part, "transformers", "AutoTokenizer"
        for name, value in _index(card, root).items():
            if not isinstance(value, list):
                if not name.startswith("_"):
                    numbers[name] = value
                continue
            library, class_name = value
            if not library:
                continue  # left to the base
            if part := _part(card, root, manifest, (name, library, class_name)):
                parts[name] = part
            elif (root / name).is_dir():
                small[name] = root / name, library, class_name
        _check_wishes(card, [part.form for part in parts.values() if part.card is card])
        return cls(card, parts, small, numbers)

    def small(self, name: str) -> Any:
        """Give a tokenizer, a scheduler or the like; it is read once.

        Raises:
            EngineFailure: its files are damaged.

        """
        if name not in self._loaded:
            folder, library, class_name = self.small_files[name]
            try:
                kind = class_of(library, _READ_AS.get(class_name, class_name))
                self._loaded[name] = kind.from_pretrained(folder, local_files_only=True)
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise damaged(self.card, name, error) from error
        return self._loaded[name]


def _index(card: Card, root: Path) -> dict[str, Any]:
    """Read which parts a folder has: a pipeline's index, or where there is none, what the parts say of themselves."""
    if card.storage == "gguf":
        return {}  # the base's says it all
    try:
        if card.part:
            return {card.part: _head(root / card.part)}
        if card.base and not (root / INDEX).exists():
            return {folder.name: _head(folder) for folder in sorted(root.iterdir()) if folder.is_dir()}
        return dict(json.loads((root / INDEX).read_text("utf-8")))
    except (OSError, ValueError, LookupError) as error:
        raise damaged(card, f"{card.part}/{_CONFIG}" if card.part else INDEX, error) from error


def _check_wishes(card: Card, forms: Sequence[Form]) -> None:
    """See that what the card wants holds for one of its networks at least."""
    for name, nothing in Form._field_defaults.items():
        if getattr(card, name) != nothing and all(getattr(form, name) == nothing for form in forms):
            raise EngineFailure(
                f"the card of {card.id} says {name} = {getattr(card, name)!r}, which none of its networks can do; "
                "take it out of the card"
            )


def _head(folder: Path) -> list[str]:
    """Read of which library and class a part is: a network, or what prepares pictures for one."""
    if not (folder / _CONFIG).exists():
        return ["transformers", json.loads((folder / _PREPARES).read_text("utf-8"))["image_processor_type"]]
    said = json.loads((folder / _CONFIG).read_text("utf-8"))
    if "_class_name" in said:
        return ["diffusers", said["_class_name"]]
    return ["transformers", said["architectures"][0]]


def _part(card: Card, root: Path, manifest: Manifest, entry: tuple[str, str, str]) -> Part | None:
    """Describe a network; None for what has no weights, such as a tokenizer."""
    name, library, class_name = entry
    files = {
        path.removeprefix(f"{name}/"): file
        for path, file in sorted(manifest.files.items())
        if path.startswith(f"{name}/") and "/" not in path.removeprefix(f"{name}/")
    }
    weights = {file_name: file for file_name, file in files.items() if file_name.endswith(_WEIGHTS)}
    if not weights:
        return None
    plain = {file_name: file for file_name, file in weights.items() if "." not in file_name.removesuffix(_WEIGHTS)}
    weights = plain or weights  # beside the plain ones, the libraries leave variants such as model.fp16 unread
    said = "\n".join(f"{one} {file.sha256}" for one, file in files.items() if one in weights or one == _CONFIG)
    digest = hashlib.sha256(said.encode()).hexdigest()
    width, form = computed_in(card, class_name).itemsize, Form.of(card, class_name)
    size_bytes = sum(loaded_bytes(root / name / one, file.size_bytes, width, form) for one, file in weights.items())
    return Part(card, root, name, library, class_name, digest, size_bytes)
