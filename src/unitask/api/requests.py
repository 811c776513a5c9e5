"""What every route asks of a request: who sends it, and a body of bounded size."""

import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, cast

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from unitask.accounts.model import Caller
from unitask.api.errors import answer
from unitask.app import Services
from unitask.kit.errors import BodyTooLarge, InvalidRequest, Unauthorized

Handler = Callable[[Request], Awaitable[ASGIApp]]
SECONDS_LIMIT: Final = 10**11
"""The last moment that can be asked for, in seconds since the epoch; milliseconds are mostly beyond it."""
_DIGITS = 15
_NUMBER_LIMIT = 10**_DIGITS


class Endpoint:
    """A handler as an ASGI application: what it raises becomes an answer."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        try:
            response = await self._handler(request)
        except Exception as error:  # noqa: BLE001 - answered, and logged where nobody foresaw it
            response = answer(request, error)
        await response(scope, receive, send)


def route(method: str, path: str, handler: Handler) -> Route:
    """Bind a handler to a method and a path."""
    return Route(path, Endpoint(handler), methods=[method])


def services(request: Request) -> Services:
    """Find the services of this application."""
    return cast("Services", request.app.services)


async def caller(request: Request) -> Caller:
    """Find whose key came as `X-API-Key`, or as a bearer token.

    Raises:
        Unauthorized: none came, or none that works.

    """
    key = request.headers.get("x-api-key", "").strip()
    return await services(request).accounts.authenticate(key or bearer(request))


def bearer(request: Request) -> str:
    """Read the token of an Authorization header, or an empty text."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def require_worker(request: Request) -> None:
    """Let only workers through.

    Raises:
        Unauthorized: the worker token is missing or wrong.

    """
    token = services(request).settings.worker_token
    if token is None or not hmac.compare_digest(token.get_secret_value().encode(), bearer(request).encode()):
        raise Unauthorized("the worker token is missing or wrong; set UNITASK_WORKER_TOKEN to the API's")


def text(request: Request, name: str, default: str = "") -> str:
    """Read a text from the query.

    Raises:
        InvalidRequest: it holds what no database can.

    """
    value = request.query_params.get(name, default)
    if "\0" in value:
        raise InvalidRequest(f"invalid request: {name} must not contain the NUL character")
    return value


def number(request: Request, name: str, default: int, *, most: int = _NUMBER_LIMIT) -> int:
    """Read a whole number from the query.

    Raises:
        InvalidRequest: it is something else, or beyond `most` on either side of zero.

    """
    value = request.query_params.get(name, "")
    if not value:
        return default
    if not value.isascii() or not value.removeprefix("-").isdigit() or len(value) > _DIGITS:
        raise InvalidRequest(f"invalid request: {name} must be a whole number")
    if abs(int(value)) > most:
        raise InvalidRequest(f"invalid request: {name} must be at most {most}")
    return int(value)


async def body(request: Request) -> bytes:
    """Read the body, within the limit.

    Raises:
        BodyTooLarge: more bytes than the limit, announced or sent.

    """
    return b"".join([chunk async for chunk in chunks(request)])


async def chunks(request: Request) -> AsyncGenerator[bytes, None]:
    """Read the body piece by piece, within the limit.

    Raises:
        BodyTooLarge: more bytes than the limit, announced or sent.

    """
    limit = services(request).settings.body_limit_bytes
    sentence = f"the request body is larger than {limit} bytes; send large media by URL"
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLarge(sentence)
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(sentence)
        yield chunk
