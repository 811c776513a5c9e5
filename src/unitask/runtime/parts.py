"""One network of a model: what it is, how much it takes, and how it comes into memory."""

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError

from unitask.kit.errors import EngineFailure
from unitask.runtime.forms import HALVED, PRECISE, Form
from unitask.weights import Card

HEAD_BYTES: Final = 100 * 2**20
"""The longest head that the format allows."""
_COMPUTED: Final = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
_LIBRARIES: Final = ("diffusers", "transformers")


@dataclass(frozen=True, slots=True)
class Part:
    """One network, in the folder `name` under `root`.

    `digest` is that of its content: the same network under two cards is in memory once. `size_bytes` is about what it
    takes there.
    """

    card: Card
    root: Path
    name: str
    library: str
    class_name: str
    digest: str
    size_bytes: int

    @property
    def key(self) -> tuple[str, ...]:
        """What it is, wherever it lies; in another form it is another one."""
        return self.class_name, self.digest, self.card.dtype, *map(str, self.form)

    @property
    def form(self) -> Form:
        """How it is kept and computed."""
        return Form.of(self.card, self.class_name)

    @property
    def dtype(self) -> torch.dtype:
        """What it computes in: what the card says, but for those that need more."""
        return computed_in(self.card, self.class_name)

    def load(self) -> Any:
        """Read it into the machine's memory.

        Raises:
            EngineFailure: its files are missing, damaged, or not of this class; or it cannot take its form.

        """
        try:
            network = self.read()
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise damaged(self.card, self.name, error) from error
        network.eval().requires_grad_(False)
        self.form.give(network, self.card)
        return network

    def read(self) -> Any:
        """Build it from its files as the libraries do; a part whose files are laid out otherwise has its own way."""
        return class_of(self.library, self.class_name).from_pretrained(
            self.root, subfolder=self.name, torch_dtype=self.dtype, local_files_only=True, use_safetensors=True
        )


def computed_in(card: Card, class_name: str) -> torch.dtype:
    """Tell in which precision a class of network works."""
    if class_name in PRECISE:
        return torch.float32
    kind = _COMPUTED[card.dtype]
    return torch.float16 if kind is torch.bfloat16 and class_name in HALVED else kind


def loaded_bytes(path: Path, stored_bytes: int, width: int, form: Form | None = None) -> int:
    """Tell how much memory a file's numbers take: `width` bytes each, or less in some forms; stored it may be more."""
    try:
        with path.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            head = json.loads(opened.read(min(length, HEAD_BYTES)))
        shapes = {name: tensor["shape"] for name, tensor in head.items() if name != "__metadata__"}
        kept = form or Form()
        return sum(kept.size_bytes(name, shape, width) for name, shape in shapes.items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return stored_bytes  # it is damaged, as will be said when it is loaded


def class_of(library: str, class_name: str) -> Any:
    """Find a class by the names in an index: of the two libraries, or of a pipeline's own module; nothing else runs.

    Raises:
        EngineFailure: this installation has no such class.

    """
    module = library if library in _LIBRARIES else f"diffusers.pipelines.{library}"
    try:
        return getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError) as error:
        raise EngineFailure(
            f"these weights want {library}.{class_name}, which this installation does not have",
            raw_message=str(error),
        ) from error


def damaged(card: Card, what: str, error: Exception) -> EngineFailure:
    """Say that something of a card cannot be read, and how to look for the reason."""
    return EngineFailure(
        f"the weights of {card.id} cannot be read ({what}); look for the damage with: unitask models check {card.id}",
        raw_message=f"{type(error).__name__}: {error}"[:500],
    )
