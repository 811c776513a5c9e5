"""Whether the files that completed tasks name can be had."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from unitask.artifacts import repository
from unitask.artifacts.model import PREFIX
from unitask.artifacts.store import Store
from unitask.db import Database
from unitask.kit.errors import NotFound

_AT_ONCE: Final = 8
_NAMED: Final = re.compile(rf'(?<!\\)"{PREFIX}([0-9A-Za-z./]+)"')


@dataclass(slots=True)
class References:
    """Completed tasks and the files in their outputs: in the store, past their time, in own buckets, or missing."""

    tasks: int = 0
    present: int = 0
    expired: int = 0
    elsewhere: int = 0
    missing: list[str] = field(default_factory=list)


async def references(database: Database, store: Store, now: int, outputs: Iterator[str]) -> References:
    """Look for every file that these outputs of completed tasks name.

    Raises:
        Unavailable: database or store cannot be used.

    """
    found = References()
    while some := list(islice(outputs, _AT_ONCE)):
        found.tasks += len(some)
        await asyncio.gather(
            *[_look(found, database, store, path, now) for output in some for path in set(_NAMED.findall(output))]
        )
    return found


async def _look(found: References, database: Database, store: Store, path: str, now: int) -> None:
    artifact = await repository.find(database, path, now)
    if artifact is None:
        found.expired += 1
    elif artifact.file.bucket_id is not None:
        found.elsewhere += 1
    elif await _is_there(store, path, artifact.file.size_bytes):
        found.present += 1
    else:
        found.missing.append(path)


async def _is_there(store: Store, path: str, size_bytes: int) -> bool:
    try:
        return (await store.facts(path)).size_bytes == size_bytes
    except NotFound:
        return False
