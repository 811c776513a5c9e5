"""The engines, found by walking this package and the entry point group `unitask.engines`; never listed by hand."""

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points

from unitask.spec.engine import Engine


@cache
def installed() -> dict[str, Engine]:
    """Every engine by name: each module of this package, and each entry point, offers one as `ENGINE`."""
    found: dict[str, Engine] = {}
    for module in pkgutil.iter_modules(__path__):
        engine: Engine = importlib.import_module(f"{__name__}.{module.name}").ENGINE
        found[engine.name] = engine
    for entry in entry_points(group="unitask.engines"):
        engine = entry.load()
        found[engine.name] = engine
    return found


@cache
def lack(name: str) -> str | None:
    """Say what keeps an engine from running here, or None; looked up once, for it searches the disk."""
    engine = installed().get(name)
    return engine.missing() if engine else f"no package here offers the engine {name}"
