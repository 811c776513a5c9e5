"""Blocks whose last command goes on until it is stopped, started as they stand: they do what the text says."""

from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import pytest

from sim.provider import served
from sim.unified import Unified
from support.collector import collecting
from support.keys import ADMIN_KEY, WORKER_TOKEN
from support.machine import free_port
from support.server import START_LIMIT_S, Server, lasts, throw_away_server
from support.source import ROOT, text_of
from support.texts import blocks
from support.wait import until

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
ORDER = {"model": "Qubico/flux1-dev", "task_type": "txt2img", "input": {"prompt": "a red boat"}}


def started(name: str, **others: str) -> str:
    """Give the block of a guide that starts something, with texts replaced."""
    (block,) = (one for one in blocks(text_of(ROOT / f"docs/guide/{name}") or "") if one.info == "sh starts")
    body = block.body
    for written, meant in others.items():
        assert written in body
        body = body.replace(written, meant)
    return body


def made(server: Server, order: dict[str, Any] = ORDER, **headers: str) -> dict[str, Any]:
    """Order, wait for the end, and give the task."""
    with httpx.Client(
        base_url=server.address, headers={"X-API-Key": server.api_key}, trust_env=False, timeout=START_LIMIT_S
    ) as client:
        task_id = client.post("/api/v1/task", json=order, headers=headers).json()["data"]["task_id"]

        def ended() -> dict[str, Any] | None:
            task: dict[str, Any] = client.get(f"/api/v1/task/{task_id}").json()["data"]
            return task if task["status"] in {"completed", "failed"} else None

        task = until(ended, within_s=START_LIMIT_S, what="the end of a task")
    assert task["status"] == "completed", task["error"]
    return task


def test_the_emulator_answers_with_its_own_key_and_leaves_nothing(tmp_path: Path) -> None:
    """docs/guide/emulator.md."""
    world = tmp_path / "world"
    world.mkdir()
    with lasts(tmp_path, "emulator", started("emulator.md"), UNITASK_PORT="0", TMPDIR=str(world)) as log:
        task = made(Server(log.find(r"listens on (\S+)"), "emulator-key"))
        assert task["output"]["image_url"]
    assert list(world.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["emulator.log"]


def test_spans_arrive_at_the_collector_that_the_guide_names(tmp_path: Path) -> None:
    """docs/guide/tracing.md: of the API and of the worker that it starts."""
    with collecting() as collector:
        script = started("tracing.md", **{"http://collector.example:4318": collector.url})
        with throw_away_server(tmp_path, script=script, OTEL_BSP_SCHEDULE_DELAY="100") as server:
            made(server, traceparent=PARENT)
            wanted = {("unitask-api", "create"), ("unitask-worker", "run"), ("unitask-api", "settle")}
            until(
                lambda: wanted <= {(one.service, one.name) for one in collector.trace(TRACE)},
                within_s=START_LIMIT_S,
                what="the spans of an order",
            )


def test_what_is_not_made_here_goes_to_the_hosted_service(tmp_path: Path) -> None:
    """docs/guide/moving.md: its file, key, look by the doctor, and start; `meta.engine` says who made what."""
    (tables,) = (one.body for one in blocks(text_of(ROOT / "docs/guide/moving.md") or "") if one.info == "toml")
    with served(Unified()) as hub:
        path = tmp_path / "providers.toml"
        path.write_text(tables.replace("https://api.piapi.ai", hub.url))
        script = started("moving.md", **{"/etc/unitask/providers.toml": str(path), "=...": f"={hub.key}"})
        with throw_away_server(
            tmp_path, script=f"unitask migrate\n{script}", UNITASK_ALLOW_PRIVATE_NETWORKS="1"
        ) as server:
            assert made(server)["meta"]["engine"] == "hub"
            assert hub.job.order["model"] == ORDER["model"]
        assert hub.url in (tmp_path / "server.log").read_text(), "the doctor names the provider"


def test_a_worker_is_kept_for_some_products(tmp_path: Path) -> None:
    """docs/guide/scaling.md."""
    tokens = {"UNITASK_WORKER_TOKEN": WORKER_TOKEN, "UNITASK_ADMIN_KEY": ADMIN_KEY}
    with (
        throw_away_server(tmp_path, script="unitask migrate\nunitask serve", **tokens) as server,
        lasts(tmp_path, "worker", started("scaling.md"), UNITASK_API_URL=server.address, **tokens),
    ):

        def workers() -> list[dict[str, Any]]:
            asked = httpx.get(
                f"{server.address}/api/v1/admin/workers", headers={"X-API-Key": ADMIN_KEY}, trust_env=False
            )
            found: list[dict[str, Any]] = asked.json()["data"]
            return found

        until(workers, within_s=START_LIMIT_S, what="a worker")
        assert made(server)["meta"]["engine"] == "preview"
        other = {"model": "Qubico/wanx", "task_type": "txt2video-14b", "input": {"prompt": "a red boat"}}
        refused = httpx.post(
            f"{server.address}/api/v1/task", headers={"X-API-Key": server.api_key}, json=other, trust_env=False
        ).json()
        assert refused["code"] == HTTPStatus.SERVICE_UNAVAILABLE
        assert "no worker" in refused["data"]["error"]["message"]


async def test_an_assistant_connects_to_the_port_of_the_guide(tmp_path: Path) -> None:
    """docs/guide/mcp.md: with the official client."""
    client_module = pytest.importorskip("mcp.client.client", reason="the extra mcp is not installed")
    with throw_away_server(tmp_path) as server:
        script = started("mcp.md", **{"8765": str(free_port()), "=...": f"={server.api_key}"})
        with lasts(tmp_path, "mcp", script, UNITASK_ADDRESS=server.address) as log:
            async with client_module.Client(log.find(r"listens on (\S+)")) as client:
                answer = await client.call_tool("products", {})
    assert not answer.is_error
    assert "Qubico/flux1-dev" in str(answer.content)
