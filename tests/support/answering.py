"""A server on loopback that answers each path with one document, as a provider that is looked at does."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from support.threaded import threaded

LIMIT_S = 30.0


@dataclass
class Answering:
    """Where it is, and the paths that it was asked for, each with the headers of the last request, in lower case."""

    address: str
    asked: dict[str, dict[str, str]] = field(default_factory=dict)


@contextmanager
def answering(documents: Mapping[str, Any], status: int = 200) -> Iterator[Answering]:
    """Run a server that has these documents by path, all with this status, and nothing else."""
    found: Answering

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = LIMIT_S

        def do_GET(self) -> None:
            found.asked[self.path] = {name.lower(): value for name, value in self.headers.items()}
            is_there = self.path in documents
            content = json.dumps(documents.get(self.path, {"error": "not here"})).encode()
            self.send_response(status if is_there else 404)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Log nothing."""

    with threaded(Handler) as port:
        found = Answering(f"http://127.0.0.1:{port}")
        yield found
