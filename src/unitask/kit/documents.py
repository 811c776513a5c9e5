"""Documents that stay the same while the server runs: a page, its scripts, a schema."""

import hashlib
from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What every page of ours keeps to: scripts come from here, none stand in the page, and nobody frames it."""


class Document:
    """One document, made when first asked for; whoever has it already is told so by its ETag.

    `policy` is its Content-Security-Policy.
    """

    def __init__(self, make: Callable[[], bytes], media_type: str, policy: str = PAGE_POLICY) -> None:
        self._make = make
        self._media_type = media_type
        self._policy = policy
        self._made: tuple[bytes, dict[str, str]] | None = None

    async def answer(self, request: Request) -> Response:
        """Answer `GET`: the document, or 304."""
        if self._made is None:
            body = self._make()
            etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
            headers = {"Cache-Control": "no-cache", "Content-Security-Policy": self._policy, "ETag": etag}
            self._made = body, headers
        body, headers = self._made
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=self._media_type, headers=headers)
