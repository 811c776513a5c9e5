"""Waiting for what other processes do, never longer than a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")
_EVERY_S = 0.02


def until(look: Callable[[], T], *, within_s: float, what: str | Callable[[], Any] = "it") -> T:
    """Look again and again until something true is seen, and give it."""
    end = time.monotonic() + within_s
    while not (seen := look()):
        if time.monotonic() > end:
            raise AssertionError(f"{what() if callable(what) else what} did not happen within {within_s} s")
        time.sleep(_EVERY_S)
    return seen


async def seen(look: Callable[[], T], *, within_s: float, what: str = "it") -> T:
    """Do the same as `until` while the event loop runs on."""
    end = asyncio.get_running_loop().time() + within_s
    while not (found := look()):
        assert asyncio.get_running_loop().time() < end, f"{what} did not happen within {within_s} s"
        await asyncio.sleep(_EVERY_S)
    return found


async def answered(ask: Callable[[], Awaitable[T]], *, within_s: float, what: str = "it") -> T:
    """Ask again and again until the answer is true, and give it."""
    end = asyncio.get_running_loop().time() + within_s
    while not (answer := await ask()):
        assert asyncio.get_running_loop().time() < end, f"{what} did not happen within {within_s} s; seen: {answer!r}"
        await asyncio.sleep(_EVERY_S)
    return answer
