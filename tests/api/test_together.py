"""What the server does at once for many requests, and how it finds a route: nobody notices."""

import asyncio
from uuid import UUID

import httpx
from starlette.routing import Match, Route

from support.accounts import open_account
from support.answers import accepted, refused
from support.orders import CAT
from unitask.api import Application
from unitask.api.requests import Endpoint
from unitask.app import Services


async def test_tasks_that_are_read_at_the_same_moment_are_each_shown_to_their_own_account(
    client: httpx.AsyncClient, services: Services
) -> None:
    """Forty reads of two accounts share look-ups; what belongs to the other account is not found."""
    other = await open_account(services, "other", unlimited=True)
    mine = [accepted(await client.post("/api/v1/task", json=CAT))["task_id"] for _ in range(10)]
    theirs = [
        accepted(await client.post("/api/v1/task", json=CAT, headers=other.headers))["task_id"] for _ in range(10)
    ]
    asked = mine + theirs
    answers = await asyncio.gather(
        *(client.get(f"/api/v1/task/{task_id}") for task_id in asked),
        *(client.get(f"/api/v1/task/{task_id}", headers=other.headers) for task_id in asked),
    )
    shown = [answer for number, answer in enumerate(answers) if number < 10 or number >= 30]
    hidden = [answer for number, answer in enumerate(answers) if 10 <= number < 30]
    assert [accepted(answer)["task_id"] for answer in shown] == asked
    assert {refused(answer, 404) for answer in hidden} == {"task not found"}


async def test_every_route_is_found_as_the_router_finds_it(services: Services) -> None:
    """What is looked up by method and path is what the first matching route of the router gives."""
    application = Application(services)
    routes = [one for one in application.routes if isinstance(one, Route) and isinstance(one.endpoint, Endpoint)]
    looked_up = 0
    for route in routes:
        path = route.path.replace("{attempt:int}", "1").replace("{path:path}", "a/b")
        path = path.replace("{task_id:uuid}", str(UUID(int=1)))
        for method in route.methods or ():
            scope = {"type": "http", "method": method, "path": path, "root_path": ""}
            first = next(one for one in application.routes if one.matches(scope)[0] is Match.FULL)
            found = application.found({**scope})
            assert isinstance(first, Route)
            assert found in {None, first.endpoint}, path
            looked_up += found is not None
    assert looked_up > len(routes) / 2
