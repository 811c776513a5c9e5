"""A door before a server that passes requests on and loses answers, as a bad network does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import httpx

from support.threaded import threaded


@dataclass
class Door:
    """What came through: (method, path). The next `lose` answers to a POST are thrown away."""

    address: str
    lose: int = 0
    passed: list[tuple[str, str]] = field(default_factory=list)


@contextmanager
def door_before(server: str) -> Iterator[Door]:
    """Run one before the server at this address."""
    door: Door

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
            door.passed.append((self.command, self.path))
            answer = httpx.request(
                self.command, server + self.path, headers=headers, content=body, trust_env=False, timeout=30
            )
            if door.lose and self.command == "POST":
                door.lose -= 1
                self.close_connection = True
                return
            self.send_response(answer.status_code)
            self.send_header("content-type", answer.headers["content-type"])
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_DELETE = pass_on  # noqa: N815 - the library's names

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Log nothing."""

    with threaded(Handler) as port:
        door = Door(f"http://127.0.0.1:{port}")
        yield door
