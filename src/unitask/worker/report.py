"""Telling the API how attempts ended."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
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
    """Sends reports: the first at once, and what comes meanwhile together after it."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._waiting: list[_Told] = []
        self._sending: asyncio.Task[None] | None = None

    async def settle(self, report: protocol.SettleRequest) -> bool:
        """Report with patience, for an API may be on its way back; tells whether it counted."""
        told = _Told(report, asyncio.get_running_loop().create_future())
        self._waiting.append(told)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send(), name="reports")
        return await told.counted

    async def close(self) -> None:
        """Send nothing more."""
        if self._sending:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

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
        for one, accepted in zip(group, answers, strict=True):
            one.answer(accepted=accepted)
        return True

    async def _send_alone(self, told: _Told) -> None:
        told.answer(accepted=await _settle(self._client, told.report))


async def _settle(client: ApiClient, report: protocol.SettleRequest) -> bool:
    for _ in range(_TRIES):
        try:
            return await client.settle(report)
        except Rejected as error:
            return await _refused(client, report, error)
        except Unavailable as error:
            log.warning("cannot settle yet: %s", error, extra={"task_id": report.task_id})
            await asyncio.sleep(_RETRY_S)
    return False


async def _refused(client: ApiClient, report: protocol.SettleRequest, error: Rejected) -> bool:
    """End an attempt whose report the API cannot take, or it would count as running until its deadline."""
    log.error("the report was refused: %s", error, extra={"task_id": report.task_id})
    failure = protocol.AttemptFailure(
        message="the result could not be reported", raw_message=f"the report was refused: {error}"
    )
    plain = protocol.SettleRequest(task_id=report.task_id, attempt=report.attempt, failure=failure)
    with contextlib.suppress(Unavailable, Rejected):
        return await client.settle(plain)
    return False
