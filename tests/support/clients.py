"""Both clients of the SDK behind one face, so that one test holds for the two."""

import asyncio
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from unitask_sdk import AsyncClient, Client

KINDS = ("sync", "async")


class Awaited:
    """An AsyncClient whose calls are awaited; what it iterates over comes as a list."""

    def __init__(self, address: str, api_key: str, **more: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(address, api_key, **more)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        async def call(*arguments: Any, **named: Any) -> Any:
            found = method(*arguments, **named)
            return await found if inspect.isawaitable(found) else [one async for one in found]

        return lambda *arguments, **named: self._runner.run(call(*arguments, **named))

    def end(self) -> None:
        """Close it."""
        self._runner.run(self._client.close())
        self._runner.close()


@contextmanager
def opened(kind: str, address: str, api_key: str, **more: Any) -> Iterator[Any]:
    """Open a client of this kind."""
    if kind == "sync":
        with Client(address, api_key, **more) as client:
            yield client
        return
    awaited = Awaited(address, api_key, **more)
    try:
        yield awaited
    finally:
        awaited.end()
