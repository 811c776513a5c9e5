"""From orders to results in an engine process: one attempt, or several that go together."""

import errno
import traceback
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unitask.catalogue import Catalogue
from unitask.engines import installed
from unitask.kit import faults
from unitask.kit.errors import DeviceFailure, EngineFailure, TaskFailure, UnknownProduct
from unitask.spec.engine import BatchEngine, Engine, Output, ResidentEngine, Work
from unitask.spec.product import Input, Product, Recipe
from unitask.weights import Shelf
from unitask.worker import messages
from unitask.worker.job import ChildJob, Parent

_NO_ROOM: Final = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True, slots=True)
class Prepared:
    """An attempt that can begin. Attempts with equal keys may go together, up to `most`; a key of None goes alone."""

    order: messages.Run
    engine: Engine
    product: Product
    recipe: Recipe
    inputs: Input
    key: Hashable | None
    most: int


def prepare(catalogue: Catalogue, order: messages.Run) -> Prepared | messages.Broke:
    """Find what an order is about."""
    try:
        product = catalogue.find(order.model, order.task_type)
    except UnknownProduct:
        return _broke(order, _unknown(order))
    recipes = [one for one in product.recipes if one.engine == order.engine]
    if not recipes:
        return _broke(order, _unknown(order))
    recipe = recipes[0] if len(recipes) == 1 else _first_here(recipes, Shelf(Path(order.models)))
    try:
        inputs = product.input.model_validate(order.input)
        engine = installed()[order.engine]
        key, most = None, 1
        if isinstance(engine, BatchEngine) and (common := engine.batch_key(product, inputs, recipe)) is not None:
            key, most = (engine.name, common), engine.most_in_batch
    except Exception as error:  # noqa: BLE001 - whatever an engine raises becomes the task's failure
        return _broke(order, _unexpected(order, error))
    return Prepared(order, engine, product, recipe, inputs, key, most)


def _first_here(recipes: Sequence[Recipe], shelf: Shelf) -> Recipe:
    """Pick the first of an engine's recipes whose weights are here; where none is, the first says what to get."""
    return next((one for one in recipes if not shelf.lacks(one.weights)), recipes[0])


def run(parent: Parent, catalogue: Catalogue, order: messages.Run) -> messages.End:
    """Run one attempt; whatever its engine raises becomes the report of a failure."""
    prepared = prepare(catalogue, order)
    return prepared if isinstance(prepared, messages.Broke) else make([(parent, prepared)])[0]


def make(group: Sequence[tuple[Parent, Prepared]]) -> list[messages.End]:
    """Run attempts that go together; gives the end of each, in their order."""
    jobs = [ChildJob(parent=parent, order=one.order, recipe=one.recipe) for parent, one in group]
    works = [Work(one.product, one.inputs, job) for (_, one), job in zip(group, jobs, strict=True)]
    results: Sequence[Output | Exception] = ()
    try:
        faults.point("run.started")
        for work, job in zip(works, jobs, strict=True):
            job.choose_seed(work.inputs)
        results = _results(group[0][1].engine, works)
        faults.point("run.finished")
    except MemoryError:
        pass  # Nothing can be said before this handler ends: its error holds on to all that the engine had.
    except Exception as error:  # noqa: BLE001 - whatever an engine raises becomes the failure of its tasks
        results = [error] * len(works)
    results = results or [MemoryError()] * len(works)
    return [
        _with_loaded(_end(one, job, result), one) for (_, one), job, result in zip(group, jobs, results, strict=True)
    ]


def _with_loaded(end: messages.End, one: Prepared) -> messages.End:
    """Say what the engine has in memory after its work."""
    if isinstance(end, messages.Done) and isinstance(one.engine, ResidentEngine):
        return end.model_copy(update={"loaded": sorted(one.engine.loaded(Path(one.order.models)))})
    return end


def _results(engine: Engine, works: Sequence[Work]) -> Sequence[Output | TaskFailure]:
    if len(works) == 1 or not isinstance(engine, BatchEngine):
        return [engine.run(work.product, work.inputs, work.job) for work in works]
    results = engine.run_batch(works)
    if len(results) != len(works):
        raise EngineFailure(f"the engine {engine.name} gave {len(results)} results of {len(works)} works")
    return results


def _end(one: Prepared, job: ChildJob, result: Output | Exception) -> messages.End:
    if isinstance(result, Output):
        try:
            return _done(result, one, job)
        except EngineFailure as error:
            result = error
    if isinstance(result, TaskFailure):
        return _broke(one.order, result, job, spent=isinstance(result, DeviceFailure))
    if isinstance(result, MemoryError):
        failure = EngineFailure(_out_of_memory(one.product), raw_message="MemoryError")
        return _broke(one.order, failure, job, spent=True)
    return _broke(one.order, _unexpected(one.order, result), job)


def _done(output: Output, one: Prepared, job: ChildJob) -> messages.Done:
    """Report a result, if it survives the way to the parent: an engine may have put anything into it."""
    try:
        done = messages.Done(
            of=one.order.of,
            output=output.fields,
            level=one.recipe.level,
            measures=dict(output.measures),
            warnings=job.warnings,
        )
        messages.WORD.validate_json(messages.line(done))
    except ValueError as error:
        raise EngineFailure(
            f"the engine {one.order.engine} gave a result that cannot be read", raw_message=str(error)[:500]
        ) from error
    return done


def _unknown(order: messages.Run) -> EngineFailure:
    """Say that the API sells what this worker has no package for; another worker may have it."""
    product = f"{order.model} {order.task_type} by {order.engine}"
    return EngineFailure(f"this worker does not know {product}; its release is not the API's", retryable=True)


def _unexpected(order: messages.Run, error: Exception) -> EngineFailure:
    traceback.print_exception(error)
    what = f"{type(error).__name__}: {error}"[:500]
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return EngineFailure("the disk of the worker is full", raw_message=what, retryable=True)
    return EngineFailure(
        f"the engine {order.engine} failed: {type(error).__name__}; the operator's log says more", raw_message=what
    )


def _out_of_memory(product: Product) -> str:
    return f"{product.model} {product.task_type} needs more memory than it may use here; try a smaller input"


def _broke(
    order: messages.Run, error: TaskFailure, job: ChildJob | None = None, *, spent: bool = False
) -> messages.Broke:
    return messages.Broke(
        of=order.of,
        message=str(error),
        raw_message=error.raw_message.replace(f"{order.scratch}/", ""),
        number=error.number,
        retryable=error.retryable,
        of_input=error.of_input,
        warnings=job.warnings if job else [],
        spent=spent,
    )
