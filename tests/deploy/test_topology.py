"""What compose.yml starts, without containers: PostgreSQL, a store, two servers behind nginx, a worker."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from support.books import troubles
from support.installation import LIMIT_S, Installation, ended, order
from support.keys import API_KEY
from support.machine import free_port
from support.objects import Objects
from support.source import ROOT
from support.wait import answered, until

TASKS = 60
SCRATCH = "/tmp/"  # noqa: S108 - of a container


@pytest.fixture
def database_source(postgres_server: str) -> str:
    """PostgreSQL alone."""
    return postgres_server


@contextlib.contextmanager
def balancer(folder: Path, servers: list[int]) -> Iterator[str]:
    """Run nginx with the file of deploy/, on other ports and in this folder; gives its address."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.skip("nginx is not installed; on Debian: apt-get install nginx-light")
    port, folder = free_port(), folder / "nginx"
    folder.mkdir()
    text = (ROOT / "deploy" / "nginx.conf").read_text()
    for number, server in enumerate(servers, 1):
        text = text.replace(f"api-{number}:8000", f"127.0.0.1:{server}")
    text = text.replace("listen 8080", f"listen 127.0.0.1:{port}").replace(SCRATCH, f"{folder}/")
    text = text.replace("worker_processes auto", "worker_processes 1")
    text = ("user root;\n" if os.getuid() == 0 else "") + text
    (folder / "nginx.conf").write_text(text)
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]
    address = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            until(lambda: _answers(address, process, folder), within_s=LIMIT_S, what="the balancer")
            yield address
        finally:
            process.terminate()


def _answers(address: str, process: "subprocess.Popen[bytes]", folder: Path) -> bool:
    assert process.poll() is None, (folder / "log").read_text()
    try:
        return httpx.get(f"{address}/readyz", trust_env=False).is_success
    except httpx.TransportError:
        return False


@pytest.fixture
async def servers(
    database_url: str, objects: Objects, bucket: str, tmp_path: Path
) -> AsyncIterator[list[Installation]]:
    """Start two servers on one database and one store; the balancer is to be at `UNITASK_PUBLIC_URL`."""
    store = {f"UNITASK_{name.upper()}": value for name, value in objects.settings(bucket).items()}
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(Installation(tmp_path / name, database_url, store))
    try:
        for one in made:
            await one.serve()
        yield made
    finally:
        for one in made:
            one.end()


async def sent(client: httpx.AsyncClient, do: str = "ok", **how: object) -> str:
    """Order a task as a careful client does: with a key, and again where the balancer lost its server."""
    key = {"Idempotency-Key": uuid4().hex}

    async def try_again() -> str:
        answer = await client.post("/api/v1/task", json=order(do, **how), headers=key)
        assert answer.is_success or answer.status_code in {502, 503, 504}, answer.text
        return str(answer.json()["data"]["task_id"]) if answer.is_success else ""

    return await answered(try_again, within_s=LIMIT_S, what="an answer to an order")


async def test_a_server_is_replaced_while_orders_come_in(servers: list[Installation], tmp_path: Path) -> None:
    """Orders, long polls, events and files go through the balancer; one server ends, another comes: nothing is lost."""
    with balancer(tmp_path, [one.port for one in servers]) as address:
        first = servers[0].programs[0]
        worker = Installation(tmp_path, servers[0].database_url, {"UNITASK_API_URL": address})
        try:
            worker.work()
            async with httpx.AsyncClient(
                base_url=address, headers={"X-API-Key": API_KEY}, trust_env=False, timeout=2 * LIMIT_S
            ) as client:
                await _a_file_and_its_story(client)
                ids = [await sent(client) for _ in range(TASKS // 3)]
                first.send(signal.SIGTERM)
                ids += await asyncio.gather(*[sent(client) for _ in range(TASKS // 3)])
                await asyncio.to_thread(first.process.wait, LIMIT_S)
                ids += [await sent(client) for _ in range(TASKS // 3)]
                await servers[0].serve()
                tasks = await ended(client, ids, within_s=3 * LIMIT_S)
        finally:
            worker.end()
    assert {task["status"] for task in tasks} == {"completed"}
    assert len(set(ids)) == TASKS
    assert first.process.returncode == 0
    services = await servers[0].open_services()
    assert await troubles(services.database) == []
    await services.close()


async def _a_file_and_its_story(client: httpx.AsyncClient) -> None:
    """Follow a task by events while another request waits for its end; then fetch what it made from the store."""
    task_id = await sent(client, "slow_save")
    waiting = asyncio.create_task(client.get(f"/api/v1/task/{task_id}", params={"wait": "20"}))
    async with client.stream("GET", f"/api/v1/task/{task_id}/events") as events:
        assert events.headers["content-type"].startswith("text/event-stream")
        data = [line.removeprefix("data:") async for line in events.aiter_lines() if line.startswith("data:")]
    seen = [json.loads(one).get("status") for one in data]
    assert seen[-1] == "completed"
    assert len(seen) > 1, "they come one by one"
    task = (await waiting).json()["data"]
    assert task["status"] == "completed"
    path = "/files/" + task["output"]["image_url"].partition("/files/")[2]
    moved = await client.get(path)
    assert moved.status_code == 307
    async with httpx.AsyncClient(trust_env=False) as plain:
        assert (await plain.get(moved.headers["location"])).content.startswith(b"\x89PNG")
