"""Whose key it is: which headers carry it, what happens without, and that accounts do not see each other."""

import re

import httpx
import pytest

from support.accounts import open_account
from support.answers import accepted, lasting, refused
from support.clock import ManualClock
from support.keys import API_KEY, WORKER_TOKEN
from support.orders import CAT
from support.traces import traces
from unitask.api import Application
from unitask.app import Services

NOBODY = "01a3185c-5000-7000-8000-000000000000"


WRONG = {
    "none": {},
    "empty": {"X-API-Key": ""},
    "blank": {"X-API-Key": "   "},
    "wrong": {"X-API-Key": "wrong"},
    "cut-off": {"X-API-Key": API_KEY[:-1]},
    "in-capitals": {"X-API-Key": API_KEY.upper()},
    "no-ascii": {"X-API-Key": "ключ".encode()},
    "no-scheme": {"Authorization": API_KEY},
    "wrong-scheme": {"Authorization": f"Basic {API_KEY}"},
    "bearer-empty": {"Authorization": "Bearer"},
    "bearer-wrong": {"Authorization": "Bearer wrong"},
    "worker-token": {"Authorization": f"Bearer {WORKER_TOKEN}"},
    "wrong-beside-a-good-one": {"X-API-Key": "wrong", "Authorization": f"Bearer {API_KEY}"},
}
GOOD = {
    "documented": {"X-API-Key": API_KEY},
    "lower-case": {"x-api-key": API_KEY},
    "capitals-and-blanks": {"X-API-KEY": f" {API_KEY} "},
    "bearer": {"Authorization": f"Bearer {API_KEY}"},
    "bearer-lower-case": {"authorization": f"bearer  {API_KEY}"},
    "bearer-beside-an-empty-key": {"X-API-Key": "", "Authorization": f"Bearer {API_KEY}"},
}
OPEN = {"/", "/healthz", "/readyz", "/files/{path:path}", "/uploads/{token}", "/docs", "/openapi.json"}


async def test_without_a_good_key_every_call_is_refused(
    client: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """401, one and the same body on all routes, and nothing happens."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    before = await traces(services)
    client.headers.pop("X-API-Key")
    for name, headers in WRONG.items():
        with subtests.test(name):
            answers = [
                await client.post("/api/v1/task", json=CAT, headers=headers),
                await client.get(f"/api/v1/task/{task_id}", headers=headers),
                await client.delete(f"/api/v1/task/{task_id}", headers=headers),
                await client.post(f"/api/v1/task/{task_id}/cancel", headers=headers),
            ]
            for answer in answers:
                assert refused(answer, 401).endswith(
                    "the API key is missing, wrong, expired or revoked; send it as X-API-Key"
                )
                assert answer.json()["data"] is None
            assert len({answer.content for answer in answers}) == 1
            assert await traces(services) == before


async def test_a_route_is_open_only_if_this_test_knows_it(services: Services, client: httpx.AsyncClient) -> None:
    """Whatever is added: without a key or a token it answers 401."""
    client.headers.pop("X-API-Key")
    for route in Application(services)._router.routes:
        if route.path in OPEN or route.path.startswith("/docs/"):
            continue
        address = re.sub(r"{attempt:int}", "1", re.sub(r"{task_id(:uuid)?}", NOBODY, route.path))
        for method in route.methods:
            answer = await client.request(method, address.replace("{extension}", "png"))
            assert answer.status_code == 401, f"{method} {route.path} answers {answer.status_code}"


async def test_a_good_key_comes_in_either_header_on_every_call(
    client: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    """Clients in the field use both headers, in any letter case."""
    client.headers.pop("X-API-Key")
    for name, headers in GOOD.items():
        with subtests.test(name):
            task_id = accepted(await client.post("/api/v1/task", json=CAT, headers=headers))["task_id"]
            assert accepted(await client.get(f"/api/v1/task/{task_id}", headers=headers))["task_id"] == task_id
            assert accepted(await client.delete(f"/api/v1/task/{task_id}", headers=headers))["task_id"] == task_id


async def test_two_keys_of_an_account_see_the_same_tasks(client: httpx.AsyncClient, services: Services) -> None:
    """Keys are for rotation: what one ordered, the other reads."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    account = await services.registry.named("default")
    _, second = await services.keyring.add(account.id, actor="a test", name="second")
    assert second is not None
    answer = await client.get(f"/api/v1/task/{task_id}", headers={"X-API-Key": second})
    assert accepted(answer)["task_id"] == task_id


async def test_a_key_revoked_here_stops_working_at_once(client: httpx.AsyncClient, services: Services) -> None:
    """The process that revokes a key forgets that it was ever right."""
    accepted(await client.post("/api/v1/task", json=CAT))
    (key,) = await services.keyring.keys()
    await services.keyring.revoke(key.id, actor="a test")
    refused(await client.post("/api/v1/task", json=CAT), 401)


async def test_a_key_revoked_elsewhere_stops_working_after_five_seconds(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Each process remembers a good key for five seconds, not longer."""
    accepted(await client.post("/api/v1/task", json=CAT))
    (key,) = await services.keyring.keys()
    elsewhere = await Services.open(services.settings, clock)
    await elsewhere.keyring.revoke(key.id, actor="a test")
    await elsewhere.close()
    clock.pass_s(4.9)
    accepted(await client.post("/api/v1/task", json=CAT))
    clock.pass_s(0.2)
    refused(await client.post("/api/v1/task", json=CAT), 401)


async def test_the_task_of_another_account_answers_exactly_like_none(
    client: httpx.AsyncClient, services: Services
) -> None:
    """Nobody learns from an answer that an id exists, nor touches what is behind it."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    stranger = (await open_account(services, "stranger", unlimited=True)).headers
    before = await traces(services)
    for method, tail in (("GET", ""), ("DELETE", ""), ("POST", "/cancel")):
        foreign = await client.request(method, f"/api/v1/task/{task_id}{tail}", headers=stranger)
        unknown = await client.request(method, f"/api/v1/task/{NOBODY}{tail}", headers=stranger)
        assert refused(foreign, 404) == "task not found"
        assert (foreign.content, lasting(foreign)) == (unknown.content, lasting(unknown))
    assert await traces(services) == before


SPELLINGS = {
    "no-uuid": lambda _: "nonsense",
    "empty": lambda _: "%20",
    "nul": lambda _: "%00",
    "no-utf-8": lambda _: "%ff",
    "endless": lambda _: "0" * 5000,
    "cut-off": lambda task_id: task_id[:-1],
    "in-capitals": lambda task_id: task_id.upper(),
    "without-dashes": lambda task_id: task_id.replace("-", ""),
    "in-braces": lambda task_id: "{" + task_id + "}",
    "as-urn": lambda task_id: f"urn:uuid:{task_id}",
    "underscores": lambda task_id: task_id.replace("-", "").replace("c", "_", 1),
    "other-digits": lambda task_id: task_id.replace("0", "\u0660"),
    "quoted": lambda task_id: f"{task_id}' or '1'='1",
}


async def test_an_id_is_found_only_as_it_was_given(
    client: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """Anything else is no id at all, on either database."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    before = await traces(services)
    for name, spell in SPELLINGS.items():
        with subtests.test(name):
            wrong = spell(task_id)
            assert refused(await client.get(f"/api/v1/task/{wrong}"), 404) == "task not found"
            assert refused(await client.delete(f"/api/v1/task/{wrong}"), 404) == "task not found"
            assert await traces(services) == before


async def test_blanks_round_an_id_are_forgiven(client: httpx.AsyncClient) -> None:
    """Ids are pasted by people."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    assert accepted(await client.get(f"/api/v1/task/%20{task_id}%0A"))["task_id"] == task_id


UNKNOWN = [("GET", "/api"), ("POST", "/api/v1/jobs"), ("GET", "/api/v2/task"), ("PUT", "/nowhere/%00")]
WRONG_METHOD = [
    ("PUT", "/api/v1/task"),
    ("DELETE", "/api/v1/task"),
    ("PATCH", f"/api/v1/task/{NOBODY}"),
    ("POST", f"/api/v1/task/{NOBODY}"),
    ("GET", f"/api/v1/task/{NOBODY}/cancel"),
    ("POST", "/healthz"),
    ("DELETE", "/files/2027/01/15/a.png"),
]


async def test_an_unknown_route_answers_json(client: httpx.AsyncClient, subtests: pytest.Subtests) -> None:
    """404 in the usual envelope, with where to look."""
    for method, path in UNKNOWN:
        with subtests.test(f"{method} {path}"):
            message = refused(await client.request(method, path), 404)
            assert message.startswith("404 page not found: there is no /")
            assert "/docs" in message


async def test_a_wrong_method_answers_json(client: httpx.AsyncClient, subtests: pytest.Subtests) -> None:
    """405 in the usual envelope, with the methods that are allowed."""
    for method, path in WRONG_METHOD:
        with subtests.test(f"{method} {path}"):
            answer = await client.request(method, path)
            assert refused(answer, 405).startswith(f"{method} is not allowed on {path}")
            assert answer.headers["allow"]
