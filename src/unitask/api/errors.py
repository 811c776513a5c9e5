"""Errors as answers: the only place that does this."""

import logging

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from unitask.api.envelope import failure, refused_task
from unitask.kit.errors import TooManyRequests, UnitaskError

CREATE = ("POST", "/api/v1/task")
_ROUTING = {
    404: "404 page not found: there is no {0.url.path}; /docs lists all routes",
    405: "{0.method} is not allowed on {0.url.path}; /docs lists all routes",
}
log = logging.getLogger(__name__)


def _answer(request: Request, status: int, message: str, headers: dict[str, str] | None = None) -> ASGIApp:
    is_create = (request.method, request.url.path.rstrip("/")) == CREATE
    with_task = is_create and status in {400, 500, 503}
    data = refused_task(status, message) if with_task else None
    return failure(status, message, data=data, headers=headers)


def answer(request: Request, error: Exception, route: str = "") -> ASGIApp:
    """Answer an error: ours with its status and sentence, the router's, and what nobody foresaw without its details.

    The log names the route and not the address, which may open something by itself: that of a file does.
    """
    match error:
        case UnitaskError():
            if error.status >= 500:  # noqa: PLR2004 - HTTP's own boundary
                log.warning("%s", error, extra={"route": route})
            headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooManyRequests) else None
            return _answer(request, error.status, str(error), headers)
        case HTTPException(status_code=status, detail=detail):
            return _answer(
                request,
                status,
                _ROUTING[status].format(request) if status in _ROUTING else detail,
                dict(error.headers or {}),
            )
        case ClientDisconnect():
            return Response(status_code=499)
        case _:
            log.error("unexpected error", exc_info=error, extra={"route": route})
            return _answer(request, 500, "internal error; the operator's log says more")
