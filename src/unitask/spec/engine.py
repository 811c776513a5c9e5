"""What an engine is, what it is given and what it gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from unitask.spec.media import Media
from unitask.spec.product import Input, Product, Recipe


class Job(Protocol):
    """One attempt as its engine sees it. Everything from outside comes through here, under limits."""

    task_id: str
    recipe: Recipe
    seed: int
    """The client's seed, or one derived from the task id: a second attempt makes the same result."""
    scratch: Path
    """An empty folder, deleted after the attempt."""
    models: Path
    """The folder of the weights: see `unitask.weights.Shelf`."""

    @property
    def cancelled(self) -> bool:
        """Whether the client took the order back; `progress` raises `Cancelled` then."""

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
    """Makes media. Synchronous; runs in a child process that may be killed at any time."""

    name: str

    def missing(self) -> str | None:
        """Say what must be installed or set before this engine can run, or None. Imports nothing heavy."""

    def run(self, product: Product, inputs: Input, job: Job) -> Output:
        """Make the product.

        Raises:
            TaskFailure: with a sentence for the client.

        """
