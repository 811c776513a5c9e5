"""Everything that a prompt can name and a scene can show. A new figure is one decorated function in one of the files.

Each file of this package is imported, so that its figures are known by their names.
"""

import importlib
import pkgutil

from unitask.engines.preview.figures.registry import Figure, find

__all__ = ["Figure", "find"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
