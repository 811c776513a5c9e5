"""What a worker and its engine process say to each other: one JSON object a line, over a socket pair.

Every message is about one attempt, and a process may have several.
"""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter

from unitask.provenance.manifest import Input, Said
from unitask.spec.product import Level
from unitask.spec.protocol import KEYS_ONLY

Count = Annotated[int, Field(ge=0, lt=2**63)]


class Name(NamedTuple):
    """What an attempt is known by."""

    task_id: str
    attempt: int


class _OfAttempt(BaseModel):
    model_config = KEYS_ONLY

    of: Name


class Run(_OfAttempt):
    """Run one attempt. `seconds_left` counts from its start.

    `together` are sent at once, this among them. `files_url` is how clients name stored files, `own_files_url` where
    they can be read from here. `traced`: somebody wants to know what takes how long.
    """

    do: Literal["run"] = "run"
    model: str
    task_type: str
    engine: str
    input: dict[str, Any]
    seconds_left: float
    scratch: str
    models: str
    files_url: str
    own_files_url: str
    allow_private: bool
    preview: bool = False
    together: int = 1
    traced: bool = False


class Cancel(_OfAttempt):
    """Stop at the next step, or do not begin."""

    do: Literal["cancel"] = "cancel"


class Saved(_OfAttempt):
    """The file was stored under this reference; an empty one says that it could not be, and `why`."""

    do: Literal["saved"] = "saved"
    reference: str
    why: str = ""


class Started(_OfAttempt):
    """The attempt has begun; before it waited for others."""

    say: Literal["started"] = "started"


class Progress(_OfAttempt):
    """How far the work is."""

    say: Literal["progress"] = "progress"
    fraction: float
    note: str


class _File(_OfAttempt):
    path: str
    extension: str
    said: Said
    inputs: list[Input]


class Save(_File):
    """Store this file, which was made of these inputs; the engine waits for `Saved`."""

    say: Literal["save"] = "save"


class Show(_File):
    """Let the client see this picture of what there is so far; nobody waits for an answer."""

    say: Literal["show"] = "show"


class Fetched(_OfAttempt):
    """A file of the input was read, when by the time of day: for traces."""

    say: Literal["fetched"] = "fetched"
    began_ns: Count
    ended_ns: Count
    media: str = Field(max_length=16)
    size_bytes: Count


class Done(_OfAttempt):
    """The attempt made this. `loaded`: the model cards that the process has in memory now, if it knows."""

    say: Literal["done"] = "done"
    output: dict[str, Any]
    level: Level
    measures: dict[str, float]
    warnings: list[str]
    loaded: list[str] | None = None


class Broke(_OfAttempt):
    """The attempt failed. After `spent` the process ends by itself: its memory is full of holes."""

    say: Literal["broke"] = "broke"
    message: str
    raw_message: str
    number: int
    retryable: bool
    warnings: list[str]
    of_input: bool = False
    spent: bool = False


End = Done | Broke
Order = Run | Cancel | Saved
Word = Started | Progress | Save | Show | Fetched | Done | Broke
ORDER: TypeAdapter[Order] = TypeAdapter(Order, config=KEYS_ONLY)
WORD: TypeAdapter[Word] = TypeAdapter(Word, config=KEYS_ONLY)


def line(message: BaseModel) -> bytes:
    """Write a message as it goes over the socket."""
    return message.model_dump_json().encode() + b"\n"
