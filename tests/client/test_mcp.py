"""The MCP server driven by the official client, over standard input and output and over HTTP."""

import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from support.keys import API_KEY
from support.machine import Machine
from support.wait import until
from unitask.emulator.run import Emulator
from unitask_sdk import Client as Sdk

client_module = pytest.importorskip("mcp.client.client", reason="the extra mcp is not installed")
stdio = pytest.importorskip("mcp.client.stdio", reason="the extra mcp is not installed")

TOOLS = {"products", "schema", "quote", "run", "task", "tasks", "cancel"}
CAT = {"model": "Qubico/flux1-dev", "task_type": "txt2img"}
SMALL = {"prompt": "a little cat", "width": 256, "height": 256}


@pytest.fixture(params=["stdio", "http"])
def connect(request: pytest.FixtureRequest, emulated: Emulator, machine: Machine) -> Any:
    """Connect the official client in one of the two ways."""
    environment = {"UNITASK_ADDRESS": emulated.url, "UNITASK_API_KEY": emulated.api_key}

    @asynccontextmanager
    async def connected() -> AsyncIterator[Any]:
        if request.param == "stdio":
            python_path = os.environ.get("PYTHONPATH", "")
            server = stdio.StdioServerParameters(
                command=sys.executable,
                args=["-m", "unitask", "mcp"],
                env={**environment, "PYTHONPATH": python_path},
            )
        else:
            program = machine.start("mcp", "--http", "--port", "0", ADDRESS=emulated.url, API_KEY=emulated.api_key)
            server = program.address
        async with client_module.Client(server) as client:
            yield client

    return connected


def said(result: Any) -> Any:
    """Read the text of a result."""
    assert not result.is_error, result.content
    return json.loads(result.content[0].text)


async def test_an_assistant_finds_prices_and_orders(connect: Any, emulated: Emulator) -> None:
    """From the list of products to a picture: text, a link, and the picture itself; then the list of tasks."""
    progress: list[float] = []

    async def told(share: float, total: float | None, message: str | None) -> None:
        assert total == 1.0
        assert message
        progress.append(share)

    async with connect() as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
        found = said(await client.call_tool("products", {"search": "flux1-dev"}))
        assert CAT in [{name: one[name] for name in CAT} for one in found]
        schema = said(await client.call_tool("schema", CAT))
        assert "prompt" in schema["input_schema"]["properties"]
        quote = said(await client.call_tool("quote", {**CAT, "input": SMALL}))
        assert quote["points"] == 150_000
        result = await client.call_tool("run", {**CAT, "input": SMALL}, progress_callback=told)
        summary = said(result)
        kinds = [one.type for one in result.content]
        assert kinds == ["text", "resource_link", "image"]
        assert result.content[1].uri == summary["output"]["image_url"]
        assert result.content[2].mime_type == "image/png"
        assert result.structured_content == summary
        assert progress == sorted(progress)
        assert progress[-1] == 1.0
        (newest,) = said(await client.call_tool("tasks", {"limit": 1}))
        assert newest["task_id"] == summary["task_id"]
    with Sdk(emulated.url, emulated.api_key) as sdk:
        assert sdk.get(summary["task_id"]).completed


async def test_an_assistant_cancels_what_goes_on(connect: Any, emulated: Emulator) -> None:
    """A task that is not finished in time is told as it is; it can be looked at and taken back."""
    with Sdk(emulated.url, emulated.api_key) as sdk:
        task = sdk.create(**CAT, input=SMALL, config={"emulator": {"end": "never"}})
    async with connect() as client:
        seen = said(await client.call_tool("task", {"task_id": task.id, "wait_s": 0.2}))
        assert seen["status"] in {"pending", "processing"}
        assert said(await client.call_tool("cancel", {"task_id": task.id}))["task_id"] == task.id
    with Sdk(emulated.url, emulated.api_key) as sdk:
        assert sdk.wait(task, timeout_s=20).error.message == "the task was cancelled"


async def test_what_goes_wrong_is_said_to_the_assistant(connect: Any, emulated: Emulator) -> None:
    """The server's sentence, so that the next try can be better."""
    with Sdk(emulated.url, emulated.api_key) as sdk:
        script = {"emulator": {"end": "failed", "error": {"message": "no face was found"}}}
        failing = sdk.create(**CAT, input=SMALL, config=script)
    calls = {
        "no model 'nope'": ("run", {"model": "nope", "task_type": "x", "input": {}}),
        "there is no product nope x": ("schema", {"model": "nope", "task_type": "x"}),
        "task not found": ("cancel", {"task_id": "00000000-0000-0000-0000-000000000000"}),
        "no face was found": ("task", {"task_id": failing.id, "wait_s": 20}),
    }
    async with connect() as client:
        for sentence, (tool, arguments) in calls.items():
            result = await client.call_tool(tool, arguments)
            assert result.is_error
            assert sentence in result.content[0].text


def test_web_pages_cannot_reach_the_server(machine: Machine) -> None:
    """Its key would pay for what a page of another site orders."""
    program = machine.start("mcp", "--http", "--port", "0", API_KEY=API_KEY)
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        answer = httpx.post(program.address, json={}, headers=headers, trust_env=False)
        assert answer.status_code in {403, 421}, headers
    assert program.address.startswith("http://127.0.0.1:")
    until(lambda: "Traceback" not in program.err, within_s=5)
