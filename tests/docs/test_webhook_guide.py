"""docs/guide/webhooks.md: its receivers accept what is sent and refuse what was changed; its numbers are the code's."""

import json
from typing import Any

import pytest

from support.source import ROOT, text_of
from support.texts import Block, blocks
from unitask.kit.clock import SECOND_US, Clock
from unitask.webhooks import sign
from unitask.webhooks.model import wait_us

GUIDE = text_of(ROOT / "docs/guide/webhooks.md") or ""
RECEIVERS = [block for block in blocks(GUIDE) if block.info == "python verify"]
BODY = b'{"timestamp":1800000000,"data":{"task_id":"x"}}'


def verifier(block: Block) -> Any:
    """Run a block as the module that a reader makes of it."""
    module: dict[str, Any] = {"__name__": "receiver"}
    exec(block.body, module)  # noqa: S102 - the project's own text
    return module["verify"]


@pytest.mark.parametrize("secret", ["whsec_Zm9yIHlvdXIgZXllcyBvbmx5ISE=", "any other text"])
@pytest.mark.parametrize("block", RECEIVERS, ids=["library", "python alone"])
def test_the_receivers_of_the_guide_verify_messages(block: Block, secret: str) -> None:
    """Each accepts ours, and refuses one that was changed, and one that is old."""
    verify, now_s = verifier(block), Clock().now_us() // SECOND_US
    headers = sign.headers(secret=secret, message_id="msg-1", timestamp_s=now_s, body=BODY)
    assert verify(headers, BODY, secret) == json.loads(BODY)
    with pytest.raises(Exception, match=r"(?i)signature"):
        verify(headers, BODY + b" ", secret)
    old = sign.headers(secret=secret, message_id="msg-1", timestamp_s=now_s - 400, body=BODY)
    with pytest.raises(Exception, match="old"):
        verify(old, BODY, secret)


def test_the_schedule_of_the_guide_is_the_one_that_is_kept() -> None:
    """Thirteen attempts at these distances."""
    units = {"s": 1, "min": 60, "h": 3600}
    (row,) = [line for line in GUIDE.splitlines() if line.startswith("| 5 to 13")]
    said = row.split("|")[2].partition(", each")[0]
    later = [int(number) * units[unit] for number, unit in (part.split() for part in said.split(","))]
    kept = [wait_us("0000", tries) for tries in range(1, 14)]
    assert kept == [*[seconds * SECOND_US for seconds in [5, 5, 5, *later]], None]
