"""Where the server is, whose key is shown, and what was learned about the server."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from unitask_sdk.effects import Request
from unitask_sdk.errors import UnitaskError

DEFAULT_ADDRESS: Final = "http://127.0.0.1:8000"
TASK: Final = "/api/v1/task"


@dataclass(slots=True)
class Session:
    """What all calls of a client share.

    `patience_s` is how long a call may try again before it gives up. `is_unitask` is None until it is known: the two
    calls alone are what every server has, the rest is Unitask's.
    `has_events` is false from when its events turned out to be missing.
    """

    address: str
    api_key: str
    patience_s: float
    is_unitask: bool | None = None
    has_events: bool = True

    @classmethod
    def open(cls, address: str | None, api_key: str | None, patience_s: float) -> "Session":
        """Take address and key from the arguments, else from UNITASK_ADDRESS and UNITASK_API_KEY.

        Raises:
            UnitaskError: there is no key, or the address is none.

        """
        address = address or os.environ.get("UNITASK_ADDRESS") or DEFAULT_ADDRESS
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UnitaskError(f"the address {address!r} must begin with http:// or https:// and name a host")
        api_key = (api_key or os.environ.get("UNITASK_API_KEY") or "").strip()
        if not api_key:
            raise UnitaskError("there is no API key: set UNITASK_API_KEY, or give api_key")
        if not api_key.isascii() or not api_key.isprintable():
            raise UnitaskError("the API key has characters that no key has")
        return cls(address.rstrip("/"), api_key, patience_s)

    def request(
        self, method: str, path: str, *, json_body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Request:
        """Write a request to a route of the server."""
        own = {"X-API-Key": self.api_key, "Accept": "application/json", **(headers or {})}
        body = None
        if json_body is not None:
            body = json.dumps(json_body).encode()
            own["Content-Type"] = "application/json"
        return Request(method, self.address + path, own, body)
