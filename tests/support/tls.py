"""A server of HTTP behind TLS on loopback."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support.objects import certificates


@contextmanager
def serving_tls(folder: Path, handler: type[BaseHTTPRequestHandler]) -> Iterator[tuple[int, str]]:
    """Serve with a certificate for localhost; gives the port and the file of the authority that vouches for it."""
    authority = certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.pem", folder / "leaf.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, authority
        finally:
            server.shutdown()
            thread.join()
