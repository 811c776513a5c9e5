"""What operators do with points over HTTP: top-ups, corrections, packs, statements."""

import csv
import io
from typing import Any

import httpx
import pytest

from support.accounts import open_account, read
from support.answers import accepted, refused
from support.clock import ManualClock
from support.orders import CAT, CAT_POINTS
from support.sql import rows
from support.worker import HandWorker
from unitask.app import Services

ACCOUNTS = "/api/v1/admin/accounts"
DAY_S = 24 * 3600


async def test_points_come_in_as_points_or_dollars(operator: httpx.AsyncClient, services: Services) -> None:
    """Each top-up is a pack of its own, told whole in the answer."""
    address = f"{ACCOUNTS}/{(await open_account(services, 'shop')).account_id}"
    first = accepted(await operator.post(f"{address}/credit", json={"points": 5_000_000}))
    assert first == {
        "id": first["id"],
        "points": 5_000_000,
        "usd": 0.5,
        "remaining_points": 5_000_000,
        "expired_points": 0,
        "reason": "",
        "reference": None,
        "created_at": "2027-01-15T08:00:00Z",
        "expires_at": None,
    }
    body = {"usd": "19.99", "reason": "invoice 7", "reference": "pay-7", "expires_in_days": 180}
    second = accepted(await operator.post(f"{address}/credit", json=body))
    assert (second["points"], second["usd"], second["expires_at"]) == (199_900_000, 19.99, "2027-07-14T08:00:00Z")
    assert (second["reason"], second["reference"]) == ("invoice 7", "pay-7")
    assert accepted(await operator.get(address))["available_points"] == 204_900_000
    assert accepted(await operator.get(f"{address}/packs")) == [second, first], "what expires first is used first"


async def test_a_payment_that_is_reported_twice_counts_once(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services
) -> None:
    """The same reference answers with the same pack, with what is left of it; another amount under it is refused."""
    person = await open_account(services, "shop")
    address = f"{ACCOUNTS}/{person.account_id}"
    body = {"points": 1_000_000, "reference": "pay-7"}
    first = accepted(await operator.post(f"{address}/credit", json=body))
    accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))
    (work,) = await HandWorker(services).claim()
    assert await HandWorker(services).complete(work)
    again = accepted(await operator.post(f"{address}/credit", json=body))
    assert again == {**first, "remaining_points": 1_000_000 - CAT_POINTS}
    message = refused(await operator.post(f"{address}/credit", json={**body, "points": 2}), 409)
    assert message == "the reference 'pay-7' was used for another top-up of this account"
    assert accepted(await operator.get(address))["available_points"] == 1_000_000 - CAT_POINTS
    other = (await open_account(services, "other")).account_id
    accepted(await operator.post(f"{ACCOUNTS}/{other}/credit", json=body))
    found = await rows(services.database, "select account_id from audit where action = 'credit.top_up'")
    assert [row["account_id"] for row in found] == [person.account_id, other]


async def test_a_balance_is_corrected_up_and_down(operator: httpx.AsyncClient, services: Services) -> None:
    """The reason stands in the log; a balance does not go below zero."""
    account_id = (await open_account(services, "shop")).account_id
    address = f"{ACCOUNTS}/{account_id}"
    data = accepted(await operator.post(f"{address}/adjustments", json={"points": 50, "reason": "sorry"}))
    assert data["available_points"] == 50
    data = accepted(await operator.post(f"{address}/adjustments", json={"points": -20, "reason": "too much"}))
    assert data["available_points"] == 30
    message = refused(await operator.post(f"{address}/adjustments", json={"points": -31, "reason": "more"}), 402)
    assert message == "insufficient credits: 30 points are available, 31 cannot be taken"
    assert (await read(services, account_id)).available_points == 30
    entries = accepted(await operator.get("/api/v1/admin/audit", params={"account_id": account_id}))["entries"]
    details = [entry["detail"] for entry in entries if entry["action"] == "credit.adjust"]
    assert details == [{"points": -20, "reason": "too much"}, {"points": 50, "reason": "sorry"}]


REFUSED: dict[str, tuple[str, Any, int, str]] = {
    "neither": ("credit", {}, 400, "invalid request: give either points or usd"),
    "both": ("credit", {"points": 1, "usd": "1"}, 400, "invalid request: give either points or usd"),
    "zero": ("credit", {"points": 0}, 400, "invalid request: points: Input should be greater than or equal to 1"),
    "below": ("credit", {"points": -1}, 400, "invalid request: points: Input should be greater than or equal to 1"),
    "beyond": ("credit", {"points": 10**15 + 1}, 400, "invalid request: points: Input should be less than"),
    "huge": ("credit", {"points": 10**40}, 400, "invalid request: points: "),
    "text": ("credit", {"points": "5"}, 400, "invalid request: points: Input should be a valid integer"),
    "half": ("credit", {"points": 0.5}, 400, "invalid request: points: Input should be a valid integer"),
    "truth": ("credit", {"points": True}, 400, "invalid request: points: Input should be a valid integer"),
    "usd-zero": ("credit", {"usd": "0"}, 400, "invalid request: points must be 1 to "),
    "usd-below": ("credit", {"usd": "-1"}, 400, "invalid request: usd: must be dollars as text"),
    "usd-comma": ("credit", {"usd": "1,50"}, 400, "invalid request: usd: must be dollars as text"),
    "usd-number": ("credit", {"usd": 1.5}, 400, "invalid request: usd: Input should be a valid string"),
    "usd-fine": ("credit", {"usd": "0.00000001"}, 400, "invalid request: usd: must be dollars as text"),
    "usd-huge": ("credit", {"usd": "9" * 30}, 400, "invalid request: points must be 1 to "),
    "no-day": ("credit", {"points": 1, "expires_in_days": 0}, 400, "invalid request: expires_in_days: "),
    "no-reference": ("credit", {"points": 1, "reference": ""}, 400, "invalid request: reference: "),
    "misspelt": ("credit", {"points": 1, "expires": 5}, 400, "invalid request: expires: Extra inputs"),
    "no-reason": ("adjustments", {"points": 1}, 400, "invalid request: reason: Field required"),
    "blank-reason": ("adjustments", {"points": 1, "reason": " "}, 400, "invalid request: an adjustment needs points"),
    "nothing": ("adjustments", {"points": 0, "reason": "x"}, 400, "invalid request: an adjustment needs points other"),
}


async def test_what_is_no_amount_is_refused(
    operator: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """No point moves, and no line is written; neither for an account that is not there."""
    account_id = (await open_account(services, "shop")).account_id
    before = await rows(services.database, "select * from audit")
    for name, (what, body, status, sentence) in REFUSED.items():
        with subtests.test(name):
            message = refused(await operator.post(f"{ACCOUNTS}/{account_id}/{what}", json=body), status)
            assert message.startswith(sentence)
    for what, body in (("credit", {"points": 1}), ("adjustments", {"points": 1, "reason": "x"})):
        assert refused(await operator.post(f"{ACCOUNTS}/99/{what}", json=body), 404) == "no account 99"
    for what in ("packs", "statement"):
        assert refused(await operator.get(f"{ACCOUNTS}/99/{what}"), 404) == "no account 99"
    assert await rows(services.database, "select * from ledger") == []
    assert await rows(services.database, "select * from audit") == before


async def test_the_statement_of_an_account_is_the_one_that_its_owner_sees(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """As JSON and as CSV."""
    person = await open_account(services, "shop", points=1_000_000)
    accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))
    clock.pass_s(1)
    address = f"{ACCOUNTS}/{person.account_id}/statement"
    theirs = accepted(await client.get("/api/v1/statement", headers=person.headers))
    assert accepted(await operator.get(address)) == theirs
    assert (theirs["opening_points"], theirs["closing_points"]) == (0, 1_000_000 - CAT_POINTS)
    answer = await operator.get(address, params={"format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert [(line["kind"], line["change_points"]) for line in lines] == [
        ("top_up", "1000000"),
        ("hold", str(-CAT_POINTS)),
    ]


async def test_packs_tell_what_has_expired(operator: httpx.AsyncClient, services: Services, clock: ManualClock) -> None:
    """After its time nothing is left of a pack, and the balance has lost it."""
    address = f"{ACCOUNTS}/{(await open_account(services, 'shop')).account_id}"
    for days, points in ((1, 70), (30, 500)):
        accepted(await operator.post(f"{address}/credit", json={"points": points, "expires_in_days": days}))
    clock.pass_s(DAY_S + 1)
    await services.credit.expire()
    found = accepted(await operator.get(f"{address}/packs"))
    assert [(pack["remaining_points"], pack["expired_points"]) for pack in found] == [(0, 70), (500, 0)]
    assert accepted(await operator.get(address))["available_points"] == 500
