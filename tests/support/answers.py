"""What every answer has in common."""

from typing import Any, Final

import httpx

OWN_OF_EACH: Final = {"x-overhead-ms", "x-request-id"}
"""Headers in which no two answers are alike."""


def lasting(answer: httpx.Response) -> dict[str, str]:
    """Give the headers that the next answer of its kind has too."""
    return {name: value for name, value in answer.headers.items() if name not in OWN_OF_EACH}


def accepted(answer: httpx.Response) -> dict[str, Any]:
    """Check the envelope of a success; gives its data."""
    body = answer.json()
    assert answer.status_code == 200, answer.text
    assert (list(body), body["code"], body["message"]) == (["code", "data", "message"], 200, "success")
    data: dict[str, Any] = body["data"]
    return data


def refused(answer: httpx.Response, status: int) -> str:
    """Check the envelope of an error; gives its sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["code", "data", "message"]
    assert type(body["code"]) is int
    assert body["code"] == status
    message = body["message"]
    assert isinstance(message, str)
    assert message
    return message
