"""What a person does about money, keys and webhooks on the dashboard."""

import csv
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from support.accessibility import no_trouble
from support.sink import Sink, receiving, says
from support.visitor import DESK, PHONE, Visitor, ordered
from support.wait import until

CAT = {"model": "Qubico/flux1-dev", "task_type": "txt2img"}
PRICE = "$0.015"


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Run a receiver that takes everything."""
    with receiving(says(200, b"thank you")) as sink:
        yield sink


def row(page: Page, words: str) -> Locator:
    """Find the row of a table in which these words stand."""
    return page.get_by_role("row").filter(has_text=words)


def with_key(customer: Visitor, key: str, path: str) -> int:
    """Ask with another key; gives the status of the answer."""
    return httpx.get(customer.server.address + path, headers={"X-API-Key": key}, trust_env=False).status_code


def delivered(api: httpx.Client, sink: Sink) -> None:
    """Wait until the log says that a message came here."""

    def logged() -> bool:
        found = api.get("/api/v1/webhooks/deliveries", params={"state": "delivered"}).json()["data"]["deliveries"]
        return any(one["endpoint"].startswith(sink.url("")) for one in found)

    until(logged, within_s=30, what="a message that was taken")


def attempts_shown(page: Page, number: int) -> None:
    """Look at a message again and again until so many attempts with their answers are shown."""

    def shown() -> bool:
        page.get_by_role("button", name="Refresh").click()
        return page.get_by_text("thank you").count() == number

    until(shown, within_s=30, what=f"{number} attempts on the page")


def make_key(customer: Visitor, name: str) -> str:
    """Make a key with the scope tasks and a limit, on the page; gives what it shows."""
    page = customer.page
    customer.go("#/keys")
    page.get_by_text("Make a key", exact=True).click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("files", exact=True).uncheck()
    page.get_by_label("account", exact=True).uncheck()
    page.get_by_text("Limits of its own", exact=True).first.click()
    page.get_by_label("Dollars a day (UTC)").fill("5")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("it is shown this once")).to_be_visible()
    return page.get_by_label("The new key").input_value()


def test_a_key_is_made_shown_once_and_revoked(customer: Visitor) -> None:
    """It opens what was ticked and no more; the list tells its limit; after a question it is over."""
    page = customer.page
    secret = make_key(customer, "shop")
    assert with_key(customer, secret, "/api/v1/task") == 200
    assert with_key(customer, secret, "/account/info") == 403
    expect(row(page, "shop")).to_contain_text("$5.00 a day")
    no_trouble(page)
    page.reload()
    expect(row(page, "shop")).to_contain_text(f"…{secret[-4:]}")
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke shop").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(row(page, "shop")).to_contain_text("revoked")
    assert with_key(customer, secret, "/api/v1/task") == 401


def test_a_key_is_rotated_and_the_old_one_works_on(customer: Visitor) -> None:
    """The new one has the same rights, the old one an end."""
    page = customer.page
    old = make_key(customer, "turning")
    page.get_by_role("button", name="Rotate turning").click()
    page.get_by_role("button", name="Make the new key").click()
    expect(page.get_by_label("The new key")).not_to_have_value(old)
    new = page.get_by_label("The new key").input_value()
    assert [with_key(customer, key, "/api/v1/task") for key in (old, new)] == [200, 200]
    expect(row(page, f"…{old[-4:]}")).to_contain_text("until")


def test_a_key_without_a_scope_is_not_made(customer: Visitor) -> None:
    """The form says what to tick, and nothing is sent."""
    page = customer.page
    customer.go("#/keys")
    page.get_by_text("Make a key", exact=True).click()
    for scope in ("tasks", "files", "account"):
        page.get_by_label(scope, exact=True).uncheck()
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("alert").filter(has_text="Tick at least one scope")).to_be_visible()


def test_usage_shows_what_a_picture_cost(customer: Visitor, api: httpx.Client, tmp_path: Path) -> None:
    """On the chart and in the table behind it; the statement has the same."""
    task = ordered(api, **CAT, wait_s=30, prompt="a cat", width=256, height=256)
    assert task["status"] == "completed"
    page = customer.page
    customer.go("#/usage?days=7")
    charts = page.get_by_role("figure")
    expect(charts).to_have_count(2)
    expect(charts.first.locator("svg rect").first).to_be_attached()
    assert charts.first.locator("svg g").count() == 7
    charts.first.get_by_text("Numbers").click()
    expect(charts.first.get_by_role("columnheader", name=CAT["model"])).to_be_visible()
    expect(row(page, "txt2img").filter(has_text="Qubico/flux1-dev")).to_contain_text("$0.0")
    no_trouble(page)
    page.get_by_role("button", name="Show the totals").click()
    expect(row(page, "Charged")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    path = tmp_path / "statement.csv"
    download.value.save_as(path)
    with path.open() as file:
        captured = [line for line in csv.DictReader(file) if line["kind"] == "capture"]
    assert task["task_id"] in [line["task_id"] for line in captured]


def test_the_chart_fits_a_phone(customer: Visitor, api: httpx.Client) -> None:
    """It is drawn anew when the window changes, at the size of its letters."""
    ordered(api, **CAT, wait_s=30, prompt="a cat", width=256, height=256)
    page = customer.page
    customer.go("#/usage")
    drawing = page.get_by_role("figure", name="Spent by day and model").locator("svg")
    expect(drawing).to_be_visible()
    wide = int(drawing.get_attribute("width") or 0)
    assert wide > PHONE["width"]
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.wait_for_function(
        "wide => Number(document.querySelector('.chart svg').getAttribute('width')) < wide / 2", arg=wide
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size(DESK)  # type: ignore[arg-type]


def test_a_message_is_found_in_the_log_and_sent_again(customer: Visitor, api: httpx.Client, sink: Sink) -> None:
    """With what the receiver answered; replayed, it comes a second time under the same id."""
    body = {
        **CAT,
        "input": {"prompt": "a cat", "width": 256, "height": 256},
        "config": {"webhook_config": {"endpoint": sink.url("/shop")}},
    }
    assert api.post("/api/v1/task?wait=30", json=body).is_success
    page = customer.page
    customer.go("#/webhooks")
    line = row(page, sink.url("/shop"))
    expect(line).to_be_visible()
    line.get_by_role("link", name="task.completed").click()
    expect(page.get_by_role("heading", name="Message task.completed")).to_be_visible()
    attempts_shown(page, 1)
    no_trouble(page)
    page.get_by_role("button", name="Send again").click()
    page.get_by_role("button", name="Send it again").click()
    expect(page.get_by_text("The message is sent again.")).to_be_visible()
    attempts_shown(page, 2)
    assert len(sink.ids) == 2
    assert len(set(sink.ids)) == 1


def test_an_endpoint_is_tried(customer: Visitor, sink: Sink) -> None:
    """The page says what the receiver said."""
    page = customer.page
    customer.go("#/webhooks")
    page.get_by_label("Endpoint").fill(sink.url("/trial"))
    page.get_by_role("button", name="Send a sample").click()
    expect(page.get_by_role("region", name="What the receiver answered")).to_contain_text("thank you")
    assert [one.path for one in sink.received] == ["/trial"]


def test_many_messages_are_sent_again(customer: Visitor, api: httpx.Client, sink: Sink) -> None:
    """All that were taken in a span of time; the page counts them."""
    body = {
        **CAT,
        "input": {"prompt": "a cat", "width": 256, "height": 256},
        "config": {"webhook_config": {"endpoint": sink.url("/many")}},
    }
    assert api.post("/api/v1/task?wait=30", json=body).is_success
    page = customer.page
    customer.go("#/webhooks?state=delivered")
    expect(page.get_by_label("State")).to_have_value("delivered")
    delivered(api, sink)
    page.reload()
    expect(row(page, sink.url("/many"))).to_be_visible()
    page.get_by_label("Which").select_option("delivered")
    page.get_by_role("button", name="Send them again").click()
    expect(page.get_by_role("status").filter(has_text="sent again")).to_be_visible()
    until(lambda: len(sink.ids) > 1, within_s=30, what="the message for the second time")
    assert len(set(sink.ids)) == 1
