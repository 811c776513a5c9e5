"""The parent's side of an engine process: start, talk, kill, replace."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from typing import Final, Self, get_args

from pydantic import SecretStr

from unitask.settings import Settings
from unitask.worker import messages

_LINE_LIMIT: Final = 64 * 2**20
# A model's code runs in the child and may print or send away whatever it finds.
_SECRETS: Final = {"UNITASK_DATABASE_URL"} | {
    f"UNITASK_{name.upper()}"
    for name, field in Settings.model_fields.items()
    if SecretStr in get_args(field.annotation)
}
log = logging.getLogger(__name__)


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
        """Start a child that waits for its first attempt. It leads a group of its own, with all that it starts."""
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
                env={name: value for name, value in os.environ.items() if name not in _SECRETS},
                start_new_session=True,
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
        """Hear what the child says, until it ends, or says what cannot be understood and is ended for it."""
        try:
            async for text in self._reader:
                yield messages.WORD.validate_json(text)
        except ConnectionError:
            return
        except ValueError as error:  # half a line of a child that died, or one that no child of ours would write
            log.warning("an engine process cannot be understood: %s", error)
            self._end_group()

    async def ended(self) -> str:
        """Wait for the end of the process and describe it."""
        code = await self._process.wait()
        self._end_group()
        return f"signal {-code}" if code < 0 else f"exit status {code}"

    async def kill(self) -> None:
        """End the process at once, and what it started."""
        if self.alive:
            self._end_group()
        await self._process.wait()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    def _end_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
