"""What a worker and its engine process say to each other: one JSON object a line, over a socket pair."""

from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter


class Run(BaseModel):
    """Run one attempt. `own_files` maps the address prefix of stored files to where they can be read from here."""

    do: Literal["run"] = "run"
    task_id: str
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


class Cancel(BaseModel):
    """Stop at the next step."""

    do: Literal["cancel"] = "cancel"


class Saved(BaseModel):
    """The file was stored under this reference; an empty one says that it could not be, and `why`."""

    do: Literal["saved"] = "saved"
    reference: str
    why: str = ""


class Progress(BaseModel):
    """How far the work is."""

    say: Literal["progress"] = "progress"
    fraction: float
    note: str


class Save(BaseModel):
    """Store this file; the engine waits for `Saved`."""

    say: Literal["save"] = "save"
    path: str
    extension: str


class Done(BaseModel):
    """The attempt made this."""

    say: Literal["done"] = "done"
    output: dict[str, Any]
    measures: dict[str, float]
    warnings: list[str]


class Broke(BaseModel):
    """The attempt failed. After `spent` the process is not used again."""

    say: Literal["broke"] = "broke"
    message: str
    raw_message: str
    number: int
    retryable: bool
    warnings: list[str]
    spent: bool = False


Order = Run | Cancel | Saved
Word = Progress | Save | Done | Broke
ORDER: TypeAdapter[Order] = TypeAdapter(Order)
WORD: TypeAdapter[Word] = TypeAdapter(Word)


def line(message: BaseModel) -> bytes:
    """Write a message as it goes over the socket."""
    return message.model_dump_json().encode() + b"\n"
