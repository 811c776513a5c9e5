"""When the server cannot do its work: no engine for a product, no database, or something broke."""

import asyncio

import httpx
import pytest

from support.answers import accepted, refused
from support.media import PNG, base64_of
from support.orders import CAT, cutout
from support.sql import sql
from support.traces import files, traces
from unitask.app import Services
from unitask.settings import Settings

CHECKS = ("database", "schema", "writes", "disk", "ending")
NONE = {"staged": 0, "processing": 0}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Leave only one engine on."""
    return settings.model_copy(update={"engines": ("cpu",)})


def assert_task_shaped(answer: httpx.Response, status: int, message: str) -> None:
    """Check what clients find that look into the task of an order that was not accepted."""
    assert answer.json()["data"] == {
        "task_id": "",
        "status": "failed",
        "error": {"code": status, "raw_message": message, "message": message, "detail": None},
    }


async def test_a_product_without_an_engine_is_refused_with_what_to_set(
    client: httpx.AsyncClient, services: Services
) -> None:
    """503, no silent stand-in, and nothing left."""
    before = await traces(services)
    answer = await client.post("/api/v1/task", json=CAT)
    message = refused(answer, 503)
    assert message.startswith("Qubico/flux1-dev txt2img cannot be made here: ")
    assert "the engine preview is off (UNITASK_ENGINES)" in message
    assert_task_shaped(answer, 503, message)
    assert await traces(services) == before


async def test_the_other_products_are_made_all_the_same(client: httpx.AsyncClient) -> None:
    """Each product has its own engines."""
    accepted(await client.post("/api/v1/task", json=cutout(base64_of(PNG))))


async def test_health_says_that_the_process_answers(client: httpx.AsyncClient) -> None:
    """Without a key, and with the version."""
    answer = await client.get("/healthz", headers={"X-API-Key": ""})
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["version"]


async def test_readiness_counts_the_live_tasks(client: httpx.AsyncClient) -> None:
    """Without a key, too."""
    for _ in range(2):
        accepted(await client.post("/api/v1/task", json=cutout(base64_of(PNG))))
    answer = await client.get("/readyz", headers={"X-API-Key": ""})
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ready", "queue": {"ready": 2, **NONE}, "checks": dict.fromkeys(CHECKS, "ok")},
    )


async def test_a_server_that_the_schema_has_outgrown_is_not_ready(
    client: httpx.AsyncClient, services: Services
) -> None:
    """A later release may have been brought in while this one ran."""
    await services.database.write(lambda tx: tx.execute(sql("update compatibility set oldest = '9999'")))
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert "too old" in answer.json()["reason"]


async def test_without_its_database_the_server_lives_and_is_not_ready(
    client: httpx.AsyncClient, services: Services
) -> None:
    """A load balancer learns to send requests elsewhere; nobody restarts the process for it."""
    await services.database.close()
    assert (await client.get("/healthz")).status_code == 200
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert answer.json()["reason"]


@pytest.mark.parametrize("known", [True, False], ids=["key-remembered", "key-unknown"])
async def test_without_its_database_every_call_answers_503(
    client: httpx.AsyncClient, services: Services, *, known: bool
) -> None:
    """Not 500 and not 401: the request was right, and may be sent again."""
    task_id = accepted(await client.post("/api/v1/task", json=cutout(base64_of(PNG))))["task_id"]
    headers = {} if known else {"X-API-Key": "never seen"}
    await services.database.close()
    for answer in (
        await client.get(f"/api/v1/task/{task_id}", headers=headers),
        await client.delete(f"/api/v1/task/{task_id}", headers=headers),
    ):
        assert refused(answer, 503)
        assert answer.json()["data"] is None
    answer = await client.post("/api/v1/task", json=cutout(base64_of(PNG)), headers=headers)
    assert_task_shaped(answer, 503, refused(answer, 503))
    # A second file stays only where the order got as far as the database, which may have stored it all the same.
    assert len(files(services)) == (2 if known else 1)


async def test_what_nobody_foresaw_is_answered_without_its_details(
    client: httpx.AsyncClient, services: Services
) -> None:
    """500 with a sentence; the picture of the order goes, and all who ordered at the same time hear of it."""
    await services.database.write(lambda tx: tx.execute(sql("drop table queue")))
    orders = [client.post("/api/v1/task", json=cutout(base64_of(PNG))) for _ in range(3)]
    for answer in await asyncio.gather(*orders):
        message = refused(answer, 500)
        assert message == "internal error; the operator's log says more"
        assert_task_shaped(answer, 500, message)
    assert files(services) == []
