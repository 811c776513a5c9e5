"""The whole way of a person: sign in, make a picture, watch, cancel, run again, look it up, see what it cost."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
from playwright.sync_api import Locator, Page, expect

from support.marked import decoded
from support.visitor import Visitor, ordered

SCHNELL = "#/make/Qubico%2Fflux1-schnell/txt2img"
FUTURE = "2099-01-01"
# What a page asks through a proxy that holds streams back.
HELD_BACK = """
const asked = window.fetch;
window.fetch = (what, ...how) =>
  String(what).endsWith("/events") ? Promise.resolve(new Response("held back", { status: 504 })) : asked(what, ...how);
"""
# Dollars that the account has used, as the page says.
USED = r"() => Number(/\$([\d.]+) used/.exec(document.querySelector('.balance').textContent)[1])"


def card(page: Page, status: str) -> Locator:
    """Find the cards of tasks in this status."""
    return page.locator(f"article[data-status={status}]")


def run(page: Page) -> None:
    """Order what the form says."""
    page.get_by_role("button", name="Run", exact=True).click()


def test_a_person_signs_in_by_key_and_out_again(visitor: Visitor) -> None:
    """A wrong key is told so; a kept one is still known in another tab; signing out forgets it."""
    page = visitor.page
    visitor.open()
    key = page.get_by_label("API key")
    key.fill("a wrong key")
    key.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("the API key is missing, wrong")
    key.fill(visitor.server.api_key)
    page.get_by_label("Keep me signed in").check()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Create")).to_be_visible()
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("heading", name="Create")).to_be_visible()
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_role("button", name="Sign in")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_picture_is_made_from_the_form_and_again_with_the_same_seed(customer: Visitor) -> None:
    """Found by words, filled by an example, priced, made, labelled as a stand-in; made twice more; paid three times."""
    page = customer.page
    used = page.evaluate(USED)
    page.get_by_label("Search").fill("schnell text")
    expect(page.get_by_text("1 of ")).to_be_visible()
    page.get_by_role("link", name="Flux schnell: text to image").click()
    run(page)
    expect(page.get_by_text("Prompt: must not be blank.")).to_be_visible()
    page.get_by_role("button", name="Four at once").click()
    expect(page.locator(".price b")).to_have_text("$0.006")
    page.get_by_label("Batch size").fill("1")
    expect(page.locator(".price b")).to_have_text("$0.0015")
    run(page)
    made = card(page, "completed")
    expect(made.get_by_text("$0.0015 charged")).to_be_visible()
    expect(made.get_by_text("Preview: a stand-in")).to_be_visible()
    picture = made.get_by_role("img", name="Result: a paper boat")
    assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") == 512
    first = page.request.get(str(picture.get_attribute("src"))).body()
    made.get_by_role("button", name="Run again for $0.0015").click()
    expect(card(page, "completed")).to_have_count(2)
    made.last.get_by_role("link", name="Same seed").click()
    expect(page.get_by_label("Prompt", exact=False).first).to_have_value("a paper boat")
    expect(page.get_by_label("Seed")).to_have_value(re.compile(r"^\d+$"))
    run(page)
    again = card(page, "completed").get_by_role("img", name="Result: a paper boat")
    assert decoded(page.request.get(str(again.get_attribute("src"))).body(), "png") == decoded(first, "png")
    page.wait_for_function(f"least => ({USED})() >= least", arg=used + 0.0044)


def test_a_running_task_is_watched_and_stopped(customer: Visitor, api: httpx.Client, tmp_path: Path) -> None:
    """It shows up by itself with how far it is; stopping is asked for twice; nothing is charged."""
    page = customer.page
    customer.go("#/live")
    expect(page.get_by_text("Nothing is running")).to_be_visible()
    task = ordered(api, "tester", "do", do="wait_for_file", marker=str(tmp_path / "never"))
    running = page.locator(f"article[data-task='{task['task_id']}']")
    expect(running.get_by_text("50 %")).to_be_visible()
    expect(running.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "50")
    running.get_by_role("button", name="Cancel").click()
    page.get_by_role("dialog").get_by_role("button", name="Go back").click()
    expect(running.get_by_text("50 %")).to_be_visible()
    running.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Stop it").click()
    expect(running.get_by_text("nothing charged")).to_be_visible()
    expect(running).to_have_attribute("data-status", "failed")
    expect(running.locator(".callout.bad")).to_contain_text("cancelled")


def test_a_task_is_followed_where_events_do_not_come_through(customer: Visitor, tmp_path: Path) -> None:
    """A proxy that holds streams back only makes it slower: the page asks again, and shows a preview all the same."""
    page, marker = customer.page, tmp_path / "go-on"
    page.add_init_script(HELD_BACK)
    page.reload()
    customer.go("#/make/tester/do")
    page.get_by_text("More options").click()
    page.get_by_label("Do", exact=True).select_option("show")
    page.get_by_label("Show previews while it is made").check()
    page.get_by_label("Marker").fill(str(marker))
    run(page)
    expect(card(page, "processing").get_by_text("50 %")).to_be_visible()
    early = card(page, "processing").locator("img.early")
    expect(early).to_have_attribute("src", re.compile(rf"^{customer.server.address}/files/"))
    marker.touch()
    expect(card(page, "completed")).to_be_visible()


def test_history_finds_tasks_by_status_model_and_day(customer: Visitor, api: httpx.Client) -> None:
    """Filters narrow the list and stay in the address; pages lead on; a row leads to the whole task."""
    page = customer.page
    for _ in range(21):
        ordered(api, "boxes", "box")
    failed = ordered(api, "tester", "do", wait_s=30, do="raise")
    customer.go("#/history")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(20)
    page.get_by_label("Model").select_option("boxes")
    expect(page.get_by_role("link", name="Tester: do")).to_have_count(0)
    page.get_by_role("button", name="Older").click()
    expect(page.get_by_text("Page 2")).to_be_visible()
    expect(rows).not_to_have_count(20)
    page.get_by_label("Model").select_option("")
    page.get_by_label("Status").select_option("failed")
    page.reload()
    expect(page.get_by_label("Status")).to_have_value("failed")
    expect(rows.first).to_contain_text("Tester: do")
    expect(page.locator("tbody .badge", has_text="completed")).to_have_count(0)
    page.get_by_label("From").fill(FUTURE)
    expect(page.get_by_text("None fits these filters.")).to_be_visible()
    page.get_by_label("From").fill("")
    page.locator(f"a[href$='{failed['task_id']}']").click()
    expect(page.locator(".callout.bad")).to_have_text(failed["error"]["message"])
    expect(page.get_by_text("Charged")).to_be_visible()
    expect(page.get_by_text("0 points ($0.00)")).to_be_visible()


def test_the_code_beside_the_form_makes_the_same_call(customer: Visitor, api: httpx.Client) -> None:
    """The shell's and Python's are run as they stand; the key is named, not written out."""
    page = customer.page
    customer.go("#/make/boxes/box")
    page.get_by_label("Prompt").fill('it\'s a "box" of 5\\ \u00e9')
    page.get_by_text("The same call as code").click()
    expect(page.get_by_role("tabpanel")).to_contain_text("of 5")  # it follows the form after a moment
    for language, command in (("curl", ["bash", "-c"]), ("Python", [sys.executable, "-c"])):
        page.get_by_role("tab", name=language).click()
        code = page.get_by_role("tabpanel").locator("pre").inner_text()
        assert customer.server.api_key not in code
        environment = {"PATH": "/usr/bin:/bin", "UNITASK_API_KEY": customer.server.api_key}
        subprocess.run([*command, code], env=environment, check=True, capture_output=True, timeout=60)
        (newest,) = api.get("/api/v1/task", params={"limit": 1}).json()["data"]["tasks"]
        assert newest["input"] == {"prompt": 'it\'s a "box" of 5\\ \u00e9'}
        api.delete(f"/api/v1/task/{newest['task_id']}")
    expect(page.get_by_role("tab", name="JavaScript")).to_be_visible()
