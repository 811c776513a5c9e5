"""An account's own bucket: outputs go there and stay there, and nobody learns its credentials."""

import logging
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from support.accounts import Person, open_account
from support.answers import accepted, refused
from support.clock import ManualClock
from support.keys import WORKER_TOKEN
from support.loopback import METADATA
from support.media import PNG, data_uri
from support.objects import ACCESS_KEY_ID, SECRET, Objects
from support.orders import CAT, cutout
from support.server import throw_away_server
from support.sql import rows
from support.traces import files
from support.wait import until
from support.worker import HandWorker
from unitask.app import Services
from unitask.artifacts.buckets import Buckets
from unitask.artifacts.model import Bucket, new_name
from unitask.artifacts.store import trouble
from unitask.artifacts.sweep import GRACE_US
from unitask.kit.clock import SECOND_US
from unitask.kit.net import Guard
from unitask.settings import Settings

pytestmark = pytest.mark.reaches_loopback

ROUTE = "/api/v1/bucket"
DAY_S = 24 * 3600
GRACE_S = GRACE_US // SECOND_US
BUCKET = "customers-bucket"
_numbers = count()


class Theirs(NamedTuple):
    """An empty bucket of a customer's object store, behind TLS."""

    objects: Objects
    name: str

    def names(self) -> list[str]:
        """List what is in it."""
        return self.objects.names(self.name)

    def body(self, **changes: str) -> dict[str, str]:
        """Give what its owner sends."""
        return self.objects.own(self.name, **changes)


@pytest.fixture
def theirs(safe_objects: Objects, monkeypatch: pytest.MonkeyPatch) -> Theirs:
    """Make the bucket."""
    monkeypatch.setenv("SSL_CERT_FILE", safe_objects.trust)
    return Theirs(safe_objects, safe_objects.make(f"customers-{next(_numbers)}"))


@pytest.fixture
async def person(services: Services) -> Person:
    """Give someone who will have a bucket."""
    return await open_account(services, "person", points=10**9)


@pytest.fixture
async def mine(client: httpx.AsyncClient, person: Person) -> httpx.AsyncClient:
    """Come as this person."""
    client.headers.update(person.headers)
    return client


@pytest.fixture
def worker(services: Services) -> HandWorker:
    """Give a worker."""
    return HandWorker(services)


async def made(mine: httpx.AsyncClient, worker: HandWorker) -> dict[str, Any]:
    """Order a picture, which a worker sends; gives the completed task."""
    task_id = accepted(await mine.post("/api/v1/task", json=CAT))["task_id"]
    (work,) = await worker.claim()
    sent = await send(mine, task_id, work.attempt)
    assert await worker.complete(work, {"image_url": sent.json()["reference"]})
    return accepted(await mine.get(f"/api/v1/task/{task_id}"))


async def send(mine: httpx.AsyncClient, task_id: str, attempt: int) -> httpx.Response:
    """Send a picture as a worker does."""
    headers = {"Authorization": f"Bearer {WORKER_TOKEN}", "X-API-Key": ""}
    return await mine.put(f"/worker/v1/tasks/{task_id}/{attempt}/files/png", content=PNG, headers=headers)


async def test_outputs_go_to_the_own_bucket(
    mine: httpx.AsyncClient, services: Services, worker: HandWorker, theirs: Theirs
) -> None:
    """Under our address, which sends the reader on; inputs and other accounts stay with the installation."""
    given = accepted(await mine.put(ROUTE, json=theirs.body(prefix="made/by-unitask")))
    assert given["bucket"] == theirs.name
    assert theirs.names() == [], "the probe is gone"
    task = await made(mine, worker)
    (name,) = theirs.names()
    url = task["output"]["image_url"]
    assert (url, name) == (f"http://unitask.test/files/{name[16:]}", f"made/by-unitask/{name[16:]}")
    assert task["meta"]["expires_at"] == "2027-01-18T08:00:00Z"
    answer = await mine.get(url)
    assert answer.status_code == 307
    assert theirs.objects.http.get(answer.headers["location"]).content == PNG
    assert (await mine.get(url, params={"download": "1"})).content == PNG
    assert files(services) == []

    accepted(await mine.post("/api/v1/task", json=cutout(data_uri(PNG))))
    await worker.complete(*(await worker.claim()))
    mine.headers.update((await open_account(services, "other", points=10**9)).headers)
    assert accepted(await mine.get(ROUTE)) is None
    await made(mine, worker)
    assert len(files(services)) == 2
    assert len(theirs.names()) == 1


async def test_nobody_is_shown_the_credentials(
    mine: httpx.AsyncClient,
    services: Services,
    theirs: Theirs,
    worker: HandWorker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not its owner, not the log, not the database; a bucket that is refused is not echoed either."""
    caplog.set_level(logging.DEBUG)
    answers = [
        await mine.put(ROUTE, json=theirs.body()),
        await mine.get(ROUTE),
        await mine.put(ROUTE, json=theirs.body(bucket="there-is-no-such-bucket")),
        await mine.put(ROUTE, json=theirs.body(region=SECRET * 5)),
        await mine.put(ROUTE, json=theirs.body(secret_access_key=SECRET * 50)),
        await mine.put(ROUTE, content=f'{{"secret_access_key": "{SECRET}"'.encode()),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 400, 400, 400, 400]
    assert accepted(answers[1]) == {
        "bucket": theirs.name,
        "prefix": "",
        "endpoint": theirs.objects.address,
        "region": "us-east-1",
        "since": "2027-01-15T08:00:00Z",
    }
    answers.append(await mine.get((await made(mine, worker))["output"]["image_url"]))
    said = "".join(answer.text + str(answer.headers) for answer in answers)
    assert SECRET not in said + caplog.text
    assert ACCESS_KEY_ID not in "".join(answer.text for answer in answers) + caplog.text
    assert SECRET not in str(await rows(services.database, "select * from buckets"))
    assert SECRET not in str(await rows(services.database, "select * from audit"))


async def test_what_is_in_the_bucket_stays_its_owners(
    mine: httpx.AsyncClient, services: Services, worker: HandWorker, theirs: Theirs, clock: ManualClock
) -> None:
    """When our record of a file ends, the file stays; deleted by its owner, it goes."""
    accepted(await mine.put(ROUTE, json=theirs.body()))
    kept, deleted = await made(mine, worker), await made(mine, worker)
    listed = accepted(await mine.get("/api/v1/artifacts", params={"task_id": deleted["task_id"]}))["artifacts"]
    accepted(await mine.delete(f"/api/v1/artifacts/{listed[0]['id']}"))
    assert await services.artifacts.sweep() == 1
    url = kept["output"]["image_url"]
    assert [f"http://unitask.test/files/{name}" for name in theirs.names()] == [url]
    clock.pass_s(3 * DAY_S + GRACE_S)
    assert await services.artifacts.sweep() == 0
    assert await rows(services.database, "select * from artifacts") == []
    refused(await mine.get(url), 404)
    assert len(theirs.names()) == 1


async def test_a_lost_attempts_file_does_not_stay_in_the_bucket(
    mine: httpx.AsyncClient, services: Services, worker: HandWorker, theirs: Theirs, clock: ManualClock
) -> None:
    """Its owner was never shown it."""
    accepted(await mine.put(ROUTE, json=theirs.body()))
    task_id = accepted(await mine.post("/api/v1/task", json=CAT))["task_id"]
    (work,) = await worker.claim()
    assert (await send(mine, task_id, work.attempt)).is_success
    assert await worker.fail(work)
    clock.pass_s(DAY_S + GRACE_S)
    assert await services.artifacts.sweep() == 1
    assert theirs.names() == []


async def test_a_bucket_is_taken_back(
    mine: httpx.AsyncClient, services: Services, worker: HandWorker, theirs: Theirs, clock: ManualClock
) -> None:
    """New outputs stay with the installation, older ones are found where they are; then its secret is forgotten."""
    accepted(await mine.put(ROUTE, json=theirs.body()))
    older = await made(mine, worker)
    assert accepted(await mine.delete(ROUTE)) is None
    assert accepted(await mine.get(ROUTE)) is None
    await made(mine, worker)
    assert (len(theirs.names()), len(files(services))) == (1, 1)
    assert (await mine.get(older["output"]["image_url"], params={"download": "1"})).content == PNG
    clock.pass_s(2 * DAY_S)
    await services.artifacts.sweep()
    assert len(await rows(services.database, "select * from buckets")) == 1
    clock.pass_s(2 * DAY_S)
    await services.artifacts.sweep()
    assert await rows(services.database, "select * from buckets") == []


async def test_a_bucket_that_no_longer_works_costs_its_owner_the_result(
    mine: httpx.AsyncClient, services: Services, worker: HandWorker, theirs: Theirs
) -> None:
    """The worker is told whose fault it is; the file does not end up in the installation's store."""
    accepted(await mine.put(ROUTE, json=theirs.body()))
    assert theirs.objects.http.delete(f"/{theirs.name}").is_success
    task_id = accepted(await mine.post("/api/v1/task", json=CAT))["task_id"]
    (work,) = await worker.claim()
    sentence = "the own bucket of the account does not take the result: the file cannot be stored: "
    assert sentence + "the object store refuses: NoSuchBucket" == refused(await send(mine, task_id, work.attempt), 503)
    assert files(services) == []


async def test_a_database_without_the_secret_opens_no_bucket(
    mine: httpx.AsyncClient, settings: Settings, worker: HandWorker, theirs: Theirs, services: Services
) -> None:
    """The installation's secret is what opens it; a sentence says so where it has changed."""
    accepted(await mine.put(ROUTE, json=theirs.body()))
    url = (await made(mine, worker))["output"]["image_url"]
    del services
    changed = settings.model_copy(update={"secret": type(settings.secret)("another-secret-for-tests")})
    other = await Services.open(changed)
    artifact = await other.artifacts.find(url.removeprefix("http://unitask.test/files/"))
    with pytest.raises(Exception, match="UNITASK_SECRET has changed"):
        await other.artifacts.locate(artifact, "GET")
    await other.close()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"endpoint": "https://10.0.0.8"}, "endpoint: the address is not allowed"),
        ({"endpoint": "https://169.254.169.254"}, "endpoint: the address is not allowed"),
        ({"endpoint": "https://[::1]:9000"}, "endpoint: the address is not allowed"),
        ({"endpoint": "https://2130706433"}, "endpoint: the address is not allowed"),
        ({"endpoint": "https://localhost:9000"}, "endpoint: the address is not allowed"),
        ({"endpoint": "https://inside.example.com"}, "endpoint: the address is not allowed"),
        ({"endpoint": "http://files.example.com"}, "endpoint: it must begin with https://"),
        ({"endpoint": "ftp://files.example.com"}, "endpoint: String should match"),
        ({"endpoint": "https://a:b@files.example.com"}, "endpoint: String should match"),
        ({"endpoint": "https://files.example.com/?x=1"}, "endpoint: String should match"),
        ({"region": "x.example.com/"}, "region: String should match"),
        ({"bucket": "../other"}, "bucket: String should match"),
        ({"bucket": ""}, "bucket: String should match"),
        ({"prefix": "../.."}, "prefix: String should match"),
        ({"access_key_id": ""}, "access_key_id: String should match"),
        ({"secret_access_key": ""}, "secret_access_key: Value should have at least 1 item"),
        ({"secret_access_key": None}, "secret_access_key: Input should be a valid string"),
    ],
    ids=str,
)
async def test_a_bucket_that_cannot_be_is_refused(
    mine: httpx.AsyncClient, services: Services, changes: dict[str, Any], sentence: str
) -> None:
    """400 before anything is sent there: addresses inside are not reached by way of a bucket."""
    guard = Guard(resolve=lambda host, _port: ["10.0.0.8"] if host.startswith("inside") else [])
    services.artifacts.buckets._guard = guard
    body = {"bucket": BUCKET, "access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET, **changes}
    assert sentence in refused(await mine.put(ROUTE, json=body), 400)
    assert await rows(services.database, "select * from buckets") == []


async def test_a_bucket_is_reached_through_the_guard_alone(
    services: Services, clock: ManualClock, theirs: Theirs, person: Person
) -> None:
    """Once it was allowed, its name may mean a machine inside: outputs are not sent there, files are not read there."""
    meaning = ["127.0.0.1"]
    guard = Guard(allow_private=True, resolve=lambda _host, _port: meaning)
    buckets = Buckets(services.database, clock, services.artifacts.buckets.own, "a-secret", guard)
    place = Bucket(theirs.name, "", theirs.objects.address, "us-east-1", ACCESS_KEY_ID)
    await buckets.give(person.account_id, place, SECRET)
    name = new_name("txt", clock.now_us())
    meaning[:] = [METADATA]
    _, store = await buckets.of_account(person.account_id)
    assert await trouble(store, name) == "the file cannot be stored: the object store does not answer as it should"
    meaning[:] = ["127.0.0.1"]
    assert await trouble(store, name) is None
    await buckets.close()


async def test_amazons_addresses_are_checked_like_others(mine: httpx.AsyncClient, services: Services) -> None:
    """Without an endpoint it is Amazon's in the region that was named; where that leads is looked at too."""
    asked = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["10.0.0.8"]

    services.artifacts.buckets._guard = Guard(resolve=resolve)
    body = {"bucket": BUCKET, "access_key_id": ACCESS_KEY_ID, "secret_access_key": SECRET, "region": "eu-west-3"}
    assert "the address is not allowed" in refused(await mine.put(ROUTE, json=body), 400)
    assert asked == ["s3.eu-west-3.amazonaws.com"]


async def test_plain_addresses_are_for_development(mine: httpx.AsyncClient, objects: Objects, bucket: str) -> None:
    """Where private networks are allowed, a bucket without TLS is."""
    assert accepted(await mine.put(ROUTE, json=objects.own(bucket)))["endpoint"] == objects.address


def test_a_worker_reads_an_own_bucket_through_us(theirs: Theirs, tmp_path: Path) -> None:
    """Real processes. The worker is never sent on, for the bucket's server is a stranger's; here it trusts it not."""
    with (
        throw_away_server(tmp_path, UNITASK_ENGINES="preview,cpu", UNITASK_ALLOW_PRIVATE_NETWORKS="true") as server,
        httpx.Client(base_url=server.address, headers={"X-API-Key": server.api_key}, trust_env=False) as client,
    ):

        def finished(order: dict[str, Any]) -> str:
            path = f"/api/v1/task/{accepted(client.post('/api/v1/task', json=order))['task_id']}"
            until(lambda: accepted(client.get(path))["status"] in {"completed", "failed"}, within_s=60, what=path)
            task = accepted(client.get(path))
            assert task["status"] == "completed", task["error"]
            return task["output"]["image_url"].removeprefix(f"{server.address}/files/")

        accepted(client.put(ROUTE, json=theirs.body()))
        drawn = finished({**CAT, "input": {"prompt": "a cat", "width": 256, "height": 256}})
        cut = finished(cutout(f"{server.address}/files/{drawn}"))
        assert theirs.names() == sorted([drawn, cut])
    log = (tmp_path / "server.log").read_text()
    assert SECRET not in log
    assert ACCESS_KEY_ID not in log
