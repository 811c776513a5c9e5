"""A network that enlarges pictures, of any build that spandrel knows by the names of its weights."""

from dataclasses import dataclass
from typing import Any, Final

import torch
from safetensors.torch import load_file

from unitask.runtime.parts import Part, damaged, loaded_bytes
from unitask.runtime.runtime import Runtime
from unitask.runtime.spandrels import spandrel_alone

_SUFFIX: Final = ".safetensors"
_LEAST_FACTOR: Final = 2
_COLOURS: Final = 3


class Enlarger(torch.nn.Module):
    """Takes (1, 3, h, w) of values 0 to 1 and gives (1, 3, h * scale, w * scale)."""

    def __init__(self, described: Any) -> None:
        super().__init__()
        self.network = described.model
        self.scale: int = described.scale
        self._described = described

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        """Enlarge a picture; spandrel brings its size to what the network can take, and back."""
        made: torch.Tensor = self._described(picture)
        return made


@dataclass(frozen=True, slots=True)
class EnlargerPart(Part):
    """One safetensors file, `name`, with the weights of an enlarging network."""

    def read(self) -> Enlarger:
        """Find out what the network is like from the names and shapes of its weights, and build it."""
        spandrel = spandrel_alone()
        try:
            described = spandrel.ModelLoader("cpu").load_from_state_dict(load_file(self.root / self.name))
        except spandrel.UnsupportedModelError as error:
            raise ValueError(str(error)) from error
        if described.scale < _LEAST_FACTOR or described.input_channels != _COLOURS:
            raise ValueError(f"{described.architecture.name} does not enlarge pictures of three colours")
        network: Enlarger = Enlarger(described).to(self.dtype)
        return network


def enlarger(card_id: str, runtime: Runtime) -> Enlarger:
    """Give the network of a card, on the device with room for its work.

    Raises:
        EngineFailure: the weights are missing, damaged, of another kind, or do not fit.

    """
    card, root, manifest = runtime.shelved(card_id)
    names = [path for path in manifest.files if path.endswith(_SUFFIX)]
    if len(names) != 1:
        raise damaged(card, f"*{_SUFFIX}", FileNotFoundError(f"{len(names)} such files"))
    stored = manifest.files[names[0]]
    size_bytes = loaded_bytes(root / names[0], stored.size_bytes, getattr(torch, card.dtype).itemsize)
    part = EnlargerPart(card, root, names[0], "spandrel", "ModelLoader", stored.sha256, size_bytes)
    found: Enlarger = runtime.networks({"enlarger": part}, work_bytes=card.memory_bytes)["enlarger"]
    return found
