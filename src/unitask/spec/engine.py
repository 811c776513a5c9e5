"""What an engine is, what it is given and what it gives back."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from unitask.kit.errors import TaskFailure
from unitask.spec.media import Media
from unitask.spec.product import Input, Product, Recipe


class Job(Protocol):
    """One attempt as its engine sees it. Everything from outside comes through here, under limits."""

    task_id: str
    recipe: Recipe
    seed: int
    """The client's seed, or one derived from the task id: a second attempt makes the same result."""
    models: Path
    """The folder of the weights: see `unitask.weights.Shelf`."""

    @property
    def scratch(self) -> Path:
        """An empty folder, deleted after the attempt."""

    @property
    def cancelled(self) -> bool:
        """Whether the client took the order back; `progress` raises `Cancelled` then.

        In a batch only when all its clients did: one that goes disturbs no other, and its result is dropped.
        """

    @property
    def seconds_left(self) -> float:
        """Seconds until the attempt is ended."""

    def fetch(self, source: str, media: Media) -> Path:
        """Put the file behind a URL into scratch, within the field's limits.

        Raises:
            MediaFailure: unreachable, too large, or not of this kind.

        """

    def save(self, content: bytes | Path, extension: str) -> str:
        """Store an output file (`png`, `mp4`, ... decides its content type); returns its reference for the output."""

    def progress(self, fraction: float, note: str = "") -> None:
        """Report how far the work is, 0 to 1.

        Raises:
            Cancelled: the client took the order back.

        """

    @property
    def shows(self) -> bool:
        """Whether the client wants to see what there is so far: false again for a while after each `show`."""

    def show(self, content: bytes, extension: str) -> None:
        """Let the client see a small picture (`jpg`, `png`, `webp`) of what there is so far, if `shows`."""

    def warn(self, sentence: str) -> None:
        """Tell the client something about the result: it ends up in `meta.warnings`."""


@dataclass(frozen=True, slots=True)
class Output:
    """What an engine made: the wire's `output` with references in place of URLs.

    `measures` maps a price's unit to the number of units really made, e.g. `{"output megapixel": 4.2}`.
    """

    fields: dict[str, Any]
    measures: Mapping[str, float] = field(default_factory=dict)


class Engine(Protocol):
    """Makes media. Synchronous; runs in a child process that may be killed at any time.

    One that also satisfies `DeviceEngine` runs in processes that keep a device, one that satisfies `BatchEngine` makes
    several works at once there. All others have nothing to do with either.
    """

    name: str

    def missing(self) -> str | None:
        """Say what must be installed or set before this engine can run, or None. Imports nothing heavy."""

    def run(self, product: Product, inputs: Input, job: Job) -> Output:
        """Make the product.

        Raises:
            TaskFailure: with a sentence for the client.

        """


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt of a batch: what `Engine.run` is given."""

    product: Product
    inputs: Input
    job: Job


@runtime_checkable
class DeviceEngine(Engine, Protocol):
    """An engine that holds much on a device. Its process is the only one of the worker there, and lives on."""

    def devices(self) -> tuple[str, ...]:
        """List the devices of this machine that it can run on, such as `("cuda:0", "cuda:1")` or `("cpu",)`.

        Asked once, by the worker itself: it takes seconds at most and imports nothing heavy; `unitask.kit.devices`
        helps. The process of each device finds in its environment `UNITASK_DEVICE`, what it calls its device: of
        `cuda:N` it sees no other and calls it `cuda:0`; any other name is as it is here. No memory limit is set.
        """


@runtime_checkable
class ResidentEngine(DeviceEngine, Protocol):
    """A device engine that knows what it has in memory."""

    def loaded(self, models: Path) -> Collection[str]:
        """List the model cards whose weights are in memory, ready for the next task; asked in the device's process."""


@runtime_checkable
class BatchEngine(DeviceEngine, Protocol):
    """A device engine that makes several works at once when they agree in what it says they must agree in."""

    most_in_batch: int
    """The most works of one batch."""

    def batch_key(self, product: Product, inputs: Input, recipe: Recipe) -> Hashable | None:
        """Say what works of one batch have in common; those with equal keys may go together, None goes alone."""

    def run_batch(self, works: Sequence[Work]) -> list[Output | TaskFailure]:
        """Make two works or more with equal keys; one goes by `run`. Gives one result a work, in their order.

        What `job.fetch` and `job.save` raise is the failure of that work alone: catch it and put it into the list.
        `job.progress` raises `Cancelled` only when nobody wants any of the results; what is raised from here fails all.

        Raises:
            TaskFailure: with a sentence for all the clients.

        """
