"""Requests to send."""

import json
from typing import Any

CAT = {
    "model": "Qubico/flux1-dev",
    "task_type": "txt2img",
    "input": {"prompt": "a little cat", "width": 1024, "height": 1024},
}
CAT_POINTS = 150_000


def cat(**changes: Any) -> dict[str, Any]:
    """The documented first request, with changes."""
    return {**CAT, **changes}


def raw(body: dict[str, Any]) -> bytes:
    """A body as it is sent."""
    return json.dumps(body).encode()


def cutout(image: str, **changes: Any) -> dict[str, Any]:
    """An order that reads a picture."""
    order = {"model": "Qubico/image-toolkit", "task_type": "background-remove", "input": {"image": image}}
    return {**order, **changes}
