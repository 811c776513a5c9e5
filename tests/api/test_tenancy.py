"""Nobody sees or moves what is another account's: every route, with the name of every object of somebody else.

The table below is checked against the routes that the application has: a new route needs an entry.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from support.accounts import Person, open_account
from support.answers import accepted, lasting, refused
from support.belongings import BUCKET, UPLOAD, Belongings, Named, acquire, belongings
from support.orders import CAT
from support.providers import providers_file
from support.sink import Sink, receiving, says
from support.worker import HandWorker
from unitask.api import Application
from unitask.app import Services
from unitask.settings import Settings

pytestmark = pytest.mark.reaches_loopback

FAR: Final = 10**10
"""A moment after all, in seconds."""


@dataclass(frozen=True)
class Way:
    """A request of a route; `{}` in it stands for the name of an object of this shape, as do names in the path.

    Where a name says only at which place a list begins, `place` is set: what follows is the same for a name beside it.
    """

    shape: str = ""
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    place: bool = False


OPEN: Final = "whoever asks; it is about no account, or its address is the secret"
OPERATOR: Final = "operators alone"
WORKER: Final = "workers alone"
PLAIN: Final = Way()
TASK: Final = Way("uuid")
KEY: Final = Way("key")

MATRIX: Final[dict[str, str | list[Way]]] = {
    "POST /api/v1/task": [Way("text", body=CAT, headers={"Idempotency-Key": "{}"})],
    "GET /api/v1/task": [
        PLAIN,
        Way("uuid", query={"cursor": "{}"}, place=True),
        Way("text", query={"idempotency_key": "{}"}),
    ],
    "GET /api/v1/task/{task_id}": [TASK],
    "DELETE /api/v1/task/{task_id}": [TASK],
    "POST /api/v1/task/{task_id}/cancel": [TASK],
    "GET /api/v1/task/{task_id}/events": [TASK],
    "DELETE /api/v1/tasks": [Way(query={"created_before": FAR})],
    "GET /api/v1/catalogue": [PLAIN],
    "POST /api/v1/quote": [Way(body=CAT)],
    "GET /api/open/tasks/histories": [PLAIN],
    "GET /account/info": [PLAIN],
    "GET /account/active_tasks": [PLAIN],
    "GET /api/v1/statement": [
        PLAIN,
        Way(query={"format": "csv"}),
        Way("line", query={"cursor": "{}"}, place=True),
    ],
    "GET /api/v1/usage": [PLAIN],
    "GET /api/v1/keys": [PLAIN, Way("key", query={"cursor": "{}"}, place=True)],
    "POST /api/v1/keys": [Way(body={"name": "mine"})],
    "POST /api/v1/keys/{key_id}/rotate": [KEY],
    "DELETE /api/v1/keys/{key_id}": [KEY],
    "GET /api/v1/account/credentials": [PLAIN],
    # First: from then on the stranger has a key of his own under that name.
    "DELETE /api/v1/account/credentials/{provider}": [Way("provider")],
    "PUT /api/v1/account/credentials/{provider}": [Way("provider", body={"key": "the stranger's key"}, place=True)],
    "POST /api/ephemeral_resource": [Way(body=UPLOAD)],
    "POST /api/v1/uploads": [Way(body={"file_name": "a.png", "size_bytes": 5})],
    "POST /api/v1/uploads/{upload_id}/complete": [Way("uuid")],
    "PUT /uploads/{token}": OPEN,
    "GET /api/v1/artifacts": [
        PLAIN,
        Way("uuid", query={"task_id": "{}"}),
        Way("uuid", query={"cursor": "{}"}, place=True),
    ],
    "GET /api/v1/artifacts/{artifact_id}": [Way("uuid")],
    "POST /api/v1/artifacts/{artifact_id}/pin": [Way("uuid")],
    "DELETE /api/v1/artifacts/{artifact_id}/pin": [Way("uuid")],
    "DELETE /api/v1/artifacts/{artifact_id}": [Way("uuid")],
    # An address of a file is a secret by itself; test_verify.py shows that its task is told to its owner alone.
    "GET /api/v1/verify": [PLAIN],
    "GET /api/v1/bucket": [PLAIN],
    "PUT /api/v1/bucket": [Way(body=BUCKET)],
    "DELETE /api/v1/bucket": [PLAIN],
    "GET /api/v1/webhooks/deliveries": [
        PLAIN,
        Way("uuid", query={"task_id": "{}"}),
        Way("uuid", query={"cursor": "{}"}, place=True),
    ],
    "GET /api/v1/webhooks/deliveries/{id}": [Way("uuid")],
    "POST /api/v1/webhooks/deliveries/{id}/replay": [Way("uuid")],
    "POST /api/v1/webhooks/replay": [
        Way(body={"start_time": 0, "end_time": FAR}),
        Way("uuid", body={"start_time": 0, "end_time": FAR, "cursor": "{}"}, place=True),
    ],
    "POST /api/v1/webhooks/test": [Way("endpoint", body={"endpoint": "{}"}, place=True)],
    "POST /api/face_swap/v1/async": [PLAIN],
    "POST /api/face_swap/v1/fetch": [Way("uuid", body={"task_id": "{}"})],
    "GET /api/v1/admin/accounts": OPERATOR,
    "POST /api/v1/admin/accounts": OPERATOR,
    "GET /api/v1/admin/accounts/{account_id}": OPERATOR,
    "PATCH /api/v1/admin/accounts/{account_id}": OPERATOR,
    "POST /api/v1/admin/accounts/{account_id}/credit": OPERATOR,
    "POST /api/v1/admin/accounts/{account_id}/adjustments": OPERATOR,
    "GET /api/v1/admin/accounts/{account_id}/packs": OPERATOR,
    "GET /api/v1/admin/accounts/{account_id}/statement": OPERATOR,
    "GET /api/v1/admin/accounts/{account_id}/keys": OPERATOR,
    "POST /api/v1/admin/accounts/{account_id}/keys": OPERATOR,
    "PATCH /api/v1/admin/keys/{key_id}": OPERATOR,
    "DELETE /api/v1/admin/keys/{key_id}": OPERATOR,
    "POST /api/v1/admin/keys/{key_id}/rotate": OPERATOR,
    "GET /api/v1/admin/plans": OPERATOR,
    "PUT /api/v1/admin/plans/{name}": OPERATOR,
    "DELETE /api/v1/admin/plans/{name}": OPERATOR,
    "GET /api/v1/admin/audit": OPERATOR,
    "GET /api/v1/admin/ledger/check": OPERATOR,
    "GET /api/v1/admin/accounts/{account_id}/usage": OPERATOR,
    "GET /api/v1/admin/queue": OPERATOR,
    "GET /api/v1/admin/workers": OPERATOR,
    "GET /api/v1/admin/engines": OPERATOR,
    "GET /api/v1/admin/clusters": OPERATOR,
    "GET /metrics": OPERATOR,
    "GET /worker/v1/demand": WORKER,
    "PUT /worker/v1/cluster": WORKER,
    "GET /worker/v1/clusters": WORKER,
    "POST /worker/v1/claim": WORKER,
    "POST /worker/v1/beat": WORKER,
    "PUT /worker/v1/tasks/{task_id:uuid}/{attempt:int}/files/{extension}": WORKER,
    "PUT /worker/v1/tasks/{task_id:uuid}/{attempt:int}/preview/{extension}": WORKER,
    "PUT /worker/v1/tasks/{task_id:uuid}/{attempt:int}/remote": WORKER,
    "GET /worker/v1/marks": WORKER,
    "POST /worker/v1/sign": WORKER,
    "POST /worker/v1/settle": WORKER,
    "POST /worker/v1/settle-many": WORKER,
    "POST /worker/v1/tasks/{task_id:uuid}/{attempt:int}/files/{extension}/place": WORKER,
    "POST /worker/v1/tasks/{task_id:uuid}/{attempt:int}/files/{extension}/placed": WORKER,
    "GET /files/{path:path}": OPEN,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /": OPEN,
    "GET /openapi.json": OPEN,
    "GET /docs": OPEN,
    "GET /docs/docs.css": OPEN,
    "GET /docs/docs.js": OPEN,
    "GET /docs/icon.svg": OPEN,
}
WAYS: Final = [
    (route, way)
    # What only reads comes first: so far the stranger has done nothing that would show.
    for route, ways in sorted(MATRIX.items(), key=lambda entry: not entry[0].startswith("GET"))
    if isinstance(ways, list)
    for way in ways
]
CHANGING: Final = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r'"(drawn_seed|queue_position|eta_s|milliseconds)":[\d.]+', r'"\1":<number>'),
)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """Know the providers for which people have keys."""
    return settings.model_copy(update={"providers": providers_file(tmp_path, "owners-provider", "nobodys-provider")})


@pytest.fixture
def sink() -> Iterator[Sink]:
    """Run a receiver that refuses the owner's message and takes all others."""
    with receiving(says(500), says()) as sink:
        yield sink


async def send(
    client: httpx.AsyncClient, route: str, way: Way, name: str, headers: dict[str, str]
) -> tuple[httpx.Response, tuple[Any, ...]]:
    """Send a request that names something; gives the answer, and what of it must not depend on the name."""

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        return value.replace("{}", name) if isinstance(value, str) else value

    method, _, path = route.partition(" ")
    answer = await client.request(
        method,
        re.sub(r"{\w+}", name, path),
        params=filled(way.query),
        headers={**headers, **filled(way.headers)},
        **({} if way.body is None else {"json": filled(way.body)}),
    )
    text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "<name>", answer.text) if name else answer.text
    for pattern, word in CHANGING:
        text = re.sub(pattern, word, text)
    shown = {key: value for key, value in lasting(answer).items() if key != "content-length"}
    return answer, (answer.status_code, text, shown)


def tells_nothing(answer: httpx.Response, found: Belongings, name: str) -> None:
    """Check that nothing of the owner stands in an answer beside what the request itself named."""
    text = f"{answer.headers}{answer.text.replace(name, '') if name else answer.text}"
    assert [mark for mark in found.marks if mark != name and mark in text] == []


async def test_every_route_has_an_entry(services: Services) -> None:
    """Whoever adds a route says here how it could name something of another account."""
    routes = Application(services)._router.routes
    listed = [f"{method} {route.path}" for route in routes for method in route.methods - {"HEAD"}]
    assert sorted(listed) == sorted(MATRIX)


async def test_what_is_another_accounts_does_not_exist(
    client: httpx.AsyncClient, services: Services, sink: Sink, subtests: pytest.Subtests
) -> None:
    """Status, body and headers are those for a name that nothing has; nothing is told, and nothing changes.

    The lists of somebody who does nothing are the same before and after all that the owner does.
    """
    stranger = await open_account(services, "the stranger", points=10**9)
    accepted(await client.post("/api/v1/task", json=CAT, headers=stranger.headers))
    (work,) = await HandWorker(services).claim()
    assert await HandWorker(services).complete(work)
    services.clock.pass_s(0.001)
    before = {
        (route, index): (await send(client, route, way, "", stranger.headers))[1]
        for index, (route, way) in enumerate(WAYS)
        if route.startswith("GET") and not way.shape
    }
    found = await acquire(client, services, sink.url())
    rows = await belongings(services, found.owner.account_id)
    for index, (route, way) in enumerate(WAYS):
        with subtests.test(f"{route} {way}"):
            if not way.shape:
                answer, seen = await send(client, route, way, "", stranger.headers)
                tells_nothing(answer, found, "")
                assert seen == before.get((route, index), seen)
            for one in found.of(way.shape):
                await looks_like_nothing(client, (route, way), one, stranger, found)
            assert await belongings(services, found.owner.account_id) == rows
    await the_owner_meets_it(client, found, subtests)


async def looks_like_nothing(
    client: httpx.AsyncClient, at: tuple[str, Way], one: Named, stranger: Person, found: Belongings
) -> None:
    """Name something of somebody else, then nothing: a stranger, or somebody without a key, sees no difference."""
    route, way = at
    answer, foreign = await send(client, route, way, one.name, stranger.headers)
    _, unknown = await send(client, route, way, one.nobody, stranger.headers)
    assert foreign == unknown, one.what
    tells_nothing(answer, found, one.name)
    for name in (one.name, one.nobody):
        answer, _ = await send(client, route, way, name, {"X-API-Key": ""})
        refused(answer, 401)


async def the_owner_meets_it(client: httpx.AsyncClient, found: Belongings, subtests: pytest.Subtests) -> None:
    """Show that each way leads somewhere: for the owner, something is there."""
    for route, way in WAYS:
        if not way.shape or way.place:
            continue
        with subtests.test(f"{route} {way} for its owner"):
            for one in found.of(way.shape):
                _, there = await send(client, route, way, one.name, found.owner.headers)
                _, nothing = await send(client, route, way, one.nobody, found.owner.headers)
                if there != nothing:
                    break
            else:
                pytest.fail("there is no difference for the owner either")


async def test_the_doors_of_operators_and_workers_stay_shut(
    client: httpx.AsyncClient, services: Services, sink: Sink, subtests: pytest.Subtests
) -> None:
    """Whatever is named, with a customer's key: one answer for operators' routes, one for workers'."""
    stranger = await open_account(services, "the stranger", unlimited=True)
    found = await acquire(client, services, sink.url())
    rows = await belongings(services, found.owner.account_id)
    bearer = {"Authorization": f"Bearer {stranger.headers['X-API-Key']}"}
    for route, door in MATRIX.items():
        if door not in (OPERATOR, WORKER):
            continue
        path = re.sub(r":\w+}", "}", route).replace("{attempt}", "1").replace("{extension}", "png")
        with subtests.test(route):
            for one in found.named:
                # An address has slashes, and a path with an id in it no other words: no such route, for anybody.
                if one.shape == "endpoint" or ("uuid" in route and one.shape != "uuid"):
                    continue
                who = stranger.headers if door == OPERATOR else bearer
                answer, _ = await send(client, path, PLAIN, one.name, who)
                assert refused(answer, 403 if door == OPERATOR else 401).split(":", 1)[0] in {
                    "this key may not do that",
                    "the worker token is missing or wrong; set UNITASK_WORKER_TOKEN to the API's",
                }
    assert await belongings(services, found.owner.account_id) == rows
