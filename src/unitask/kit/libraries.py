"""Which libraries this Python has, asked without importing them."""

import importlib.util
from collections.abc import Iterable


def absent(libraries: Iterable[str]) -> list[str]:
    """List those of the top-level modules that are not installed.

    >>> absent(["json", "no_such_library"])
    ['no_such_library']
    """
    return [library for library in libraries if not _is_here(library)]


def _is_here(library: str) -> bool:
    try:
        return importlib.util.find_spec(library) is not None
    except ValueError:  # another thread is importing it: OpenCV takes its own name's module away meanwhile
        return True
