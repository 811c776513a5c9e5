"""The headers of a message: the secret as it is, and a signature after Standard Webhooks."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

_PREFIX: Final = "whsec_"


def headers(*, secret: str, message_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """Give the headers of one attempt. Without a secret nothing can be signed, so there is no signature."""
    plain = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
    }
    if not secret:
        return plain
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp_s, body)
    digest = hmac.digest(_key(secret), signed, hashlib.sha256)
    return {**plain, "x-webhook-secret": secret, "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}


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
