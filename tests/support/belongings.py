"""Everything that an account can own, so that a test can try to reach it from another one."""

import base64
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from support.accounts import ACTOR, Person, open_account
from support.answers import accepted
from support.clock import ManualClock
from support.keys import WORKER_TOKEN
from support.orders import cat
from support.sql import rows
from support.worker import HandWorker
from unitask.api.webhooks import deliverer
from unitask.app import Services
from unitask.tasks.model import Work

PIXEL: Final = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
UPLOAD: Final = {"file_name": "pixel.png", "file_data": base64.b64encode(PIXEL).decode()}
BUCKET: Final = {"bucket": "mine", "endpoint": "http://127.0.0.1:9", "access_key_id": "x", "secret_access_key": "x"}
_OF_ACCOUNTS: Final = (
    "tasks",
    "queue",
    "ledger",
    "credit_packs",
    "artifacts",
    "buckets",
    "credentials",
    "deliveries",
    "endpoints",
    "idempotency",
)


@dataclass(frozen=True, slots=True)
class Named:
    """Something that a request can name. `nobody` is the name of nothing, of the same form and beside it in order."""

    shape: str
    what: str
    name: str
    nobody: str


@dataclass
class Belongings:
    """What an account owns; `marks` are texts that nobody else may ever read."""

    owner: Person
    named: list[Named] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)

    def of(self, shape: str) -> list[Named]:
        """Give what has this form of name, what has ended first."""
        return [one for one in self.named if one.shape == shape]


async def acquire(client: httpx.AsyncClient, services: Services, endpoint: str) -> Belongings:
    """Open an account and let it come to one of everything: tasks in every state, files, keys, messages, points."""
    owner = await open_account(services, "the owner", points=10**9, task_limit=2)
    marks = [
        "the owner",
        "owners-bucket",
        "owner's prompt",
        "owner's hook secret",
        "owner's payment",
        "owner's key",
        "o7q9",
        "owners-provider",
        "owner's reason",
    ]
    found = Belongings(owner, marks=[*marks, "owner's reason", owner.headers["X-API-Key"]])
    await services.credit.top_up(
        owner.account_id, 5, actor=ACTOR, reason="owner's reason", reference="owner's payment", expires_at=2 * 10**15
    )
    await services.keyring.add(owner.account_id, actor=ACTOR, name="owner's key")
    await _order_everything(client, services, owner, endpoint)
    await deliverer(services).round()
    await rows(services.database, "update endpoints set disabled_at = failed_at returning 1")
    await rows(
        services.database,
        """insert into buckets (account_id, place, secret, created_at)
        values (:owner, '{"bucket": "owners-bucket"}', 'sealed', 5) returning 1""",
        owner=owner.account_id,
    )
    await services.provider_keys.give(owner.account_id, "owners-provider", "key-that-ends-in-o7q9", actor=ACTOR)
    await _name_everything(services, found, endpoint)
    return found


async def _order_everything(client: httpx.AsyncClient, services: Services, owner: Person, endpoint: str) -> None:
    async def send(path: str, body: Any, headers: dict[str, str] | None = None) -> None:
        accepted(await client.post(path, json=body, headers={**owner.headers, **(headers or {})}))
        assert isinstance(services.clock, ManualClock)
        services.clock.pass_s(0.001)

    hook = {"webhook_config": {"endpoint": endpoint, "secret": "owner's hook secret"}}
    order = cat(input={"prompt": "owner's prompt"}, config=hook)
    picture = (await client.post("/api/ephemeral_resource", json=UPLOAD, headers=owner.headers)).json()["url"]
    announced = {"file_name": "pixel.png", "size_bytes": len(PIXEL)}
    large = accepted(await client.post("/api/v1/uploads", json=announced, headers=owner.headers))
    accepted(await client.put(large["upload_url"], content=PIXEL))
    await send("/api/v1/task", order, {"Idempotency-Key": "owner's order"})
    await send("/api/face_swap/v1/async", {"target_image": picture, "swap_image": picture})
    worker = HandWorker(services)
    (done,) = await worker.claim()
    upload = await _bring(client, done, "files")
    assert await worker.complete(done, {"image_url": upload.json()["reference"]})
    (broken,) = await worker.claim()
    assert await worker.fail(broken)
    for _ in range(3):
        await send("/api/v1/task", order)
    (running,) = await worker.claim()
    await _bring(client, running, "preview")


async def _bring(client: httpx.AsyncClient, work: Work, what: str) -> httpx.Response:
    path = f"/worker/v1/tasks/{work.task_id}/{work.attempt}/{what}/png"
    return await client.put(path, content=PIXEL, headers={"Authorization": f"Bearer {WORKER_TOKEN}"})


async def _name_everything(services: Services, found: Belongings, endpoint: str) -> None:
    of = {"owner": found.owner.account_id}
    database = services.database
    tasks = await rows(database, "select id, status from tasks where account_id = :owner order by id", **of)
    assert [task["status"] for task in tasks] == ["completed", "failed", "processing", "pending", "staged"]
    deliveries = await rows(database, "select id from deliveries where account_id = :owner", **of)
    files = await rows(database, "select id, path, kind from artifacts where account_id = :owner", **of)
    assert {file["kind"] for file in files} == {"input", "output", "upload", "preview"}
    for what, ids in (
        *((f"{task['status']} task", [task]) for task in tasks),
        ("delivery", deliveries),
        *((f"{file['kind']} file", [file]) for file in files),
    ):
        assert ids, what
        for row in ids:
            name = str(row["id"])
            found.named.append(Named("uuid", what, name, f"{name[:-1]}{(int(name[-1], 16) + 1) % 16:x}"))
    found.marks += [*(one.name for one in found.named), *(file["path"] for file in files)]
    # The key with which the owner comes is the last: it may be used to revoke the others.
    for number in await rows(database, "select id from api_keys where account_id = :owner order by id desc", **of):
        found.named.append(Named("key", "key", str(number["id"]), "987654"))
    for line in await rows(database, "select id, created_at from ledger where account_id = :owner", **of):
        moment, number = line["created_at"], line["id"]
        found.named.append(Named("line", "line of a statement", f"{moment}-{number}", f"{moment}-987654"))
    assert await rows(database, "select disabled_at from endpoints where account_id = :owner", **of)
    found.named += [
        Named("account", "account", str(found.owner.account_id), "987654"),
        Named("provider", "key for a provider", "owners-provider", "nobodys-provider"),
        Named("endpoint", "endpoint of a webhook", endpoint, endpoint.replace("/hook", "/kooh")),
        Named("text", "idempotency key", "owner's order", "nobody's order"),
    ]


async def belongings(services: Services, account_id: int) -> dict[str, list[dict[str, Any]]]:
    """Read all rows of an account, to see whether somebody changed one."""
    found = {
        table: await rows(services.database, f"select * from {table} where account_id = :id", id=account_id)
        for table in (*_OF_ACCOUNTS, "api_keys")
    }
    found["accounts"] = await rows(services.database, "select * from accounts where id = :id", id=account_id)
    found["delivery_attempts"] = await rows(
        services.database,
        "select t.* from delivery_attempts t join deliveries d on d.id = t.delivery_id where d.account_id = :id",
        id=account_id,
    )
    assert all(found.values()), f"nothing of some kind: {found}"
    return {table: sorted(lines, key=str) for table, lines in found.items()}
