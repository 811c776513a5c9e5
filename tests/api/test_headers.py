"""What a browser is told with every answer, whatever the route and the status."""

import re
from collections.abc import Iterator

import httpx
import pytest
from starlette.routing import Route

from support.answers import accepted
from support.media import PNG, base64_of
from support.orders import CAT, cutout
from unitask.api import Application
from unitask.app import Services

DOCUMENTS = {
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}
VALUES = {"task_id:uuid": "0192f0c0-0000-7000-8000-000000000001", "extension": "png"}
LEAST_ROUTES = 40


def routes(services: Services) -> Iterator[tuple[str, str]]:
    """List every route that the application has, as a method and a path that fits it."""
    for one in Application(services)._router.routes:
        assert isinstance(one, Route)
        path = re.sub(r"{([^}]+)}", lambda found: VALUES.get(found[1], "1"), one.path)
        for method in sorted((one.methods or set()) - {"HEAD"}):
            yield method, path


def assert_protected(answer: httpx.Response) -> None:
    """Check what every answer has, once each."""
    names = [name.lower() for name, _ in answer.headers.raw]
    assert len(names) == len(set(names)), names
    assert answer.headers["x-content-type-options"] == "nosniff"
    if answer.headers.get("content-type") != "application/json":
        assert DOCUMENTS.items() <= dict(answer.headers).items()
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert answer.headers["cross-origin-resource-policy"] in {"same-origin", "cross-origin"}
    assert answer.headers["cache-control"] in {"no-store", "no-cache", "private, max-age=3600"}


@pytest.mark.parametrize("key", ["", "a-key-for-tests"])
async def test_every_route_protects_its_answers(
    client: httpx.AsyncClient, services: Services, subtests: pytest.Subtests, key: str
) -> None:
    """With a key or without, whether it succeeds or fails."""
    asked = list(routes(services))
    assert len(asked) > LEAST_ROUTES
    for method, path in asked:
        with subtests.test(f"{method} {path}"):
            assert_protected(await client.request(method, path, json={}, headers={"X-API-Key": key}))


async def test_errors_of_the_router_are_protected_too(client: httpx.AsyncClient) -> None:
    """No such page, no such method."""
    for method, path, status in (("GET", "/no/such/page", 404), ("PUT", "/api/v1/task", 405)):
        answer = await client.request(method, path)
        assert answer.status_code == status
        assert_protected(answer)


async def test_what_is_private_is_kept_nowhere(client: httpx.AsyncClient) -> None:
    """Tasks, balances and keys stay in no cache, and no other site can take them in."""
    task_id = accepted(await client.post("/api/v1/task", json=CAT))["task_id"]
    for path in (f"/api/v1/task/{task_id}", "/account/info", "/api/v1/tasks", "/account/statement?format=csv"):
        answer = await client.get(path)
        assert answer.headers["cache-control"] == "no-store", path
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


async def test_a_stored_file_runs_nothing_and_can_be_shown_elsewhere(client: httpx.AsyncClient) -> None:
    """A page of the client's may show the picture; opened by itself it is in a sandbox."""
    url = accepted(await client.post("/api/v1/task", json=cutout(base64_of(PNG))))["input"]["image"]
    answer = await client.get(url)
    assert_protected(answer)
    assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_the_page_for_people_takes_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    """Its own style, script and pictures; no frame around it, no form out of it."""
    answer = await client.get("/docs")
    assert_protected(answer)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "script-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
