"""A server of HTTP behind TLS on loopback."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from support.objects import certificates
from support.threaded import threaded


@contextmanager
def serving_tls(folder: Path, handler: type[BaseHTTPRequestHandler]) -> Iterator[tuple[int, str]]:
    """Serve with a certificate for localhost; gives the port and the file of the authority that vouches for it."""
    authority = certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem", folder / "leaf.key")
    with threaded(handler, context) as port:
        yield port, authority
