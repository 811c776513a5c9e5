"""One attempt: post a message, and say what came of it."""

import time
from email.utils import parsedate_to_datetime
from typing import Final

from unitask.kit import tracing
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.net import Poster, Refused, Unreachable
from unitask.webhooks import sign
from unitask.webhooks.model import ANSWER_BYTES, LONGEST_PAUSE_US, REASON_CHARACTERS, TIMEOUT_S, Attempt

GONE: Final = 410
_DIGITS: Final = 9


async def post(
    poster: Poster,
    clock: Clock,
    *,
    endpoint: str,
    secret: str,
    message_id: str,
    body: bytes,
    trace: str | None = None,
) -> Attempt:
    """Send a message once, as a part of `trace`. Whatever goes wrong is in the attempt; nothing is raised."""
    at = clock.now_us()
    headers = sign.headers(secret=secret, message_id=message_id, timestamp_s=at // SECOND_US, body=body)
    headers |= tracing.headers(trace)
    began_s = time.monotonic()
    status, reason, answer, pause_us = None, "", "", 0
    try:
        answered = await poster.post(
            endpoint, content=body, headers=headers, timeout_s=TIMEOUT_S, limit_bytes=ANSWER_BYTES
        )
    except (Refused, Unreachable) as error:
        reason = str(error)[:REASON_CHARACTERS]
    else:
        status = answered.status
        reason = _why_not(status)
        pause_us = _pause_us(answered.retry_after, clock.now_us())
        # A NUL is a character that PostgreSQL does not store.
        answer = answered.body.decode("utf-8", "replace").replace("\0", "\ufffd")
    return Attempt(at, round((time.monotonic() - began_s) * 1000), status, reason, answer, pause_us)


def _pause_us(retry_after: str, now: int) -> int:
    """Read for how long a receiver wants to be left alone: seconds, or the moment when it may be asked again."""
    if retry_after.isascii() and retry_after.isdigit():
        pause_us = int(retry_after[:_DIGITS]) * SECOND_US
    else:
        try:
            pause_us = int(parsedate_to_datetime(retry_after).timestamp()) * SECOND_US - now
        except (ValueError, OverflowError):
            return 0
    return min(max(0, pause_us), LONGEST_PAUSE_US)


def _why_not(status: int) -> str:
    match status // 100:
        case 2:
            return ""
        case 3:
            return f"the receiver answered with status {status}; redirects are not followed: set the final address"
        case _:
            return f"the receiver answered with status {status}"
