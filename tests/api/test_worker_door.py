"""The routes of the workers: who may come in, and what they can and cannot do there."""

import json
from typing import Any

import httpx
import pytest

from support.answers import accepted, refused
from support.clock import ManualClock
from support.keys import API_KEY, WORKER_TOKEN
from support.media import PNG, WAV, base64_of
from support.orders import CAT, CAT_POINTS, cutout
from support.traces import files, rows, traces
from unitask.api import Application
from unitask.app import Services
from unitask.artifacts.sweep import GRACE_US
from unitask.kit.clock import SECOND_US

DAY_S = 24 * 3600
GRACE_S = GRACE_US // SECOND_US
NOBODY = "01a3185c-5000-7000-8000-000000000000"
IMAGE = {"image_url": "unitask-artifact:2026/11/21/made.png"}
WORKER = {"worker_id": "w", "engines": ["cpu", "preview"]}
TOKEN = {"Authorization": f"Bearer {WORKER_TOKEN}", "X-API-Key": ""}
ATTEMPT = {"task_id": NOBODY, "attempt": 1}
CLAIM = {**WORKER, "most": 1, "wait_s": 0}
BEAT = {**WORKER, "name": "a worker"}


async def say(client: httpx.AsyncClient, what: str, **message: Any) -> httpx.Response:
    """Send a message as a worker."""
    return await client.post(f"/worker/v1/{what}", json=message, headers=TOKEN)


async def beat(client: httpx.AsyncClient, **changes: Any) -> list[dict[str, Any]]:
    """Give a sign of life; gives what the worker holds."""
    answer = await say(client, "beat", **{**BEAT, **changes})
    assert answer.status_code == 200
    held: list[dict[str, Any]] = answer.json()["held"]
    return held


async def claim(client: httpx.AsyncClient, **changes: Any) -> list[dict[str, Any]]:
    """Ask for a task and do not wait for it."""
    await beat(client, **{name: value for name, value in changes.items() if name in WORKER})
    answer = await say(client, "claim", **{**CLAIM, **changes})
    assert answer.status_code == 200
    tasks: list[dict[str, Any]] = answer.json()["tasks"]
    return tasks


async def settle(client: httpx.AsyncClient, task: dict[str, Any], **report: Any) -> bool:
    """Report the end of an attempt; gives whether it counted."""
    answer = await say(client, "settle", task_id=task["task_id"], attempt=task["attempt"], **report)
    assert answer.status_code == 200, answer.text
    counted: bool = answer.json()["accepted"]
    return counted


async def upload(
    client: httpx.AsyncClient, task: dict[str, Any], content: bytes = PNG, extension: str = "png", **headers: str
) -> httpx.Response:
    """Send a file that an attempt made."""
    path = f"/worker/v1/tasks/{task['task_id']}/{task['attempt']}/files/{extension}"
    return await client.put(path, content=content, headers={**TOKEN, **headers})


async def order(client: httpx.AsyncClient, body: dict[str, Any] = CAT) -> str:
    """Order a task; gives its id."""
    task_id: str = accepted(await client.post("/api/v1/task", json=body))["task_id"]
    return task_id


async def see(client: httpx.AsyncClient, task_id: str) -> dict[str, Any]:
    """Read a task as its owner does."""
    return accepted(await client.get(f"/api/v1/task/{task_id}"))


STRANGERS = {
    "none": {},
    "empty": {"Authorization": "Bearer"},
    "wrong": {"Authorization": "Bearer wrong"},
    "no-scheme": {"Authorization": WORKER_TOKEN},
    "api-key": {"Authorization": f"Bearer {API_KEY}"},
    "as-api-key": {"X-API-Key": WORKER_TOKEN},
}


async def test_only_the_worker_token_opens_the_door(
    client: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """401 on every route, also with a good API key; nothing is claimed and nothing is stored."""
    task = {"task_id": await order(client), "attempt": 1}
    before = await traces(services)
    messages = [("claim", CLAIM), ("beat", BEAT), ("settle", {**task, "output": IMAGE}), ("settle", {})]
    for name, headers in STRANGERS.items():
        with subtests.test(name):
            for what, message in messages:
                answer = await client.post(f"/worker/v1/{what}", json=message, headers=headers)
                assert refused(answer, 401).startswith("the worker token is missing or wrong")
            for what in ("files", "preview"):
                path = f"/worker/v1/tasks/{task['task_id']}/1/{what}/png"
                refused(await client.put(path, content=PNG, headers=headers), 401)
            assert await traces(services) == before


async def test_without_a_worker_token_in_the_settings_the_door_is_shut(services: Services, clock: ManualClock) -> None:
    """An empty token is no token."""
    settings = services.settings.model_copy(update={"worker_token": None})
    opened = await Services.open(settings, clock)
    transport = httpx.ASGITransport(Application(opened))
    async with httpx.AsyncClient(transport=transport, base_url="http://unitask.test") as client:
        for token in ("", " ", "None"):
            headers = {"Authorization": f"Bearer {token}"}
            answer = await client.post("/worker/v1/beat", json=BEAT, headers=headers)
            refused(answer, 401)
    await opened.close()


async def test_a_worker_gets_the_oldest_tasks_that_its_engines_can_make(
    client: httpx.AsyncClient, clock: ManualClock
) -> None:
    """Others wait for a worker that can; without waiting, the answer may be empty."""
    flux = await order(client)
    clock.pass_s(1)
    cut = [await order(client, cutout("https://example.com/a.png"))]
    clock.pass_s(1)
    cut.append(await order(client, cutout("https://example.com/b.png")))
    assert await claim(client, engines=[]) == []
    assert await claim(client, engines=["diffusers"]) == []
    (task,) = await claim(client, engines=["cpu", "diffusers"])
    assert task == {
        "task_id": cut[0],
        "attempt": 1,
        "model": "Qubico/image-toolkit",
        "task_type": "background-remove",
        "engine": "cpu",
        "input": {"image": "https://example.com/a.png", "rmbg_model": "RMBG-2.0"},
        "seconds_left": 60.0,
        "preview": False,
        "remote": None,
        "own_key": None,
        "has_lost_key": False,
        "trace": None,
        "waited_s": 1.0,
    }
    assert [task["task_id"] for task in await claim(client, most=9)] == [flux, cut[1]]
    assert await claim(client, most=9) == []


async def test_a_worker_reads_inputs_from_the_address_that_it_is_given(client: httpx.AsyncClient) -> None:
    """A file that came inside the order is a URL under `files_url` of the heartbeat."""
    await order(client, cutout(base64_of(PNG)))
    (task,) = await claim(client)
    answer = await say(client, "beat", **BEAT)
    assert task["input"]["image"].startswith(answer.json()["files_url"])
    assert (await client.get(task["input"]["image"])).content == PNG


async def test_a_heartbeat_lists_what_the_worker_holds_and_notes_its_progress(client: httpx.AsyncClient) -> None:
    """Another worker's tasks are not in it; progress of an attempt that is not its own goes nowhere."""
    ids = sorted([await order(client), await order(client)])
    for task_id in ids:
        assert (await see(client, task_id))["meta"]["progress"] == 0.0
    (mine,) = await claim(client)
    (other,) = await claim(client, worker_id="other")
    assert await beat(client) == [{"task_id": mine["task_id"], "attempt": 1, "cancel_requested": False}]
    progress = [
        {"task_id": mine["task_id"], "attempt": 1, "progress": 0.25, "note": "drawing"},
        {"task_id": other["task_id"], "attempt": 2, "progress": 0.75},
        {"task_id": NOBODY, "attempt": 1, "progress": 0.5},
    ]
    assert len(await beat(client, progress=progress)) == 1
    assert (await see(client, mine["task_id"]))["meta"]["progress"] == 0.25
    assert (await see(client, other["task_id"]))["meta"]["progress"] == 0.0


async def test_an_uploaded_file_is_published_when_its_attempt_settles(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """It can be read from then on for as long as the product says, three days here."""
    task_id = await order(client)
    (task,) = await claim(client)
    answer = await upload(client, task)
    reference = answer.json()["reference"]
    assert answer.status_code == 200
    assert await settle(client, task, output={"image_url": reference})
    url = (await see(client, task_id))["output"]["image_url"]
    assert url == f"http://unitask.test/files/{reference.removeprefix('unitask-artifact:')}"
    clock.pass_s(3 * DAY_S - 1)
    assert (await client.get(url)).content == PNG
    assert await services.artifacts.sweep() == 0
    clock.pass_s(1)
    refused(await client.get(url), 404)
    clock.pass_s(GRACE_S)
    assert await services.artifacts.sweep() == 1
    assert files(services) == []


async def test_the_file_of_a_failed_attempt_goes_after_a_day(
    client: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    """Nobody was given its address, and it is not kept as long as a result."""
    await order(client)
    (task,) = await claim(client)
    assert (await upload(client, task)).status_code == 200
    assert await settle(client, task, failure={"message": "it broke"})
    clock.pass_s(DAY_S + GRACE_S)
    assert await services.artifacts.sweep() == 1
    assert files(services) == await rows(services, "artifacts") == []


async def test_an_extension_decides_the_content_type(client: httpx.AsyncClient, subtests: pytest.Subtests) -> None:
    """Players and viewers go by it."""
    await order(client)
    (task,) = await claim(client)
    types = {"mp4": "video/mp4", "wav": "audio/wav", "glb": "model/gltf-binary", "jpg": "image/jpeg"}
    for extension, content_type in types.items():
        with subtests.test(extension):
            reference = (await upload(client, task, WAV, extension)).json()["reference"]
            answer = await client.get(f"/files/{reference.removeprefix('unitask-artifact:')}")
            assert (answer.headers["content-type"], answer.content) == (content_type, WAV)


async def test_a_file_of_an_unknown_kind_is_refused(
    client: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """Nothing that a browser would run is served from here."""
    await order(client)
    (task,) = await claim(client)
    for extension in ("exe", "html", "svg", "PNG", "png.html", "%2e%2e"):
        with subtests.test(extension):
            message = refused(await upload(client, task, extension=extension), 400)
            assert message.startswith("invalid request: no content type is known for .")
            assert files(services) == []


async def lose(client: httpx.AsyncClient, services: Services, clock: ManualClock, how: str) -> dict[str, Any]:
    """Order a task and lose its attempt; gives the attempt."""
    task = {"task_id": NOBODY if how == "unknown" else await order(client), "attempt": 1}
    if how in {"never-claimed", "unknown"}:
        return task
    (task,) = await claim(client)
    if how == "settled":
        assert await settle(client, task, output=IMAGE)
    elif how == "cancelled":
        accepted(await client.delete(f"/api/v1/task/{task['task_id']}"))
        assert await settle(client, task, failure={"message": "cancelled"})
    elif how == "given-back":
        assert await settle(client, task, failure={"message": "stopped", "given_back": True})
    elif how == "taken":
        clock.pass_s(60)
        assert await services.tasks.reap() == 1
    if how in {"given-back", "taken"}:
        assert len(await claim(client, worker_id="other")) == 1
    return task


async def test_what_comes_from_a_lost_attempt_comes_to_nothing(
    client: httpx.AsyncClient, services: Services, clock: ManualClock, subtests: pytest.Subtests
) -> None:
    """Its files are refused with 409 and deleted, its report is not accepted, and nothing moves."""
    for how in ("settled", "cancelled", "taken", "given-back", "never-claimed", "unknown"):
        with subtests.test(how):
            task = await lose(client, services, clock, how)
            before = await traces(services)
            message = refused(await upload(client, task), 409)
            assert message == "this attempt was lost; another worker has the task"
            assert not await settle(client, task, output=IMAGE)
            assert not await settle(client, task, failure={"message": "it broke"})
            assert await traces(services) == before


WRONG_FORMS = {
    "empty": {},
    "null": {"image_url": None},
    "number": {"image_url": 5},
    "other-name": {"image": "a"},
    "text-for-list": {"image_url": "a", "image_urls": "a"},
}


async def test_an_output_of_the_wrong_form_fails_the_task_and_gives_the_points_back(
    client: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """Clients rely on the form of an output; a worker that breaks it has made nothing."""
    for name, output in WRONG_FORMS.items():
        with subtests.test(name):
            task_id = await order(client)
            (task,) = await claim(client)
            assert await settle(client, task, output=output)
            data = await see(client, task_id)
            assert (data["status"], data["output"]) == ("failed", None)
            assert data["error"]["message"] == "the engine gave a result of the wrong form"
            assert data["error"]["raw_message"]
            assert data["meta"]["usage"] == {"type": "point", "frozen": 0, "consume": 0}
    assert {entry["kind"] for entry in await rows(services, "ledger")} == {"hold", "release"}


async def test_a_report_without_output_and_reason_fails_the_task(client: httpx.AsyncClient) -> None:
    """It ends all the same, and says so."""
    task_id = await order(client)
    (task,) = await claim(client)
    assert await settle(client, task)
    assert (await see(client, task_id))["error"]["message"] == "the worker gave neither an output nor a reason"


CHARGES = [(None, 170_000), (0.2, 10_000), (4.2, 50_000), (-3, 10_000), (1e300, 170_000)]


async def test_what_was_measured_decides_the_charge_up_to_the_quote(
    client: httpx.AsyncClient, subtests: pytest.Subtests
) -> None:
    """Whole units, at least one, never more than was frozen."""
    upscale = cutout("https://example.com/a.png", task_type="upscale")
    for measured, points in CHARGES:
        with subtests.test(str(measured)):
            task_id = await order(client, upscale)
            assert (await see(client, task_id))["meta"]["usage"]["frozen"] == 170_000
            (task,) = await claim(client)
            measures = {"other": 9.0} if measured is None else {"output megapixel": measured}
            assert await settle(client, task, output=IMAGE, measures=measures)
            assert (await see(client, task_id))["meta"]["usage"] == {"type": "point", "frozen": 0, "consume": points}


@pytest.mark.parametrize("retryable", [False, True])
async def test_texts_with_a_nul_in_them_are_kept_without_it(client: httpx.AsyncClient, *, retryable: bool) -> None:
    """Engines write anything into their logs; a report must not get stuck for it."""
    task_id = await order(client)
    (task,) = await claim(client)
    await beat(client, progress=[{**task, "progress": 0.5, "note": "a\0b"}])
    failure = {"message": "it\0broke", "raw_message": "Segmentation\0fault", "retryable": retryable}
    assert await settle(client, task, failure=failure, warnings=["old\0driver"], logs=["line\0one"])
    data = await see(client, task_id)
    assert data["status"] == ("pending" if retryable else "failed")
    assert data["logs"][-1] == "attempt 1: Segmentationfault"
    if not retryable:
        assert data["error"]["message"] == "itbroke"
        assert (data["meta"]["warnings"], data["logs"][0]) == (["olddriver"], "lineone")


MALFORMED = {
    "claim-empty": ("claim", b""),
    "claim-list": ("claim", b"[]"),
    "claim-none": ("claim", {**CLAIM, "most": 0}),
    "claim-all": ("claim", {**CLAIM, "most": 10**9}),
    "claim-waiting-long": ("claim", {**CLAIM, "wait_s": 31}),
    "claim-waiting-backwards": ("claim", {**CLAIM, "wait_s": -1}),
    "claim-endless-id": ("claim", {**CLAIM, "worker_id": "w" * 65}),
    "claim-text-for-list": ("claim", {**CLAIM, "engines": "cpu"}),
    "claim-nul": ("claim", {**CLAIM, "worker_id": "a\0b"}),
    "beat-nameless": ("beat", {**BEAT, "name": None}),
    "beat-beyond-the-end": ("beat", {**BEAT, "progress": [{**ATTEMPT, "progress": 1.5}]}),
    "beat-nan": ("beat", {**BEAT, "progress": [{**ATTEMPT, "progress": float("nan")}]}),
    "beat-no-id": ("beat", {**BEAT, "progress": [{**ATTEMPT, "task_id": "x", "progress": 0}]}),
    "beat-too-often": ("beat", {**BEAT, "progress": [{**ATTEMPT, "attempt": 2**31, "progress": 0}]}),
    "settle-no-attempt": ("settle", {"task_id": NOBODY}),
    "settle-no-id": ("settle", {**ATTEMPT, "task_id": "nonsense"}),
    "settle-nul-in-id": ("settle", {**ATTEMPT, "task_id": "a\0b"}),
    "settle-too-often": ("settle", {**ATTEMPT, "attempt": 2**31}),
    "settle-too-rarely": ("settle", {**ATTEMPT, "attempt": -(10**30)}),
    "settle-list": ("settle", {**ATTEMPT, "output": []}),
    "settle-no-message": ("settle", {**ATTEMPT, "failure": {}}),
    "settle-infinite": ("settle", {**ATTEMPT, "measures": {"image": float("inf")}}),
    "settle-nan": ("settle", {**ATTEMPT, "measures": {"image": float("nan")}}),
}


async def test_a_malformed_message_is_refused(
    client: httpx.AsyncClient, services: Services, subtests: pytest.Subtests
) -> None:
    """400 on either database, and nothing happens."""
    await order(client)
    before = await traces(services)
    for name, (what, message) in MALFORMED.items():
        with subtests.test(name):
            content = message if isinstance(message, bytes) else json.dumps(message).encode()
            answer = await client.post(f"/worker/v1/{what}", content=content, headers=TOKEN)
            assert refused(answer, 400).startswith("invalid request: ")
            assert await traces(services) == before


async def test_a_file_for_an_impossible_attempt_is_refused(client: httpx.AsyncClient, services: Services) -> None:
    """No attempt has such a number."""
    task_id = await order(client)
    for attempt, status in {"-1": 404, "x": 404, "0": 409, "99999999999999999999": 400}.items():
        refused(await upload(client, {"task_id": task_id, "attempt": attempt}), status)
    assert files(services) == []


async def test_a_report_counts_once(client: httpx.AsyncClient, services: Services) -> None:
    """A worker that did not hear the answer sends its report again."""
    task_id = await order(client)
    (task,) = await claim(client)
    assert await settle(client, task, output=IMAGE)
    assert not await settle(client, task, output=IMAGE)
    assert (await see(client, task_id))["meta"]["usage"]["consume"] == CAT_POINTS
    assert [entry["kind"] for entry in await rows(services, "ledger")] == ["hold", "capture"]
