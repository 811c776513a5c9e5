"""What an operator sees and does on the dashboard, who comes with the admin key."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from support.accessibility import no_trouble
from support.keys import WORKER_TOKEN
from support.server import Server
from support.visitor import ADMIN_KEY, Visitor, ordered

CAT = {"model": "Qubico/flux1-dev", "task_type": "txt2img"}


@pytest.fixture
def operator(visitor: Visitor) -> Visitor:
    """Come with the admin key."""
    visitor.sign_in(ADMIN_KEY)
    return visitor


def row(page: Page, words: str) -> Locator:
    """Find the row of a table in which these words stand."""
    return page.get_by_role("row").filter(has_text=words)


def test_operators_and_customers_see_their_own_pages(customer: Visitor) -> None:
    """Whoever may not operate has no such pages, also by their address; who only operates begins with the queue."""
    page = customer.page
    pages = page.get_by_role("navigation", name="Pages")
    expect(pages.get_by_role("link", name="Keys")).to_be_visible()
    expect(pages.get_by_role("link", name="Accounts")).to_have_count(0)
    customer.go("#/accounts")
    expect(page.get_by_text("needs a key with the scope admin")).to_be_visible()
    customer.sign_in(ADMIN_KEY)
    customer.go("#/")
    expect(page.get_by_role("heading", name="Queue", level=1)).to_be_visible()
    expect(pages.get_by_role("link", name="Keys")).to_have_count(0)


def test_the_queue_shows_what_runs_and_where_time_went(operator: Visitor, api: httpx.Client, tmp_path: Path) -> None:
    """A task that runs is a line, its worker says how far it is; one that was made has parts of time."""
    made = ordered(api, **CAT, wait_s=30, prompt="a cat", width=256, height=256)
    assert made["status"] == "completed"
    marker = tmp_path / "go on"
    running = ordered(api, "tester", "do", do="wait_for_file", marker=str(marker))
    page = operator.page
    operator.go("#/queue")
    expect(row(page, "tester").filter(has_text="do").first).to_be_visible()
    pace = (
        page.get_by_role("region", name="Medians by engine and product").get_by_role("row").filter(has_text="flux1-dev")
    )
    expect(pace.get_by_role("img")).to_be_visible()
    cells = [cell.inner_text() for cell in pace.get_by_role("cell").all()]
    assert [cell for cell in cells[3:7] if not re.fullmatch(r"[\d.]+ m?s", cell)] == []
    no_trouble(page)
    operator.go("#/workers")
    worker = page.get_by_role("article").filter(has_text=running["task_id"])
    expect(worker).to_contain_text("waits in")
    expect(worker).to_contain_text("alive")
    no_trouble(page)
    marker.touch()
    expect(page.get_by_text(running["task_id"])).to_have_count(0)


def test_clusters_are_shown_with_their_pools_and_actors(operator: Visitor, server: Server) -> None:
    """As their controllers report them, beside the workers; what waits, what is wanted and what is there."""
    actor = {"id": "a1b2c3d4", "node": "10.0.0.7", "worker": "box:77", "tasks": 1, "restarts": 2}
    failing = {"id": "e5f6a7b8", "state": "failing", "note": "the worker ended with status 1"}
    pool = {"name": "flux", "products": ["boxes/*"], "engines": ["boxes"], "wanted": 3, "most": 8}
    full = {
        **pool,
        "waiting": 12,
        "processing": 1,
        "oldest_s": 41.5,
        "actors": [{**actor, "state": "running"}, failing],
    }
    report = {"name": "main", "version": "0.1.0", "nodes": 4, "pools": [full]}
    token = {"Authorization": f"Bearer {WORKER_TOKEN}"}
    answer = httpx.put(f"{server.address}/worker/v1/cluster", json=report, headers=token, trust_env=False)
    assert answer.is_success, answer.text
    page = operator.page
    operator.go("#/workers")
    section = page.get_by_role("region", name="Cluster main", exact=True)
    expect(section).to_contain_text("4 nodes of Ray")
    pools = page.get_by_role("region", name="Pools of cluster main")
    expect(pools.get_by_role("row").nth(1)).to_contain_text(re.compile("flux.*3.*8.*12.*42 s.*1 running.*1 failing"))
    expect(row(page, "e5f6a7b8")).to_contain_text("ended with status 1")
    expect(row(page, "a1b2c3d4")).to_contain_text("box:77")
    no_trouble(page)


def test_models_say_what_is_missing_and_how_to_get_it(operator: Visitor) -> None:
    """Products by level, weights with their command, engines with what keeps them from working."""
    page = operator.page
    operator.go("#/models")
    page.get_by_label("Level").select_option("basic")
    expect(row(page, "background-remove").first).to_be_visible()
    expect(row(page, "kontext")).to_have_count(0)
    page.get_by_role("tab", name="Weights").click()
    expect(page.get_by_text("unitask models pull flux1-schnell", exact=True)).to_be_visible()
    no_trouble(page)
    page.get_by_role("tab", name="Weights").press("ArrowRight")
    expect(row(page, "needy")).to_contain_text("missing")
    no_trouble(page)


def test_an_account_is_opened_and_its_credit_set(operator: Visitor) -> None:
    """Credit twice under one reference counts once; a correction needs a reason."""
    page = operator.page
    operator.go("#/accounts")
    page.get_by_text("Open an account", exact=True).click()
    page.get_by_label("Name").fill("studio north")
    page.get_by_role("button", name="Open the account").click()
    expect(page.get_by_role("heading", name="studio north", level=1)).to_be_visible()
    for _ in range(2):
        credit = (
            page.get_by_role("region")
            .or_(page.locator("section"))
            .filter(has=page.get_by_role("heading", name="Add credit"))
        )
        credit.get_by_label("Dollars").fill("20")
        credit.get_by_label("Reference").fill("invoice 17")
        credit.get_by_role("button", name="Add it").click()
        expect(credit.get_by_label("Dollars")).to_have_value("")
    page.reload()
    expect(page.get_by_role("region", name="Packs of points").get_by_role("row")).to_have_count(2)
    correction = page.locator("section").filter(has=page.get_by_role("heading", name="Correct the balance"))
    correction.get_by_label("Dollars").fill("-1.50")
    correction.get_by_role("button", name="Correct it").click()
    expect(page.get_by_role("alert").filter(has_text="Give a reason")).to_be_visible()
    correction.get_by_label("Reason").fill("a gift taken back")
    correction.get_by_role("button", name="Correct it").click()
    page.get_by_role("button", name="Take it away").click()
    expect(page.get_by_text("$18.50").first).to_be_visible()
    no_trouble(page)


def test_the_key_of_an_account_ends_with_it(operator: Visitor) -> None:
    """A key made by the operator works until the account is disabled; both stand in the audit log."""
    page = operator.page
    operator.go("#/accounts")
    page.get_by_text("Open an account", exact=True).click()
    page.get_by_label("Name").fill("studio south")
    page.get_by_label("Unlimited").check()
    page.get_by_role("button", name="Open the account").click()
    page.get_by_role("tab", name="Keys").click()
    page.get_by_text("Make a key", exact=True).click()
    page.get_by_role("button", name="Make the key").click()
    secret = page.get_by_label("The new key").input_value()
    about = f"{operator.server.address}/account/info"
    assert httpx.get(about, headers={"X-API-Key": secret}, trust_env=False).status_code == 200
    page.get_by_role("tab", name="Settings").click()
    page.get_by_label("Enabled").uncheck()
    page.get_by_label("Requests a minute").fill("60")
    no_trouble(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The account is changed.")).to_be_visible()
    expect(page.get_by_text("60 requests a minute")).to_be_visible()
    assert httpx.get(about, headers={"X-API-Key": secret}, trust_env=False).status_code == 403
    page.get_by_role("link", name="Its decisions").click()
    expect(row(page, "account.set")).to_be_visible()
    page.get_by_label("Action").select_option("key.add")
    expect(row(page, "account.set")).to_have_count(0)
    expect(row(page, "key.add")).to_have_count(1)
    page.get_by_role("button", name="Check the books").click()
    expect(page.get_by_text("Every balance is what the ledger says.")).to_be_visible()
    no_trouble(page)


def test_a_form_says_what_is_wrong_with_it(operator: Visitor) -> None:
    """A number that is none, a name that is taken: as a sentence in the form."""
    page = operator.page
    operator.go("#/accounts")
    page.get_by_text("Open an account", exact=True).click()
    page.get_by_label("Name").fill("default")
    page.get_by_role("button", name="Open the account").click()
    expect(page.get_by_role("alert").filter(has_text="There is an account named 'default'.")).to_be_visible()
    operator.go("#/accounts/1")
    page.locator("section").filter(has=page.get_by_role("heading", name="Add credit")).get_by_label("Dollars").fill(
        "much"
    )
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("alert").filter(has_text="write dollars such as 20 or 19.99")).to_be_visible()
    operator.go("#/accounts/987654")
    expect(page.get_by_role("alert").filter(has_text="No account 987654.")).to_be_visible()
    operator.complaints.clear()  # Chromium writes every refused call on the console.
