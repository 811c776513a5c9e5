"""What an engine is that hands a task to another server, and what it is given.

A remote engine waits and computes nothing, so it is asynchronous and many of its jobs share the worker's own process:
see decision record 0036. The template that drives it is `unitask.remote.drive`.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol, runtime_checkable

from pydantic import SecretStr

from unitask.kit.errors import ProviderAway
from unitask.spec.engine import Output
from unitask.spec.media import Media
from unitask.spec.product import Input, Product

Document = dict[str, Any]
"""What finds a provider's job again, as JSON: kept with the task before anything else is done with the job."""
PROVIDER_NAME: Final = "[a-z0-9][a-z0-9-]{0,63}"
"""What a provider may be called: small letters, digits and dashes."""
LIMIT_S: Final = 1800
"""The least seconds of one job where the operator says nothing: providers have queues."""
CALL_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A server that makes products for us, by the engine that speaks its language.

    `name` is what the queue and `meta.engine` call it. `products`: patterns of those it makes; None for all that the
    engine can. `recipes`: a file or a folder of the operator's own, read before the engine's. `at_once`: jobs at the
    same time of one worker. `limit_s`: seconds of one job, its queue there included; None: `seconds` says. `costs`:
    points for each unit of a product's price, by pattern. `paid`: an order whose fate is unknown is not sent again.
    `takes_own_keys`: accounts may use it with keys of their own, which is not charged.
    """

    name: str
    engine: str
    url: str = ""
    key: SecretStr | None = None
    products: tuple[str, ...] | None = None
    recipes: Path | None = None
    at_once: int = 1
    limit_s: int | None = None
    costs: Mapping[str, int] = field(default_factory=dict)
    paid: bool = True
    takes_own_keys: bool = True

    def seconds(self, product: Product) -> int:
        """Tell how long a job may take: as the operator says, else as usual, or as the product says if longer."""
        return self.limit_s or max(LIMIT_S, product.limit_s)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered. `document` is its JSON, None where it is none."""

    status: int
    content_type: str
    content: bytes
    document: Any


class Calls(Protocol):
    """The way to one provider: its address and key, bounds of size and time, patience where a call may be repeated.

    What it raises:

        ProviderAway    it could not be reached, is busy, broken, or does not take our key; nothing was begun there
        ProviderUnsure  the request was sent and nothing is known of it
        ProviderRefused it understood and said no: the order is wrong; `status` says what it answered

    Their texts never hold a key.
    """

    provider: Provider

    async def send(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, Any] | None = None,
        files: Sequence[tuple[str, Path]] = (),
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        reads_json: bool = True,
        accepts: Callable[[Any], bool] | None = None,
        joins_trace: bool = False,
        limit_s: float = CALL_S,
    ) -> Reply:
        """Send a request to a path of the provider, or to a whole address of the same server.

        `repeatable`: whether it may be sent twice; None: GET may. `reads_json`: an answer that is not JSON is none.
        `accepts` tells of the JSON of an error answer that it is what was asked for. `joins_trace`: it is told
        which trace this is part of. `limit_s`: for each try.
        """

    async def download(self, address: str, into: Path, *, limit_bytes: int) -> None:
        """Read a file: with the key from the provider's own server, without from any other, which must be allowed."""

    def socket(self, path: str) -> AsyncIterator[str | bytes]:
        """Hear what the provider says over a websocket, until it ends or breaks."""

    async def wait(self, seconds: float) -> None:
        """Wait before something is asked again."""

    def address(self, path: str) -> str:
        """Write the whole address of a path of the provider."""

    def ordered(self, why: str = "") -> None:
        """Note that an order was answered, or why it was not."""

    def away(self, why: str) -> ProviderAway:
        """Say that the provider cannot serve at present, though it answers."""

    def clean(self, text: str) -> str:
        """Take keys, and what looks like one, out of a text."""


class RemoteJob(Protocol):
    """One attempt as a remote engine sees it."""

    task_id: str
    attempt: int
    product: Product
    inputs: Input
    seed: int
    calls: Calls
    scratch: Path
    """An empty folder, deleted after the attempt."""
    answer: Any
    """What the order was answered with at once, for `collect`: this attempt alone knows it."""

    async def fetch(self, source: str, media: Media) -> Path:
        """Put the file behind a URL into scratch, within the field's limits, named with its extension.

        Raises:
            MediaFailure: unreachable, too large, or not of this kind.

        """

    def is_own(self, source: str) -> bool:
        """Tell whether an address leads to a file of our own store, which a provider may not reach."""

    def new_path(self, name: str) -> Path:
        """Name a file in scratch that is not there yet."""

    async def save(self, path: Path) -> str:
        """Store an output file, whose content decides its type; gives its reference for the output.

        Raises:
            EngineFailure: it is no media, or could not be stored.

        """

    def warn(self, sentence: str) -> None:
        """Tell the client something about the result: it ends up in `meta.warnings`."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a job is: it waits there, runs, or is done, and then `result` is what `collect` needs.

    `fraction`: how far, 0 to 1, where the provider says. `soon_s`: when it asks to be looked at again.
    """

    state: Literal["waiting", "running", "done"]
    fraction: float | None = None
    note: str = ""
    result: Any = None
    soon_s: float | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A collected result. `cost_points`: what the provider says it took; `level`: how much of the model made it."""

    output: Output
    cost_points: int | None = None
    level: Literal["preview", "basic", "full"] = "full"


@runtime_checkable
class RemoteEngine(Protocol):
    """Speaks the language of one kind of provider. Asynchronous; computes nothing.

    `url` is where it is if the operator says nothing, `asks_key` whether it serves nobody without one, `at_once` how
    many jobs it is given at a time by one worker if the operator says nothing.
    """

    name: str
    url: str
    asks_key: bool
    at_once: int

    def headers(self, key: str) -> dict[str, str]:
        """Write the key as the provider reads it."""

    def makes(self, product: Product, provider: Provider) -> bool:
        """Tell whether it has a way to make a product; reads no more than files of ours."""

    async def repeats(self, calls: Calls) -> bool:
        """Tell whether an order that comes twice under the same key makes one job; then an unsure one is sent again."""

    async def prepare(self, job: RemoteJob) -> Any:
        """Bring the inputs there and write the request; no job is made yet."""

    async def submit(self, job: RemoteJob, request: Any, key: str) -> Document:
        """Make the job, under a key of ours; gives what finds it again."""

    async def look(self, job: RemoteJob, document: Document) -> Look:
        """Look how the job is.

        Raises:
            JobLost: the provider does not know it.
            TaskFailure: it has failed there; `retryable` if the same order may succeed another time.

        """

    async def collect(self, job: RemoteJob, document: Document, result: Any) -> Made:
        """Fetch and store what was made."""

    async def cancel(self, calls: Calls, document: Document) -> None:
        """Stop the job there; one that is over, or unknown, is stopped.

        Of an order that is not answered yet, `document` holds no more than its `key`.
        """

    async def ping(self, calls: Calls) -> None:
        """Ask for something that costs nothing, to see whether the provider is there and takes our key."""

    async def missing(self, calls: Calls, products: list[Product]) -> dict[str, str]:
        """Say what the provider lacks to make these products, by their keys."""


@runtime_checkable
class WatchingEngine(RemoteEngine, Protocol):
    """A remote engine that hears of progress; looks go on meanwhile, for a message may be lost."""

    def watch(self, job: RemoteJob, document: Document) -> AsyncIterator[Look]:
        """Hear how the job is, as it goes on; ends when there is nothing more to hear."""
