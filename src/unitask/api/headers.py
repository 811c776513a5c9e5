"""The headers that tell a browser what it must not do with an answer; every answer has them."""

from typing import Final

from starlette.types import Message, Scope, Send

_CONTENT: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
_DOCUMENT: Final = (
    *_CONTENT,
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_OWN: Final = (b"cross-origin-resource-policy", b"same-origin")
_SHARED: Final = (b"cross-origin-resource-policy", b"cross-origin")

DATA: Final = (*_CONTENT, _OWN)
"""For JSON, which a browser does not open: no cache keeps it, and no other site takes it in."""
PAGE: Final = (*_DOCUMENT, _OWN)
"""For what a browser may open as a document."""
FILE: Final = (*_DOCUMENT, _SHARED)
"""For stored files: whoever knows the address may show the picture on a page of theirs."""
_FILES: Final = "/files/"


def protected(scope: Scope, send: Send) -> Send:
    """Add to an answer the headers that it does not set itself; one that ends with `DATA` has all it needs."""

    async def send_protected(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = message.get("headers", ())
            if not own or own[-1] is not _OWN:
                headers = FILE if scope["path"].startswith(_FILES) else PAGE
                set_already = {name.lower() for name, _ in own}
                message = {**message, "headers": [*own, *(one for one in headers if one[0] not in set_already)]}
        await send(message)

    return send_protected
