"""What operators do over HTTP: accounts, plans, the audit log, the check of the books."""

from typing import Any

import httpx
import pytest

from support.accounts import ACTOR, open_account, read, top_up
from support.answers import accepted, refused
from support.clock import ManualClock
from support.keys import ADMIN_KEY
from support.orders import CAT, CAT_POINTS
from support.sql import rows
from unitask.accounts.model import Scope
from unitask.app import Services

ACCOUNTS = "/api/v1/admin/accounts"
PLANS = "/api/v1/admin/plans"
AUDIT = "/api/v1/admin/audit"
NO_LIMITS = {
    "concurrent_tasks": None,
    "family_tasks": {},
    "staged_tasks": None,
    "requests_per_minute": None,
    "daily_points": None,
    "models": None,
    "networks": None,
}
NOW = "2027-01-15T08:00:00Z"


async def actions(services: Services) -> list[tuple[str, str, int | None]]:
    """Read who did what to whom, oldest first."""
    found = await rows(services.database, "select actor, action, account_id from audit order by id")
    return [(row["actor"], row["action"], row["account_id"]) for row in found]


async def test_the_admin_key_opens_the_door_and_is_no_customer(operator: httpx.AsyncClient) -> None:
    """It comes in either header; it orders nothing, for it speaks for no account."""
    accepted(await operator.get(ACCOUNTS))
    bearer = {"X-API-Key": "", "Authorization": f"Bearer {ADMIN_KEY}"}
    accepted(await operator.get(ACCOUNTS, headers=bearer))
    refused(await operator.post("/api/v1/task", json=CAT), 401)


@pytest.mark.parametrize("key", ["", "wrong", ADMIN_KEY[:-1], ADMIN_KEY.upper(), "ключ"])
async def test_another_key_does_not_open_it(operator: httpx.AsyncClient, key: str) -> None:
    """Not even nearly the same."""
    refused(await operator.get(ACCOUNTS, headers={"X-API-Key": key.encode()}), 401)


async def test_without_the_setting_no_admin_key_works(client: httpx.AsyncClient) -> None:
    """An installation that has set none has none; the empty key is none either."""
    for key in (ADMIN_KEY, "", "None"):
        refused(await client.get(ACCOUNTS, headers={"X-API-Key": key}), 401)


async def test_a_key_with_the_scope_admin_is_named_in_the_audit_log(
    client: httpx.AsyncClient, services: Services
) -> None:
    """It opens the same door, and the log tells which key it was."""
    boss = await open_account(services, "boss", unlimited=True)
    key, secret = await services.keyring.add(boss.account_id, actor=ACTOR, scopes=[Scope.ADMIN])
    accepted(await client.post(ACCOUNTS, json={"name": "new"}, headers={"X-API-Key": secret}))
    assert (await actions(services))[-1][:2] == (f"key {key.id}", "account.open")


async def test_an_account_is_opened_with_nothing_in_it(operator: httpx.AsyncClient, services: Services) -> None:
    """The answer tells all there is; the same comes when it is read, and the log knows who opened it."""
    data = accepted(await operator.post(ACCOUNTS, json={"name": "shop"}))
    assert data == {
        "id": data["id"],
        "name": "shop",
        "plan": "open",
        "enabled": True,
        "unlimited": False,
        "limits": NO_LIMITS,
        "own_limits": NO_LIMITS,
        "available_points": 0,
        "held_points": 0,
        "used_points": 0,
        "available_usd": 0.0,
        "held_usd": 0.0,
        "used_usd": 0.0,
        "spent_today_points": 0,
        "active_tasks": 0,
        "staged_tasks": 0,
        "active_by_family": {},
        "created_at": NOW,
        "updated_at": NOW,
    }
    assert accepted(await operator.get(f"{ACCOUNTS}/{data['id']}")) == data
    assert await actions(services) == [("admin key", "account.open", data["id"])]


async def test_an_account_shows_balance_and_counters(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Points and dollars of each book, tasks by family, and what this day has cost; the day after, nothing."""
    person = await open_account(services, "busy", points=10_000_000, task_limit=1)
    for _ in range(2):
        accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))
        clock.pass_s(1)
    address = f"{ACCOUNTS}/{person.account_id}"
    data = accepted(await operator.get(address))
    left = 10_000_000 - 2 * CAT_POINTS
    assert (data["available_points"], data["held_points"], data["used_points"]) == (left, 2 * CAT_POINTS, 0)
    assert (data["available_usd"], data["held_usd"], data["used_usd"]) == (left / 1e7, 2 * CAT_POINTS / 1e7, 0)
    assert (data["active_tasks"], data["staged_tasks"], data["active_by_family"]) == (1, 1, {"flux": 1})
    assert data["spent_today_points"] == 2 * CAT_POINTS
    clock.pass_s(24 * 3600)
    assert accepted(await operator.get(address))["spent_today_points"] == 0


async def test_accounts_are_listed_by_pages(operator: httpx.AsyncClient, services: Services) -> None:
    """By number; the last page has no cursor."""
    numbers = [(await open_account(services, f"number {number}")).account_id for number in range(4)]
    first = accepted(await operator.get(ACCOUNTS, params={"limit": 3}))
    assert [account["name"] for account in first["accounts"]] == ["default", "number 0", "number 1"]
    second = accepted(await operator.get(ACCOUNTS, params={"limit": 3, "cursor": first["next_cursor"]}))
    assert [account["id"] for account in second["accounts"]] == numbers[2:]
    assert second["next_cursor"] is None
    exact = accepted(await operator.get(ACCOUNTS, params={"limit": 5}))
    assert (len(exact["accounts"]), exact["next_cursor"]) == (5, None)


async def test_what_is_named_is_changed_and_nothing_else(operator: httpx.AsyncClient, services: Services) -> None:
    """Plan, limits, enabled, unlimited: each alone; a null counts as absent; each leaves a line in the log."""
    person = await open_account(services, "shop", task_limit=7)
    accepted(await operator.put(f"{PLANS}/studio", json={"limits": {"staged_tasks": 5}}))
    address = f"{ACCOUNTS}/{person.account_id}"
    data = accepted(await operator.patch(address, json={"plan": "studio", "enabled": None}))
    assert (data["plan"], data["own_limits"]["concurrent_tasks"], data["limits"]["staged_tasks"]) == ("studio", 7, 5)
    data = accepted(await operator.patch(address, json={"limits": {"requests_per_minute": 60}}))
    assert data["own_limits"] == {**NO_LIMITS, "requests_per_minute": 60}
    assert data["limits"] == {**NO_LIMITS, "requests_per_minute": 60, "staged_tasks": 5}
    data = accepted(await operator.patch(address, json={"unlimited": True}))
    assert (data["unlimited"], data["enabled"], data["plan"]) == (True, True, "studio")
    assert [action for _, action, _ in await actions(services)][-4:] == ["plan.put", *["account.set"] * 3]


async def test_limits_as_they_are_shown_can_be_sent_back(operator: httpx.AsyncClient) -> None:
    """Who reads, changes one field and writes all of them changes one field."""
    limits = {"family_tasks": {"flux": 2}, "models": ["Qubico/*"], "networks": ["203.0.113.0/24", "2001:db8::/32"]}
    data = accepted(await operator.post(ACCOUNTS, json={"name": "shop", "limits": limits}))
    assert data["own_limits"] == {**NO_LIMITS, **limits}
    changed = {**data["own_limits"], "staged_tasks": 9}
    again = accepted(await operator.patch(f"{ACCOUNTS}/{data['id']}", json={"limits": changed}))
    assert again["own_limits"] == changed


async def test_a_disabled_account_does_nothing_until_it_is_enabled(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services
) -> None:
    """From the answer on, in the process that gave it."""
    person = await open_account(services, "shop", unlimited=True)
    accepted(await client.get("/account/info", headers=person.headers))
    accepted(await operator.patch(f"{ACCOUNTS}/{person.account_id}", json={"enabled": False}))
    message = refused(await client.post("/api/v1/task", json=CAT, headers=person.headers), 403)
    assert message == "this account is disabled; ask the operator of this server"
    accepted(await operator.patch(f"{ACCOUNTS}/{person.account_id}", json={"enabled": True}))
    accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))


async def test_a_plan_is_made_changed_and_removed(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services
) -> None:
    """Its accounts feel it at once; while it has some, and as the plan of new accounts, it stays."""
    one = {"limits": {"models": ["Qubico/tts"]}}
    plan = accepted(await operator.put(f"{PLANS}/studio", json=one))
    assert plan == {"name": "studio", "limits": {**NO_LIMITS, "models": ["Qubico/tts"]}, "updated_at": NOW}
    assert plan in accepted(await operator.get(PLANS))
    person = await open_account(services, "shop", unlimited=True)
    accepted(await operator.patch(f"{ACCOUNTS}/{person.account_id}", json={"plan": "studio"}))
    refused(await client.post("/api/v1/task", json=CAT, headers=person.headers), 403)
    accepted(await operator.put(f"{PLANS}/studio", json={"limits": {}}))
    accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))
    message = refused(await operator.delete(f"{PLANS}/studio"), 409)
    assert message == "the plan 'studio' cannot be removed: there is none, or accounts are on it"
    accepted(await operator.patch(f"{ACCOUNTS}/{person.account_id}", json={"plan": "open"}))
    assert accepted(await operator.delete(f"{PLANS}/studio")) is None
    assert plan["name"] not in [each["name"] for each in accepted(await operator.get(PLANS))]
    assert refused(await operator.delete(f"{PLANS}/studio"), 409) == message
    assert "set its limits instead" in refused(await operator.delete(f"{PLANS}/open"), 409)
    assert (await actions(services))[-1] == ("admin key", "plan.remove", None)


REFUSED: dict[str, tuple[str, str, Any, int, str]] = {
    "no-json": ("POST", "", "{", 400, "invalid request: the body: Invalid JSON"),
    "a-list": ("POST", "", "[]", 400, "invalid request: the body: Input should be an object"),
    "nothing": ("POST", "", "", 400, "invalid request: name: Field required"),
    "no-name": ("POST", "", {"name": ""}, 400, "invalid request: name: String should have at least 1 character"),
    "blank": ("POST", "", {"name": " "}, 400, "invalid request: an account's name has 1 to 200 characters"),
    "long": ("POST", "", {"name": "x" * 201}, 400, "invalid request: name: String should have at most 200"),
    "nul": ("POST", "", {"name": "a\0b"}, 400, "invalid request: the body: texts must not contain the NUL character"),
    "nul-inside": ("POST", "", {"name": "x", "limits": {"family_tasks": {"\0": 1}}}, 400, "invalid request: the body:"),
    "unknown-field": ("POST", "", {"name": "x", "plam": "a"}, 400, "invalid request: plam: Extra inputs"),
    "taken": ("POST", "", {"name": "default"}, 409, "there is an account named 'default'"),
    "no-plan": ("POST", "", {"name": "x", "plan": "no"}, 404, "no plan 'no'; there are "),
    "unknown-limit": ("POST", "", {"name": "x", "limits": {"tasks": 1}}, 400, "invalid request: limits.tasks: Extra"),
    "below-zero": ("PATCH", "/1", {"limits": {"staged_tasks": -1}}, 400, "invalid request: limits.staged_tasks: "),
    "no-network": ("PATCH", "/1", {"limits": {"networks": ["x"]}}, 400, "invalid request: limits.networks.0: value"),
    "no-minute": ("PATCH", "/1", {"limits": {"requests_per_minute": 0}}, 400, "invalid request: limits.requests_per"),
    "endless": ("PATCH", "/1", {"limits": {"models": ["a"] * 1001}}, 400, "invalid request: limits.models: Tuple"),
    "unknown-plan": ("PATCH", "/1", {"plan": "no"}, 404, "no plan 'no'; there are "),
    "no-account": ("PATCH", "/99", {"enabled": False}, 404, "no account 99"),
    "no-account-read": ("GET", "/99", None, 404, "no account 99"),
    "no-number": ("GET", "/x", None, 404, "no account 'x'"),
    "other-digits": ("GET", "/%D9%A1", None, 404, "no account '\u0661'"),
    "huge": ("GET", f"/{'9' * 30}", None, 404, f"no account '{'9' * 30}'"),
    "limit-0": ("GET", "?limit=0", None, 400, "invalid request: limit is 1 to 1000"),
    "limit-1001": ("GET", "?limit=1001", None, 400, "invalid request: limit is 1 to 1000"),
    "cursor": ("GET", "?cursor=x", None, 400, "invalid request: cursor must be a whole number"),
    "cursor-below": ("GET", "?cursor=-1", None, 400, "invalid request: cursor must be the next_cursor of an earlier"),
}


async def test_what_cannot_be_is_refused_with_the_field(
    operator: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """Nothing is changed by it, and no line is written."""
    before = await rows(services.database, "select * from accounts")
    for name, (method, tail, body, status, sentence) in REFUSED.items():
        with subtests.test(name):
            sent = {"content": body} if isinstance(body, str) else {} if body is None else {"json": body}
            message = refused(await operator.request(method, f"{ACCOUNTS}{tail}", **sent), status)
            assert message.startswith(sentence)
    assert await rows(services.database, "select * from accounts") == before
    assert await actions(services) == []


async def test_the_name_of_a_plan_is_checked(operator: httpx.AsyncClient, services: Services) -> None:
    """It is part of the address: what means something there, or is not to be seen, is refused with what can be."""
    sentence = "cannot name a plan: 1 to 64 letters (a to z), digits, dots, dashes and underscores can, with a "
    for method in ("PUT", "DELETE"):
        for name in ("x" * 65, "%20", "my%20plan", "%00", "a%3Fb", "a%25", "caf%C3%A9", "-x", ".x", "a%0A"):
            assert sentence in refused(await operator.request(method, f"{PLANS}/{name}", json={}), 400), name
    assert await rows(services.database, "select name from plans where length(name) > 7") == []
    accepted(await operator.put(f"{PLANS}/Studio_2.b-1", json={}))


async def test_the_audit_log_is_read_by_pages_newest_first(
    operator: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """With what was decided, as JSON and with times as everywhere; of one account, if asked."""
    first = accepted(await operator.post(ACCOUNTS, json={"name": "first", "limits": {"staged_tasks": 1}}))["id"]
    clock.pass_s(1)
    second = accepted(await operator.post(ACCOUNTS, json={"name": "second"}))["id"]
    body = {"points": 5, "expires_in_days": 1}
    accepted(await operator.post(f"{ACCOUNTS}/{second}/credit", json=body))
    page = accepted(await operator.get(AUDIT, params={"limit": 2}))
    assert [entry["action"] for entry in page["entries"]] == ["credit.top_up", "account.open"]
    assert page["entries"][0]["detail"]["expires_at"] == "2027-01-16T08:00:01Z"
    rest = accepted(await operator.get(AUDIT, params={"limit": 2, "cursor": page["next_cursor"]}))
    (entry,) = rest["entries"]
    assert rest["next_cursor"] is None
    assert entry == {
        "id": entry["id"],
        "time": NOW,
        "actor": "admin key",
        "action": "account.open",
        "account_id": first,
        "detail": {"name": "first", "plan": "open", "unlimited": False, "limits": {"staged_tasks": 1}},
    }
    assert accepted(await operator.get(AUDIT, params={"account_id": first}))["entries"] == [entry]
    refused(await operator.get(AUDIT, params={"limit": 0}), 400)


async def test_the_books_are_checked(operator: httpx.AsyncClient, services: Services) -> None:
    """Nothing is said while they are right; a balance that the ledger does not know is named."""
    person = await open_account(services, "shop")
    await top_up(services, person.account_id, 10)
    assert accepted(await operator.get("/api/v1/admin/ledger/check")) == {"troubles": []}
    await rows(
        services.database, f"update accounts set available_points = 9 where id = {person.account_id} returning 1"
    )
    (trouble,) = accepted(await operator.get("/api/v1/admin/ledger/check"))["troubles"]
    assert trouble == f"account {person.account_id}: available is 9 points, the ledger says 10"


async def test_an_unlimited_account_becomes_prepaid_without_debts(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services
) -> None:
    """What it used before is forgiven; from then on orders need points."""
    person = await open_account(services, "free", unlimited=True)
    accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))
    data = accepted(await operator.patch(f"{ACCOUNTS}/{person.account_id}", json={"unlimited": False}))
    assert (data["unlimited"], data["available_points"], data["held_points"]) == (False, 0, CAT_POINTS)
    refused(await client.post("/api/v1/task", json=CAT, headers=person.headers), 402)
    assert (await read(services, person.account_id)).held_points == CAT_POINTS
    assert accepted(await operator.get("/api/v1/admin/ledger/check")) == {"troubles": []}
