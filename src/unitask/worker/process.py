"""The parent's side of an engine process: start, talk, kill, replace."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator
from typing import Final, Self

from unitask.worker import messages

_LINE_LIMIT: Final = 64 * 2**20


class EngineProcess:
    """One child. It may crash, hang or leak: that costs one attempt, and another process takes its place."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls, memory_bytes: int) -> Self:
        """Start a child that waits for its first attempt."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "unitask.worker.child",
                str(theirs.fileno()),
                str(memory_bytes),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=_LINE_LIMIT)
        return cls(process, reader, writer)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.returncode is None

    async def send(self, order: messages.Order) -> None:
        """Tell the child something; a dead child does not hear it."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(messages.line(order))
            await self._writer.drain()

    async def words(self) -> AsyncIterator[messages.Word]:
        """Hear what the child says, until it ends."""
        with contextlib.suppress(ConnectionError):
            async for text in self._reader:
                yield messages.WORD.validate_json(text)

    async def ended(self) -> str:
        """Wait for the end of the process and describe it."""
        code = await self._process.wait()
        return f"signal {-code}" if code < 0 else f"exit status {code}"

    async def kill(self) -> None:
        """End the process at once."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
