"""A denoiser in one file of the format GGUF: its numbers stay as narrow in memory as they are in the file."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from unitask.kit.errors import EngineFailure
from unitask.runtime.parts import Part, class_of
from unitask.weights import Card, Manifest

SUFFIX: Final = ".gguf"
_CONFIG: Final = "config.json"
Plan = tuple[Path, str, str]
"""A folder that says how a network is built, and of which library and class it is."""


@dataclass(frozen=True, slots=True)
class GgufPart(Part):
    """One network in the file `file`, built as the folder `plan` says."""

    file: Path
    plan: Path

    @classmethod
    def on(cls, card: Card, root: Path, manifest: Manifest, plans: Mapping[str, Plan]) -> Self:
        """Find a card's only file; `plans` are what its base says of each part.

        Raises:
            EngineFailure: there are more files or none, or the base has no such part.

        """
        found = [place for place in manifest.files if place.endswith(SUFFIX)]
        if len(found) != 1 or card.part not in plans:
            raise EngineFailure(
                f"{card.id} wants one file {card.part}/*{SUFFIX} and a base with a folder {card.part}; "
                f"here are {len(found)} files, and {card.base} {'has' if card.part in plans else 'lacks'} the folder"
            )
        stored = manifest.files[found[0]]
        plan, library, class_name = plans[card.part]
        said = stored.sha256.encode() + (plan / _CONFIG).read_bytes()
        digest = hashlib.sha256(said).hexdigest()
        return cls(card, root, card.part, library, class_name, digest, stored.size_bytes, root / found[0], plan)

    def read(self) -> Any:
        """Build the network, whose parameters may be named as their makers or as the library names them."""
        from diffusers import GGUFQuantizationConfig  # noqa: PLC0415 - wanted by few

        try:
            return class_of(self.library, self.class_name).from_single_file(
                str(self.file),
                config=str(self.plan.parent),
                subfolder=self.plan.name,
                quantization_config=GGUFQuantizationConfig(compute_dtype=self.dtype),
                torch_dtype=self.dtype,
                local_files_only=True,
            )
        except ImportError as error:
            raise EngineFailure(
                f"{self.card.id} is a GGUF file: install the extras: pip install 'unitask[cpu,models]'",
                raw_message=str(error),
            ) from error
        except IndexError as error:  # so the reader meets numbers that lead out of the file
            raise ValueError(str(error)) from error
