"""A process that reads and writes marks, so that no file of a stranger is taken apart where tokens and databases are.

It is bounded in memory and time, and killed when it takes longer; the next order starts another. It has no secret: what
has to be signed it says, and is given the signature. Each message is a line of JSON over a socket pair.
"""

import asyncio
import base64
import contextlib
import json
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self

from pydantic import BaseModel

from unitask.kit.errors import UnitaskError
from unitask.provenance.manifest import Input, Trust
from unitask.provenance.marks import Marked, MarkOrder

MEMORY_BYTES: Final = 1 << 30
_LINE_LIMIT: Final = 1 << 20
_LEAST_S: Final = 20.0
_BYTES_A_SECOND: Final = 10 << 20
_KEPT: Final = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "TMPDIR", "LANG", "SYSTEMROOT")
AsyncSign = Callable[[bytes], Awaitable[bytes]]
log = logging.getLogger(__name__)


class Gone(UnitaskError):
    """The process took too long, or ended: the file may be hostile, or too large for its bounds."""


class Clerk:
    """Does one order after the other. Its process starts with the first."""

    def __init__(self, *, memory_bytes: int = MEMORY_BYTES, least_s: float = _LEAST_S) -> None:
        self._memory_bytes = memory_bytes
        self._least_s = least_s
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        """Offer its services."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """End its process."""
        await self.close()

    async def read(self, file: Input, trust: Trust) -> dict[str, Any]:
        """Read the marks of a file.

        Raises:
            Gone: it could not be read within the bounds.

        """
        found: dict[str, Any] = await self._ask("read", {"file": file, "trust": trust}, self._seconds(file), None)
        return found

    async def words(self, file: Input) -> str:
        """Read what a file says of where it comes from, without C2PA's library.

        Raises:
            Gone: it could not be read within the bounds.

        """
        return str(await self._ask("words", {"file": file}, self._seconds(file), None))

    async def mark(self, order: MarkOrder, sign: AsyncSign) -> Marked:
        """Put the marks on a file; `sign` gives signatures, or an empty one.

        Raises:
            Gone: it could not be marked within the bounds.

        """
        files = [Input(path=order.path, extension=order.extension), *order.inputs]
        limit_s = self._seconds(*files)
        return Marked.model_validate(await self._ask("mark", {"order": order}, limit_s, sign))

    async def close(self) -> None:
        """End its process."""
        process, self._process = self._process, None
        if process is None:
            return
        self._writer.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()

    def _seconds(self, *files: Input) -> float:
        sizes = [one.path.stat().st_size for one in files if one.path.exists()]
        return self._least_s + sum(sizes) / _BYTES_A_SECOND

    async def _ask(self, do: str, what: dict[str, BaseModel], limit_s: float, sign: AsyncSign | None) -> Any:
        async with self._turn:
            try:
                async with asyncio.timeout(limit_s):
                    if self._process is None:
                        await self._start()
                    told = {name: one.model_dump(mode="json") for name, one in what.items()}
                    return await self._talk({"do": do, **told}, sign)
            except (OSError, ValueError, EOFError) as error:  # a timeout is an OSError
                await self.close()
                log.warning("marks could not be handled: %s %s", type(error).__name__, error)
                raise Gone("the marks of the file cannot be handled within the bounds") from error
            except BaseException:
                await self.close()
                raise

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "unitask.provenance.desk",
                str(theirs.fileno()),
                str(self._memory_bytes),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
                start_new_session=True,
            )
        self._reader, self._writer = await asyncio.open_connection(sock=ours, limit=_LINE_LIMIT)

    async def _talk(self, order: dict[str, Any], sign: AsyncSign | None) -> Any:
        self._writer.write(json.dumps(order).encode() + b"\n")
        while True:
            await self._writer.drain()
            line = await self._reader.readline()
            if not line.endswith(b"\n"):
                raise EOFError("its process ended")
            said = json.loads(line)
            if "done" in said:
                return said["done"]
            content = base64.b64decode(said["sign"])
            signature = await sign(content) if sign else b""
            self._writer.write(json.dumps({"signature": base64.b64encode(signature).decode()}).encode() + b"\n")
