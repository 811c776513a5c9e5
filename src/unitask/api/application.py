"""The ASGI application, put together from the routes of each file."""

import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Final
from uuid import uuid4

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from unitask.api import (
    account,
    admin,
    admin_board,
    admin_keys,
    artifacts,
    bucket,
    cluster,
    credentials,
    errors,
    files,
    health,
    keys,
    legacy,
    listing,
    live,
    metrics,
    quote,
    reference,
    statement,
    tasks,
    uploads,
    usage,
    verify,
    webhooks,
    workers,
)
from unitask.api.headers import protected
from unitask.api.passage import Passage
from unitask.api.requests import Endpoint
from unitask.api.watch import watching
from unitask.app import Services
from unitask.kit import log
from unitask.tasks.housekeeping import Housekeeper

PUBLIC: Final = (
    tasks,
    live,
    listing,
    quote,
    account,
    statement,
    usage,
    keys,
    credentials,
    uploads,
    artifacts,
    verify,
    bucket,
    webhooks,
    legacy,
    files,
    health,
    admin,
    admin_keys,
    admin_board,
    cluster,
    metrics,
)
"""The files whose routes are for clients and operators; the OpenAPI document describes them all."""


class Application:
    """Starlette's router on open services. While it runs, it sends webhooks, and keeps house if no other process does.

    Starlette's own application class would put two middlewares round every request, a fifth of its time; each of our
    endpoints answers its errors itself (see `unitask.api.requests.Endpoint`).
    """

    def __init__(self, services: Services, more: Sequence[Route] = ()) -> None:
        self.services = services
        self.deliverer = webhooks.deliverer(services)
        self.is_ending = False
        """Whether the process was told to end: it answers what comes, and is not ready for more."""
        self._router = Router(
            [
                *(one for module in PUBLIC for one in module.ROUTES),
                *workers.ROUTES,
                *cluster.WORKERS_ROUTES,
                *more,
                *reference.routes(services.catalogue, services.orders, services.settings.base_url),
            ],
            lifespan=self.lifespan,
            redirect_slashes=False,
        )
        self.routes: Sequence[BaseRoute] = self._router.routes
        self._plain = _plain(self.routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's request; a slash at the end of its path changes nothing."""
        scope["app"] = self
        if scope.get("path", "").endswith("/"):
            scope["path"] = scope["path"].rstrip("/") or "/"
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        passage = Passage(scope, receive, send)
        around = log.ABOUT.set(passage.fields)
        try:
            await self._answer(scope, passage.receive, passage.send)
        finally:
            log.ABOUT.reset(around)
            passage.end()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self.found(scope)
        if endpoint:
            await endpoint(scope, receive, send)
            return
        send = protected(scope, send)
        try:
            await self._router(scope, receive, send)
        except HTTPException as refused:
            answer = errors.answer(Request(scope, receive), refused)
            await answer(scope, receive, send)

    def found(self, scope: Scope) -> ASGIApp | None:
        """Look a route up instead of trying one after the other; the router knows those that are not plain."""
        method, path = scope["method"], scope["path"]
        before, _, last = path.rpartition("/")
        endpoint, name = self._plain.get((method, path)) or self._plain.get((method, before + "/{}")) or (None, "")
        if scope.get("root_path"):
            return None
        scope["path_params"] = {name: last} if name else {}
        return endpoint

    @contextlib.asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """Do what has to be done beside answering."""
        unitask, holder = self.services, uuid4().hex
        housekeeper = Housekeeper(unitask.chores(), lambda: unitask.tasks.lead(holder))
        async with watching(unitask), housekeeper.running(), self.deliverer.running():
            yield


def _plain(routes: Iterable[BaseRoute]) -> dict[tuple[str, str], tuple[Endpoint, str]]:
    """Give endpoints of ours by method and path, with the name of what its last step stands for, if for anything."""
    found: dict[tuple[str, str], tuple[Endpoint, str]] = {}
    for one in routes:
        if isinstance(one, Route) and isinstance(one.endpoint, Endpoint):
            path, brace, name = one.path.removesuffix("}").partition("{")
            if not set("{:/") & set(name):
                for method in one.methods or ():
                    found.setdefault((method, path + "{}" if brace else path), (one.endpoint, name))
    return found
