"""The engines, found by walking this package and the entry point group `unitask.engines`; never listed by hand."""

import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points

from unitask.spec.engine import Engine
from unitask.spec.remote import RemoteEngine


@cache
def _found() -> dict[str, Engine | RemoteEngine]:
    """Every engine by name: each module of this package, and each entry point, offers one as `ENGINE`."""
    modules = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    engines = [*(module.ENGINE for module in modules), *(one.load() for one in entry_points(group="unitask.engines"))]
    return {engine.name: engine for engine in engines}


@cache
def installed() -> dict[str, Engine]:
    """Every engine that makes media on the machine where it runs, by name."""
    return {name: engine for name, engine in _found().items() if not isinstance(engine, RemoteEngine)}


@cache
def remote() -> dict[str, RemoteEngine]:
    """Every engine that hands tasks to a provider, by name."""
    return {name: engine for name, engine in _found().items() if isinstance(engine, RemoteEngine)}


@cache
def lack(name: str) -> str | None:
    """Say what keeps an engine from running here, or None; looked up once, for it searches the disk."""
    engine = installed().get(name)
    return engine.missing() if engine else f"no package here offers the engine {name}"
