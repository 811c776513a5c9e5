"""Telling the API how attempts ended."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Final

from unitask.kit.errors import Unavailable
from unitask.spec import protocol
from unitask.worker.client import ApiClient, Rejected

_RETRY_S: Final = 1.0
_TRIES: Final = 60
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Told:
    """A report on its way; `counted` hears whether it counted."""

    report: protocol.SettleRequest
    counted: asyncio.Future[bool]

    def answer(self, *, accepted: bool) -> None:
        if not self.counted.done():
            self.counted.set_result(accepted)


class Reports:
    """Sends reports: the first at once, and what comes meanwhile together after it.

    What the API does not take at present is tried again apart, so that it holds up no other.
    """

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._waiting: list[_Told] = []
        self._sending: asyncio.Task[None] | None = None
        self._apart: set[asyncio.Task[None]] = set()

    async def settle(self, report: protocol.SettleRequest) -> bool:
        """Report with patience, for an API may be on its way back; tells whether it counted."""
        told = _Told(report, asyncio.get_running_loop().create_future())
        self._waiting.append(told)
        if self._sending is None or self._sending.done():
            # What it logs is of many attempts, and not of the trace of the first.
            self._sending = asyncio.create_task(self._send(), name="reports", context=Context())
        return await told.counted

    async def close(self) -> None:
        """Send nothing more."""
        tasks = [*self._apart, *([self._sending] if self._sending else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _send(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[: protocol.MOST_ENDS], self._waiting[protocol.MOST_ENDS :]
            if len(group) == 1 or not await self._sent_together(group):
                await asyncio.gather(*(self._send_alone(one) for one in group))

    async def _sent_together(self, group: Sequence[_Told]) -> bool:
        try:
            answers = await self._client.settle_many([one.report for one in group])
        except (Unavailable, Rejected):
            return False  # each has its own patience, and its own refusal
        except Exception:
            log.exception("reports could not be sent together")
            return False
        for one, accepted in zip(group, answers, strict=True):
            one.answer(accepted=accepted)
        return True

    async def _send_alone(self, told: _Told) -> None:
        if not await self._tried(told):
            task = asyncio.create_task(self._insist(told), name=f"report-{told.report.task_id}")
            self._apart.add(task)
            task.add_done_callback(self._apart.discard)

    async def _insist(self, told: _Told) -> None:
        for _ in range(_TRIES):
            await asyncio.sleep(_RETRY_S)
            if await self._tried(told):
                return
        told.answer(accepted=False)

    async def _tried(self, told: _Told) -> bool:
        """Send a report; False if it is to be sent again."""
        report = told.report
        try:
            told.answer(accepted=await self._client.settle(report))
        except Rejected as error:
            told.answer(accepted=await _refused(self._client, report, error))
        except Unavailable as error:
            log.warning("cannot settle yet: %s", error, extra={"task_id": report.task_id, "attempt": report.attempt})
            return False
        except Exception:
            log.exception("a report could not be sent", extra={"task_id": report.task_id, "attempt": report.attempt})
            told.answer(accepted=False)
        return True


async def _refused(client: ApiClient, report: protocol.SettleRequest, error: Rejected) -> bool:
    """End an attempt whose report the API cannot take, or it would count as running until its deadline."""
    log.error("the report was refused: %s", error, extra={"task_id": report.task_id, "attempt": report.attempt})
    failure = protocol.AttemptFailure(
        message="the result could not be reported", raw_message=f"the report was refused: {error}"
    )
    plain = protocol.SettleRequest(task_id=report.task_id, attempt=report.attempt, failure=failure)
    with contextlib.suppress(Unavailable, Rejected):
        return await client.settle(plain)
    return False
