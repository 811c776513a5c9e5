"""Errors as answers: the only place that does this."""

import logging

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from unitask.api.envelope import failure, refused_task
from unitask.kit.errors import TooManyTasks, UnitaskError

CREATE = ("POST", "/api/v1/task")
log = logging.getLogger(__name__)


def _answer(request: Request, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    is_create = (request.method, request.url.path.rstrip("/")) == CREATE
    with_task = is_create and status in {400, 500, 503}
    data = refused_task(status, message) if with_task else None
    return failure(status, message, data=data, headers=headers)


async def on_unitask_error(request: Request, error: Exception) -> Response:
    """Answer an error of ours with its status and sentence."""
    assert isinstance(error, UnitaskError)  # noqa: S101 - registered for this class alone
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, TooManyTasks) else None
    if error.status >= 500:  # noqa: PLR2004 - HTTP's own boundary
        log.warning("%s", error, extra={"path": request.url.path})
    return _answer(request, error.status, str(error), headers)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: an unknown path or method."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    sentences = {
        404: f"404 page not found: there is no {request.url.path}; /docs lists all routes",
        405: f"{request.method} is not allowed on {request.url.path}; /docs lists all routes",
    }
    headers = dict(error.headers) if error.headers else None
    return _answer(request, error.status_code, sentences.get(error.status_code, error.detail), headers)


async def on_crash(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw, without its details."""
    if isinstance(error, ClientDisconnect):
        return Response(status_code=499)
    log.error("unexpected error", exc_info=error, extra={"path": request.url.path})
    return _answer(request, 500, "internal error; the operator's log says more")
