"""Storing what an attempt made, with the marks that say where it comes from."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unitask.kit.errors import Unavailable
from unitask.kit.libraries import absent
from unitask.provenance.clerk import Clerk, Gone
from unitask.provenance.manifest import FORMATS, LIBRARY, Input, Said
from unitask.provenance.marks import Marked, MarkOrder, scanned
from unitask.provenance.sources import over
from unitask.spec import protocol
from unitask.worker.client import ApiClient, Rejected

_PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0)
_TERMS_S: Final = 60.0
_UNSIGNED: Final = "a file carries the IPTC mark alone: it could not be signed"
_UNMARKED: Final = "a file carries no mark that says where it comes from"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that was stored; `warning`: what its marks lack, for the client."""

    reference: str
    warning: str = ""


class Storing:
    """Marks files and hands them to the API; shared by all attempts of a worker."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._clerk = Clerk()
        self._terms: protocol.MarksAnswer | None = None
        self._asked_at = 0.0

    async def close(self) -> None:
        """End the process that marks."""
        await self._clerk.close()

    async def store(
        self, task: protocol.ClaimedTask, path: Path, extension: str, said: Said, inputs: Sequence[Input]
    ) -> Stored:
        """Mark a file and upload it with patience: an API that is being restarted must not cost the work of an hour.

        Raises:
            Unavailable, Rejected, OSError: it could not be stored.

        """
        marked, warning = await self._marked(path, extension, said, inputs)
        try:
            return Stored(await self._upload(task, marked, extension), warning)
        finally:
            if marked != path:
                marked.unlink(missing_ok=True)

    async def show(
        self, task: protocol.ClaimedTask, path: Path, extension: str, said: Said, inputs: Sequence[Input]
    ) -> None:
        """Send a preview once, with the IPTC mark: one that does not arrive is missed by nobody.

        Raises:
            Unavailable, Rejected, OSError: it did not arrive.

        """
        if (await self._agreed()).marks:
            path = (await self._by_clerk(path, extension, said, inputs, None)).path
        await self._client.show(task.task_id, task.attempt, path, extension)

    async def _upload(self, task: protocol.ClaimedTask, path: Path, extension: str) -> str:
        for pause_s in _PAUSES_S:
            try:
                return await self._client.upload(task.task_id, task.attempt, path, extension)
            except Unavailable as error:
                log.warning("cannot upload yet: %s", error, extra={"task_id": task.task_id})
                await asyncio.sleep(pause_s)
        return await self._client.upload(task.task_id, task.attempt, path, extension)

    async def _marked(self, path: Path, extension: str, said: Said, inputs: Sequence[Input]) -> tuple[Path, str]:
        """Mark a file as well as can be; gives where it lies and what is to be said of that."""
        terms = await self._agreed()
        if not terms.marks:
            return path, ""
        signs = bool(terms.chain) and not absent([LIBRARY]) and extension in FORMATS
        marked = await self._by_clerk(path, extension, said, inputs, terms if signs else None)
        if not marked.marks:
            # An input may be made to break whatever takes it apart: its words count all the same.
            words = [await self._words(one) for one in inputs]
            said = said.model_copy(update={"source": over(said.source, words)})
            for again in (terms if signs else None, None):
                if not marked.marks:
                    marked = await self._by_clerk(path, extension, said, (), again)
        if marked.why:
            log.warning("%s: %s", path.name, marked.why)
        if not marked.marks:
            return marked.path, _UNMARKED
        return marked.path, _UNSIGNED if signs and "c2pa" not in marked.marks else ""

    async def _words(self, one: Input) -> str:
        try:
            return await self._clerk.words(one)
        except Gone:
            return await asyncio.to_thread(scanned, one)

    async def _by_clerk(
        self, path: Path, extension: str, said: Said, inputs: Sequence[Input], terms: protocol.MarksAnswer | None
    ) -> Marked:
        order = MarkOrder(
            path=path,
            extension=extension,
            into=path.with_name(f"{path.name}.marked"),
            said=said,
            inputs=list(inputs),
            chain=terms.chain if terms else "",
            algorithm=terms.algorithm if terms else "",
        )

        async def sign(content: bytes) -> bytes:
            return await self._sign(content, order.chain)

        try:
            return await self._clerk.mark(order, sign)
        except Gone as error:
            return Marked(path=path, marks=[], source=said.source, why=str(error))

    async def _sign(self, content: bytes, chain: str) -> bytes:
        """Ask for a signature, with patience; an empty one says that there is none."""
        for pause_s in (*_PAUSES_S, 0.0):
            try:
                return await self._client.sign(content, hashlib.sha256(chain.encode()).hexdigest())
            except Rejected as error:
                log.warning("the API does not sign: %s", error)
                self._asked_at = 0.0
                break
            except Unavailable as error:
                log.warning("cannot have a file signed yet: %s", error)
                await asyncio.sleep(pause_s)
        return b""

    async def _agreed(self) -> protocol.MarksAnswer:
        """Ask now and then how files are to be marked; an API of the release before signs nothing."""
        if self._terms is None or time.monotonic() - self._asked_at > _TERMS_S:
            try:
                self._terms = await self._client.marks()
                self._asked_at = time.monotonic()
            except Rejected:
                self._terms = protocol.MarksAnswer()
                self._asked_at = time.monotonic()
            except Unavailable as error:
                log.warning("cannot ask how files are to be marked: %s", error)
        return self._terms or protocol.MarksAnswer()
