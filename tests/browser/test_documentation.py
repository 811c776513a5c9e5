"""The documentation site in a browser: every page's first screen, on a desk and on a phone, and the search."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from support.site import build
from support.visitor import DESK, PHONE

SERIOUS: Final = {"serious", "critical"}
OVERFLOW: Final = "document.documentElement.scrollWidth - innerWidth"
PARTS: Final = 8
COLOURFUL: Final = ("index.html", "guide/webhooks.html", "guide/security.html", "reference/api.html", "benchmarks.html")


class Silent(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site."""
    folder = tmp_path_factory.mktemp("documentation")
    built = build(folder)
    assert built.returncode == 0, built.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Serve the site on loopback."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture
def page(context: BrowserContext, address: str) -> Iterator[Page]:
    """Open a tab; a complaint of the browser, or a request to another host, fails the test."""
    opened = context.new_page()
    troubles: list[str] = []
    opened.on("console", lambda said: troubles.append(said.text) if said.type in {"error", "warning"} else None)
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("request", lambda asked: None if asked.url.startswith((address, "data:")) else troubles.append(asked.url))
    yield opened
    assert troubles == []


def read(site: Path) -> list[str]:
    """List the pages that people read; of files of the project that the site carries, a few."""
    found = [page.relative_to(site).as_posix() for page in sorted(site.rglob("*.html"))]
    carried = [name for name in found if name.startswith("source/") and name.count("/") > 1]
    return [name for name in found if name not in carried[3:] and name != "404.html"]


def violations(page: Page, **rules: Any) -> list[str]:
    """Ask axe what keeps people out."""
    found = Axe().run(page, options={"resultTypes": ["violations"], **rules}).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found if one["impact"] in SERIOUS for node in one["nodes"]]


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page_fits_a_desk_and_a_phone_and_can_be_used_by_everyone(
    page: Page, site: Path, address: str, part: int, subtests: pytest.Subtests
) -> None:
    """Nothing to scroll sideways but inside a table or a block of code; no serious complaint of axe."""
    for name in read(site)[part::PARTS]:
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
        page.goto(address + name)
        with subtests.test(name):
            assert page.evaluate(OVERFLOW) <= 0
            assert page.locator("h1").bounding_box()["y"] < DESK["height"]  # type: ignore[index]
            # Colours are those of a style sheet: looking at them on every page takes most of the time.
            assert violations(page, rules={"color-contrast": {"enabled": False}}) == []
            page.set_viewport_size(PHONE)  # type: ignore[arg-type]
            assert page.evaluate(OVERFLOW) <= 0
            assert page.locator("h1").bounding_box()["y"] < PHONE["height"]  # type: ignore[index]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_can_be_told_apart(page: Page, address: str, theme: str, subtests: pytest.Subtests) -> None:
    """On a page of each kind."""
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    for name in COLOURFUL:
        page.goto(address + name)
        with subtests.test(name):
            assert violations(page, runOnly=["color-contrast"]) == []


def test_the_search_finds_pages(page: Page, address: str) -> None:
    """Without asking anybody else."""
    page.goto(address + "index.html")
    # Key by key: the page looks at what was typed when a key goes up again.
    page.get_by_role("textbox", name="Search").press_sequentially("UNITASK_SLOW_CLIENT_S")
    page.locator('.md-search-result__link[href*="reference/settings.html"]').first.click()
    expect(page.locator("article h1")).to_contain_text("Settings")
