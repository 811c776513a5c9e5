"""Reading answers: the envelope `{code, data, message}`, and errors in whatever form they come."""

import json
from http import HTTPStatus
from typing import Any, Final

from unitask_sdk.effects import Answer
from unitask_sdk.errors import (
    Conflict,
    Forbidden,
    InsufficientCredits,
    InvalidRequest,
    NotFound,
    Refused,
    ServerFailure,
    TooManyRequests,
    Unauthorized,
    Unsupported,
)

_KINDS: Final[dict[int, type[Refused]]] = {
    400: InvalidRequest,
    401: Unauthorized,
    402: InsufficientCredits,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: InvalidRequest,
    422: InvalidRequest,
}
_TEXT_CHARACTERS: Final = 500
_LONGEST_RETRY_AFTER: Final = 6


def document(answer: Answer) -> Any:
    """Parse the body; what is no JSON stays a text, shortened."""
    try:
        return json.loads(answer.body)
    except ValueError:
        return answer.body.decode("utf-8", "replace").strip()[:_TEXT_CHARACTERS]


def data(answer: Answer) -> Any:
    """Give the `data` of an envelope.

    Raises:
        Refused: the answer is an error, or no envelope.

    """
    body = document(answer)
    code = body.get("code") if isinstance(body, dict) else None
    if answer.is_success and isinstance(body, dict) and (not isinstance(code, int) or code < HTTPStatus.BAD_REQUEST):
        return body.get("data")
    if answer.is_success and not isinstance(body, dict):
        raise Refused("the answer is no JSON object: is this the address of the API?", status=answer.status, body=body)
    raise refusal(answer.status if not answer.is_success else int(code or 0), body, retry_after_s(answer))


def refusal(status: int, body: Any, retry_after: float | None) -> Refused:
    """Make the error of an answer, with the server's own sentence."""
    message = sentence(body) or f"the server answered {status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return TooManyRequests(message, status=status, body=body, retry_after_s=retry_after)
    kind = _KINDS.get(status, ServerFailure if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Refused)
    return kind(message, status=status, body=body)


def sentence(body: Any) -> str:
    """Find what the server says about an error; empty if it says nothing."""
    if isinstance(body, str):
        return body
    if not isinstance(body, dict):
        return ""
    inner = body.get("data")
    texts = [
        body.get("message"),
        *_error_texts(inner.get("error") if isinstance(inner, dict) else None),
        *_error_texts(body.get("error")),
        body.get("description"),
        body.get("detail"),
    ]
    return next((text for text in texts if isinstance(text, str) and text), "")


def _error_texts(error: Any) -> list[Any]:
    return [error.get("message"), error.get("raw_message")] if isinstance(error, dict) else [error]


def retry_after_s(answer: Answer) -> float | None:
    """Read `Retry-After` in seconds; None if it is missing, a date, or no sensible number."""
    text = answer.headers.get("retry-after", "").strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) <= _LONGEST_RETRY_AFTER else None


def is_missing_route(answer: Answer) -> bool:
    """Tell whether the server does not know the route at all, which is another thing than not knowing an object."""
    if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
        return True
    if answer.status != HTTPStatus.NOT_FOUND:
        return False
    body = document(answer)
    return not (isinstance(body, dict) and "code" in body) or "page not found" in sentence(body)


def supported(answer: Answer, what: str) -> Any:
    """Give the `data` of an answer of a route that only Unitask has.

    Raises:
        Unsupported: the server does not know the route.
        Refused: the answer is an error.

    """
    if is_missing_route(answer):
        raise Unsupported(f"this server cannot {what}; Unitask can")
    return data(answer)
