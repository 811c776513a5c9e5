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
from unitask.kit.errors import EngineFailure, TaskFailure
from unitask.kit.process import die_with_parent, limit_memory
from unitask.spec.product import Product
from unitask.worker import messages
from unitask.worker.job import ChildJob


class Parent:
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
                case messages.Run() as run:
                    self.runs.put(run)
                case messages.Saved() as saved:
                    self.saved.put(saved)
                case messages.Cancel():
                    self.cancelled.set()
        os._exit(0)


def _run(parent: Parent, catalogue: Catalogue, order: messages.Run) -> messages.Word:
    product = catalogue.find(order.model, order.task_type)
    recipe = next(one for one in product.recipes if one.engine == order.engine)
    job = ChildJob(parent=parent, order=order, recipe=recipe)
    try:
        faults.point("run.started")
        inputs = product.input.model_validate(order.input)
        job.choose_seed(inputs)
        output = installed()[order.engine].run(product, inputs, job)
        faults.point("run.finished")
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
    return messages.Done(output=output.fields, measures=dict(output.measures), warnings=job.warnings)


def _out_of_memory(product: Product) -> str:
    return f"{product.model} {product.task_type} needs more memory than it may use here; try a smaller input"


def _broke(error: TaskFailure, job: ChildJob, *, spent: bool = False) -> messages.Broke:
    return messages.Broke(
        message=str(error),
        raw_message=error.raw_message,
        number=error.number,
        retryable=error.retryable,
        warnings=job.warnings,
        spent=spent,
    )


def main(descriptor: int, memory_bytes: int) -> None:
    """Serve attempts over the inherited socket."""
    die_with_parent()
    limit_memory(memory_bytes)
    parent = Parent(socket.socket(fileno=descriptor))
    catalogue = Catalogue.load()
    while True:
        order = parent.runs.get()
        parent.cancelled.clear()
        Path(order.scratch).mkdir(parents=True, exist_ok=True)
        parent.say(_run(parent, catalogue, order))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
