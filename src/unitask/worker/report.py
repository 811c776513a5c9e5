"""Telling the API how attempts ended."""

import asyncio
import contextlib
import logging
from typing import Final

from unitask.kit.errors import Unavailable
from unitask.spec import protocol
from unitask.worker.client import ApiClient, Rejected

_RETRY_S: Final = 1.0
_TRIES: Final = 60
log = logging.getLogger(__name__)


async def settle(client: ApiClient, report: protocol.SettleRequest) -> bool:
    """Report with patience, for an API may be on its way back; tells whether it counted."""
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
