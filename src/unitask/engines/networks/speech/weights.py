"""The weights of F5-TTS and Vocos on the shelf: one file each, in memory like all other parts."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import torch

from unitask.engines.networks.speech.dit import Build, DiT
from unitask.engines.networks.speech.symbols import Vocabulary
from unitask.engines.networks.speech.vocos import Vocos
from unitask.runtime.parts import Part, damaged, loaded_bytes
from unitask.runtime.runtime import Runtime
from unitask.runtime.tables import SUFFIXES, read_tensors

VOCABULARY: Final = "vocab.txt"
_CONFIG: Final = "config.yaml"
_CONFIG_BYTES: Final = 65_536
_COMPUTED: Final = ("initted", "step", "mel_spec.", "transformer.rotary_embed.", "feature_extractor.", "head.istft.")
"""What files hold besides weights: counters of the training, and tables that follow from the layout."""


@dataclass(frozen=True, slots=True)
class SpeechPart(Part):
    """A network in one file; `name` is its path under `root`."""

    @property
    def path(self) -> Path:
        """Where the file lies."""
        return self.root / self.name

    def weights(self) -> dict[str, torch.Tensor]:
        """Read what the network is made of, by its names in it.

        Raises:
            OSError, ValueError, SafetensorError: the file is missing or damaged.

        """
        found = {name.removeprefix("ema_model."): value for name, value in read_tensors(self.path).items()}
        return {
            name.removeprefix("transformer."): value.to(self.dtype)
            for name, value in found.items()
            if not name.startswith(_COMPUTED)
        }


@dataclass(frozen=True, slots=True)
class F5Part(SpeechPart):
    """F5-TTS's network. A `config.yaml` beside it tells what its weights do not show; without one it is of v1."""

    @property
    def vocabulary(self) -> Vocabulary:
        """Read the symbols that it knows.

        Raises:
            OSError, ValueError: the file is missing or damaged.

        """
        return Vocabulary.of(self.path.parent / VOCABULARY)

    def read(self) -> Any:
        """Build it by the sizes of its own weights, and give it these."""
        weights = self.weights()
        build = Build.of(weights, **choices(self.path.parent / _CONFIG))
        if len(self.vocabulary.numbers) != build.symbols:
            raise ValueError(f"{VOCABULARY} has {len(self.vocabulary.numbers)} symbols, the network {build.symbols}")
        with torch.device("meta"):
            network = DiT(build)
        network.load_state_dict(weights, assign=True)
        return network


@dataclass(frozen=True, slots=True)
class VocosPart(SpeechPart):
    """The vocoder."""

    def read(self) -> Any:
        """Build it by the sizes of its own weights, and give it these."""
        return Vocos.of(self.weights())


P = TypeVar("P", bound=SpeechPart)


def part_of(card_id: str, kind: type[P], runtime: Runtime) -> P:
    """Find the one file of weights that a card has.

    Raises:
        EngineFailure: the weights are not here, or are several files.

    """
    runtime.require(card_id)
    shelf = runtime.shelf
    card, root, manifest = shelf.cards[card_id], shelf.root(card_id), shelf.manifest(card_id)
    found = [name for name in manifest.files if name.endswith(SUFFIXES)]
    if len(found) != 1:
        raise damaged(card, "its files", ValueError(f"one file of weights is wanted, these are there: {found}"))
    digest = hashlib.sha256("\n".join(f"{name} {one.sha256}" for name, one in manifest.files.items()).encode())
    stored_bytes = manifest.files[found[0]].size_bytes
    width = 2 if card.dtype != "float32" else 4
    size_bytes = loaded_bytes(root / found[0], stored_bytes, width)
    return kind(card, root, found[0], __name__, kind.__name__, digest.hexdigest(), size_bytes)


def choices(config: Path) -> dict[str, Any]:
    """Read from a configuration in the layout of F5-TTS how a network is built: `masked` and `turned` of `Build`.

    Raises:
        OSError, ValueError, KeyError: it cannot be read.

    """
    text = ""
    if config.exists():
        with config.open("rb") as opened:
            text = opened.read(_CONFIG_BYTES).decode()
    masked = _setting(text, "text_mask_padding") or "true"
    turned = _setting(text, "pe_attn_head") or "null"
    return {
        "masked": {"true": True, "false": False}[masked.lower()],
        "turned": None if turned.lower() in ("null", "none") else int(turned),
    }


def _setting(text: str, name: str) -> str | None:
    """Find a line of YAML, at any depth: these names occur once."""
    found = re.search(rf"^\s*{name}:[ \t]*(\w+)", text, re.MULTILINE)
    return found[1] if found else None
