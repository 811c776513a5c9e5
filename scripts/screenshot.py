"""Take the picture of the dashboard that the quickstart shows, from a throw-away server, in Chromium.

Somebody signs in, cuts the astronaut out of her photograph, and sees the result beside it.
"""

import io
import shutil
import tempfile
from pathlib import Path
from typing import Final

import httpx
import orders
from demo import KEY, start, stop, wait_until_ready
from PIL import Image
from playwright.sync_api import sync_playwright

OUT: Final = Path("docs/guide/images/dashboard.webp")
PRODUCT: Final = "#/make/Qubico%2Fimage-toolkit/background-remove"
SIZE: Final = {"width": 1280, "height": 860}
WIDTH_PX: Final = 1000
LIMIT_BYTES: Final = 60_000


def shot(address: str) -> bytes:
    """Make something on the dashboard, and take its picture."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        raise SystemExit("this needs Chromium: make browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, reduced_motion="reduce")
        page.goto(f"{address}/dashboard{PRODUCT}")
        page.get_by_label("API key").fill(KEY)
        page.get_by_role("button", name="Sign in").click()
        picture = {"name": "astronaut.png", "mimeType": "image/png", "buffer": orders.file("astronaut.png")}
        page.locator("input[type=file]").first.set_input_files(picture)
        page.get_by_role("button", name="Run", exact=True).click()
        made = page.locator("article[data-status=completed]")
        made.wait_for()
        made.locator("img").last.evaluate("one => one.decode()")
        made.scroll_into_view_if_needed()
        taken = page.screenshot()
        browser.close()
        return taken


def main() -> None:
    """Take it."""
    with tempfile.TemporaryDirectory(prefix="unitask-screenshot-") as folder:
        server, address = start(folder)
        try:
            with httpx.Client(base_url=address, trust_env=False) as client:
                wait_until_ready(client)
            taken = shot(address)
        finally:
            stop(server)
    image = Image.open(io.BytesIO(taken)).convert("RGB")
    image.thumbnail((WIDTH_PX, WIDTH_PX), Image.Resampling.LANCZOS)
    OUT.parent.mkdir(exist_ok=True)
    image.save(OUT, "WEBP", quality=72, method=6)
    size = OUT.stat().st_size
    assert size <= LIMIT_BYTES, f"{OUT} has {size} bytes"
    print(f"{OUT}: {size:,} bytes")


if __name__ == "__main__":
    main()
