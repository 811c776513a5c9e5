"""How the handler of a peer tells whoever ordered that the task has ended: one signed POST over kept connections.

What Unitask does beyond that, a peer leaves to its user: no retries, and a process that dies forgets the message.
"""

import hashlib
import hmac
import json
import time
from functools import cache
from typing import Any


@cache
def _client() -> Any:
    import httpx  # noqa: PLC0415 - each peer has the client that it needs

    return httpx.Client(timeout=10)


@cache
def _session() -> Any:
    import aiohttp  # noqa: PLC0415 - each peer has the client that it needs

    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10))


def _message(order: dict[str, Any], task_id: str) -> tuple[str, bytes, dict[str, str]]:
    wish = order["config"]["webhook_config"]
    data = {**order, "task_id": task_id, "status": "completed", "output": {"image_url": "none"}}
    body = json.dumps({"timestamp": int(time.time()), "data": data}, separators=(",", ":")).encode()
    signature = hmac.new(wish["secret"].encode(), body, hashlib.sha256).hexdigest()
    return wish["endpoint"], body, {"Content-Type": "application/json", "X-Signature": signature}


def tell(order: dict[str, Any], task_id: str) -> None:
    """Send the message and wait for the answer."""
    url, body, headers = _message(order, task_id)
    _client().post(url, content=body, headers=headers).raise_for_status()


async def tell_async(order: dict[str, Any], task_id: str) -> None:
    """Do the same beside others."""
    url, body, headers = _message(order, task_id)
    async with _session().post(url, data=body, headers=headers) as answer:
        answer.raise_for_status()
