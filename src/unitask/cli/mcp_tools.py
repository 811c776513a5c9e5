"""The tools of the MCP server: what an assistant may do, and how it is answered."""

import base64
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from pathlib import PurePosixPath
from typing import Any, Final

import click
import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ContentBlock, ImageContent, ResourceLink, TextContent, ToolAnnotations

from unitask import __version__
from unitask.api.serving import listen
from unitask_sdk import AsyncClient, Event, NotFinished, Task, UnitaskError

IMAGE_BYTES: Final = 1024 * 1024
"""Pictures up to here are shown in the answer, and not only linked."""
_IMAGES: Final = (".gif", ".jpeg", ".jpg", ".png", ".webp")
_SHOWN: Final = 4
_WAIT_S: Final = 300.0
_LONGEST_S: Final = 3600.0
_LISTED: Final = 50
_TEXT_CHARACTERS: Final = 2000
_INSTRUCTIONS: Final = (
    "Makes pictures, videos, sound and 3D models. Call products to see what there is, schema for the fields of one "
    "product, quote for its price, and run to order it. Tasks cost money: do not order more than was asked for."
)


def _told(tool: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Let a tool's errors reach the assistant as the sentences that they are."""

    @wraps(tool)
    async def call(*args: Any, **given: Any) -> Any:
        try:
            return await tool(*args, **given)
        except UnitaskError as error:
            raise ToolError(str(error)) from error

    return call


class Tools:
    """What an assistant may do with a server."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def products(self, search: str = "") -> CallToolResult:
        """List what can be made, each with model, task type, price and level, narrowed by a word if one is given."""
        word = search.lower()
        rows = [
            {
                "model": one.model,
                "task_type": one.task_type,
                "title": one.title,
                "price": f"${one.usd:g} a {one.unit}",
                "made_at_level": one.engine_level or f"not here: {one.missing}",
            }
            for one in await self._client.products()
            if word in f"{one.model} {one.task_type} {one.title} {one.summary}".lower()
        ]
        return _answer(rows)

    async def schema(self, model: str, task_type: str) -> CallToolResult:
        """Give the JSON schema of a product's input, with examples."""
        for one in await self._client.products():
            if (one.model.lower(), one.task_type) == (model.lower(), task_type):
                examples = one.raw.get("examples", [])
                return _answer({"summary": one.summary, "input_schema": one.input_schema, "examples": examples})
        raise ToolError(f"there is no product {model} {task_type}; call products for those there are")

    async def quote(self, model: str, task_type: str, input: dict[str, Any]) -> CallToolResult:  # noqa: A002 - the wire's name
        """Tell what a task would cost at most, and at which level it would be made, without ordering it."""
        return _answer(dict((await self._client.quote(model, task_type, input)).raw))

    async def run(
        self,
        model: str,
        task_type: str,
        input: dict[str, Any],  # noqa: A002 - the wire's name
        context: Context,
        wait_s: float = _WAIT_S,
    ) -> CallToolResult:
        """Order a task and wait for its result up to wait_s seconds. It costs money.

        Files in the input are addresses or data URIs. A task that is not finished by then goes on: look with task.
        """
        task = await self._client.create(model, task_type, input)
        return await self._ended(task, context, wait_s)

    async def task(self, task_id: str, context: Context, wait_s: float = 0.0) -> CallToolResult:
        """Look at a task, or wait for its end up to wait_s seconds."""
        return await self._ended(await self._client.get(task_id), context, wait_s)

    async def tasks(self, status: str = "", limit: int = 10) -> CallToolResult:
        """List the newest tasks, up to 50, of one status if it is given: pending, processing, completed or failed."""
        page = await self._client.list(status=status, limit=min(max(limit, 1), _LISTED))
        return _answer([_summary(task) for task in page.tasks])

    async def cancel(self, task_id: str) -> CallToolResult:
        """Take an order back that has not ended; it then costs nothing."""
        return _answer(_summary(await self._client.cancel(task_id)))

    async def _ended(self, task: Task, context: Context, wait_s: float) -> CallToolResult:
        furthest = 0.0

        async def tell(event: Event) -> None:
            nonlocal furthest
            furthest = 1.0 if event.status == "completed" else max(furthest, event.progress or 0.0)
            await context.report_progress(furthest, 1.0, event.status)

        if wait_s > 0:
            try:
                task = await self._client.wait(task, timeout_s=min(wait_s, _LONGEST_S), progress=tell)
            except NotFinished as error:
                task = error.task
        if task.finished and not task.completed:
            raise ToolError(task.error.message if task.error else "the task failed")
        return await self._result(task)

    async def _result(self, task: Task) -> CallToolResult:
        """Tell of a task: a summary, a link to each file, and small pictures to look at."""
        content: list[ContentBlock] = []
        for file in task.files:
            content.append(ResourceLink(name=file.name, uri=file.url, description=f"{file.field} of {task.id}"))
            is_image = PurePosixPath(file.name.lower()).suffix in _IMAGES
            if is_image and len([one for one in content if isinstance(one, ImageContent)]) < _SHOWN:
                content += await self._picture(file.url)
        summary = _summary(task)
        return CallToolResult(content=[_text(summary), *content], structured_content=summary)

    async def _picture(self, url: str) -> list[ImageContent]:
        try:
            bytes_, kind = await self._client.read(url, limit_bytes=IMAGE_BYTES)
        except UnitaskError:
            return []  # the link is in the answer, too
        if not kind.startswith("image/"):
            return []
        return [ImageContent(data=base64.b64encode(bytes_).decode(), mime_type=kind)]


def _summary(task: Task) -> dict[str, Any]:
    """Tell of a task in few words."""
    facts = {
        "task_id": task.id,
        "model": task.model,
        "task_type": task.task_type,
        "status": task.status,
        "progress": task.progress,
        "queue_position": task.queue_position,
        "eta_s": task.eta_s,
        "output": _short(task.output.raw) if task.completed and task.output else None,
        "made_at_level": task.engine_level,
        "warnings": list(task.warnings),
        "error": task.error.message if task.error else None,
        "points": task.usage.charged or task.usage.held,
        "expires_at": task.expires_at.isoformat() if task.expires_at else None,
    }
    return {name: value for name, value in facts.items() if value not in (None, [])}


def _short(value: Any) -> Any:
    """Leave out texts that nobody reads, such as a picture in base64."""
    if isinstance(value, Mapping):
        return {name: _short(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_short(one) for one in value]
    too_long = isinstance(value, str) and len(value) > _TEXT_CHARACTERS
    return f"({len(value)} characters)" if too_long else value


def _text(document: Any) -> TextContent:
    return TextContent(text=json.dumps(document, ensure_ascii=False, indent=1))


def _answer(document: Any) -> CallToolResult:
    structured = document if isinstance(document, dict) else {"found": document}
    return CallToolResult(content=[_text(document)], structured_content=structured)


def server(client: AsyncClient) -> MCPServer[Any]:
    """Make the server with its tools."""
    made: MCPServer[Any] = MCPServer("unitask", version=__version__, instructions=_INSTRUCTIONS, log_level="WARNING")
    tools = Tools(client)
    looks = ToolAnnotations(read_only_hint=True)
    for tool in (tools.products, tools.schema, tools.quote, tools.task, tools.tasks):
        made.add_tool(_told(tool), annotations=looks, structured_output=False)
    made.add_tool(
        _told(tools.run),
        annotations=ToolAnnotations(read_only_hint=False, destructive_hint=False),
        structured_output=False,
    )
    made.add_tool(_told(tools.cancel), annotations=ToolAnnotations(destructive_hint=True), structured_output=False)
    return made


async def serve_stdio(client: AsyncClient) -> None:
    """Serve whoever started this process, until standard input ends."""
    async with client:
        await server(client).run_stdio_async()


async def serve_http(client: AsyncClient, port: int) -> None:
    """Serve on loopback: whoever reaches it can order with this key, so nobody else may."""
    listener = listen("127.0.0.1", port)
    port = listener.getsockname()[1]
    async with client:
        application = server(client).streamable_http_app(host="127.0.0.1")
        config = uvicorn.Config(application, log_config=None, access_log=False, timeout_graceful_shutdown=2)
        click.echo(f"The MCP server listens on http://127.0.0.1:{port}/mcp")
        sys.stdout.flush()
        await uvicorn.Server(config).serve([listener])
