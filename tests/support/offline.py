"""No network for a process under test; installed as its `sitecustomize`, so it imports no test."""

import sys
from typing import Any


def _refuse(event: str, of: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}:
        raise OSError(f"this process has no network: {event} {of[1:] or of}")


sys.addaudithook(_refuse)
