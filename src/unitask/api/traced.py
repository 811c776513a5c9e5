"""Requests of clients as spans; workers, probes and those who fetch files have none."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp

from unitask.kit import tracing
from unitask.kit.errors import UnitaskError

Handler = Callable[[Request], Awaitable[ASGIApp]]
_OF_CLIENTS: Final = "/api/"
_ORDERS: Final = frozenset({("POST", "/api/v1/task"), ("POST", "/api/face_swap/v1/async")})
"""What begins a trace where the client has begun none: of all other requests, most ask how far a task is."""
_BROKEN: Final = 500


def traced(method: str, path: str, handler: Handler) -> Handler:
    """Let a handler of clients' requests run in a span, below that of the client if it sent one."""
    if not path.startswith(_OF_CLIENTS):
        return handler
    is_order = (method, path) in _ORDERS

    async def handle(request: Request) -> ASGIApp:
        trace = tracing.received(request.scope["headers"])
        if trace is None and not (is_order and tracing.is_on()):
            return await handler(request)
        named = {"http.request.method": method, "http.route": path}
        span = tracing.span(f"{method} {path}", named, parent=trace, kind="server", is_root=is_order)
        with span:
            try:
                response = await handler(request)
            except Exception as error:
                _answered(span, error.status if isinstance(error, UnitaskError) else _BROKEN)
                span.end()  # an answer that refuses is no failure of ours
                raise
            _answered(span, getattr(response, "status_code", None))
            return response

    return handle


def _answered(span: tracing.Span, status: int | None) -> None:
    span.set({"http.response.status_code": status})
    if status is not None and status >= _BROKEN:
        span.fail(str(status))
