"""What every route asks of a request: who sends it, and a body of bounded size."""

import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, TypeVar, cast

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as Connection

from unitask.accounts.model import Caller, Scope
from unitask.api.envelope import JsonAnswer
from unitask.api.errors import answer
from unitask.api.headers import protected
from unitask.api.traced import traced
from unitask.app import Services
from unitask.kit.errors import BodyTooLarge, Forbidden, InvalidRequest, NotFound, Unauthorized

Handler = Callable[[Request], Awaitable[ASGIApp]]
Message = TypeVar("Message", bound=BaseModel)
SECONDS_LIMIT: Final = 10**11
"""The last moment that can be asked for, in seconds since the epoch; milliseconds are mostly beyond it."""
VALUES_LIMIT: Final = 100_000
"""Commas and brackets of a JSON body, those inside texts among them; no order needs a hundredth of that."""
_DIGITS = 15
_NUMBER_LIMIT = 10**_DIGITS
PAGE_LIMIT: Final = 1000
PAGE_USUAL: Final = 100


class Endpoint:
    """A handler as an ASGI application: what it raises becomes an answer."""

    def __init__(self, handler: Handler, route: str) -> None:
        self._handler = handler
        self._route = route
        self._path = route.partition(" ")[2]

    async def __call__(self, scope: Connection, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        passage = scope.get("passage")
        if passage is not None:
            passage.route = self._path
        try:
            response = await self._handler(request)
        except Exception as error:  # noqa: BLE001 - answered, and logged where nobody foresaw it
            response = answer(request, error, self._route)
        await response(scope, receive, send if isinstance(response, JsonAnswer) else protected(scope, send))


def route(method: str, path: str, handler: Handler) -> Route:
    """Bind a handler to a method and a path."""
    return Route(path, Endpoint(traced(method, path, handler), f"{method} {path}"), methods=[method])


def services(request: Request) -> Services:
    """Find the services of this application."""
    return cast("Services", request.app.services)


async def caller(request: Request, scope: Scope) -> Caller:
    """Find whose key came as `X-API-Key`, or as a bearer token, and whether it may be used for this.

    Raises:
        Unauthorized: none came, or none that works.
        Forbidden: it lacks the scope, or may not be used from this address.
        TooManyRequests: too many came with it this minute.

    """
    client = request.scope.get("client")
    who = await services(request).accounts.authenticate(api_key(request), client[0] if client else "")
    if scope not in who.scopes:
        raise Forbidden(f"this key may not do that: it lacks the scope {scope}")
    return who


async def operator(request: Request) -> str:
    """Let only operators through: the admin key, or a key with the scope admin; names the actor for the audit log.

    Raises:
        Unauthorized: no key that works.
        Forbidden: a key without the scope.

    """
    admin_key = services(request).settings.admin_key
    given = api_key(request).encode()
    if admin_key is not None and hmac.compare_digest(admin_key.get_secret_value().encode(), given):
        return "admin key"
    return f"key {(await caller(request, Scope.ADMIN)).api_key_id}"


def api_key(request: Request) -> str:
    """Read the key that came with a request, or an empty text."""
    return header(request, b"x-api-key").strip() or bearer(request)


def header(request: Request, name: bytes, default: str = "") -> str:
    """Read a field of the head by its name in lower case; the first one, if there are several."""
    for field, value in request.scope["headers"]:
        if field == name:
            text: str = value.decode("latin-1")
            return text
    return default


def bearer(request: Request) -> str:
    """Read the token of an Authorization header, or an empty text."""
    scheme, _, token = header(request, b"authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def require_worker(request: Request) -> None:
    """Let only workers through.

    Raises:
        Unauthorized: the worker token is missing or wrong.

    """
    if not is_worker(request):
        raise Unauthorized("the worker token is missing or wrong; set UNITASK_WORKER_TOKEN to the API's")


def is_worker(request: Request) -> bool:
    """Tell whether the worker token came as a bearer token."""
    token = services(request).settings.worker_token
    return token is not None and hmac.compare_digest(token.get_secret_value().encode(), bearer(request).encode())


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


def page(request: Request) -> tuple[int, int]:
    """Read from the query behind which number a page begins, 0 for the first, and how much it holds.

    Raises:
        InvalidRequest: there is no such page.

    """
    size = number(request, "limit", PAGE_USUAL)
    if not 1 <= size <= PAGE_LIMIT:
        raise InvalidRequest(f"invalid request: limit is 1 to {PAGE_LIMIT}")
    cursor = number(request, "cursor", 0)
    if cursor < 0:
        raise InvalidRequest("invalid request: cursor must be the next_cursor of an earlier answer")
    return cursor, size


def path_number(request: Request, name: str) -> int:
    """Read the number of an object from the path.

    Raises:
        NotFound: it cannot be one.

    """
    value: str = request.path_params[name]
    if not value.isascii() or not value.isdigit() or len(value) > _DIGITS:
        raise NotFound(f"no {name.removesuffix('_id')} {value!r}")
    return int(value)


async def message(request: Request, kind: type[Message], phrase: str = "invalid request") -> Message:
    """Read the body as a message of this kind; an empty body counts as an empty object.

    Raises:
        InvalidRequest: it is none; the sentence begins with `phrase` and names the field.

    """
    try:
        return kind.model_validate_json(await document(request) or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise InvalidRequest(f"{phrase}: {where}: {first['msg'].removeprefix('Value error, ')}") from None


async def document(request: Request) -> bytes:
    """Read the body as the text of one JSON document; parsed, a small text of many values takes twenty times its size.

    Raises:
        BodyTooLarge: more bytes than the limit, announced or sent.
        InvalidRequest: more values than the limit.

    """
    content = await body(request)
    if sum(map(content.count, (b",", b"[", b"{"))) > VALUES_LIMIT:
        raise InvalidRequest(f"invalid request: the body holds more than {VALUES_LIMIT} values")
    return content


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
    announced = header(request, b"content-length", "0")
    if announced.isdigit() and int(announced) > limit:
        raise BodyTooLarge(sentence)
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(sentence)
        yield chunk
