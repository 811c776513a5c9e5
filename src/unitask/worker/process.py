"""The parent's side of an engine process: start, talk, kill, replace."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Final, Self, get_args

from pydantic import SecretStr

from unitask.kit import log as log_as
from unitask.kit.devices import pinned
from unitask.settings import PROVIDER_KEYS, Settings
from unitask.worker import messages

_LINE_LIMIT: Final = 64 * 2**20
_LAST_WORDS_S: Final = 1.0
_UNHEARD: Final = 1000
# A model's code runs in the child and may print or send away whatever it finds.
_SECRETS: Final = {"UNITASK_DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN"} | {
    f"UNITASK_{name.upper()}"
    for name, field in Settings.model_fields.items()
    if SecretStr in get_args(field.annotation)
}
_TRACING: Final = "OTEL_"
"""Among these are keys of collectors; the process tells its spans to us."""
log = logging.getLogger(__name__)


@dataclass(slots=True)
class Seat:
    """An attempt's place in a process. `began`: since when its time counts, once it has started.

    `wanted`: whether somebody still waits for its result.
    """

    sent: float = field(default_factory=time.monotonic)
    began: float | None = None
    wanted: bool = True
    words: asyncio.Queue[messages.Word | None] = field(default_factory=asyncio.Queue)


class EngineProcess:
    """One child. It may crash, hang or leak: that costs what runs in it one attempt, and another takes its place."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        device: str | None,
    ) -> None:
        self.device = device
        self._process = process
        self._reader = reader
        self._writer = writer
        self._seats: dict[messages.Name, Seat] = {}
        self._running: set[messages.Name] = set()
        self._free_since = time.monotonic()
        self.proven = False
        """Whether it has ever begun an attempt."""
        self.loaded: list[str] = []
        """The model cards that it said it has in memory."""
        self._listening = asyncio.create_task(self._listen(), name=f"engine-{process.pid}")

    @classmethod
    async def start(cls, memory_bytes: int, device: str | None = None) -> Self:
        """Start a child that waits for its first attempt. It leads a group of its own, with all that it starts."""
        ours, theirs = socket.socketpair()
        level, as_json = log_as.manner()
        environment = {
            name: value
            for name, value in os.environ.items()
            if name not in _SECRETS and not name.startswith((PROVIDER_KEYS, _TRACING))
        }
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "unitask.worker.child",
                str(theirs.fileno()),
                str(memory_bytes),
                level,
                str(int(as_json)),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                env=environment | (pinned(device) if device else {}),
                start_new_session=True,
            )
        reader, writer = await asyncio.open_connection(sock=ours, limit=_LINE_LIMIT)
        return cls(process, reader, writer, device)

    @property
    def alive(self) -> bool:
        """Whether the process runs and is listened to."""
        return self._process.returncode is None and not self._listening.done()

    @contextlib.contextmanager
    def seat(self, name: messages.Name) -> Iterator[Seat]:
        """Hear what the child says of an attempt."""
        seat = self._seats[name] = Seat()
        if not self.alive:
            seat.words.put_nowait(None)
        try:
            yield seat
        finally:
            del self._seats[name]

    def seconds_left(self, seat: Seat, limit_s: float) -> float:
        """Tell how long an attempt may still take: its limit is not touched while it waits behind others."""
        if seat.began is None and self._running:
            return inf
        began = max(seat.sent, self._free_since) if seat.began is None else seat.began
        return began + limit_s - time.monotonic()

    def runs_others(self, name: messages.Name, *, wanted: bool = False) -> bool:
        """Whether an attempt other than this runs; `wanted`: and somebody waits for its result."""
        others = self._running - {name}
        return any(self._seats[one].wanted for one in others & self._seats.keys()) if wanted else bool(others)

    async def send(self, order: messages.Order) -> None:
        """Tell the child something; a dead child does not hear it."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(messages.line(order))
            await self._writer.drain()

    async def words(self, seat: Seat) -> AsyncIterator[messages.Word]:
        """Hear what the child says of an attempt, until the process ends."""
        while (word := await seat.words.get()) is not None:
            yield word

    async def ended(self) -> str:
        """Wait for the end of the process and describe it."""
        code = await self._process.wait()
        self._end_group()
        return f"signal {-code}" if code < 0 else f"exit status {code}"

    async def kill(self) -> None:
        """End the process at once, and what it started."""
        if self._process.returncode is None:
            self._end_group()
        await self._process.wait()
        # What it said last may still be on its way.
        await asyncio.wait({self._listening}, timeout=_LAST_WORDS_S)
        self._listening.cancel()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()

    async def _listen(self) -> None:
        """Hand out what the child says, until it ends, or says what cannot be understood and is ended for it."""
        try:
            async for text in self._reader:
                self._hear(messages.WORD.validate_json(text))
        except ConnectionError:
            return
        except ValueError as error:  # half a line of a child that died, or one that no child of ours would write
            log.warning("an engine process cannot be understood: %s", error)
            self._end_group()
        finally:
            for seat in self._seats.values():
                seat.words.put_nowait(None)

    def _hear(self, word: messages.Word) -> None:
        seat = self._seats.get(word.of)
        match word:
            case messages.Started():
                self.proven = True
                self._running.add(word.of)
                if seat:
                    seat.began = max(seat.sent, self._free_since)
            case messages.Done() | messages.Broke() if word.of in self._running:
                if isinstance(word, messages.Done) and word.loaded is not None:
                    self.loaded = word.loaded
                self._running.remove(word.of)
                if not self._running:
                    self._free_since = time.monotonic()
            case _:
                pass
        # An attempt whose file is being stored does not listen; how far it is it will say again.
        if seat and not (isinstance(word, messages.Progress) and seat.words.qsize() > _UNHEARD):
            seat.words.put_nowait(word)

    def _end_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
