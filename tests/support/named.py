"""DNS and the public internet for processes under test; installed as their `sitecustomize`, so it imports no test.

`TEST_NAMES` holds JSON: `names`, what each name resolves to each time that it is asked for, the last answer from then
on; `internet`, the port of loopback on which a public address is to be found. Everything else goes its usual way.
"""

import json
import os
import socket
from typing import Any

_table: dict[str, Any] = json.loads(os.environ.get("TEST_NAMES", "{}"))
_ask = socket.getaddrinfo
_connect = socket.create_connection


def _getaddrinfo(host: Any, port: Any, *others: Any, **more: Any) -> list[Any]:
    answers = _table["names"].get(host)
    if answers is None:
        return _ask(host, port, *others, **more)
    found = answers.pop(0) if len(answers) > 1 else answers[0]
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


def _create_connection(address: tuple[str, int], *others: Any, **more: Any) -> socket.socket:
    host, port = address
    inside = _table["internet"].get(host)
    return _connect(("127.0.0.1", inside) if inside else (host, port), *others, **more)


if _table:
    socket.getaddrinfo = _getaddrinfo
    socket.create_connection = _create_connection
