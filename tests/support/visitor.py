"""Somebody with a browser, and what they order without one."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from playwright.sync_api import ConsoleMessage, Page, expect

from support.server import Server

ADMIN_KEY: Final = "an-admin-key-for-the-browser-tests"
PHONE: Final = {"width": 390, "height": 844}
DESK: Final = {"width": 1280, "height": 900}
# What the API refuses is for the page to say; the browser's console counts it as an error all the same.
REFUSED: Final = re.compile(r"/(?:api|account)/")


@dataclass
class Visitor:
    """Somebody with a browser tab; `complaints` are the errors on its console."""

    page: Page
    server: Server
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Listen."""
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not REFUSED.search(message.location["url"]):
            self.complaints.append(message.text)

    def open(self, at: str = "") -> None:
        """Open a page of the dashboard."""
        self.page.goto(f"{self.server.address}/dashboard{at}")

    def sign_in(self, key: str = "") -> None:
        """Come with a key that is kept already."""
        self.open()
        self.page.evaluate("key => sessionStorage.setItem('unitask.key', key)", key or self.server.api_key)
        self.page.reload()
        expect(self.page.get_by_role("banner")).to_be_visible()

    def go(self, at: str) -> None:
        """Go to another page, as a link would."""
        self.page.evaluate("at => { location.hash = at }", at)


def ordered(api: httpx.Client, model: str, task_type: str, *, wait_s: int = 0, **inputs: Any) -> dict[str, Any]:
    """Order a task without a browser, and wait for its end up to `wait_s` seconds."""
    body = {"model": model, "task_type": task_type, "input": inputs}
    answer = api.post("/api/v1/task", params={"wait": wait_s}, json=body)
    assert answer.status_code == httpx.codes.OK, answer.text
    found: dict[str, Any] = answer.json()["data"]
    return found
