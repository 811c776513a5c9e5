"""How the weights of Trellis lie on the shelf: `pipeline.json` names the networks, each a JSON file and its weights."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import torch
from pydantic import BaseModel, Field
from safetensors.torch import load_file

from unitask.engines.networks.solid.decoders import MeshDecoder, StructureDecoder
from unitask.engines.networks.solid.flow import Plan
from unitask.engines.networks.solid.flows import LatentFlow, StructureFlow
from unitask.kit.errors import EngineFailure
from unitask.runtime.parts import Part, damaged, loaded_bytes
from unitask.runtime.runtime import Runtime

INDEX: Final = "pipeline.json"
NETWORKS: Final = ("sparse_structure_flow_model", "sparse_structure_decoder", "slat_flow_model", "slat_decoder_mesh")
_KINDS: Final[dict[str, Any]] = {
    "SparseStructureFlowModel": StructureFlow,
    "SparseStructureDecoder": StructureDecoder,
    "SLatFlowModel": LatentFlow,
    "SLatMeshDecoder": MeshDecoder,
}
_FOR_TRAINING: Final = "Elastic"
_CHANNELS: Final = 64
Numbers = Annotated[list[float], Field(min_length=1, max_length=_CHANNELS)]


class Sampler(BaseModel):
    """How one of the flows is sampled."""

    params: Plan


class Normalization(BaseModel):
    """How what the second flow gives becomes what the decoder takes: times `std`, plus `mean`."""

    mean: Numbers
    std: Numbers


class Arguments(BaseModel):
    """What `pipeline.json` says."""

    models: dict[str, str]
    sparse_structure_sampler: Sampler
    slat_sampler: Sampler
    slat_normalization: Normalization


@dataclass(frozen=True, slots=True)
class SolidPart(Part):
    """One network of Trellis: `<name>.json` says how it is built, `<name>.safetensors` holds its weights."""

    def read(self) -> Any:
        """Build it; every weight must be there and none be left over."""
        said = json.loads((self.root / f"{self.name}.json").read_text("utf-8"))
        with torch.device("meta"):
            network = _KINDS[said["name"].removeprefix(_FOR_TRAINING)](said["args"])
        network.load_state_dict(load_file(self.root / f"{self.name}.safetensors"), assign=True)
        network.float()
        network.narrow(self.dtype)
        return network


@dataclass(frozen=True, slots=True)
class Stored:
    """What the shelf holds of one Trellis: `NETWORKS` by name, and numbers."""

    parts: Mapping[str, Part]
    arguments: Arguments

    @classmethod
    def on(cls, runtime: Runtime, card_id: str) -> "Stored":
        """Find it; networks that another repository has come from the card's base.

        Raises:
            EngineFailure: the weights are not here, or their folder is damaged.

        """
        shelf = runtime.shelf
        if lack := shelf.lacks((card_id,)):
            raise EngineFailure(f"{card_id} cannot be used: {lack}", retryable=True)
        card = shelf.cards[card_id]
        try:
            said = json.loads((shelf.root(card_id) / INDEX).read_text("utf-8"))
            arguments = Arguments.model_validate(said["args"])
            return cls({name: _part(runtime, card_id, arguments.models[name]) for name in NETWORKS}, arguments)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise damaged(card, INDEX, error) from error


def _part(runtime: Runtime, card_id: str, place: str) -> SolidPart:
    """Describe a network: at `place` in the card's own folder, or `owner/name/place` in that of its base."""
    card, manifest, root = runtime.shelf.cards[card_id], runtime.shelf.manifest(card_id), runtime.shelf.root(card_id)
    files = [f"{place}.json", f"{place}.safetensors"]
    if any(file not in manifest.files for file in files):
        if not card.base or place.count("/") < 2:  # noqa: PLR2004 - owner and name
            raise LookupError(f"no {place}")
        return _part(runtime, card.base, place.split("/", 2)[2])
    said = "\n".join(manifest.files[file].sha256 for file in files)
    digest = hashlib.sha256(said.encode()).hexdigest()
    weights = manifest.files[files[1]]
    size_bytes = loaded_bytes(root / files[1], weights.size_bytes, torch.float32.itemsize)
    return SolidPart(card, root, place, "unitask", "Solid", digest, size_bytes)
