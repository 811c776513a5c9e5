"""The process is killed at every crash point, started again, and nothing is lost, doubled or charged twice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from sim.provider import served
from sim.unified import Unified
from support.accounts import Person, open_account
from support.books import troubles
from support.installation import FINAL, LIMIT_S, Installation, Program, ended, order, read
from support.keys import WORKER_TOKEN
from support.media import PNG
from support.sink import receiving
from support.sql import rows, sql
from support.tester import PRICE_POINTS
from support.wait import answered
from unitask.db import open_database
from unitask.kit.clock import SECOND_US, Clock
from unitask.kit.errors import Unavailable
from unitask.kit.faults import POINTS
from unitask.spec import protocol
from unitask.worker.client import ApiClient

HAND = "a-worker-made-of-plain-calls"
SILENT = "a-worker-that-goes-silent"
DONE = {"image_url": "", "said": {}}


@dataclass
class Scene:
    """One customer who may run one task at a time, and what was acknowledged to them."""

    point: str
    installation: Installation
    client: httpx.AsyncClient
    acknowledged: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    stale: list[protocol.ClaimedTask] = field(default_factory=list)

    async def order(self, do: str = "ok", key: str = "") -> str:
        """Order a task; it counts as acknowledged when the answer is there."""
        headers = {"Idempotency-Key": key} if key else {}
        answer = await self.client.post("/api/v1/task", json=order(do), headers=headers)
        assert answer.is_success, answer.text
        self.acknowledged.append(answer.json()["data"]["task_id"])
        return self.acknowledged[-1]

    async def cancel(self, task_id: str) -> None:
        """Take an order back."""
        answer = await self.client.delete(f"/api/v1/task/{task_id}")
        assert answer.is_success, answer.text
        self.cancelled.append(task_id)

    async def status(self, task_id: str) -> str:
        """Read a task's status."""
        return str((await read(self.client, task_id))["status"])

    async def tasks(self) -> list[str]:
        """List all tasks that exist, acknowledged or not."""
        async with opened(self.installation) as database:
            return [row["id"] for row in await rows(database, "select id from tasks")]

    async def is_killed_by(self, request: Awaitable[Any], server: Program) -> None:
        """Send a request that the server does not survive."""
        with pytest.raises(httpx.TransportError):
            await request
        await server.dies()


@asynccontextmanager
async def opened(installation: Installation) -> AsyncIterator[Any]:
    """Open the database beside the server."""
    database = await open_database(installation.database_url)
    yield database
    await database.close()


@asynccontextmanager
async def api_of(scene: Scene) -> AsyncIterator[ApiClient]:
    """Speak to the API as a worker does."""
    api = ApiClient(scene.installation.url, WORKER_TOKEN)
    yield api
    await api.close()


async def claim(api: ApiClient, worker_id: str) -> list[protocol.ClaimedTask]:
    """Claim one task."""
    await api.beat(protocol.BeatRequest(worker_id=worker_id, name="", engines=["tester"]))
    return await api.claim(protocol.ClaimRequest(worker_id=worker_id, engines=["tester"], most=1, wait_s=0.1))


async def settle(api: ApiClient, task: protocol.ClaimedTask) -> bool:
    """Report success."""
    return await api.settle(protocol.SettleRequest(task_id=task.task_id, attempt=task.attempt, output=DONE))


async def finish(scene: Scene) -> None:
    """Do by hand whatever there is to do: where no worker is in the scene, none need start."""
    async with api_of(scene) as api:

        async def all_final() -> bool:
            for task in await claim(api, HAND):
                assert await settle(api, task)
            return all([await scene.status(task_id) in FINAL for task_id in scene.acknowledged])

        await answered(all_final, within_s=LIMIT_S, what="the end of all tasks")


async def create_dies(scene: Scene) -> None:
    """Let the second order go unacknowledged; sent again under its key, it is the same order."""
    server = await scene.installation.serve(fault=f"{scene.point}:2")
    await scene.order()
    await scene.is_killed_by(scene.order(key="again"), server)
    await scene.installation.serve()
    assert len(await scene.tasks()) == (1 if scene.point == "create.before_commit" else 2)
    await scene.order(key="again")
    assert sorted(await scene.tasks()) == sorted(scene.acknowledged)
    await finish(scene)


async def server_dies(scene: Scene) -> None:
    """Let the server die under a worker's request; the worker lives on and meets the next server."""
    server = await scene.installation.serve(fault=scene.point)
    for _ in range(2):
        await scene.order("save_file")
    worker = scene.installation.work()
    await server.dies()
    await scene.installation.serve()
    assert worker.process.poll() is None


async def promote_dies(scene: Scene) -> None:
    """Let the server die between the end of a task and the promotion of the next; the sweep makes up for it."""
    server = await scene.installation.serve(fault=scene.point)
    for _ in range(3):
        await scene.order()
    async with api_of(scene) as api:
        (task,) = await claim(api, HAND)
        with pytest.raises(Unavailable):
            await settle(api, task)
        await server.dies()
        await scene.installation.serve()
        assert await scene.status(task.task_id) == "completed"
        scene.stale.append(task)
    await finish(scene)


async def engine_dies(scene: Scene) -> None:
    """Let the engine process die, again and again, until a worker without the fault takes over."""
    await scene.installation.serve()
    task_id = await scene.order("save_file")
    worker = scene.installation.work(fault=scene.point)

    async def died() -> bool:
        return "attempt 1: engine tester: signal 9" in (await read(scene.client, task_id))["logs"]

    await answered(died, within_s=LIMIT_S, what="the death of the engine process")
    assert worker.process.poll() is None
    worker.kill()
    scene.installation.work()


async def worker_dies(scene: Scene) -> None:
    """Let the worker die; the next one takes over when the lease has passed."""
    await scene.installation.serve()
    await scene.order("save_file")
    await scene.installation.work(fault=scene.point).dies()
    scene.installation.work()


async def cancel_dies(scene: Scene) -> None:
    """Let the server die while it cancels; whoever waited for the slot still gets it."""
    server = await scene.installation.serve(fault=scene.point)
    first, second = await scene.order(), await scene.order()
    assert await scene.status(second) == "staged"
    await scene.is_killed_by(scene.cancel(first), server)
    await scene.installation.serve()
    if scene.point == "cancel.before_commit":
        assert await scene.status(first) == "pending"
        await scene.cancel(first)
    else:
        scene.cancelled.append(first)
    assert await scene.status(first) == "failed"
    await finish(scene)


async def reap_dies(scene: Scene) -> None:
    """Let the server die while it takes a task from a worker that went silent."""
    server = await scene.installation.serve(fault=scene.point)
    await scene.order()
    async with api_of(scene) as api:
        scene.stale = await claim(api, SILENT)
    await server.dies()
    await scene.installation.serve()
    await finish(scene)


async def deliver_dies(scene: Scene) -> None:
    """Let the server die while it sends a webhook; the next one sends the same message again, and then no more."""
    installation = scene.installation
    with receiving() as sink:
        server = await installation.serve(fault=scene.point)
        answer = await scene.client.post("/api/v1/task", json=order(endpoint=sink.url()))
        scene.acknowledged.append(answer.json()["data"]["task_id"])
        async with api_of(scene) as api:
            (task,) = await claim(api, HAND)
            with suppress(Unavailable):
                await settle(api, task)
        await server.dies()
        before = 0 if scene.point == "deliver.before_post" else 1
        assert len(sink.received) == before
        async with opened(installation) as database:
            (delivery,) = await rows(database, "select id, state, sent, next_at from deliveries")
            durable = scene.point == "deliver.after_commit"
            assert (delivery["state"], delivery["sent"]) == (("delivered", 1) if durable else ("owed", 0))
            assert delivery["next_at"] > Clock().now_us() - SECOND_US or durable, "it is claimed"
            await database.write(lambda tx: tx.execute(sql("update deliveries set next_at = 0 where state = 'owed'")))
        await installation.serve()
        expected = [delivery["id"]] * (before + (0 if durable else 1))

        async def settled() -> bool:
            async with opened(installation) as database:
                return await rows(database, "select state from deliveries") == [{"state": "delivered"}]

        await answered(settled, within_s=LIMIT_S, what="a delivery")
        assert sink.ids == expected
        assert len({message.body for message in sink.received}) == 1


async def upload(scene: Scene) -> dict[str, Any]:
    """Announce a large picture and send it; it is not completed yet."""
    asked = {"file_name": "a.png", "size_bytes": len(PNG)}
    answer = await scene.client.post("/api/v1/uploads", json=asked)
    announced: dict[str, Any] = answer.json()["data"]
    assert (await scene.client.put(announced["upload_url"], content=PNG)).is_success
    return announced


async def complete_dies(scene: Scene) -> None:
    """Let the server die between the file's move and its row; completed again, it is the input of an order."""
    server = await scene.installation.serve(fault=scene.point)
    announced = await upload(scene)
    complete = f"/api/v1/uploads/{announced['id']}/complete"
    await scene.is_killed_by(scene.client.post(complete), server)
    await scene.installation.serve()
    assert (await scene.client.get(announced["url"])).status_code == httpx.codes.NOT_FOUND
    for _ in range(2):
        assert (await scene.client.post(complete)).is_success
    assert (await scene.client.get(announced["url"])).content == PNG
    answer = await scene.client.post("/api/v1/task", json=order(image=announced["url"]))
    scene.acknowledged.append(answer.json()["data"]["task_id"])
    await finish(scene)


async def sweep_dies(scene: Scene) -> None:
    """Let the server die between the end of a deleted file and the end of its row; the next one ends that too."""
    server = await scene.installation.serve(fault=scene.point)
    announced = await upload(scene)
    assert (await scene.client.post(f"/api/v1/uploads/{announced['id']}/complete")).is_success
    assert (await scene.client.delete(f"/api/v1/artifacts/{announced['id']}")).is_success
    await server.dies()
    assert not list((scene.installation.folder / "data/files").rglob("*.png"))
    async with opened(scene.installation) as database:
        assert len(await rows(database, "select id from artifacts")) == 1
    await scene.installation.serve()

    async def forgotten() -> bool:
        async with opened(scene.installation) as database:
            return await rows(database, "select id from artifacts") == []

    await answered(forgotten, within_s=LIMIT_S, what="the end of the row")
    await scene.order()
    await finish(scene)


HUB = """
[provider.hub]
engine = "upstream"
url = "{url}"
products = ["tester/brief"]
[[route]]
products = ["tester/brief"]
order = ["hub", "tester"]
"""


async def order_at_hub(scene: Scene) -> str:
    """Order what the provider makes."""
    answer = await scene.client.post("/api/v1/task", json={**order(), "task_type": "brief"})
    assert answer.is_success, answer.text
    scene.acknowledged.append(answer.json()["data"]["task_id"])
    return scene.acknowledged[-1]


async def keep_dies(scene: Scene) -> None:
    """Let the server die when a worker writes down that it orders, and what it has ordered; its worker goes on."""
    with served(Unified()) as hub:
        hub.outputs["tester/brief"] = {"image_url": "$png", "said": {}}
        scene.installation.provide(HUB.format(url=hub.url), hub=hub.key)
        scene.installation.set(UNITASK_LEASE_S="15")
        worker = None
        for visit in (1, 2):
            server = await scene.installation.serve(fault=f"{scene.point}:{visit}")
            worker = worker or scene.installation.work()
            task_id = await order_at_hub(scene)
            await server.dies()
            server = await scene.installation.serve()
            (task,) = await ended(scene.client, [task_id])
            assert (task["status"], task["meta"]["engine"]) == ("completed", "hub"), task["error"]
            assert (hub.submitted, worker.process.poll()) == (visit, None)
            server.kill()
        await scene.installation.serve()


async def reroute_dies(scene: Scene) -> None:
    """Let the server die while it sends a task on whose provider nobody works for; the next one does it, once."""
    scene.installation.provide(HUB.format(url="http://127.0.0.1:9"), hub="sk-of-the-hub")
    server = await scene.installation.serve(fault=scene.point)
    task_id = await order_at_hub(scene)
    makes = [protocol.Offer(product="tester/brief", engine="tester", level="basic")]
    async with api_of(scene) as api:
        await api.beat(protocol.BeatRequest(worker_id=HAND, name="", engines=["tester"], makes=makes))
    await server.dies()
    await scene.installation.serve()
    await finish(scene)
    task = await read(scene.client, task_id)
    assert (task["meta"]["engine"], task["logs"]) == ("tester", ["nobody works for hub at present"])


SCENES: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "create": create_dies,
    "claim": server_dies,
    "run.started": engine_dies,
    "run.finished": engine_dies,
    "run.saved": worker_dies,
    "upload": server_dies,
    "settle": server_dies,
    "promote": promote_dies,
    "keep": keep_dies,
    "reroute": reroute_dies,
    "cancel": cancel_dies,
    "reap": reap_dies,
    "deliver": deliver_dies,
    "complete": complete_dies,
    "sweep": sweep_dies,
}


async def audit(scene: Scene) -> None:
    """Check that what was promised is there, once, and nothing else."""
    expected = dict.fromkeys(scene.acknowledged, "completed") | dict.fromkeys(scene.cancelled, "failed")
    async with opened(scene.installation) as database:
        assert await troubles(database) == []
        tasks = {row["id"]: row for row in await rows(database, "select * from tasks")}
        assert {task_id: task["status"] for task_id, task in tasks.items()} == expected
        (account,) = await rows(database, "select * from accounts where name = 'customer'")
        assert account["used_points"] == PRICE_POINTS * len(set(scene.acknowledged) - set(scene.cancelled))
        assert (account["held_points"], account["active_tasks"], account["staged_tasks"]) == (0, 0, 0)
        for file in await rows(database, "select * from artifacts where kind = 'output'"):
            task = tasks[file["task_id"]]
            assert file["path"] not in str(task["output"]) or file["attempt"] == task["attempt"]


@pytest.fixture
async def customer(install: Callable[..., Installation]) -> tuple[Installation, Person]:
    """Install with one account that may run one task at a time."""
    installation = install(UNITASK_MAX_ATTEMPTS="50")
    services = await installation.open_services()
    person = await open_account(services, "customer", points=100 * PRICE_POINTS, task_limit=1)
    await services.close()
    return installation, person


@pytest.mark.parametrize("point", POINTS)
async def test_a_crash_loses_nothing_and_charges_once(customer: tuple[Installation, Person], point: str) -> None:
    """Killed at this point and started again: every acknowledged task ends once, is charged once, is owed once."""
    installation, person = customer
    async with installation.client(person.headers) as client:
        scene = Scene(point, installation, client)
        await SCENES[point if point in SCENES else point.partition(".")[0]](scene)
        tasks = await ended(client, scene.acknowledged)
        for task in tasks:
            if url := (task["output"] or {}).get("image_url"):
                assert (await client.get(url)).is_success
        async with api_of(scene) as api:
            assert [await settle(api, task) for task in scene.stale] == [False] * len(scene.stale)
    installation.end()
    await audit(scene)
