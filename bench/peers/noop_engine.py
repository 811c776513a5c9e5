"""Engines of Unitask that do nothing, and their product: what is measured is all that is around it.

`peers.py` puts this module on the path of the worker with the entry points of a package.
"""

from collections.abc import Hashable, Sequence

from marks import mark

from unitask.spec.engine import Job, Output, Work
from unitask.spec.price import Price
from unitask.spec.product import Example, ImageResult, Input, Product, Recipe


class Order(Input):
    """What is ordered."""

    prompt: str
    width: int = 1024
    height: int = 1024


class NoopEngine:
    """Says when it begins, and is done."""

    name = "noop"

    def missing(self) -> str | None:
        return None

    def run(self, product: Product, inputs: Order, job: Job) -> Output:  # noqa: ARG002 - the protocol's signature
        mark(inputs.prompt)
        return Output(ImageResult.of("none"))


class TogetherEngine(NoopEngine):
    """The same up to 64 at a time in one process, as an engine on a GPU may."""

    name = "together"
    most_in_batch = 64

    def devices(self) -> tuple[str, ...]:
        return ("cpu",)

    def batch_key(self, product: Product, inputs: Order, recipe: Recipe) -> Hashable | None:  # noqa: ARG002 - same
        return product.key

    def run_batch(self, works: Sequence[Work]) -> list[Output]:
        return [self.run(work.product, work.inputs, work.job) for work in works]


NOOP = NoopEngine()
TOGETHER = TogetherEngine()
PRODUCTS = (
    Product(
        model="bench/noop",
        task_type="make",
        family="bench",
        title="Nothing",
        summary="Nothing.",
        input=Order,
        output=ImageResult,
        price=Price(150_000),
        recipes=(Recipe("noop", "basic", "nothing"), Recipe("together", "basic", "nothing")),
        examples=(Example("Nothing", {"prompt": "0 nothing"}),),
    ),
)
