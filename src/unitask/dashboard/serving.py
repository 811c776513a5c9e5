"""The dashboard's files over HTTP. Nothing here knows a visitor: whatever they see comes from the API."""

from collections.abc import Awaitable, Callable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from unitask.kit.documents import PAGE_POLICY, Document
from unitask.settings import Settings

_INDEX: Final = "index.html"
_KINDS: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_AMAZON: Final = "https://*.amazonaws.com"


def routes(settings: Settings) -> list[Route]:
    """Give the routes of the page and of every file that it loads; only `settings`' public addresses matter."""
    policy = _policy(settings)
    return [
        Route("/dashboard" if path == _INDEX else f"/dashboard/{path}", _serving(path, file, policy), methods=["GET"])
        for path, file in _found(files("unitask.dashboard") / "static", "")
    ]


def _found(folder: Traversable, within: str) -> Iterator[tuple[str, Traversable]]:
    for one in sorted(folder.iterdir(), key=lambda one: one.name):
        if one.is_dir():
            yield from _found(one, f"{within}{one.name}/")
        elif one.name.rpartition(".")[2] in _KINDS:
            yield within + one.name, one


def _serving(path: str, file: Traversable, policy: str) -> Callable[[Request], Awaitable[Response]]:
    document = Document(file.read_bytes, _KINDS[path.rpartition(".")[2]], policy)
    if path != _INDEX:
        return document.answer

    async def index(request: Request) -> Response:
        # The page names its files relative to its own address, because a proxy may serve all this under a path.
        if request.scope.get("raw_path", b"").endswith(b"/"):
            return RedirectResponse("../dashboard")
        return await document.answer(request)

    return index


def _policy(settings: Settings) -> str:
    """Say where the page may get what: media anywhere, because files may lie in a bucket; data from the server alone.

    A large upload goes to the store itself.
    """
    origins = [_origin(settings.base_url)]
    if settings.store:
        endpoint = settings.s3_endpoint
        origins += [_origin(endpoint), _origin(endpoint, "*.")] if endpoint else [_AMAZON]
    media = "* data: blob:"
    return (
        f"{PAGE_POLICY}; style-src 'self'; img-src {media}; media-src {media}; connect-src 'self' data: blob: "
        + " ".join(origins)
    )


def _origin(address: str, below: str = "") -> str:
    found = urlsplit(address)
    return f"{found.scheme}://{below}{found.netloc}"
