"""The library spandrel, which builds networks of many kinds by the names of their weights, without torchvision."""

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from unitask.kit.errors import EngineFailure

_PLACES: Final = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
_NAMES: Final = ("InterpolationMode", "normalize", "rotate")


@cache
def spandrel_alone() -> Any:
    """Import spandrel, which imports torchvision for two of its forty kinds of network, neither of which is used here.

    Raises:
        EngineFailure: spandrel cannot be imported.

    """
    with _stand_ins():
        try:
            import spandrel  # noqa: PLC0415 - within the stand-ins
        except ImportError as error:
            raise EngineFailure(
                "spandrel cannot be imported; install the extra: pip install 'unitask[models]'"
            ) from error
    return spandrel


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Where torchvision is absent, let its names be found for a moment: empty ones, which nobody calls."""
    if importlib.util.find_spec(_PLACES[0]):
        yield
        return
    for place in _PLACES:
        module = sys.modules[place] = ModuleType(place)
        module.__spec__ = ModuleSpec(place, None)
    for name in _NAMES:
        setattr(module, name, type(name, (), {"BILINEAR": None, "NEAREST": None}))
    try:
        yield
    finally:
        for place in _PLACES:
            del sys.modules[place]
