"""The tensors of a TorchScript file, read without running anything of it.

Such a file is a ZIP archive: code, and the objects that the code works on, pickled by torch with few of pickle's means.
torch reads it only together with its code, which may do whatever torch can, such as write files. Here objects become
plain holders of their attributes; a name that such a file has no need of is refused.
"""

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import torch

_TYPES: Final = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
}


def tensors_of(path: Path) -> dict[str, torch.Tensor]:
    """Give the tensors of a file by their names, as the module's `state_dict` would.

    Raises:
        ValueError: it is no such file, damaged, or holds what is not taken.

    """
    try:
        with zipfile.ZipFile(path) as archive:
            objects = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(objects) as content:
                root = _Reader(content, archive, objects.removesuffix(".pkl")).load()
    except (
        pickle.UnpicklingError, zipfile.BadZipFile, StopIteration, EOFError, LookupError, AttributeError, TypeError,
        RuntimeError,
    ) as error:  # fmt: skip
        raise ValueError(f"no TorchScript file, or a damaged one: {error}") from error
    return dict(_named(root, ""))


class _Held:
    """An object of the file: its attributes, none of its code."""


class _Reader(pickle.Unpickler):
    """Takes tensors and objects without code; `folder` is where the numbers of the tensors lie in the archive."""

    def __init__(self, content: Any, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(content)
        self._archive = archive
        self._folder = folder

    def find_class(self, module: str, name: str) -> Any:
        """Give the few things that may be named."""
        if module.partition(".")[0] == "__torch__":
            return _Held
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuilt
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch.jit._pickle":
            return _plain
        raise pickle.UnpicklingError(f"{module}.{name} is not taken")

    def persistent_load(self, pid: Any) -> torch.Tensor:
        """Read the numbers of a tensor, flat."""
        _, kind, key, _, _ = pid
        return torch.frombuffer(bytearray(self._archive.read(f"{self._folder}/{key}")), dtype=kind)


def _rebuilt(flat: torch.Tensor, start: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> torch.Tensor:
    return torch.as_strided(flat, size, stride, start)


def _plain(content: Any, *_: Any) -> Any:
    return content


def _named(held: Any, before: str) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in vars(held).items() if isinstance(held, _Held) else ():
        if isinstance(value, torch.Tensor):
            yield before + name, value
        else:
            yield from _named(value, f"{before}{name}.")
