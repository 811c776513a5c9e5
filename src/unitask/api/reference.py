"""The API about itself: the OpenAPI document for programs and the page for people, made when first asked for."""

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from unitask.api.openapi import document
from unitask.api.reference_page import PAGES, page
from unitask.api.requests import route
from unitask.catalogue import Catalogue
from unitask.tasks.orders import Orders

_HEADERS: Final = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_ASSETS: Final = {"docs.css": "text/css", "docs.js": "text/javascript", "icon.svg": "image/svg+xml"}


def routes(catalogue: Catalogue, orders: Orders, base_url: str) -> list[Route]:
    """Give the routes that serve the documents; `base_url` is where clients reach this server."""
    return [
        route("GET", "/", _to_page),
        _served("/openapi.json", lambda: orjson.dumps(document(catalogue, base_url)), "application/json"),
        _served("/docs", lambda: page(catalogue, orders, base_url).encode(), "text/html"),
        *(_served(f"/docs/{name}", (PAGES / name).read_bytes, kind) for name, kind in _ASSETS.items()),
    ]


async def _to_page(_: Request) -> Response:
    # Relative, because a proxy may serve all this under a path of its own.
    return RedirectResponse("docs")


def _served(path: str, make: Callable[[], bytes], media_type: str) -> Route:
    @cache
    def made() -> tuple[bytes, dict[str, str]]:
        body = make()
        return body, {**_HEADERS, "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}

    async def serve(request: Request) -> Response:
        body, headers = made()
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=media_type, headers=headers)

    return route("GET", path, serve)
