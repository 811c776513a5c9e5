"""What text encoders made of texts, kept so that a text that comes again needs none of them on the device."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final

import torch

LIMIT_BYTES: Final = 512 * 2**20

Encoded = dict[str, Any]
"""Arguments of a pipeline: tensors, by name."""


class Embeddings:
    """Keeps the latest on the host; gives them on the device."""

    def __init__(self, device: str, limit_bytes: int = LIMIT_BYTES) -> None:
        self._device = device
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[Hashable, Encoded] = OrderedDict()

    def get(self, key: Hashable, encode: Callable[[], Encoded]) -> Encoded:
        """Give what was kept under the key, else what `encode` makes."""
        if key not in self._kept:
            with torch.no_grad():
                self._kept[key] = {name: _to(value, "cpu") for name, value in encode().items()}
            while self._used_bytes() > self._limit_bytes and len(self._kept) > 1:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return {name: _to(value, self._device) for name, value in self._kept[key].items()}

    def _used_bytes(self) -> int:
        tensors = [value for kept in self._kept.values() for value in kept.values() if isinstance(value, torch.Tensor)]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _to(value: Any, device: str) -> Any:
    return value.to(device) if isinstance(value, torch.Tensor) else value
