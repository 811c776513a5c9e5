"""Handing media of an input over to a provider."""

import base64
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from unitask.kit.media import CONTENT_TYPES
from unitask.remote.binding import Binder
from unitask.remote.threads import in_thread
from unitask.spec.media import MediaValue
from unitask.spec.remote import RemoteJob


async def as_address(job: RemoteJob, value: MediaValue) -> str:
    """Give an address that the provider can read: a stranger's as it is, a file of our own store as a data URI."""
    if not job.is_own(value.source):
        return value.source
    return await as_inline(job, value)


async def as_data(path: Path) -> str:
    """Write a file as a data URI; its name's extension says what it is."""
    return await in_thread(_data_uri, path)


async def as_file(job: RemoteJob, value: MediaValue) -> Path:
    """Give the file itself, for a form."""
    return await job.fetch(value.source, value.media)


async def as_inline(job: RemoteJob, value: MediaValue) -> str:
    """Give the file as a data URI, whoever's it is."""
    return await as_data(await as_file(job, value))


async def request_of(
    job: RemoteJob, sources: Mapping[str, Any], hand: Callable[[RemoteJob, MediaValue], Awaitable[Any]]
) -> dict[str, Any]:
    """Write a request; `hand` hands media over."""
    return await Binder.of(job.inputs, job.seed, partial(hand, job)).document(sources)


def _data_uri(path: Path) -> str:
    kind = CONTENT_TYPES[path.suffix.lstrip(".")]
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
