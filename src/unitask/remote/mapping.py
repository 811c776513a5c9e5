"""How a provider's model makes a product: tables that ship with an engine, and the operator's own over them."""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from unitask.remote.binding import BadMapping
from unitask.spec.remote import RemoteJob

_FILE: Final = "products.toml"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    call: str
    input: dict[str, Any]
    files: tuple[str, ...] | dict[str, str] = ()
    take: Literal["file", "sound"] = "file"
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mapped:
    """How one model makes one product.

    `call`: what is called there. `input`: see `unitask.remote.binding`. `files`: where the result has addresses; of
    films `take` may be the sound alone. `unused`: fields of the input that the model has not, with the reason.
    """

    call: str
    input: Mapping[str, Any]
    files: Sequence[str] | Mapping[str, str]
    take: Literal["file", "sound"]
    unused: Mapping[str, str]

    def warn(self, job: RemoteJob) -> None:
        """Tell the client which of the wishes that it has go unheard."""
        for name, reason in self.unused.items():
            _warn_of(job, name, reason)


def warn_unread(job: RemoteJob, read: Collection[str], reason: str) -> None:
    """Tell the client which of the wishes that it has are not among those that are read."""
    for name in type(job.inputs).model_fields.keys() - read - {job.inputs.seed_field}:
        _warn_of(job, name, reason)


def _warn_of(job: RemoteJob, name: str, reason: str) -> None:
    field = type(job.inputs).model_fields.get(name)
    if field and getattr(job.inputs, name) not in (field.default, None, ""):
        job.warn(f"input.{name} was not used by {job.calls.provider.name}: {reason}")


@lru_cache(maxsize=64)
def mappings(package: str, own: Path | None) -> Mapping[str, Mapped]:
    """Read the tables of an engine's package, if it has some, and over them those of an operator's file, by product.

    Raises:
        BadMapping: a table cannot be understood; says which.

    """
    found: dict[str, Mapped] = {}
    texts = [files(package).joinpath(_FILE).read_text("utf-8")] if package else []
    texts += [own.read_text("utf-8")] if own else []
    for text in texts:
        for product, table in tomllib.loads(text).items():
            try:
                read = _Table.model_validate(table)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                where = ".".join(map(str, first["loc"]))
                raise BadMapping(f"{product}: {where}: {first['msg']}") from None
            unused = {name: reason.strip() for name, _, reason in (one.partition(":") for one in read.unused)}
            found[product] = Mapped(read.call, read.input, read.files, read.take, unused)
    return found
