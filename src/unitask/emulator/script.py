"""What a request may ask of the emulator: in `config.emulator`, or as JSON in the header `X-Unitask-Emulator`."""

from contextvars import ContextVar
from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from unitask.kit.errors import (
    Forbidden,
    InsufficientCredits,
    InvalidRequest,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnitaskError,
)

HEADER: Final = "x-unitask-emulator"
_LONGEST_S: Final = 30 * 24 * 3600.0
_RETRY_AFTER_S: Final = 10


class Failure(BaseModel):
    """What `error` of the failed task says."""

    model_config = ConfigDict(extra="forbid")

    code: int = Field(default=10000, ge=0, le=10**6)
    message: str = Field(default="the emulator was told to let this task fail", max_length=1000)
    raw_message: str = Field(default="", max_length=1000)


class Script(BaseModel):
    """What shall happen to one order. Seconds are those of the emulator's clock."""

    model_config = ConfigDict(extra="forbid")

    refuse: Literal[401, 402, 403, 429, 500, 503] | None = Field(
        default=None, description="Answer the order with this status; no task is made."
    )
    staged_s: float = Field(default=0, ge=0, le=_LONGEST_S, description="How long it has no slot and is staged.")
    pending_s: float = Field(default=0, ge=0, le=_LONGEST_S, description="How long it then waits.")
    processing_s: float = Field(default=0, ge=0, le=_LONGEST_S, description="How long it then runs.")
    end: Literal["completed", "failed", "never"] = Field(default="completed", description="How it ends.")
    error: Failure = Field(default_factory=Failure, description="Why, if it fails.")
    expired: bool = Field(default=False, description="Let the files of the result be gone when it completes.")
    webhook: Literal["sent", "lost", "twice", "late", "out_of_order"] = Field(
        default="sent",
        description="What becomes of the message about the end; out of order: after that of the next task.",
    )
    late_s: float = Field(default=60, ge=0, le=_LONGEST_S, description="How late, with `webhook` late.")


SENT: ContextVar[str] = ContextVar("sent", default="")
"""The header of the request that is being served."""


def script_of(body: Any) -> Script:
    """Read the script of an order; the header's fields win over the body's.

    Raises:
        InvalidRequest: there is no such field, or a value cannot be.

    """
    config = body.get("config") if isinstance(body, dict) else None
    asked = (config.get("emulator") if isinstance(config, dict) else None) or {}
    try:
        more = orjson.loads(SENT.get() or b"{}")
        return Script.model_validate({**asked, **more})
    except (orjson.JSONDecodeError, TypeError, ValueError) as error:
        raise InvalidRequest(f"invalid request: the emulator's script: {_what(error)}") from error


def _what(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return "it must be a JSON object"
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def refusal(status: int) -> UnitaskError:
    """Make the error that the real server answers with this status."""
    told = "the emulator was told to answer so"
    errors = {
        401: Unauthorized(f"invalid API key: {told}"),
        402: InsufficientCredits(f"insufficient credits: {told}"),
        403: Forbidden(f"this key may not do that: {told}"),
        429: TooManyRequests(f"too many requests: {told}", retry_after_s=_RETRY_AFTER_S),
        503: Unavailable(f"unavailable: {told}"),
    }
    return errors.get(status) or UnitaskError(f"internal error: {told}")
