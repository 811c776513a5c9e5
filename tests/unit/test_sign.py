"""Signatures, checked by the library that receivers use."""

import base64
import json

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from unitask.kit.clock import SECOND_US, Clock
from unitask.webhooks import sign

KEY = bytes(range(24))
STANDARD = "whsec_" + base64.b64encode(KEY).decode()
BODY = '{"timestamp":1,"data":{"prompt":"ä cat ☃"}}'.encode()


def headers(secret: str, age_s: int = 0) -> dict[str, str]:
    """Sign the body."""
    now_s = Clock().now_us() // SECOND_US - age_s
    return sign.headers(secret=secret, message_id="msg-1", timestamp_s=now_s, body=BODY)


@pytest.mark.parametrize(
    ("secret", "receiver"),
    [
        (STANDARD, Webhook(STANDARD)),
        (STANDARD.rstrip("="), Webhook(STANDARD)),
        ("s", Webhook(b"s")),
        ("a secret, with ümlaut", Webhook("a secret, with ümlaut".encode())),
        ("whsec_", Webhook(b"whsec_")),
        ("whsec_no base64!", Webhook(b"whsec_no base64!")),
    ],
)
def test_the_library_of_the_standard_accepts_our_signature(secret: str, receiver: Webhook) -> None:
    """For a secret as the standard writes it, and for any other text."""
    assert receiver.verify(BODY, headers(secret)) == json.loads(BODY)


@pytest.mark.parametrize("change", [b"", b" "])
def test_the_library_refuses_what_was_changed(change: bytes) -> None:
    """Body, id, time and secret are all under the signature."""
    signed = headers("s")
    with pytest.raises(WebhookVerificationError):
        Webhook(b"s").verify(change + BODY[1:], signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(b"s").verify(BODY, {**signed, "webhook-id": "msg-2"})
    with pytest.raises(WebhookVerificationError):
        Webhook(b"s").verify(BODY, {**signed, "webhook-timestamp": str(int(signed["webhook-timestamp"]) - 1)})
    with pytest.raises(WebhookVerificationError):
        Webhook(b"t").verify(BODY, signed)


def test_an_old_message_is_told_by_its_time() -> None:
    """A receiver that checks the time is safe from messages that were recorded."""
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(b"s").verify(BODY, headers("s", age_s=301))


def test_the_secret_is_sent_as_it_is() -> None:
    """What clients of the hosted service compare."""
    assert headers(STANDARD)["x-webhook-secret"] == STANDARD


def test_without_a_secret_nothing_is_signed() -> None:
    """The message has its id and its time all the same."""
    assert set(headers("")) == {"content-type", "webhook-id", "webhook-timestamp"}
