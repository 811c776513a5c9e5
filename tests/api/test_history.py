"""An account's tasks: by pages for the documented route, by cursor for our own."""

from typing import Any

import httpx
import pytest

from support.accounts import open_account
from support.answers import accepted, refused
from support.clock import ManualClock
from support.orders import CAT, CAT_POINTS, cutout
from support.worker import HandWorker
from unitask.app import Services

PAGES = "/api/open/tasks/histories"
LIST = "/api/v1/task"
BEGAN_S = 1_800_000_000
CUTOUT = cutout("https://example.com/a.png")
ROW = [
    *("id", "account_id", "api_key_id", "task_id", "task_model", "action", "status", "usage", "usage_type"),
    *("service_mode", "detail", "fixed", "created_at", "updated_at", "deleted_at"),
]
BAD_PAGES = {
    "page-too-large": ("page_size=101", "page_size is 1 to 100"),
    "no-page-at-all": ("page_size=0", "page_size is 1 to 100"),
    "page-zero": ("page=0", "page begins at 1"),
    "page-of-letters": ("page=one", "page must be a whole number"),
    "page-of-minuses": ("page=--1", "page must be a whole number"),
    "page-beyond-numbers": ("page=" + "9" * 30, "page must be a whole number"),
    "unknown-family": ("model=poems", "no family 'poems'; there are ace_step"),
    "time-in-words": ("start_time=yesterday", "start_time must be a whole number"),
    "time-in-microseconds": ("end_time=1800000000000000", "end_time must be a whole number"),
    "time-in-milliseconds": ("start_time=1800000000000", "start_time must be at most"),
    "nul": ("model=%00", "model must not contain the NUL character"),
}
BAD_LISTS = {
    "too-many": ("limit=101", "limit is 1 to 100"),
    "none": ("limit=0", "limit is 1 to 100"),
    "letters": ("limit=all", "limit must be a whole number"),
    "bad-cursor": ("cursor=abc", "cursor must be the next_cursor of an earlier answer"),
    "strange-cursor": ("cursor=0192F0C0-0000-7000-8000-00000000000Z", "cursor must be"),
    "time-in-milliseconds": ("end_time=1800000000000", "end_time must be at most"),
    "unknown-status": ("status=done", "status is one of pending, staged, processing, completed, failed"),
    "nul-in-a-type": ("task_type=a%00", "task_type must not contain the NUL character"),
    "nul-in-a-key": ("idempotency_key=a%00", "idempotency_key must not contain the NUL character"),
}


async def order(client: httpx.AsyncClient, clock: ManualClock, *orders: dict[str, Any], **headers: str) -> list[str]:
    """Order tasks, one a second; gives their ids, newest first."""
    made = []
    for one in orders:
        made.append(accepted(await client.post("/api/v1/task", json=one, headers=headers))["task_id"])
        clock.pass_s(1)
    return made[::-1]


def ids(answer: httpx.Response) -> list[str]:
    """Read the ids of either route."""
    data = accepted(answer)
    return [row["task_id"] for row in data.get("data", data.get("tasks"))]


async def test_a_row_of_history_says_what_became_of_a_task(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Keys and values as documented; its usage is the price while it lives, then what was charged."""
    (task_id,) = await order(client, clock, {**CAT, "config": {"service_mode": "public"}})
    data = accepted(await client.get(PAGES))
    assert (list(data), data["page"], data["size"], data["total"]) == (["data", "page", "size", "total"], 1, 10, 1)
    (row,) = data["data"]
    assert list(row) == ROW
    assert (row["task_id"], row["task_model"], row["action"]) == (task_id, "flux", "txt2img")
    assert (row["status"], row["usage"], row["usage_type"]) == ("pending", CAT_POINTS, "point")
    assert (row["service_mode"], row["fixed"], row["deleted_at"]) == ("public", False, None)
    assert row["created_at"] == row["updated_at"] == "2027-01-15T08:00:00Z"
    worker = HandWorker(services)
    (work,) = await worker.claim()
    clock.pass_s(1)
    assert await worker.fail(work, "it broke")
    (row,) = accepted(await client.get(PAGES))["data"]
    assert (row["status"], row["usage"], row["updated_at"]) == ("failed", 0, "2027-01-15T08:00:02Z")
    assert {key: row["detail"][key] for key in ("model", "task_id", "workflow_type")} == {
        "model": "Qubico/flux1-dev",
        "task_id": task_id,
        "workflow_type": "txt2img",
    }
    assert row["detail"]["error"]["message"] == "it broke"


async def test_pages_go_from_the_newest_to_the_oldest(client: httpx.AsyncClient, clock: ManualClock) -> None:
    """Each task is on one page; beyond the last page there is an empty one."""
    made = await order(client, clock, *[CAT] * 5)
    pages = [await client.get(PAGES, params={"page": page, "page_size": 2}) for page in (1, 2, 3, 4)]
    assert [ids(page) for page in pages] == [made[:2], made[2:4], made[4:], []]
    assert {accepted(page)["total"] for page in pages} == {5}


async def test_history_can_be_cut_by_family_and_time(client: httpx.AsyncClient, clock: ManualClock) -> None:
    """Times are seconds since the epoch, the end is not part of it; an empty family is every family."""
    third, second, first = await order(client, clock, CAT, CUTOUT, CAT)
    for query, found in {
        "model=flux": [third, first],
        "model=image_toolkit": [second],
        "model=wan": [],
        "model=": [third, second, first],
        f"start_time={BEGAN_S + 1}": [third, second],
        f"end_time={BEGAN_S + 1}": [first],
        f"start_time={BEGAN_S + 1}&end_time={BEGAN_S + 2}": [second],
        "start_time=-5": [third, second, first],
    }.items():
        answer = await client.get(f"{PAGES}?{query}")
        assert ids(answer) == found, query
        assert accepted(answer)["total"] == len(found), query


@pytest.mark.parametrize("name", BAD_PAGES)
async def test_a_page_that_cannot_be_is_refused(client: httpx.AsyncClient, name: str) -> None:
    """400 with the reason."""
    query, sentence = BAD_PAGES[name]
    assert sentence in refused(await client.get(f"{PAGES}?{query}"), 400)


async def test_a_list_holds_whole_tasks_and_a_cursor(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """A task looks as it does on its own; the cursor leads on and is null at the end."""
    made = await order(client, clock, *[CAT] * 4)
    assert await HandWorker(services).claim()
    data = accepted(await client.get(LIST))
    assert (list(data), data["next_cursor"]) == (["tasks", "next_cursor"], None)
    alone = accepted(await client.get(f"{LIST}/{made[3]}"))
    alone["meta"]["eta_s"] = None
    assert data["tasks"][3] == alone
    first = accepted(await client.get(LIST, params={"limit": 2}))
    last = accepted(await client.get(LIST, params={"limit": 2, "cursor": first["next_cursor"]}))
    assert [task["task_id"] for task in first["tasks"] + last["tasks"]] == made
    assert last["next_cursor"] is None


async def test_a_cursor_holds_while_new_tasks_come_in(client: httpx.AsyncClient, clock: ManualClock) -> None:
    """Nothing is seen twice and nothing is left out."""
    made = await order(client, clock, *[CAT] * 3)
    cursor = accepted(await client.get(LIST, params={"limit": 1}))["next_cursor"]
    await order(client, clock, CAT, CAT)
    assert ids(await client.get(LIST, params={"cursor": cursor})) == made[1:]


async def test_a_list_can_be_cut_by_status_model_and_type(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Filters add up; a model counts in any letter case."""
    third, second, first = await order(client, clock, CAT, CUTOUT, CAT)
    (work,) = await HandWorker(services).claim()
    assert work.task_id == first
    for query, found in {
        "status=processing": [first],
        "status=pending": [third, second],
        "model=Qubico/flux1-dev": [third, first],
        "model=qubico/FLUX1-dev": [third, first],
        "model=nobody/nothing": [],
        "task_type=background-remove": [second],
        "status=pending&task_type=txt2img": [third],
    }.items():
        assert ids(await client.get(f"{LIST}?{query}")) == found, query


async def test_a_list_can_be_cut_by_time(client: httpx.AsyncClient, clock: ManualClock) -> None:
    """From the first moment on, before the last; with a cursor the end still holds."""
    made = await order(client, clock, *[CAT] * 4)
    seen = {
        "start_time=1800000001": made[:3],
        "end_time=1800000002": made[2:],
        "start_time=1800000001&end_time=1800000003": made[1:3],
        f"end_time=1800000002&cursor={made[0]}": made[2:],
        f"end_time=1800000002&cursor={made[2]}": made[3:],
        "end_time=-5": [],
    }
    for query, found in seen.items():
        assert ids(await client.get(f"{LIST}?{query}")) == found, query


@pytest.mark.parametrize("name", BAD_LISTS)
async def test_a_list_that_cannot_be_is_refused(client: httpx.AsyncClient, name: str) -> None:
    """400 with the reason."""
    query, sentence = BAD_LISTS[name]
    assert sentence in refused(await client.get(f"{LIST}?{query}"), 400)


async def test_a_task_is_found_by_its_idempotency_key(client: httpx.AsyncClient, clock: ManualClock) -> None:
    """A client that lost the answer of its order finds the task without ordering again."""
    keys = ("order 1/a?b&c", "order-2")
    made = {key: await order(client, clock, CAT, **{"Idempotency-Key": key}) for key in keys}
    await order(client, clock, CAT)
    for key in keys:
        data = accepted(await client.get(LIST, params={"idempotency_key": key}))
        assert ([task["task_id"] for task in data["tasks"]], data["next_cursor"]) == (made[key], None)
    answer = await client.get(LIST, params={"idempotency_key": "order-3"})
    assert accepted(answer) == {"tasks": [], "next_cursor": None}


async def test_tasks_of_other_accounts_are_nowhere(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Not on a page, not in a list, not by a cursor and not by an idempotency key."""
    person = await open_account(services, "stranger", unlimited=True)
    theirs = await order(client, clock, CAT, **{"Idempotency-Key": "same"})
    assert ids(await client.get(PAGES, headers=person.headers)) == []
    assert accepted(await client.get(PAGES, headers=person.headers))["total"] == 0
    ours = await order(client, clock, CAT, **person.headers, **{"Idempotency-Key": "same"})
    later = await order(client, clock, CAT)
    for query in ("", f"?cursor={later[0]}", "?idempotency_key=same"):
        assert ids(await client.get(LIST + query, headers=person.headers)) == ours, query
    assert ids(await client.get(PAGES, headers=person.headers)) == ours
    assert ids(await client.get(LIST)) == later + theirs
