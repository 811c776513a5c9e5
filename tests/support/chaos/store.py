"""An object store that keeps its files when it is killed: the server of `moto`, which forgets, behind a journal.

Every request that changes something is written to a file before it is carried out, and carried out again at the next
start. Run as a program it serves; `Store` starts it. Uploads in parts are refused: their ids would be others then.
"""

import base64
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from support.chaos.network import Host
from support.machine import free_port
from support.objects import Objects
from unitask.kit.process import die_with_parent

_TESTS: Final = Path(__file__).parents[2]
_CHANGES: Final = {"PUT", "POST", "DELETE"}
_KEPT: Final = ("HTTP_X_AMZ_", "CONTENT_TYPE", "HTTP_HOST", "SERVER_", "wsgi.url_scheme", "HTTP_CONTENT_ENCODING")
_FULL: Final = "507 Insufficient Storage"
_IN_PARTS: Final = "501 Not Implemented"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Journal:
    """Stands before an application that forgets."""

    def __init__(self, application: Application, file: Path) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._replay(file)
        self._file = file.open("ab", buffering=0)

    def _replay(self, file: Path) -> None:
        for line in file.read_bytes().splitlines() if file.exists() else ():
            request = json.loads(line)
            body = base64.b64decode(request.pop("body"))
            for _ in self._application({**request, "wsgi.input": io.BytesIO(body)}, lambda *_: None):
                pass

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if environ["REQUEST_METHOD"] not in _CHANGES:
            return self._application(environ, start)
        if "uploads" in environ["QUERY_STRING"] or "uploadId" in environ["QUERY_STRING"]:
            return _refuse(start, _IN_PARTS)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        kept = {name: value for name, value in environ.items() if isinstance(value, str) and _matters(name)}
        line = json.dumps({**kept, "body": base64.b64encode(body).decode()}).encode() + b"\n"
        with self._lock:
            if not self._write(line):
                return _refuse(start, _FULL)
            return list(self._application({**environ, "wsgi.input": io.BytesIO(body)}, start))

    def _write(self, line: bytes) -> bool:
        """Write all of a line, or none of it."""
        before = os.fstat(self._file.fileno()).st_size
        try:
            done = self._file.write(line) == len(line)
        except OSError:
            done = False
        if not done:
            os.truncate(self._file.fileno(), before)
        return done


def _matters(name: str) -> bool:
    return name in {"REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "SCRIPT_NAME", "CONTENT_LENGTH"} or name.startswith(
        _KEPT
    )


def _refuse(start: Callable[..., Any], status: str) -> list[bytes]:
    start(status, [("Content-Length", "0")])
    return [b""]


@dataclass
class Store:
    """The store as a process on a host; its journal lies in `folder`."""

    host: Host
    folder: Path
    log: Path
    port: int = field(default_factory=free_port)

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
        found_by = os.pathsep.join([str(_TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        arguments = [self.host.address, str(self.port), str(self.folder / "journal")]
        with self.log.open("ab") as output:
            return subprocess.Popen(
                [*self.host.within, sys.executable, "-m", "support.chaos.store", *arguments],
                env={**outside, "PYTHONPATH": found_by},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def client(self, process: "subprocess.Popen[bytes]") -> Objects:
        """Look at it past Unitask."""
        address = f"http://{self.host.address}:{self.port}"
        return Objects(address, httpx.Client(base_url=address, trust_env=False, timeout=20), process)


def serve(host: str, port: int, journal: Path) -> None:
    """Serve until killed."""
    from moto.moto_server.werkzeug_app import (  # noqa: PLC0415 - slow to load, and only for the process that serves
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import run_simple  # noqa: PLC0415 - same

    die_with_parent()
    application = Journal(DomainDispatcherApplication(create_backend_app), journal)
    run_simple(host, port, application, threaded=True, request_handler=MotoRequestHandler)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
