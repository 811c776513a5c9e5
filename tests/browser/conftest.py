"""One started server for all and one Chromium for a file; every test gets a visitor with a tab of its own."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from support.keys import WORKER_TOKEN
from support.plugin import install, install_plugin
from support.server import Server, throw_away_server
from support.visitor import ADMIN_KEY, DESK, Visitor

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# A machine without a graphics card draws WebGL by software.
ARGUMENTS: Final = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PATIENCE_MS: Final = 15_000


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server with its worker, and with engines that do what tests tell them."""
    folder = tmp_path_factory.mktemp("browser")
    tester = install_plugin(folder / "plugin")
    boxes = Path(__file__).parents[1] / "support" / "boxes.py"
    install(folder / "plugin", boxes, engines={"boxes": "ENGINE"}, products={"boxes": "PRODUCTS"})
    with throw_away_server(
        folder,
        UNITASK_ADMIN_KEY=ADMIN_KEY,
        UNITASK_WORKER_TOKEN=WORKER_TOKEN,
        UNITASK_ALLOW_PRIVATE_NETWORKS="1",
        **tester,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a Chromium without windows. Its library runs an event loop in this thread, so it ends with the file."""
    if CHROMIUM is None:
        pytest.skip("the browser tests need Chromium; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Open a browser that knows nothing of the tests before."""
    opened = browser.new_context(viewport=DESK, reduced_motion="reduce")  # type: ignore[arg-type]
    opened.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    yield opened
    opened.close()


@pytest.fixture
def visitor(context: BrowserContext, server: Server) -> Iterator[Visitor]:
    """Somebody who is not signed in yet; a complaint of their browser fails the test."""
    arrived = Visitor(context.new_page(), server)
    yield arrived
    assert arrived.complaints == []


@pytest.fixture
def customer(visitor: Visitor) -> Visitor:
    """Somebody who is signed in with the key of the account."""
    visitor.sign_in()
    return visitor


@pytest.fixture(scope="session")
def api(server: Server) -> Iterator[httpx.Client]:
    """Open a client of the same account without a browser."""
    with httpx.Client(
        base_url=server.address, headers={"X-API-Key": server.api_key}, trust_env=False, timeout=60
    ) as client:
        yield client
