"""Verifying webhooks, after Standard Webhooks."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from unitask_sdk import clock
from unitask_sdk.errors import WrongSignature
from unitask_sdk.model import Task

_PREFIX: Final = "whsec_"
_VERSION: Final = "v1,"
TOLERANCE_S: Final = 300


@dataclass(frozen=True, slots=True)
class Message:
    """A webhook that may be believed. Remember the `id`: a message may come twice, and then has the same."""

    id: str
    timestamp_s: int
    task: Task


def verify(headers: Mapping[str, str], body: bytes, secret: str, *, now_s: float | None = None) -> Message:
    """Check a webhook as it came, its headers with names in any case and its raw body, and read it.

    Raises:
        WrongSignature: who sent it does not know the secret, or it was changed, or is older than five minutes.

    """
    if not secret:
        raise WrongSignature("there is no secret: without one nothing can be verified")
    given = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):  # noqa: PLR2004 - seconds
        raise WrongSignature("the message does not say when it was sent")
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = _VERSION + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()
    # Several signatures may come, while a secret is being changed.
    signatures = given.get("webhook-signature", "").split()
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in signatures):
        raise WrongSignature("the signature is wrong")
    if abs((clock.now_s() if now_s is None else now_s) - int(timestamp)) > TOLERANCE_S:
        raise WrongSignature("the message is old")
    try:
        document = json.loads(body)
        return Message(message_id, int(timestamp), Task.read(document["data"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WrongSignature("the signature is right, but the message holds no task") from None


def _key(secret: str) -> bytes:
    """Decode a secret written as the standard does, `whsec_` and base64; any other text is its own bytes."""
    if secret.startswith(_PREFIX):
        encoded = secret.removeprefix(_PREFIX)
        try:
            key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if key:
            return key
    return secret.encode()
