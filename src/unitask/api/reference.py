"""The API about itself: the OpenAPI document for programs and the page for people, made when first asked for."""

from collections.abc import Callable
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from unitask.api.openapi import document
from unitask.api.reference_page import PAGES, page
from unitask.api.requests import route
from unitask.catalogue import Catalogue
from unitask.kit.documents import PAGE_POLICY, Document
from unitask.tasks.orders import Orders

_POLICY: Final = f"{PAGE_POLICY}; style-src 'self'; img-src 'self'"
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
    return route("GET", path, Document(make, media_type, _POLICY).answer)
