"""Tables of tensors in one file: safetensors, or what `torch.save` wrote, of which nothing but tensors is read."""

import zipfile
from pathlib import Path
from pickle import UnpicklingError
from typing import Final

import torch
from safetensors.torch import load_file

Tensors = dict[str, torch.Tensor]
SAFE: Final = ".safetensors"
SUFFIXES: Final = (SAFE, ".pth", ".pt", ".bin")
_FOR_USE: Final = ("ema_model_state_dict", "params_ema", "model_state_dict")
"""What trainers call the table that is meant for use, where others lie beside it; the best first."""


def read_tensors(path: Path) -> Tensors:
    """Read a table of tensors by name; one that lies in another table, alone or as the one for use, is taken out.

    Raises:
        OSError, ValueError, RuntimeError, SafetensorError: the file is missing or damaged, or holds something else.

    """
    if path.suffix == SAFE:
        return dict(load_file(path))
    try:
        found = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (UnpicklingError, EOFError) as error:
        raise ValueError(f"{path.name} holds more than a table of tensors: {error}") from error
    if isinstance(found, dict):
        found = next((found[name] for name in _FOR_USE if name in found), found)
    if isinstance(found, dict) and len(found) == 1 and isinstance(inner := next(iter(found.values())), dict):
        found = inner
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise ValueError(f"{path.name} holds something else than a table of tensors")
    return {name: value.clone() for name, value in found.items()}
