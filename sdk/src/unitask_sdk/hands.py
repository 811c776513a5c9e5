"""What both clients' hands agree on: time limits, sizes, and the words for a lost connection."""

from typing import Any, Final

import httpx

from unitask_sdk.effects import Answer, Request
from unitask_sdk.errors import NoAnswer
from unitask_sdk.session import Session
from unitask_sdk.version import __version__

ANSWER_BYTES: Final = 64 * 2**20
"""No answer that is read into memory is larger."""
QUIET_S: Final = 15.0
"""A server whose events have stopped for so long is not there any more."""
_CONNECT_S: Final = 10.0
_THIS_MACHINE: Final = ("all://127.0.0.1", "all://[::1]", "all://localhost")
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


def options() -> dict[str, Any]:
    """Say how connections are made: by the environment's proxies, but for this machine, where none leads.

    Every task that is followed has a connection of its own, so their number has no limit.
    """
    return {
        "mounts": dict.fromkeys(_THIS_MACHINE),
        "headers": {"User-Agent": f"unitask-sdk/{__version__}"},
        "limits": httpx.Limits(max_connections=None, max_keepalive_connections=20),
    }


def timeouts(request: Request, read_s: float | None) -> httpx.Timeout:
    """Say how long each step of a request may take."""
    return httpx.Timeout(request.timeout_s, connect=_CONNECT_S, read=read_s or request.timeout_s)


def head(answer: httpx.Response, body: bytes) -> Answer:
    """Take over status and headers."""
    return Answer(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, body)


def lost(error: httpx.HTTPError, session: Session) -> NoAnswer:
    """Say what happened to a connection."""
    what = str(error) or type(error).__name__
    return NoAnswer(f"no answer from {session.address}: {what}", sent=not isinstance(error, _NEVER_SENT))


def too_large(limit_bytes: int) -> str:
    """Say that more came than is taken."""
    return f"what the server sent is larger than {limit_bytes} bytes"
