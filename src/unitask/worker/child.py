"""The engine process: runs one attempt after another until its parent lets go. May be killed at any time.

It has no token and no database: what it may do is fetch under guard, and ask its parent to store a file.
"""

import os
import queue
import socket
import sys
import threading
import traceback
from pathlib import Path

from unitask.catalogue import Catalogue
from unitask.engines import installed
from unitask.kit import faults
from unitask.kit.errors import EngineFailure, TaskFailure, UnknownProduct
from unitask.kit.process import die_with_parent, limit_memory
from unitask.spec.engine import Output
from unitask.spec.product import Product
from unitask.worker import messages
from unitask.worker.job import ChildJob, Parent


class Socket:
    """The other end of the socket; one thread listens, so that a cancel is heard while an engine works."""

    def __init__(self, connection: socket.socket) -> None:
        self._stream = connection.makefile("rwb")
        self.runs: queue.SimpleQueue[messages.Run] = queue.SimpleQueue()
        self.saved: queue.SimpleQueue[messages.Saved] = queue.SimpleQueue()
        self.cancelled = threading.Event()
        threading.Thread(target=self._listen, name="parent", daemon=True).start()

    def say(self, word: messages.Word) -> None:
        """Tell the parent something."""
        self._stream.write(messages.line(word))
        self._stream.flush()

    def _listen(self) -> None:
        for text in self._stream:
            match messages.ORDER.validate_json(text):
                case messages.Run() as order:
                    # Here and not where the run begins: a cancel may come right behind its order.
                    self.cancelled.clear()
                    self.saved = queue.SimpleQueue()
                    self.runs.put(order)
                case messages.Saved() as saved:
                    self.saved.put(saved)
                case messages.Cancel():
                    self.cancelled.set()
        os._exit(0)


def run(parent: Parent, catalogue: Catalogue, order: messages.Run) -> messages.Done | messages.Broke:
    """Run one attempt; whatever its engine raises becomes the report of a failure."""
    try:
        product = catalogue.find(order.model, order.task_type)
    except UnknownProduct:
        return _broke(_unknown(order))
    recipe = next((one for one in product.recipes if one.engine == order.engine), None)
    if recipe is None:
        return _broke(_unknown(order))
    job = ChildJob(parent=parent, order=order, recipe=recipe)
    try:
        faults.point("run.started")
        inputs = product.input.model_validate(order.input)
        job.choose_seed(inputs)
        output = installed()[order.engine].run(product, inputs, job)
        faults.point("run.finished")
        return _done(output, order, job)
    except TaskFailure as error:
        return _broke(error, job)
    except MemoryError:
        failure = EngineFailure(_out_of_memory(product), raw_message="MemoryError")
        return _broke(failure, job, spent=True)
    except Exception as error:  # noqa: BLE001 - whatever an engine raises becomes the task's failure
        failure = EngineFailure(
            f"the engine {order.engine} failed: {type(error).__name__}; the operator's log says more",
            raw_message=f"{type(error).__name__}: {error}"[:500],
        )
        traceback.print_exc()
        return _broke(failure, job)


def _done(output: Output, order: messages.Run, job: ChildJob) -> messages.Done:
    """Report a result, if it survives the way to the parent: an engine may have put anything into it."""
    try:
        done = messages.Done(output=output.fields, measures=dict(output.measures), warnings=job.warnings)
        messages.WORD.validate_json(messages.line(done))
    except ValueError as error:
        raise EngineFailure(
            f"the engine {order.engine} gave a result that cannot be read", raw_message=str(error)[:500]
        ) from error
    return done


def _unknown(order: messages.Run) -> EngineFailure:
    """Say that the API sells what this worker has no package for; another worker may have it."""
    product = f"{order.model} {order.task_type} by {order.engine}"
    return EngineFailure(f"this worker does not know {product}; its release is not the API's", retryable=True)


def _out_of_memory(product: Product) -> str:
    return f"{product.model} {product.task_type} needs more memory than it may use here; try a smaller input"


def _broke(error: TaskFailure, job: ChildJob | None = None, *, spent: bool = False) -> messages.Broke:
    return messages.Broke(
        message=str(error),
        raw_message=error.raw_message.replace(f"{job.scratch}/", "") if job else error.raw_message,
        number=error.number,
        retryable=error.retryable,
        warnings=job.warnings if job else [],
        spent=spent,
    )


def main(descriptor: int, memory_bytes: int) -> None:
    """Serve attempts over the inherited socket."""
    die_with_parent()
    limit_memory(memory_bytes)
    parent = Socket(socket.socket(fileno=descriptor))
    catalogue = Catalogue.load()
    while True:
        order = parent.runs.get()
        Path(order.scratch).mkdir(parents=True, exist_ok=True)
        parent.say(run(parent, catalogue, order))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
