"""What workers and the API say to each other, over HTTP with a worker token.

A worker claims by long poll, renews all it holds with one heartbeat, uploads files, settles. `attempt` is the fencing
token: the API refuses whatever comes from an attempt that was taken from its worker.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, SecretStr, field_serializer

from unitask.spec.product import Level

PREFIX: Final = "/worker/v1"
PREVIEW_LIMIT_BYTES: Final = 2**20
LAST_ATTEMPT: Final = 2**31 - 1
MOST_ENDS: Final = 64
KEYS_ONLY: Final = ConfigDict(cache_strings="keys")
"""For messages whose texts do not come again: pydantic would keep sixteen thousand of them in each process."""


def _without_nul(text: str) -> str:
    return text.replace("\0", "")


WorkerId = Annotated[str, Field(pattern=r"^[!-~]{1,64}$")]
TaskId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
AttemptNumber = Annotated[int, Field(ge=0, le=LAST_ATTEMPT)]
# Engines write anything into their logs, and no database takes a NUL: the report must not get stuck for it.
Text = Annotated[str, AfterValidator(_without_nul)]


class _Message(BaseModel):
    model_config = KEYS_ONLY


class ClaimRequest(_Message):
    """Ask for up to `most` tasks that these engines can make; wait up to `wait_s` seconds for one.

    `loaded`: the model cards whose weights are in memory; tasks for them are preferred, see `unitask.queue.turns`.
    """

    worker_id: WorkerId
    engines: list[Text] = Field(max_length=100)
    loaded: list[Text] = Field(default_factory=list, max_length=1000)
    most: int = Field(ge=1, le=256)
    wait_s: float = Field(ge=0, le=30)


class ClaimedTask(_Message):
    """One attempt to run. `input` is the validated input; own files in it are URLs of the API.

    `preview`: the client wants to see what the engine has so far. `remote`: what an earlier attempt by the same engine
    kept of the provider's job. `own_key`: the key that the account left for this provider; `has_lost_key`: it left one
    that cannot be read any more. `trace`: what the attempt is part of, see `unitask.kit.tracing`; `waited_s`: since the
    order.
    """

    task_id: str
    attempt: int
    model: str
    task_type: str
    engine: str
    input: dict[str, Any]
    seconds_left: float
    preview: bool = False
    remote: dict[str, Any] | None = None
    own_key: SecretStr | None = None
    has_lost_key: bool = False
    trace: str | None = None
    waited_s: float = 0.0

    @field_serializer("own_key", when_used="json-unless-none")
    def _told(self, key: SecretStr) -> str:
        return key.get_secret_value()


class ClaimAnswer(_Message):
    """The tasks that are now this worker's."""

    tasks: list[ClaimedTask]


class AttemptProgress(_Message):
    """How far an attempt is, 0 to 1. `waiting`: it has not begun, and the time that it may take does not count yet."""

    task_id: TaskId
    attempt: AttemptNumber
    progress: float = Field(ge=0, le=1)
    note: Text = Field("", max_length=200)
    waiting: bool = False


class Offer(_Message):
    """A product that a worker can make by one of its engines, and at which level."""

    product: Text = Field(max_length=401)
    engine: Text = Field(max_length=64)
    level: Level


class ProviderHealth(_Message):
    """How a worker finds a provider.

    `state`: `up`, `down` (it is left alone for a while) or `trying` (one task, or a look, shows whether it is back).
    `failures`: those in a row. `latency_ms`: of its last answers, where there were some.
    """

    provider: Text = Field(max_length=64)
    engine: Text = Field(max_length=64)
    state: Literal["up", "down", "trying"]
    failures: int = Field(0, ge=0)
    latency_ms: float | None = Field(None, ge=0, allow_inf_nan=False)
    why: Text = Field("", max_length=300)


class Cleared(_Message):
    """A leftover that is done with: a task may have left one at each of several providers."""

    task_id: TaskId
    provider: Text = Field(max_length=64)


class BeatRequest(_Message):
    """A sign of life for the worker and all it holds.

    `makes`: what it can make; None says nothing new. A worker that never said it makes whatever its engines can.
    `loaded`: the model cards in memory. `memory`: bytes of each of its devices, where they are known. `providers`: how
    it finds those it uses. `cleared`: leftovers that are done with.
    """

    worker_id: WorkerId
    name: Text = Field(max_length=200)
    engines: list[Text] = Field(max_length=100)
    devices: list[Text] = Field(default_factory=list, max_length=100)
    memory: dict[Text, int] = Field(default_factory=dict, max_length=100)
    makes: list[Offer] | None = Field(default=None, max_length=10_000)
    loaded: list[Text] = Field(default_factory=list, max_length=1000)
    progress: list[AttemptProgress] = Field(default_factory=list, max_length=10_000)
    providers: list[ProviderHealth] = Field(default_factory=list, max_length=100)
    cleared: list[Cleared] = Field(default_factory=list, max_length=100)


class HeldTask(_Message):
    """An attempt that the worker still holds; what is not listed was lost and should be stopped."""

    task_id: str
    attempt: int
    cancel_requested: bool


class Leftover(_Message):
    """A provider's job whose task has ended without it: it is to be cancelled there."""

    task_id: str
    provider: str
    remote: dict[str, Any]
    own_key: SecretStr | None = None

    @field_serializer("own_key", when_used="json-unless-none")
    def _told(self, key: SecretStr) -> str:
        return key.get_secret_value()


class BeatAnswer(_Message):
    """What the worker holds, and when to send the next sign of life. `files_url`: how clients name stored files."""

    held: list[HeldTask]
    files_url: str
    next_in_s: float
    leftovers: list[Leftover] = Field(default_factory=list)


class AttemptFailure(_Message):
    """Why an attempt failed.

    `retryable`: another attempt may succeed; `elsewhere`: one by another engine. `away`: the provider could not be
    asked, and nothing was begun. `given_back`: the worker is stopping. `of_input`: the order itself is the cause.
    """

    message: Text = Field(max_length=2000)
    raw_message: Text = Field("", max_length=8000)
    number: int = 10000
    retryable: bool = False
    elsewhere: bool = False
    away: bool = False
    given_back: bool = False
    of_input: bool = False


class Timings(_Message):
    """Where the seconds of an attempt went: until it began, reading weights (as far as its engine says), storing files.

    The rest of the attempt is the work itself.
    """

    start_s: float = Field(0, ge=0, allow_inf_nan=False)
    load_s: float = Field(0, ge=0, allow_inf_nan=False)
    upload_s: float = Field(0, ge=0, allow_inf_nan=False)


class SettleRequest(_Message):
    """How an attempt ended: with an output or with a failure."""

    task_id: TaskId
    attempt: AttemptNumber
    output: dict[str, Any] | None = None
    failure: AttemptFailure | None = None
    level: Level | None = Field(default=None, description="How much of the model made the output.")
    measures: dict[str, FiniteFloat] = Field(default_factory=dict)
    timings: Timings | None = None
    warnings: list[Text] = Field(default_factory=list, max_length=100)
    logs: list[Text] = Field(default_factory=list, max_length=1000)
    cost_points: int | None = Field(default=None, ge=0, le=2**53, description="What it cost the operator.")
    own_key: bool = Field(default=False, description="It was made with the account's own key, and is not charged.")
    trace: Text | None = Field(default=None, max_length=600, description="The worker's span that reports it.")


class KeepRequest(_Message):
    """What is known of the provider's job, for the attempts that may follow; None: there is none any more."""

    remote: dict[str, Any] | None = None


class SettleManyRequest(_Message):
    """How several attempts ended."""

    ends: list[SettleRequest] = Field(max_length=MOST_ENDS)


class SettleManyAnswer(_Message):
    """Of each attempt, in their order, whether it was still the worker's."""

    accepted: list[bool]


class SettleAnswer(_Message):
    """Whether the attempt was still the worker's; if not, its result came to nothing."""

    accepted: bool


class PlaceAnswer(_Message):
    """Where a file goes: by PUT to `url`, with this content type; without one it is sent to the API."""

    reference: str = ""
    url: str = ""
    content_type: str = ""


class PlacedRequest(_Message):
    """A file has been put in its place."""

    reference: str = Field(max_length=400)
    size_bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class MarksAnswer(_Message):
    """How files are to be marked: whether at all, and by whose certificates they are signed, if they are."""

    marks: bool = True
    chain: str = ""
    algorithm: str = ""


class SignRequest(_Message):
    """What a manifest's signature is made over, as base64, and the SHA-256 of the certificates that it names."""

    content: str = Field(max_length=2**17)
    chain_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")


class SignAnswer(_Message):
    """The signature, as base64."""

    signature: str


class UploadAnswer(_Message):
    """The reference under which the output may name the uploaded file."""

    reference: str
