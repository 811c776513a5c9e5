"""What operators do with keys over HTTP."""

from typing import Any

import httpx
import pytest

from support.accounts import Person, open_account
from support.answers import accepted, refused
from support.clock import ManualClock
from support.orders import CAT
from support.sql import rows
from unitask.accounts.limits import NO_LIMITS
from unitask.app import Services

KEYS = "/api/v1/admin/keys"
SCOPES = ["account", "files", "tasks"]


def keys_of(person: Person) -> str:
    """Tell where the keys of an account are."""
    return f"/api/v1/admin/accounts/{person.account_id}/keys"


async def status(client: httpx.AsyncClient, secret: str) -> int:
    """Tell how a request with this key is answered."""
    return (await client.get("/account/info", headers={"X-API-Key": secret})).status_code


async def test_a_key_is_shown_once(client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services) -> None:
    """It works at once; afterwards neither the list nor the log nor the database holds it."""
    person = await open_account(services, "shop", unlimited=True)
    made = accepted(await operator.post(keys_of(person), json={"name": "web"}))
    secret = made.pop("secret")
    assert made == {
        "id": made["id"],
        "account_id": person.account_id,
        "account": "shop",
        "name": "web",
        "hint": secret[-4:],
        "scopes": SCOPES,
        "limits": NO_LIMITS.model_dump(mode="json"),
        "created_at": "2027-01-15T08:00:00Z",
        "expires_at": None,
        "revoked_at": None,
        "last_used_at": None,
    }
    assert await status(client, secret) == 200
    listed = accepted(await operator.get(keys_of(person)))["keys"]
    assert listed[-1] == made
    assert [key["name"] for key in listed] == ["first key", "web"]
    for table in ("api_keys", "audit"):
        assert secret not in str(await rows(services.database, f"select * from {table}"))


async def test_a_key_has_scopes_limits_and_an_end(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """All of them hold from its first request on."""
    person = await open_account(services, "shop", unlimited=True)
    body = {"scopes": ["tasks"], "limits": {"models": ["Qubico/tts"]}, "expires_in_days": 2}
    made = accepted(await operator.post(keys_of(person), json=body))
    assert (made["scopes"], made["expires_at"]) == (["tasks"], "2027-01-17T08:00:00Z")
    headers = {"X-API-Key": made["secret"]}
    assert await status(client, made["secret"]) == 403
    message = refused(await client.post("/api/v1/task", json=CAT, headers=headers), 403)
    assert message == "this key may not order Qubico/flux1-dev/txt2img; it may order: Qubico/tts"
    clock.pass_s(2 * 24 * 3600)
    refused(await client.post("/api/v1/task", json=CAT, headers=headers), 401)


async def test_what_is_named_about_a_key_is_changed(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services
) -> None:
    """At once, and nothing else; the log has the key as it is now."""
    person = await open_account(services, "shop", unlimited=True)
    made = accepted(await operator.post(keys_of(person), json={"name": "web"}))
    secret = made.pop("secret")
    address = f"{KEYS}/{made['id']}"
    assert await status(client, secret) == 200
    changed = accepted(await operator.patch(address, json={"scopes": ["files"]}))
    assert changed == {**made, "scopes": ["files"]}
    assert await status(client, secret) == 403
    body = {"name": "shop", "limits": {"staged_tasks": 3}, "expires_in_days": 1}
    changed = accepted(await operator.patch(address, json=body))
    assert (changed["name"], changed["scopes"], changed["expires_at"]) == ("shop", ["files"], "2027-01-16T08:00:00Z")
    assert changed["limits"]["staged_tasks"] == 3
    (entry, *_) = accepted(await operator.get("/api/v1/admin/audit"))["entries"]
    assert (entry["actor"], entry["action"], entry["account_id"]) == ("admin key", "key.set", person.account_id)
    assert entry["detail"] == {
        "key": made["id"],
        "name": "shop",
        "scopes": ["files"],
        "limits": {"staged_tasks": 3},
        "expires_at": "2027-01-16T08:00:00Z",
    }


async def test_a_rotated_key_works_on_beside_the_new_one_for_a_time(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """A day, or what is asked for; then only the new one does."""
    person = await open_account(services, "shop", unlimited=True)
    old = accepted(await operator.post(keys_of(person), json={"name": "web", "limits": {"staged_tasks": 3}}))
    new = accepted(await operator.post(f"{KEYS}/{old['id']}/rotate"))
    assert (new["name"], new["limits"], new["expires_at"]) == ("web", old["limits"], None)
    assert new["secret"] != old["secret"]
    clock.pass_s(24 * 3600 - 1)
    assert [await status(client, key["secret"]) for key in (old, new)] == [200, 200]
    clock.pass_s(1)
    assert [await status(client, key["secret"]) for key in (old, new)] == [401, 200]
    last = accepted(await operator.post(f"{KEYS}/{new['id']}/rotate", json={"overlap_s": 0}))
    assert [await status(client, key["secret"]) for key in (new, last)] == [401, 200]
    message = refused(await operator.post(f"{KEYS}/{old['id']}/rotate"), 409)
    assert message == f"key {old['id']} does not work any more; make a new one"


async def test_a_key_that_is_rotated_twice_hands_on_the_end_that_it_was_given(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """None, or its own: not that of the overlap, which a second rotation does not move either."""
    person = await open_account(services, "shop", unlimited=True)
    for terms, end in (({}, None), ({"expires_in_days": 9}, "2027-01-24T08:00:00Z")):
        old = accepted(await operator.post(keys_of(person), json=terms))
        made = [accepted(await operator.post(f"{KEYS}/{old['id']}/rotate")) for _ in range(2)]
        assert [key["expires_at"] for key in made] == [end, end]
        listed = accepted(await operator.get(keys_of(person)))["keys"]
        ends = {key["id"]: key["expires_at"] for key in listed}
        assert ends[old["id"]] == "2027-01-16T08:00:00Z"
        own = {"X-API-Key": old["secret"]}
        assert accepted(await client.post(f"/api/v1/keys/{old['id']}/rotate", headers=own))["expires_at"] == end
    clock.pass_s(24 * 3600)
    assert [await status(client, key["secret"]) for key in (old, *made)] == [401, 200, 200]


async def test_an_end_and_limits_can_be_taken_away_again(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """By null; what is absent stays. The end of an overlap too: the key that was replaced then works on."""
    person = await open_account(services, "shop", unlimited=True)
    body = {"limits": {"models": ["Qubico/tts"], "staged_tasks": 3}, "expires_in_days": 2}
    made = accepted(await operator.post(keys_of(person), json=body))
    address = f"{KEYS}/{made['id']}"
    kept = accepted(await operator.patch(address, json={"name": "web"}))
    assert (kept["limits"], kept["expires_at"]) == (made["limits"], "2027-01-17T08:00:00Z")
    free = accepted(await operator.patch(address, json={"limits": None}))
    assert (free["limits"], free["expires_at"]) == (NO_LIMITS.model_dump(mode="json"), "2027-01-17T08:00:00Z")
    assert accepted(await operator.patch(address, json={"expires_in_days": None}))["expires_at"] is None
    accepted(await operator.post(f"{address}/rotate", json={"overlap_s": 60}))
    assert accepted(await operator.patch(address, json={"expires_in_days": None}))["expires_at"] is None
    clock.pass_s(3 * 24 * 3600)
    assert await status(client, made["secret"]) == 200
    account = f"/api/v1/admin/accounts/{person.account_id}"
    accepted(await operator.patch(account, json={"limits": {"daily_points": 1}}))
    refused(await client.post("/api/v1/task", json=CAT, headers=person.headers), 402)
    accepted(await operator.patch(account, json={"limits": None}))
    accepted(await client.post("/api/v1/task", json=CAT, headers=person.headers))


async def test_a_revoked_key_is_gone_for_good(
    client: httpx.AsyncClient, operator: httpx.AsyncClient, services: Services
) -> None:
    """It stays in the list with the time of its end; a second time there is none to revoke, nor one to rotate."""
    person = await open_account(services, "shop", unlimited=True)
    made = accepted(await operator.post(keys_of(person), json={}))
    assert await status(client, made["secret"]) == 200
    assert accepted(await operator.delete(f"{KEYS}/{made['id']}")) is None
    assert await status(client, made["secret"]) == 401
    assert accepted(await operator.get(keys_of(person)))["keys"][-1]["revoked_at"] == "2027-01-15T08:00:00Z"
    refused(await operator.delete(f"{KEYS}/{made['id']}"), 404)
    refused(await operator.post(f"{KEYS}/{made['id']}/rotate"), 409)
    actions = [entry["action"] for entry in accepted(await operator.get("/api/v1/admin/audit"))["entries"]]
    assert actions[:2] == ["key.revoke", "key.add"]


REFUSED: dict[str, tuple[str, str, Any, int, str]] = {
    "no-scope": ("POST", "/accounts/1/keys", {"scopes": []}, 400, "invalid request: scopes: Frozenset should have"),
    "odd-scope": ("POST", "/accounts/1/keys", {"scopes": ["root"]}, 400, "invalid request: scopes.0: Input should be"),
    "long-name": ("POST", "/accounts/1/keys", {"name": "x" * 201}, 400, "invalid request: name: String should"),
    "no-account": ("POST", "/accounts/99/keys", {}, 404, "no account 99"),
    "no-account-list": ("GET", "/accounts/99/keys", None, 404, "no account 99"),
    "misspelt": ("POST", "/accounts/1/keys", {"scope": ["tasks"]}, 400, "invalid request: scope: Extra inputs"),
    "set-none": ("PATCH", "/keys/99", {"name": "x"}, 404, "no key 99"),
    "set-no-scope": ("PATCH", "/keys/1", {"scopes": []}, 400, "invalid request: scopes: "),
    "set-no-day": ("PATCH", "/keys/1", {"expires_in_days": 0}, 400, "invalid request: expires_in_days: "),
    "no-number": ("DELETE", "/keys/first", None, 404, "no key 'first'"),
    "rotate-none": ("POST", "/keys/99/rotate", {}, 404, "no key 99"),
    "overlap": ("POST", "/keys/1/rotate", {"overlap_s": -1}, 400, "invalid request: overlap_s: Input should be"),
    "overlap-long": ("POST", "/keys/1/rotate", {"overlap_s": 10**9}, 400, "invalid request: overlap_s: Input should"),
}


async def test_what_is_no_key_is_refused(
    operator: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """Keys stay as they are, and no line is written."""
    before = await rows(services.database, "select * from api_keys")
    for name, (method, tail, body, code, sentence) in REFUSED.items():
        with subtests.test(name):
            sent = {} if body is None else {"json": body}
            assert refused(await operator.request(method, f"/api/v1/admin{tail}", **sent), code).startswith(sentence)
    assert await rows(services.database, "select * from api_keys") == before
    assert await rows(services.database, "select * from audit") == []
