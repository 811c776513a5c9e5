"""Every page that the dashboard lists: for eyes, ears and keyboards, in both themes, on a desk and on a phone."""

from typing import Any, Final

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from support.visitor import ADMIN_KEY, DESK, PHONE, Visitor, ordered

SERIOUS: Final = {"serious", "critical"}
LISTED: Final = "import('/dashboard/pages.js').then(one => one.PAGES.map(({ load, ...page }) => page))"


def addresses(page: Page, task_id: str) -> dict[str, list[str]]:
    """List an address of every page, by the scope that it needs."""
    parts = {
        "make": [
            "#/make/Qubico%2Fflux1-dev-advanced/fill-outpaint",
            "#/make/Qubico%2Fwanx/img2video-14b-control-camera",
        ],
        "task": [f"#/task/{task_id}"],
    }
    found: dict[str, list[str]] = {}
    for one in page.evaluate(LISTED):
        assert "group" in one or one["path"] in parts, f"say here where {one['path']} is seen"
        found.setdefault(one["needs"], []).extend(parts.get(one["path"], [f"#/{one['path']}"]))
    return found


def violations(page: Page, *rules: str) -> list[str]:
    """Ask axe what keeps people out; without names of rules by all of them."""
    options: dict[str, Any] = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    found: list[dict[str, Any]] = Axe().run(page, options=options).response["violations"]
    return [f"{one['id']}: {node['html'][:160]}" for one in found if one["impact"] in SERIOUS for node in one["nodes"]]


def settled(page: Page) -> None:
    """Wait until the page has what it asked for."""
    expect(page.locator("h1")).to_be_visible()
    page.wait_for_load_state("networkidle")


@pytest.fixture
def task_id(api: httpx.Client) -> str:
    """Order a task that makes something."""
    found: str = ordered(api, "boxes", "box", wait_s=30)["task_id"]
    return found


@pytest.mark.parametrize("scope", ["tasks", "account", "admin"])
def test_every_page_can_be_used_by_everyone(
    visitor: Visitor, task_id: str, scope: str, subtests: pytest.Subtests
) -> None:
    """No serious complaint of axe in either theme, and nothing to scroll sideways on a phone."""
    page = visitor.page
    visitor.sign_in(ADMIN_KEY if scope == "admin" else "")
    for at in addresses(page, task_id).get(scope, []):
        visitor.go(at)
        settled(page)
        for theme, rules in (("dark", ["color-contrast"]), ("light", [])):
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            with subtests.test(f"{at} {theme}"):
                assert violations(page, *rules) == []
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        with subtests.test(f"{at} on a phone"):
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.set_viewport_size(DESK)  # type: ignore[arg-type]


def test_the_door_can_be_used_by_everyone(visitor: Visitor) -> None:
    """The first page that anyone sees."""
    visitor.open()
    expect(visitor.page.get_by_label("API key")).to_be_focused()
    assert violations(visitor.page) == []


def test_the_theme_is_chosen_and_kept(customer: Visitor) -> None:
    """Against the system's, and still after a reload."""
    page = customer.page
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_label("Theme").select_option("dark")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    settled(page)
    assert page.evaluate(ground) == dark


def test_a_page_opens_with_its_heading_in_focus_and_the_menu_works_by_keyboard(customer: Visitor) -> None:
    """On a phone the menu is behind a button that says whether it is open."""
    page = customer.page
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    menu = page.get_by_role("button", name="Menu")
    expect(menu).to_have_attribute("aria-expanded", "false")
    menu.press("Enter")
    expect(menu).to_have_attribute("aria-expanded", "true")
    page.get_by_role("link", name="History").press("Enter")
    expect(page.get_by_role("heading", name="History")).to_be_focused()
    expect(menu).to_have_attribute("aria-expanded", "false")


def test_an_address_of_no_page_says_so(customer: Visitor) -> None:
    """Also one of a task that is not there, with the API's own sentence."""
    customer.go("#/nowhere")
    expect(customer.page.get_by_role("heading", name="No such page")).to_be_visible()
    customer.go("#/task/01a2001e-450d-7941-9d4d-000000000000")
    expect(customer.page.get_by_role("alert")).to_be_visible()
