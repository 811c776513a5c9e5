"""An engine of real models: which libraries it wants, and which function makes what. Nothing heavy is imported here."""

import importlib.util
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from unitask.kit.devices import cuda
from unitask.kit.errors import EngineFailure, TaskFailure
from unitask.kit.libraries import absent
from unitask.spec.engine import Job, Output, Work
from unitask.spec.product import Input, Product, Recipe

if TYPE_CHECKING:
    from unitask.runtime.runtime import Runtime

UNWANTED: Final = ("torchvision", "torchaudio")
"""Not needed here; but where they are installed and do not fit torch, transformers cannot be imported at all."""
_IMPORT_S: Final = 60


@dataclass(frozen=True)
class ModelEngine:
    """Satisfies `unitask.spec.engine.BatchEngine`.

    `makes` maps what a recipe may name as its `make` to the function `(inputs, job, runtime) -> Output` that makes it,
    written `module:function`: it is imported, and torch with it, when a task wants it. `together` maps some of them to
    two more: `([(inputs, job)], runtime) -> [Output | TaskFailure]` for several orders at once, and
    `(inputs, recipe) -> Hashable | None` for what these must agree in.
    """

    name: str
    libraries: tuple[str, ...]
    makes: Mapping[str, str]
    together: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    most_in_batch: int = 8

    def missing(self) -> str | None:
        """Say what to install if a library of the extra `models` is absent, or which one is broken."""
        if absent(self.libraries):
            return "install the extras: pip install 'unitask[cpu,models]'"
        broken = [library for library in UNWANTED if importlib.util.find_spec(library) and not imports(library)]
        if broken:
            names = " and ".join(broken)
            return f"{names} does not fit this torch, and transformers fails with it: pip uninstall {' '.join(broken)}"
        return None

    def devices(self) -> tuple[str, ...]:
        """List NVIDIA's cards; without one, models are made on the processor."""
        return cuda() or ("cpu",)

    def run(self, product: Product, inputs: Input, job: Job) -> Output:
        """Make the product as `job.recipe.make` says.

        Raises:
            TaskFailure: with a sentence for the client.

        """
        target = self.makes.get(job.recipe.make)
        if target is None:
            raise EngineFailure(f"the engine {self.name} cannot make {job.recipe.make!r} of {product.key}")
        make: Callable[[Input, Job, Any], Output] = pkgutil.resolve_name(target)
        return _runtime(job.models).attempt(lambda runtime: make(inputs, job, runtime), job)

    def loaded(self, models: Path) -> frozenset[str]:
        """List the model cards whose weights are in memory."""
        if "unitask.runtime.runtime" not in sys.modules:
            return frozenset()
        return _runtime(models).loaded

    def batch_key(self, product: Product, inputs: Input, recipe: Recipe) -> Hashable | None:  # noqa: ARG002 - the protocol's signature
        """Say what works that go together have in common; None goes alone."""
        if recipe.make not in self.together:
            return None
        alike: Callable[[Input, Recipe], Hashable | None] = pkgutil.resolve_name(self.together[recipe.make][1])
        return alike(inputs, recipe)

    def run_batch(self, works: Sequence[Work]) -> list[Output | TaskFailure]:
        """Make several works at once; they come out as each does alone.

        Raises:
            TaskFailure: with a sentence for all the clients.

        """
        job = works[0].job
        make: Callable[[Any, Any], list[Output | TaskFailure]] = pkgutil.resolve_name(self.together[job.recipe.make][0])
        orders = [(work.inputs, work.job) for work in works]
        try:
            return _runtime(job.models).attempt(lambda runtime: make(orders, runtime), job)
        except EngineFailure as error:
            if not is_no_room(error):
                raise
        return [self._alone(work) for work in works]

    def _alone(self, work: Work) -> Output | TaskFailure:
        """Make by itself what did not fit in company."""
        try:
            return self.run(work.product, work.inputs, work.job)
        except TaskFailure as error:
            return error


def is_no_room(error: EngineFailure) -> bool:
    """Tell whether something failed for want of memory."""
    from unitask.runtime.runtime import NoRoom  # noqa: PLC0415 - imports torch, as whoever raised it did

    return isinstance(error, NoRoom)


def _runtime(models: Path) -> "Runtime":
    from unitask.runtime.runtime import runtime_of  # noqa: PLC0415 - imports torch

    return runtime_of(models)


@cache
def imports(library: str) -> bool:
    """Try to import a library in a process of its own: a broken one would spoil this one."""
    command = [sys.executable, "-c", f"import torch, {library}"]
    try:
        tried = subprocess.run(command, capture_output=True, timeout=_IMPORT_S, check=False)  # noqa: S603 - ours
    except subprocess.TimeoutExpired:
        return False
    return tried.returncode == 0
