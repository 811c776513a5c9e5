"""A hub of models on loopback, as `huggingface_hub` sees one: listings with checksums, files, terms, and accidents.

Large files are sent on to another path, as the hub sends them on to its storage; that path asks for no token.
"""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".gguf")
LIMIT_S = 30.0
TOKEN = "hf_example"


@dataclass
class Repository:
    """Files by their path. `gated`: they are given to who has TOKEN. `claims` are sizes told instead of the real."""

    files: dict[str, bytes]
    gated: bool = False
    claims: dict[str, int] = field(default_factory=dict)

    @property
    def commit(self) -> str:
        """Stand for the state of all files."""
        digest = hashlib.sha1(usedforsecurity=False)
        for path, content in sorted(self.files.items()):
            digest.update(path.encode())
            digest.update(content)
        return digest.hexdigest()

    def siblings(self) -> list[dict[str, Any]]:
        """List the files as the hub does."""
        return [self._sibling(path, content) for path, content in sorted(self.files.items())]

    def _sibling(self, path: str, content: bytes) -> dict[str, Any]:
        size = self.claims.get(path, len(content))
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        large = {"sha256": hashlib.sha256(content).hexdigest(), "size": size, "pointerSize": 135}
        return {"rfilename": path, "size": size, "blobId": blob} | ({"lfs": large} if path.endswith(LARGE) else {})


@dataclass(frozen=True)
class Sent:
    """Bytes of a file that went out, from where on."""

    path: str
    start: int
    size: int


@dataclass
class HubServer:
    """A running hub.

    `cuts`: a file breaks off after so many bytes, and is not to be had until the entry is taken out. `wrong`: what is
    sent instead of a file.
    """

    port: int
    repositories: dict[str, Repository] = field(default_factory=dict)
    cuts: dict[str, int] = field(default_factory=dict)
    wrong: dict[str, bytes] = field(default_factory=dict)
    sent: list[Sent] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    _cut: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        """What HF_ENDPOINT is set to."""
        return f"http://127.0.0.1:{self.port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Meet a request."""
        path = unquote(urlsplit(handler.path).path)
        if found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/(.+)", path):
            self._list(handler, found[1], found[2])
        elif found := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self._resolve(handler, found[1], found[2], found[3])
        elif found := re.fullmatch(r"/storage/([^/]+/[^/]+)/(.+)", path):
            self._send(handler, found[1], found[2])
        else:
            self.unknown.append(path)
            _refuse(handler, 404, "")

    def _list(self, handler: BaseHTTPRequestHandler, name: str, revision: str) -> None:
        repository = self.repositories.get(name)
        if repository is None:
            _refuse(handler, 401, "RepoNotFound")
        elif revision not in {"main", repository.commit}:
            _refuse(handler, 404, "RevisionNotFound")
        else:
            told = {"id": name, "sha": repository.commit, "siblings": repository.siblings()}
            _give(handler, 200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _resolve(self, handler: BaseHTTPRequestHandler, name: str, revision: str, path: str) -> None:
        repository = self.repositories[name]
        token = handler.headers.get("authorization")
        if repository.gated and token != f"Bearer {TOKEN}":
            _refuse(handler, 403 if token else 401, "GatedRepo")
        elif revision != repository.commit or path not in repository.files:
            _refuse(handler, 404, "EntryNotFound")
        elif path.endswith(LARGE):
            digest = hashlib.sha256(repository.files[path]).hexdigest()
            headers = {"Location": f"/storage/{name}/{path}", "X-Linked-Etag": f'"{digest}"'}
            _give(handler, 302, b"", headers | {"X-Repo-Commit": repository.commit})
        else:
            self._send(handler, name, path)

    def _send(self, handler: BaseHTTPRequestHandler, name: str, path: str) -> None:
        if path in self._cut and path in self.cuts:
            return _refuse(handler, 503, "")
        content = self.wrong.get(path, self.repositories[name].files[path])
        asked = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("range", ""))
        start = int(asked[1]) if asked else 0
        part = content[start:]
        going = part[: self.cuts[path]] if path in self.cuts else part
        about = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if asked else {}
        self.sent.append(Sent(path, start, len(going)))
        _give(handler, 206 if asked else 200, going, about | {"Content-Length": str(len(part))})
        if path in self.cuts:
            self._cut.add(path)
            handler.close_connection = True
        return None


def _give(handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def _refuse(handler: BaseHTTPRequestHandler, status: int, code: str) -> None:
    _give(handler, status, b"", {"X-Error-Code": code} if code else {})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: clients hang up, as tests want them to."""


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Run an empty hub."""
    hub: HubServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = LIMIT_S

        def do_GET(self) -> None:
            hub.answer(self)

        def do_HEAD(self) -> None:
            hub.answer(self)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Log nothing."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        hub = HubServer(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
