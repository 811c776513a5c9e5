"""What an account does with its own keys; no key makes one that may do more than itself."""

from typing import Any

import httpx
import pytest

from support.accounts import ACTOR, Person, open_account
from support.answers import accepted, refused
from support.clock import ManualClock
from support.orders import CAT
from support.sql import rows
from unitask.accounts.limits import Limits
from unitask.accounts.model import Scope
from unitask.api.keys import MOST_KEYS
from unitask.app import Services
from unitask.kit.clock import DAY_US

KEYS = "/api/v1/keys"


@pytest.fixture
async def person(services: Services) -> Person:
    """Open an account with one key, which may do all that customers may."""
    return await open_account(services, "shop", unlimited=True)


async def with_key(services: Services, person: Person, **terms: Any) -> tuple[int, dict[str, str]]:
    """Make another key of an account, as an operator."""
    key, secret = await services.keyring.add(person.account_id, actor=ACTOR, **terms)
    return key.id, {"X-API-Key": secret}


async def test_an_account_makes_lists_rotates_and_revokes_its_keys(
    client: httpx.AsyncClient, services: Services, person: Person
) -> None:
    """Each step works at once, and the log names the key that did it."""
    made = accepted(await client.post(KEYS, json={"name": "web"}, headers=person.headers))
    secret = made.pop("secret")
    assert (made["account"], made["name"], made["scopes"]) == ("shop", "web", ["account", "files", "tasks"])
    accepted(await client.post("/api/v1/task", json=CAT, headers={"X-API-Key": secret}))
    listed = accepted(await client.get(KEYS, headers=person.headers))["keys"]
    assert listed[-1] == made
    assert len(listed) == 2, "the key of the account default is not among them"
    new = accepted(await client.post(f"{KEYS}/{made['id']}/rotate", json={"overlap_s": 0}, headers=person.headers))
    refused(await client.get(KEYS, headers={"X-API-Key": secret}), 401)
    accepted(await client.get(KEYS, headers={"X-API-Key": new["secret"]}))
    assert accepted(await client.delete(f"{KEYS}/{new['id']}", headers=person.headers)) is None
    refused(await client.get(KEYS, headers={"X-API-Key": new["secret"]}), 401)
    found = await rows(services.database, "select actor, action, account_id from audit order by id")
    mine = f"key {listed[0]['id']}"
    assert [tuple(row.values()) for row in found][-3:] == [
        (mine, action, person.account_id) for action in ("key.add", "key.rotate", "key.revoke")
    ]


async def test_a_key_for_a_part_of_the_work(client: httpx.AsyncClient, person: Person) -> None:
    """With fewer scopes, limits and an end of its own."""
    body = {"scopes": ["tasks"], "limits": {"models": ["Qubico/tts"]}, "expires_in_days": 1}
    made = accepted(await client.post(KEYS, json=body, headers=person.headers))
    assert (made["scopes"], made["limits"]["models"]) == (["tasks"], ["Qubico/tts"])
    assert made["expires_at"] == "2027-01-16T08:00:00Z"
    headers = {"X-API-Key": made["secret"]}
    refused(await client.post("/api/v1/task", json=CAT, headers=headers), 403)
    refused(await client.get(KEYS, headers=headers), 403)


async def test_a_key_may_end_itself(client: httpx.AsyncClient, person: Person) -> None:
    """A client that finds its key in the wrong place can do something about it."""
    (own,) = accepted(await client.get(KEYS, headers=person.headers))["keys"]
    accepted(await client.delete(f"{KEYS}/{own['id']}", headers=person.headers))
    refused(await client.get(KEYS, headers=person.headers), 401)


@pytest.mark.parametrize("limits", [{"daily_points": 5}, {"models": ["*"]}, {"family_tasks": {"flux": 1}}])
async def test_a_key_with_limits_makes_no_keys(
    client: httpx.AsyncClient, services: Services, person: Person, limits: dict[str, Any]
) -> None:
    """Nor does it rotate itself or another; it may see them, and end them."""
    other, _ = await with_key(services, person)
    own, headers = await with_key(services, person, limits=Limits.model_validate(limits))
    before = await rows(services.database, "select * from api_keys")
    sentence = "this key has limits of its own, so it may not make or rotate keys; use one without"
    assert refused(await client.post(KEYS, json={}, headers=headers), 403) == sentence
    for key_id in (own, other):
        assert refused(await client.post(f"{KEYS}/{key_id}/rotate", headers=headers), 403) == sentence
    assert await rows(services.database, "select * from api_keys") == before
    accepted(await client.get(KEYS, headers=headers))
    accepted(await client.delete(f"{KEYS}/{other}", headers=headers))


async def test_a_key_gives_no_scope_that_it_lacks(
    client: httpx.AsyncClient, services: Services, person: Person
) -> None:
    """By default it gives its own; those of a key that it would rotate count too."""
    strong, _ = await with_key(services, person)
    _, headers = await with_key(services, person, scopes=[Scope.ACCOUNT, Scope.FILES])
    assert accepted(await client.post(KEYS, json={}, headers=headers))["scopes"] == ["account", "files"]
    accepted(await client.post(KEYS, json={"scopes": ["files"]}, headers=headers))
    before = await rows(services.database, "select * from api_keys")
    sentence = "this key may not give scopes that it lacks: tasks"
    assert refused(await client.post(KEYS, json={"scopes": ["files", "tasks"]}, headers=headers), 403) == sentence
    assert refused(await client.post(f"{KEYS}/{strong}/rotate", headers=headers), 403) == sentence
    assert await rows(services.database, "select * from api_keys") == before


async def test_a_key_ends_no_key_that_may_do_more_than_itself(
    client: httpx.AsyncClient, services: Services, person: Person
) -> None:
    """Neither an operator's key of the same account nor one with a customer's scope that it lacks; only its equals."""
    _, headers = await with_key(services, person, scopes=[Scope.ACCOUNT])
    equal, _ = await with_key(services, person, scopes=[Scope.ACCOUNT])
    for scopes, lacking, who in (
        ([*Scope], "admin", person.headers),
        ([Scope.ADMIN], "admin", headers),
        ([Scope.ACCOUNT, Scope.TASKS], "tasks", headers),
    ):
        other, secret = await with_key(services, person, scopes=scopes)
        for method, tail, deed in (("DELETE", "", "revoke a key with scopes"), ("POST", "/rotate", "give scopes")):
            message = refused(await client.request(method, f"{KEYS}/{other}{tail}", headers=who), 403)
            assert message == f"this key may not {deed} that it lacks: {lacking}"
        await services.accounts.authenticate(secret["X-API-Key"])
    assert await rows(services.database, "select id from api_keys where revoked_at is not null") == []
    accepted(await client.delete(f"{KEYS}/{equal}", headers=headers))


async def test_the_keys_are_listed_by_pages(client: httpx.AsyncClient, services: Services, person: Person) -> None:
    """By number, revoked ones too; the last page has no cursor, and what is no page is refused."""
    numbers = [(await with_key(services, person))[0] for _ in range(3)]
    await services.keyring.revoke(numbers[0], actor=ACTOR)
    first = accepted(await client.get(KEYS, params={"limit": 2}, headers=person.headers))
    assert [key["id"] for key in first["keys"]][1:] == numbers[:1]
    assert first["keys"][1]["revoked_at"] == "2027-01-15T08:00:00Z"
    query = {"limit": 2, "cursor": first["next_cursor"]}
    second = accepted(await client.get(KEYS, params=query, headers=person.headers))
    assert ([key["id"] for key in second["keys"]], second["next_cursor"]) == (numbers[1:], None)
    for wrong in ({"limit": 0}, {"limit": 1001}, {"cursor": -1}, {"cursor": "x"}):
        refused(await client.get(KEYS, params=wrong, headers=person.headers), 400)


async def test_nobody_gives_the_scope_admin_to_himself(
    client: httpx.AsyncClient, services: Services, person: Person
) -> None:
    """Neither a customer, nor here an operator's key, whose default leaves it out; nor by rotating an operator's."""
    admin, headers = await with_key(services, person, scopes=list(Scope))
    for who in (person.headers, headers):
        message = refused(await client.post(KEYS, json={"scopes": ["admin"]}, headers=who), 403)
        assert message.startswith("only an operator gives the scope admin")
    message = refused(await client.post(f"{KEYS}/{admin}/rotate", headers=person.headers), 403)
    assert message == "this key may not give scopes that it lacks: admin"
    assert accepted(await client.post(KEYS, json={}, headers=headers))["scopes"] == ["account", "files", "tasks"]
    assert accepted(await client.post(f"{KEYS}/{admin}/rotate", headers=headers))["scopes"] == sorted(Scope)


async def test_a_key_that_ends_makes_none_that_outlives_it(
    client: httpx.AsyncClient, services: Services, person: Person, clock: ManualClock
) -> None:
    """Otherwise its end would be none."""
    endless, _ = await with_key(services, person)
    own, headers = await with_key(services, person, expires_at=clock.now_us() + 5 * DAY_US)
    for body in ({}, {"expires_in_days": 6}):
        message = refused(await client.post(KEYS, json=body, headers=headers), 403)
        assert message.startswith("this key expires, so it may not make one that works longer")
    message = refused(await client.post(f"{KEYS}/{endless}/rotate", headers=headers), 403)
    assert message == "this key expires, so it may not rotate one that works longer"
    accepted(await client.post(KEYS, json={"expires_in_days": 5}, headers=headers))
    assert accepted(await client.post(f"{KEYS}/{own}/rotate", headers=headers))["expires_at"] == "2027-01-20T08:00:00Z"


async def test_the_keys_of_others_do_not_exist(client: httpx.AsyncClient, services: Services, person: Person) -> None:
    """Exactly the answer of a number that no key has, and nothing happens."""
    other, headers = await with_key(services, await open_account(services, "other", unlimited=True))
    before = await rows(services.database, "select * from api_keys")
    for method, tail in (("POST", "/rotate"), ("DELETE", "")):
        foreign = await client.request(method, f"{KEYS}/{other}{tail}", headers=person.headers)
        unknown = await client.request(method, f"{KEYS}/{other + 90}{tail}", headers=person.headers)
        assert refused(foreign, 404).replace(f"{other}", f"{other + 90}", 1) == refused(unknown, 404)
        assert refused(await client.request(method, f"{KEYS}/x{tail}", headers=person.headers), 404) == "no key 'x'"
    assert await rows(services.database, "select * from api_keys") == before
    accepted(await client.get(KEYS, headers=headers))


async def test_an_account_has_a_hundred_keys_at_most(
    client: httpx.AsyncClient, services: Services, person: Person
) -> None:
    """Those that work; whoever revokes one may make another."""
    numbers = [(await with_key(services, person))[0] for _ in range(MOST_KEYS - 1)]
    sentence = f"this account has {MOST_KEYS} keys that work; revoke one first"
    assert refused(await client.post(KEYS, json={}, headers=person.headers), 409) == sentence
    assert refused(await client.post(f"{KEYS}/{numbers[0]}/rotate", headers=person.headers), 409) == sentence
    accepted(await client.delete(f"{KEYS}/{numbers[0]}", headers=person.headers))
    accepted(await client.post(KEYS, json={}, headers=person.headers))


async def test_a_key_that_no_longer_works_is_not_rotated(
    client: httpx.AsyncClient, services: Services, person: Person
) -> None:
    """There is nothing to hand over."""
    gone, _ = await with_key(services, person)
    accepted(await client.delete(f"{KEYS}/{gone}", headers=person.headers))
    refused(await client.post(f"{KEYS}/{gone}/rotate", headers=person.headers), 409)
    refused(await client.delete(f"{KEYS}/{gone}", headers=person.headers), 404)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"scopes": []}, "invalid request: scopes: "),
        ({"scopes": ["root"]}, "invalid request: scopes.0: "),
        ({"name": "x" * 201}, "invalid request: name: "),
        ({"expires_in_days": 0}, "invalid request: expires_in_days: "),
        ({"limits": {"tasks": 1}}, "invalid request: limits.tasks: "),
        ({"expires_at": 1}, "invalid request: expires_at: Extra inputs"),
        ({"name": "a\0"}, "invalid request: the body: texts must not contain the NUL character"),
    ],
    ids=["no scope", "no such scope", "long name", "no day", "no such limit", "unknown field", "nul"],
)
async def test_a_wrong_body_names_the_field(
    client: httpx.AsyncClient, services: Services, person: Person, body: dict[str, Any], sentence: str
) -> None:
    """And makes no key."""
    before = await rows(services.database, "select id from api_keys")
    assert refused(await client.post(KEYS, json=body, headers=person.headers), 400).startswith(sentence)
    assert await rows(services.database, "select id from api_keys") == before
