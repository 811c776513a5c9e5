"""What axe says of a page."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def no_trouble(page: Page) -> None:
    """Check a page as it stands: no violation, in words that name the elements."""
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
