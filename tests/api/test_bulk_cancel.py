"""Taking back all orders that wait."""

import asyncio

import httpx
import pytest

from support.accounts import open_account, read
from support.answers import accepted, refused
from support.clock import ManualClock
from support.orders import CAT, CAT_POINTS, cat, cutout
from support.traces import traces
from support.wait import seen
from support.worker import HandWorker
from unitask.app import Services

ROUTE = "/api/v1/tasks"
BEGAN_S = 1_800_000_000
LATER = {"created_before": BEGAN_S + 1000}
CUTOUT = cutout("https://example.com/a.png")
BAD = {
    "no-moment": ("", "created_before is required, in seconds since the epoch"),
    "negative": ("created_before=-1", "created_before is required"),
    "words": ("created_before=now", "created_before must be a whole number"),
    "milliseconds": ("created_before=1800000000000", "created_before must be at most 100000000000"),
    "unknown-model": ("created_before=1&model=poems", "no model or family 'poems'; use all, or one of ace_step"),
    "empty-model": ("created_before=1&model=", "no model or family ''"),
    "nul": ("created_before=1&model=%00", "model must not contain the NUL character"),
}


async def order(client: httpx.AsyncClient, clock: ManualClock, *orders: object, **headers: str) -> list[str]:
    """Order tasks, one a second; gives their ids, oldest first."""
    made = []
    for one in orders:
        made.append(accepted(await client.post("/api/v1/task", json=one, headers=headers))["task_id"])
        clock.pass_s(1)
    return made


async def statuses(client: httpx.AsyncClient, task_ids: list[str]) -> list[str]:
    """Read the statuses of tasks."""
    return [accepted(await client.get(f"/api/v1/task/{task_id}"))["status"] for task_id in task_ids]


async def test_what_waits_is_cancelled_and_what_runs_goes_on(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """The answer counts; staged tasks count too, and all points are free again but those of the running task."""
    person = await open_account(services, "busy", points=9 * CAT_POINTS, task_limit=2)
    made = await order(client, clock, CAT, CAT, CAT, CAT, **person.headers)
    (running,) = await HandWorker(services).claim()
    answer = await client.delete(ROUTE, params=LATER, headers=person.headers)
    assert accepted(answer) == {"cancelled": 3}
    tasks = [accepted(await client.get(f"/api/v1/task/{one}", headers=person.headers)) for one in made]
    assert [task["status"] for task in tasks] == ["processing", "failed", "failed", "failed"]
    assert {task["error"]["message"] for task in tasks[1:]} == {"the task was cancelled"}
    account = await read(services, person.account_id)
    assert (account.available_points, account.held_points) == (8 * CAT_POINTS, CAT_POINTS)
    assert (account.active_tasks, account.staged_tasks) == (1, 0)
    assert running.task_id == made[0]
    assert accepted(await client.delete(ROUTE, params=LATER, headers=person.headers)) == {"cancelled": 0}


async def test_only_tasks_from_before_the_moment_are_cancelled(client: httpx.AsyncClient, clock: ManualClock) -> None:
    """A task made in that very second is not from before it."""
    made = await order(client, clock, CAT, CAT, CAT)
    assert accepted(await client.delete(ROUTE, params={"created_before": BEGAN_S + 1})) == {"cancelled": 1}
    assert await statuses(client, made) == ["failed", "pending", "pending"]
    assert accepted(await client.delete(ROUTE, params={"created_before": 0})) == {"cancelled": 0}


@pytest.mark.parametrize(
    ("model", "left"),
    {
        "all": [],
        "flux": ["background-remove"],
        "image_toolkit": ["txt2img", "txt2img"],
        "Qubico/flux1-dev": ["background-remove", "txt2img"],
        "qubico/FLUX1-dev": ["background-remove", "txt2img"],
        "Qubico/flux1-dev-advanced": ["background-remove", "txt2img"],
        "wan": ["background-remove", "txt2img", "txt2img"],
    }.items(),
)
async def test_a_model_or_a_family_narrows_it_down(
    client: httpx.AsyncClient, clock: ManualClock, model: str, left: list[str]
) -> None:
    """A model is not another one whose name begins alike."""
    await order(client, clock, CAT, cat(model="Qubico/flux1-dev-advanced"), CUTOUT)
    answer = accepted(await client.delete(ROUTE, params={**LATER, "model": model}))
    waiting = accepted(await client.get("/api/v1/task", params={"status": "pending"}))["tasks"]
    assert sorted(task["task_type"] for task in waiting) == left
    assert answer == {"cancelled": 3 - len(left)}


async def test_tasks_of_other_accounts_stay(client: httpx.AsyncClient, services: Services, clock: ManualClock) -> None:
    """Only the caller's own are counted and cancelled."""
    person = await open_account(services, "stranger", unlimited=True)
    made = await order(client, clock, CAT)
    assert accepted(await client.delete(ROUTE, params=LATER, headers=person.headers)) == {"cancelled": 0}
    assert await statuses(client, made) == ["pending"]


async def test_more_than_a_hundred_are_cancelled_in_one_call(client: httpx.AsyncClient, services: Services) -> None:
    """However many rounds that takes."""
    answers = await asyncio.gather(*(client.post("/api/v1/task", json=CAT) for _ in range(130)))
    assert {answer.status_code for answer in answers} == {200}
    assert accepted(await client.delete(ROUTE, params=LATER)) == {"cancelled": 130}
    assert await HandWorker(services).claim() == []


async def test_whoever_waits_for_a_cancelled_task_hears_of_it(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """A long poll is answered at once."""
    (task_id,) = await order(client, clock, CAT)
    waiting = asyncio.create_task(client.get(f"/api/v1/task/{task_id}?wait=30"))
    await seen(lambda: task_id in services.tasks.watch._waiting, within_s=5, what="a listener")
    accepted(await client.delete(ROUTE, params=LATER))
    assert accepted(await asyncio.wait_for(waiting, 0.7))["status"] == "failed"


@pytest.mark.parametrize("name", BAD)
async def test_what_cannot_be_understood_cancels_nothing(
    client: httpx.AsyncClient, services: Services, name: str
) -> None:
    """400 with the reason."""
    accepted(await client.post("/api/v1/task", json=CAT))
    before = await traces(services)
    query, sentence = BAD[name]
    assert sentence in refused(await client.delete(f"{ROUTE}?{query}"), 400)
    assert await traces(services) == before
