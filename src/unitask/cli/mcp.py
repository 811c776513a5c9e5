"""`unitask mcp`."""

import asyncio
import contextlib

import click

from unitask.kit.errors import Unavailable
from unitask_sdk import AsyncClient


@click.command()
@click.option("--http", is_flag=True, help="Serve over HTTP on this machine instead of over standard input and output.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="With --http; 0 is free.")
@click.option("--address", metavar="URL", help="Server to speak to. Default: UNITASK_ADDRESS, else this machine.")
def mcp(address: str | None, port: int, *, http: bool) -> None:
    """Let assistants order tasks: a server of the Model Context Protocol, with the key in UNITASK_API_KEY."""
    try:
        from unitask.cli.mcp_tools import serve_http, serve_stdio  # noqa: PLC0415 - an extra, needed here alone
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"mcp", "mcp_types"}:
            raise
        raise Unavailable("this needs the extra mcp; install it with: pip install 'unitask[mcp]'") from None
    client = AsyncClient(address)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve_http(client, port) if http else serve_stdio(client))
