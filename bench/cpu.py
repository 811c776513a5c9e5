"""Measure what each product takes on a plain CPU: `make bench-cpu`.

Every product is made once from its first example, in a process of its own: seconds of it, seconds of the processor, and
the most memory. The floor is the emulator's card of the same product: a file of the same form, size and length with
next to nothing in it. Products that need a photograph get scikit-image's.
"""

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from unitask.catalogue import Catalogue, validate
from unitask.emulator.orders import as_cards
from unitask.engines import installed
from unitask.spec.product import Product, Recipe

sys.path.append(str(Path(__file__).parent.parent / "scripts"))


class BenchJob:
    """A job on files of this machine: sources are data URIs, outputs stay where they are made."""

    def __init__(self, scratch: Path, recipe: Any) -> None:
        self.task_id = "bench"
        self.seed = 7
        self.scratch = scratch
        self.recipe = recipe
        self.cancelled = False
        self.shows = False
        self.seconds_left = 600.0
        self._files = 0

    def fetch(self, source: str, media: Any) -> Path:  # noqa: ARG002 - the protocol's signature
        """Write a data URI down."""
        import base64  # noqa: PLC0415 - used here alone

        self._files += 1
        path = self.scratch / f"input-{self._files}"
        path.write_bytes(base64.b64decode(source.partition(",")[2]))
        return path

    def save(self, content: bytes | Path, extension: str) -> str:
        """Keep a file."""
        self._files += 1
        path = self.scratch / f"output-{self._files}.{extension}"
        path.write_bytes(content if isinstance(content, bytes) else content.read_bytes())
        return f"unitask-artifact:{path.name}"

    def progress(self, fraction: float, note: str = "") -> None:
        """Go on."""

    def show(self, content: bytes, extension: str) -> None:
        """Go on."""

    def warn(self, sentence: str) -> None:
        """Go on."""


def _make(key: str, as_card: bool, document: dict[str, Any], answers: Any) -> None:  # noqa: FBT001 - a process's
    """Make a product twice: the first time also loads the libraries."""
    catalogue = Catalogue.load()
    product = (as_cards(catalogue) if as_card else catalogue).by_key(key)
    inputs, _ = validate(product, document)
    recipe = usable(product)
    with tempfile.TemporaryDirectory(prefix="unitask-bench-") as folder:
        took = []
        for turn in range(2):
            scratch = Path(folder) / str(turn)
            scratch.mkdir()
            began, cpu = time.perf_counter(), _cpu_s()
            installed()[recipe.engine].run(product, inputs, BenchJob(scratch, recipe))
            took.append((time.perf_counter() - began, _cpu_s() - cpu))
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answers.put((*took[1], peak_mib))


def _cpu_s() -> float:
    """Give the seconds of the processor so far, of this process and of those that it has started and seen end."""
    return sum(os.times()[:4])


def usable(product: Product) -> Recipe:
    """Take the first recipe without weights whose engine has all it needs."""
    return next(one for one in product.recipes if not one.weights and installed()[one.engine].missing() is None)


def measure(key: str, document: dict[str, Any], *, as_card: bool) -> tuple[float, float, float] | None:
    """Give seconds, processor seconds and MiB; None if the process died."""
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=_make, args=(key, as_card, document, answers))
    process.start()
    process.join()
    return answers.get() if process.exitcode == 0 else None


def main() -> None:
    """Measure the products whose names contain one of the given texts, or all."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("names", nargs="*", default=[""])
    chosen = options.parse_args()
    from gallery import film, request_of  # noqa: PLC0415 - beside this folder

    moving = film()
    print(f"{'product':46} {'engine':8} {'s':>7} {'cpu s':>7} {'MiB':>6} {'x floor':>8}")
    for product in Catalogue.load():
        if not any(name in product.key for name in chosen.names):
            continue
        document, engine = request_of(product, moving), usable(product).engine
        made, floor = (measure(product.key, document, as_card=as_card) for as_card in (False, True))
        if made is None or floor is None:
            print(f"{product.key:46} {engine:8} failed")
            continue
        ratio = made[0] / floor[0]
        print(f"{product.key:46} {engine:8} {made[0]:7.2f} {made[1]:7.2f} {made[2]:6.0f} {ratio:8.1f}", flush=True)


if __name__ == "__main__":
    main()
