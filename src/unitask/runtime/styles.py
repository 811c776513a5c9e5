"""LoRAs: laid over a network for one task, kept beside it for the next."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError
from safetensors.torch import load_file

from unitask.kit.errors import EngineFailure, Unavailable
from unitask.weights import Shelf

KEPT: Final = 4
"""LoRAs that stay with a network, at most; each takes memory."""
_TEXT: Final = ("text_encoder", "lora_te")


@dataclass(frozen=True, slots=True)
class Style:
    """A LoRA's file and how much of it is wanted: 0 none, 1 all."""

    path: Path
    strength: float

    @property
    def adapter(self) -> str:
        """What it is called beside a network: another file under the same name is another one."""
        seen = self.path.stat()
        return f"{self.path.stem}-{seen.st_size}-{seen.st_mtime_ns}".replace(".", "_")


def wanted(shelf: Shelf, family: str, settings: Sequence[Any]) -> list[Style]:
    """Find the files of an input's `lora_settings`.

    Raises:
        EngineFailure: one of them is not here.

    """
    try:
        return [Style(shelf.lora(family, one.lora_type), one.lora_strength) for one in settings]
    except Unavailable as error:
        raise EngineFailure(str(error)) from error


def added_bytes(styles: Sequence[Style]) -> int:
    """Count what these take of the device's memory, at most: some may lie beside the network already."""
    return sum(style.path.stat().st_size for style in styles)


@contextmanager
def worn(pipe: Any, styles: Sequence[Style], names: Sequence[str] = ("transformer",)) -> Iterator[None]:
    """Lay LoRAs over the pipeline's networks `names`; afterwards these are what they were, bit for bit.

    What a LoRA would change in a text encoder is left away: texts are encoded once for all.

    Raises:
        EngineFailure: a file is damaged or belongs to another kind of model.

    """
    networks = [network for name in names if (network := getattr(pipe, name, None)) is not None]
    for network in networks:
        _forget_oldest(network, {style.adapter for style in styles})
    for style in styles:
        if style.adapter not in getattr(networks[0], "peft_config", {}):
            _load(pipe, style)
    if styles:
        pipe.set_adapters([style.adapter for style in styles], [style.strength for style in styles])
        pipe.enable_lora()
    try:
        yield
    finally:
        if styles:
            pipe.disable_lora()


def _load(pipe: Any, style: Style) -> None:
    try:
        weights = {name: value for name, value in load_file(style.path).items() if not name.startswith(_TEXT)}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # several at once are what we want
            pipe.load_lora_weights(weights, adapter_name=style.adapter)
        pipe.set_adapters(style.adapter)  # fails if nothing of the file was for this kind of model
    except (OSError, ValueError, KeyError, RuntimeError, IndexError, SafetensorError) as error:
        raise EngineFailure(
            f"the LoRA {style.path.stem!r} cannot be used: its file is damaged or made for another kind of model",
            raw_message=f"{type(error).__name__}: {error}"[:500],
        ) from error


def _forget_oldest(network: Any, needed: set[str]) -> None:
    """Make room for those that are needed; adapters are listed in the order in which they came."""
    known = list(getattr(network, "peft_config", {}))
    spare = [name for name in known if name not in needed]
    surplus = len(spare) + len(needed) - KEPT
    if surplus > 0 and spare:
        network.delete_adapters(spare[:surplus])
