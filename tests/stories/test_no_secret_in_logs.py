"""No key, token or secret reaches a log, a command line or, where it is not needed in clear, the database.

Everything happens for real: a server with its worker, another worker, engines and commands, all logging all they can.
"""

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest

from support.installation import LIMIT_S, Installation, ended, order
from support.piapi import Cli
from support.secrets import Secrets
from support.sink import Sink, receiving, says
from support.sql import rows, sql
from support.wait import seen
from unitask.db import Database, open_database

KEPT_FOR_DELIVERY: Final = {("tasks", "config"), ("deliveries", "secret")}
"""Where the secret of a webhook stands in clear: it is echoed, and sent with each message."""


@dataclass
class Place:
    """An installation with a client, all secrets that were handed out, and the words of commands that end."""

    installation: Installation
    client: httpx.AsyncClient
    database: Database
    secrets: Secrets
    sink: Sink
    preset: str
    admin: str
    said: list[str]

    async def made(self, what: str, path: str, body: Any, key: str) -> dict[str, Any]:
        """Make a key over HTTP and remember it."""
        answer = await self.client.post(path, json=body, headers={"X-API-Key": key})
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        self.secrets.remember(what, data["secret"])
        return data

    async def command(self, *words: str, shows: str = "") -> str:
        """Run a command to its end. What it prints is to be looked at too, unless it shows a key, which is this one."""
        environment = {**self.installation._environment, "UNITASK_LOG_LEVEL": "debug"}
        program = [sys.executable, "-m", "unitask", *words]
        run = await asyncio.to_thread(subprocess.run, program, env=environment, capture_output=True, text=True)
        assert run.returncode in {0, 1}, run.stderr
        self.said.append(f"--- {words}\n{run.stderr}{'' if shows else run.stdout}")
        if shows:
            self.secrets.remember(shows, run.stdout.strip())
        return run.stdout

    @asynccontextmanager
    async def without(self, table: str) -> AsyncIterator[None]:
        """Take a table away for a while: whatever needs it breaks in a way that nobody foresaw."""
        await self.database.write(lambda tx: tx.execute(sql(f"alter table {table} rename to {table}_gone")))
        try:
            yield
        finally:
            await self.database.write(lambda tx: tx.execute(sql(f"alter table {table}_gone rename to {table}")))


@pytest.fixture
async def place(database_url: str, tmp_path: Path) -> AsyncIterator[Place]:
    """Start a server with its worker, and a worker beside it, with secrets in all settings that take some."""
    secrets = Secrets()
    password = secrets.new("password of the database")
    preset, admin, token = (secrets.new(what) for what in ("preset key", "admin key", "worker token"))
    providers = tmp_path / "providers.toml"
    providers.write_text(
        '[provider.fal]\nurl = "http://127.0.0.1:9"\n[provider.hub]\nengine = "upstream"\nown_key_only = true\n'
    )
    settings = {
        "UNITASK_DATABASE_URL": database_url.replace("postgres:@", f"postgres:{password}@"),
        "UNITASK_API_KEY": preset,
        "UNITASK_ADMIN_KEY": admin,
        "UNITASK_WORKER_TOKEN": token,
        "UNITASK_SECRET": secrets.new("secret of the installation"),
        "UNITASK_PROVIDERS": str(providers),
        "UNITASK_KEY_FAL": secrets.new("the operator's key for a provider"),
        "PYTHONUNBUFFERED": "1",
        "UNITASK_LOG_LEVEL": "debug",
        "UNITASK_LOG_JSON": str(database_url.startswith("sqlite")),
    }
    installation = Installation(tmp_path, database_url, settings)
    database = await open_database(database_url)
    try:
        await installation.serve(with_worker=True)
        installation.work()
        with receiving(says(500), says()) as sink:
            async with installation.client() as client:
                yield Place(installation, client, database, secrets, sink, preset, admin, [])
    finally:
        await database.close()
        installation.end()


async def keys_come_and_go(place: Place) -> None:
    """Make, change, rotate and revoke keys: as operator, as customer, by commands, by the client of others."""
    admin = "/api/v1/admin"
    as_operator = {"X-API-Key": place.admin}
    account = (await place.client.post(f"{admin}/accounts", json={"name": "shop"}, headers=as_operator)).json()["data"]
    of_shop = f"{admin}/accounts/{account['id']}/keys"
    first = await place.made("key of the shop", of_shop, {"scopes": ["account", "tasks"]}, place.admin)
    await place.made("rotated key of the shop", f"{admin}/keys/{first['id']}/rotate", {}, place.admin)
    await place.client.patch(f"{admin}/keys/{first['id']}", json={"name": "web"}, headers=as_operator)
    own = await place.made("own key", "/api/v1/keys", {"name": "mine"}, first["secret"])
    await place.made("rotated own key", f"/api/v1/keys/{own['id']}/rotate", {"overlap_s": 0}, first["secret"])
    answer = await place.client.delete(f"/api/v1/keys/{own['id']}", headers={"X-API-Key": first["secret"]})
    assert answer.status_code == 200
    for what in ("key for a provider", "newer key for a provider"):
        body, as_shop = {"key": place.secrets.new(what)}, {"X-API-Key": first["secret"]}
        answer = await place.client.put("/api/v1/account/credentials/fal", json=body, headers=as_shop)
        assert answer.status_code == 200, answer.text
    await place.command("keys", "add", "--account", "shop", shows="key of a command")
    await place.command("keys", "rotate", str(first["id"]), shows="rotated key of a command")
    for words in (("keys", "list"), ("audit",), ("doctor",), ("accounts", "show", "shop"), ("keys", "revoke", "1000")):
        await place.command(*words)
    cli = Cli(place.installation.url, place.preset)
    for key in ("", place.secrets.new("wrong key of the other client")):
        await asyncio.to_thread(cli, "submit", "tester", "do", json.dumps({"do": "ok"}), key=key)


async def keys_come_where_they_should_not(place: Place) -> None:
    """Send wrong keys, and right ones, in every place where a client may put one by mistake."""
    wrong = place.secrets.new("wrong key")
    for key in (wrong, place.preset, place.admin):
        basic = base64.b64encode(f"user:{key}".encode()).decode()
        for headers in (
            {"X-API-Key": key},
            {"X-API-Key": f"{key} and more"},
            {"X-API-Key": f"Bearer {key}"},
            {"Authorization": key},
            {"Authorization": f"Bearer {key}"},
            {"Authorization": f"Basic {basic}"},
            {"Cookie": f"key={key}", "Idempotency-Key": key, "Prefer": f"wait={key}", "Last-Event-ID": key},
        ):
            for method, path in (
                ("GET", "/account/info"),
                ("GET", f"/api/v1/task?api_key={key}&cursor={key}"),
                ("GET", f"/api/v1/task/{key}"),
                ("DELETE", f"/api/v1/admin/keys/{key}"),
                ("GET", f"/{key}?{key}"),
                ("PUT", f"/worker/v1/tasks/{key}/1/files/png"),
                ("POST", "/worker/v1/claim"),
            ):
                answer = await place.client.request(method, path, headers=headers)
                assert answer.status_code < 500
        for body in (key, f'{{"model": "{key}"', json.dumps({"model": key, "task_type": key, "input": {key: key}})):
            for path in ("/api/v1/task", "/api/v1/admin/accounts", "/api/v1/quote", "/api/ephemeral_resource"):
                await place.client.post(path, content=body, headers={"X-API-Key": place.admin})
                await place.client.post(path, content=body, headers={"X-API-Key": place.preset})
        for head in (f"GET /account/info HTTP/1.1\r\nX-API-Key {key}", f"GET /?{key} HTTP/7", f"{key}", f"\0{key}: x"):
            await _raw(place.installation.port, head)


async def _raw(port: int, head: str) -> None:
    """Send what is no HTTP, and wait until the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{head}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), LIMIT_S)
    writer.close()


async def tasks_run(place: Place) -> str:
    """Order tasks with webhooks, addresses that carry signatures, engines that fail; gives the address of a file."""
    headers = {"X-API-Key": place.preset}
    secret, token = place.secrets.new("secret of a webhook"), place.secrets.new("token in an endpoint")
    hook = {"webhook_config": {"endpoint": place.sink.url(f"/hook/{token}?token={token}"), "secret": secret}}
    signature = place.secrets.new("signature of an address")
    picture = place.sink.url(f"/picture.png?signature={signature}")
    with_password = f"http://user:{place.secrets.new('password in an address')}@example.com/picture.png"
    task_ids = []
    for body in (
        order("save_file"),
        order("environment"),
        order("raise"),
        order("fetch", image=picture),
        order("crash"),
    ):
        answer = await place.client.post("/api/v1/task", json={**body, "config": hook}, headers=headers)
        task_ids.append(answer.json()["data"]["task_id"])
    for body in (order("fetch", image=with_password), {"model": "tester", "task_type": "do", "input": {"do": secret}}):
        answer = await place.client.post("/api/v1/task", json={**body, "config": hook}, headers=headers)
        assert answer.status_code == 400
    trial = {"endpoint": place.sink.url(f"/{token}"), "secret": secret}
    await place.client.post("/api/v1/webhooks/test", json=trial, headers=headers)
    async with place.installation.client(headers) as client:
        tasks = await ended(client, task_ids)
    assert [task["status"] for task in tasks] == ["completed", "completed", "failed", "failed", "failed"]
    await seen(lambda: len(place.sink.received) > len(tasks), within_s=LIMIT_S, what="all messages and the trial")
    url: str = tasks[0]["output"]["image_url"]
    place.secrets.remember("address of a file", url.rpartition("/")[2])
    return url


async def everything_breaks(place: Place, file: str) -> None:
    """Send requests full of secrets to a server whose tables are gone, and let a task end there."""
    hook = {"webhook_config": {"endpoint": place.sink.url(), "secret": place.secrets.known["secret of a webhook"]}}
    body = {**order("ok"), "config": hook}
    key, unknown = {"X-API-Key": place.preset}, {"X-API-Key": place.secrets.new("key in a crash")}
    broken = (
        ("api_keys", "GET", f"/account/info?key={unknown['X-API-Key']}", None, unknown),
        ("api_keys", "POST", "/api/v1/admin/accounts/1/keys", {}, {"X-API-Key": place.admin}),
        ("audit", "POST", "/api/v1/admin/accounts/1/keys", {"name": place.admin}, {"X-API-Key": place.admin}),
        ("idempotency", "POST", "/api/v1/task", body, {**key, "Idempotency-Key": place.preset}),
        ("tasks", "POST", "/api/v1/task", body, key),
        ("audit", "PUT", "/api/v1/account/credentials/fal", {"key": place.secrets.known["key for a provider"]}, key),
        ("credentials", "PUT", "/api/v1/account/credentials/hub", {"key": place.preset}, key),
        ("artifacts", "GET", httpx.URL(file).path, None, key),
    )
    for table, method, path, sent, headers in broken:
        async with place.without(table):
            answer = await place.client.request(method, path, headers=headers, **({"json": sent} if sent else {}))
            assert answer.status_code == 500, f"{method} {path}: {answer.text}"
    answer = await place.client.post(
        "/api/v1/task", json={**order("slow_steps", seconds=0.5), "config": hook}, headers=key
    )
    async with place.without("deliveries"):
        log = place.installation.programs
        await seen(
            lambda: (
                any("a round of deliveries failed" in one.log.read_text() for one in log)
                and any("cannot settle yet" in one.log.read_text() for one in log)
            ),
            within_s=LIMIT_S,
            what="an end that cannot be written",
        )
    async with place.installation.client(key) as client:
        await ended(client, [answer.json()["data"]["task_id"]])


async def a_stranger_works(place: Place) -> None:
    """Start a worker with a token of its own."""
    token = place.secrets.new("wrong worker token")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(place.installation._environment, "UNITASK_WORKER_TOKEN", token)
        stranger = place.installation.work()
    await seen(lambda: "the worker token is missing or wrong" in stranger.log.read_text(), within_s=LIMIT_S)


def command_lines(place: Place) -> Iterator[str]:
    """Read the command lines of all processes: everybody on the machine can."""
    for program in place.installation.programs:
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = psutil.Process(program.pid)
            for process in (parent, *parent.children(recursive=True)):
                yield " ".join(process.cmdline())


async def in_clear(place: Place) -> set[tuple[str, str, str]]:
    """Find secrets in the database: what, in which table, in which column."""
    names = "select name from sqlite_master where type = 'table'"
    if place.installation.database_url.startswith("postgresql"):
        # The months of a table are read through the table.
        names = (
            "select relname as name from pg_class "
            "where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition"
        )
    found = set()
    for table in [row["name"] for row in await rows(place.database, names)]:
        for row in await rows(place.database, f"select * from {table}"):
            for column, value in row.items():
                found |= {(what, table, column) for what in place.secrets.found_in(str(value))}
    return found


# What the customer himself writes into his order, or what tells a file from others, stands there in clear.
ADDRESSES: Final = {"token in an endpoint", "signature of an address", "address of a file"}


async def test_no_secret_is_logged_shown_or_stored(place: Place) -> None:
    """Whatever is done with keys, and whatever breaks meanwhile."""
    await keys_come_and_go(place)
    await keys_come_where_they_should_not(place)
    file = await tasks_run(place)
    await everything_breaks(place, file)
    await a_stranger_works(place)
    for line in command_lines(place):
        assert place.secrets.found_in(line) == []
    stored = {one for one in await in_clear(place) if one[0] not in ADDRESSES}
    assert stored == {("secret of a webhook", *where) for where in KEPT_FOR_DELIVERY}
    place.installation.end()
    log = place.installation.said() + "".join(place.said)
    for words in ("unexpected error", "started", "Invalid HTTP request", "UNITASK_ADMIN_KEY"):
        assert words in log, f"{words!r} was to be seen: did it happen?"
    lines = [line for line in log.splitlines() if place.secrets.found_in(line)]
    assert lines == []
    for path in (place.installation.folder / "data").rglob("*"):
        if path.is_file():
            left = set(place.secrets.found_in(path.read_bytes().decode("latin-1")))
            assert left - ADDRESSES - {"secret of a webhook"} == set(), path
