"""What the server says, as typed values. Each keeps the whole document in `raw`, with fields not known here."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Self

Document = Mapping[str, Any]
_ENDS: Final = ("completed", "failed", "cancelled")
_NAME_CHARACTERS: Final = 128
_NO_TIME: Final = "0001-01-01"


def _time(text: Any) -> datetime | None:
    """Read a moment; None where there is none yet, which the wire writes as the year 1."""
    if not isinstance(text, str) or not text or text.startswith(_NO_TIME):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _whole(value: Any) -> int:
    """Read a whole number; 0 for anything else."""
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else 0


def _number(value: Any) -> float | None:
    """Read a number; None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: Any) -> str | None:
    """Read a text; None for anything else."""
    return value if isinstance(value, str) else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _place(document: Document) -> int | None:
    value = _number(document.get("queue_position"))
    return None if value is None else int(value)


def _within(document: Document, name: str) -> Document:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def documents(document: Document, name: str) -> list[Document]:
    """Give the objects in a list of a document; none if there is no such list."""
    found = document.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Usage:
    """What a task costs, in points: `held` while it is under way, `charged` at its end."""

    held: int
    charged: int
    raw: Document = field(repr=False)

    @classmethod
    def read(cls, raw: Document) -> Self:
        """Read it."""
        return cls(_whole(raw.get("frozen")), _whole(raw.get("consume")), raw)


@dataclass(frozen=True, slots=True)
class TaskError:
    """Why a task failed. `detail` is what a backend said, where that is more."""

    code: int
    message: str
    detail: str
    raw: Document = field(repr=False)

    @classmethod
    def read(cls, raw: Document) -> Self | None:
        """Read it; None if nothing went wrong."""
        message, detail = str(raw.get("message") or ""), str(raw.get("raw_message") or "")
        code = _whole(raw.get("code"))
        return cls(code, message or detail or f"error {code}", detail, raw) if message or detail or code else None


@dataclass(frozen=True, slots=True)
class File:
    """One file of a result: the field in which it stands, and its address."""

    field: str
    url: str

    @property
    def name(self) -> str:
        """Its name, as the last part of the address has it; no letter of it leads out of a folder."""
        last = self.url.partition("?")[0].rstrip("/").rpartition("/")[2]
        return re.sub(r"[^\w.-]", "_", last).lstrip(".")[-_NAME_CHARACTERS:] or "file"


def _files(value: Any, field: str) -> Iterator[File]:
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        yield File(field, value)
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _files(inner, f"{field}.{name}" if field else name)
    elif isinstance(value, list):
        for inner in value:
            yield from _files(inner, field)


@dataclass(frozen=True, slots=True)
class Output:
    """What a task has made. Other fields than files are in `raw`."""

    files: tuple[File, ...]
    raw: Document = field(repr=False)

    @classmethod
    def read(cls, raw: Document) -> Self:
        """Find the files; one that stands in two fields is given once."""
        found: dict[str, File] = {}
        for file in _files(raw, ""):
            found.setdefault(file.url, file)
        return cls(tuple(found.values()), raw)

    @property
    def urls(self) -> tuple[str, ...]:
        """The addresses of all files."""
        return tuple(file.url for file in self.files)


@dataclass(frozen=True, slots=True)
class Task:
    """One order. `progress` is 0 to 1; what a server does not tell is None."""

    id: str
    model: str
    task_type: str
    status: str
    input: Document
    output: Output | None
    usage: Usage
    error: TaskError | None
    progress: float | None
    queue_position: int | None
    eta_s: float | None
    preview_url: str | None
    engine: str | None
    engine_level: str | None
    warnings: tuple[str, ...]
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime | None
    raw: Document = field(repr=False)

    @classmethod
    def read(cls, raw: Document) -> Self:
        """Read the task object of the wire."""
        meta, output = _within(raw, "meta"), raw.get("output")
        return cls(
            id=str(raw.get("task_id") or ""),
            model=str(raw.get("model") or ""),
            task_type=str(raw.get("task_type") or ""),
            status=str(raw.get("status") or "").lower(),
            input=_within(raw, "input"),
            output=Output.read(output) if isinstance(output, dict) else None,
            usage=Usage.read(_within(meta, "usage")),
            error=TaskError.read(_within(raw, "error")),
            progress=_number(meta.get("progress")),
            queue_position=_place(meta),
            eta_s=_number(meta.get("eta_s")),
            preview_url=_text(meta.get("preview_url")),
            engine=_text(meta.get("engine")),
            engine_level=_text(meta.get("engine_level")),
            warnings=_texts(meta.get("warnings")),
            created_at=_time(meta.get("created_at")),
            started_at=_time(meta.get("started_at")),
            ended_at=_time(meta.get("ended_at")),
            expires_at=_time(meta.get("expires_at")),
            raw=raw,
        )

    @property
    def finished(self) -> bool:
        """Whether it has ended, one way or the other."""
        return self.status in _ENDS

    @property
    def completed(self) -> bool:
        """Whether it has ended with a result."""
        return self.status == "completed"

    @property
    def files(self) -> tuple[File, ...]:
        """The files of its result; none before it is completed."""
        return self.output.files if self.completed and self.output else ()


@dataclass(frozen=True, slots=True)
class Event:
    """Where a task stands at a moment; the last one has the whole `task`."""

    status: str
    progress: float | None
    queue_position: int | None
    eta_s: float | None
    preview_url: str | None
    task: Task | None
    raw: Document = field(repr=False)

    @classmethod
    def read(cls, raw: Document) -> Self:
        """Read an event of the server's stream."""
        task = raw.get("task")
        return cls(
            status=str(raw.get("status") or "").lower(),
            progress=_number(raw.get("progress")),
            queue_position=_place(raw),
            eta_s=_number(raw.get("eta_s")),
            preview_url=_text(raw.get("preview_url")),
            task=Task.read(task) if isinstance(task, dict) else None,
            raw=raw,
        )

    @classmethod
    def of(cls, task: Task) -> Self:
        """Say where a task stands that was just read."""
        last = task if task.finished else None
        return cls(task.status, task.progress, task.queue_position, task.eta_s, task.preview_url, last, task.raw)


@dataclass(frozen=True, slots=True)
class Page:
    """Some tasks, newest first; `next_cursor` leads on, None on the last page."""

    tasks: tuple[Task, ...]
    next_cursor: str | None
    raw: Document = field(repr=False)

    @classmethod
    def read(cls, raw: Document) -> Self:
        """Read it."""
        return cls(tuple(Task.read(one) for one in documents(raw, "tasks")), _text(raw.get("next_cursor")), raw)


@dataclass(frozen=True, slots=True)
class Quote:
    """What a request would cost at most, and who would make it. `covered`: the account has as much."""

    points: int
    usd: float
    covered: bool
    engine: str | None
    engine_level: str | None
    warnings: tuple[str, ...]
    raw: Document = field(repr=False)

    @classmethod
    def read(cls, raw: Document) -> Self:
        """Read it."""
        return cls(
            points=_whole(raw.get("points")),
            usd=_number(raw.get("usd")) or 0.0,
            covered=bool(raw.get("covered")),
            engine=_text(raw.get("engine")),
            engine_level=_text(raw.get("engine_level")),
            warnings=_texts(raw.get("warnings")),
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class Account:
    """Whose key it is, and what is left: points, and the same in dollars."""

    id: int | str | None
    name: str
    plan: str
    available_points: int
    held_points: int
    used_points: int
    available_usd: float
    raw: Document = field(repr=False)

    @classmethod
    def read(cls, raw: Document) -> Self:
        """Read the documented object."""
        packs = _within(raw, "credit_pack_info")
        return cls(
            id=raw.get("id") or raw.get("account_id"),
            name=str(raw.get("name") or raw.get("account_name") or ""),
            plan=str(raw.get("plan") or ""),
            available_points=_whole(packs.get("available_credits")),
            held_points=_whole(packs.get("frozen_credits")),
            used_points=_whole(packs.get("used_credits")),
            available_usd=_number(raw.get("equivalent_in_usd")) or 0.0,
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class Product:
    """One thing that the server makes: a model and a task type, with the JSON schema of its input."""

    model: str
    task_type: str
    title: str
    summary: str
    usd: float
    unit: str
    engine: str | None
    engine_level: str | None
    missing: str | None
    input_schema: Document
    raw: Document = field(repr=False)

    @classmethod
    def read(cls, raw: Document) -> Self:
        """Read an entry of the catalogue."""
        price = _within(raw, "price")
        return cls(
            model=str(raw.get("model") or ""),
            task_type=str(raw.get("task_type") or ""),
            title=str(raw.get("title") or ""),
            summary=str(raw.get("summary") or ""),
            usd=_number(price.get("usd")) or 0.0,
            unit=str(price.get("unit") or ""),
            engine=_text(raw.get("engine")),
            engine_level=_text(raw.get("engine_level")),
            missing=_text(raw.get("missing")),
            input_schema=_within(raw, "input_schema"),
            raw=raw,
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook message that is owed or was sent. `reason` says why the last attempt failed."""

    id: str
    task_id: str
    event: str
    endpoint: str
    state: str
    attempts: int
    reason: str
    raw: Document = field(repr=False)

    @classmethod
    def read(cls, raw: Document) -> Self:
        """Read it."""
        return cls(
            id=str(raw.get("id") or ""),
            task_id=str(raw.get("task_id") or ""),
            event=str(raw.get("event") or ""),
            endpoint=str(raw.get("endpoint") or ""),
            state=str(raw.get("state") or ""),
            attempts=_whole(raw.get("attempts")),
            reason=str(raw.get("reason") or ""),
            raw=raw,
        )
