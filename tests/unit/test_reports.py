"""How a worker reports: one at once, those that come meanwhile together, and none is lost on the way."""

import asyncio
from collections.abc import Sequence

import pytest

from support.wait import seen
from support.written_api import WrittenApi, task
from unitask.kit.errors import Unavailable
from unitask.spec import protocol
from unitask.worker.client import Rejected
from unitask.worker.report import Reports


def end(number: int) -> protocol.SettleRequest:
    """Write a report."""
    one = task(number)
    return protocol.SettleRequest(task_id=one.task_id, attempt=one.attempt, output={})


class SlowApi(WrittenApi):
    """Answers the first report when it is let, refuses several at once when it is old, or never knew of a task."""

    gate: asyncio.Event
    groups: list[int]
    old: Exception | None = None
    asked = 0

    async def settle(self, report: protocol.SettleRequest) -> bool:
        """Take a report; those of even tasks do not count."""
        self.asked += 1
        await self.gate.wait()
        await super().settle(report)
        return int(report.task_id[-1]) % 2 == 1

    async def settle_many(self, reports: Sequence[protocol.SettleRequest]) -> list[bool]:
        """Take several reports."""
        self.groups.append(len(reports))
        if self.old:
            raise self.old
        return await super().settle_many(reports)


@pytest.fixture
def api() -> SlowApi:
    """Make an API that answers nothing yet."""
    made = SlowApi()
    made.gate, made.groups = asyncio.Event(), []
    return made


async def reported(api: SlowApi, number: int) -> list[bool]:
    """Report at once, then let the API answer; gives what counted."""
    reports = Reports(api)
    waiting = [asyncio.create_task(reports.settle(end(1)))]
    await seen(lambda: api.asked, within_s=5, what="the first report on its way")
    waiting += [asyncio.create_task(reports.settle(end(n))) for n in range(2, number + 1)]
    await seen(lambda: len(reports._waiting) == number - 1, within_s=5, what="the others waiting")
    api.gate.set()
    counted = [await one for one in waiting]
    await reports.close()
    return counted


async def test_what_comes_while_a_report_is_sent_goes_together(api: SlowApi) -> None:
    """In one request, each with its own answer."""
    assert await reported(api, 5) == [True, False, True, False, True]
    assert api.groups == [4]
    assert len(api.reports) == 5


@pytest.mark.parametrize("old", [Rejected("404"), Unavailable("503")], ids=["older", "away"])
async def test_an_api_that_does_not_take_several_gets_them_one_by_one(api: SlowApi, old: Exception) -> None:
    """One of the release before, or one that is away for a moment."""
    api.old = old
    assert await reported(api, 4) == [True, False, True, False]
    assert [report.task_id for report in api.reports] == [task(n).task_id for n in (1, 2, 3, 4)]


async def test_many_go_in_bounded_groups(api: SlowApi) -> None:
    """A request has a size."""
    counted = await reported(api, 2 * protocol.MOST_ENDS)
    assert len(counted) == 2 * protocol.MOST_ENDS
    assert api.groups == [protocol.MOST_ENDS, protocol.MOST_ENDS - 1]


async def test_who_stops_waiting_disturbs_nobody(api: SlowApi) -> None:
    """A worker that is stopped gives up its reports; what it finished it reports again by itself."""
    reports = Reports(api)
    first = asyncio.create_task(reports.settle(end(1)))
    await seen(lambda: api.asked, within_s=5, what="the first report on its way")
    second = asyncio.create_task(reports.settle(end(3)))
    await seen(lambda: reports._waiting, within_s=5, what="a second report")
    first.cancel()
    api.gate.set()
    assert await second
    await reports.close()


class PartlyAway(WrittenApi):
    """Takes no report of the first task, whatever is wrong with it."""

    trouble: Exception = Unavailable("503")

    async def settle(self, report: protocol.SettleRequest) -> bool:
        """Take the others."""
        if report.task_id == task(1).task_id:
            raise self.trouble
        return await super().settle(report)


async def test_a_report_that_is_not_taken_holds_up_no_other() -> None:
    """It is tried again apart, while others come and go."""
    api = PartlyAway()
    reports = Reports(api)
    stuck = asyncio.create_task(reports.settle(end(1)))
    async with asyncio.timeout(5):
        for number in (2, 3):
            assert await reports.settle(end(number))
    assert not stuck.done()
    api.trouble = Rejected("409")
    async with asyncio.timeout(10):
        assert not await stuck
    await reports.close()


async def test_an_error_that_nobody_thought_of_ends_the_report_and_nothing_else() -> None:
    """Its attempt is given up, as if its worker had lost it."""
    api = PartlyAway()
    api.trouble = RuntimeError("a surprise")
    reports = Reports(api)
    async with asyncio.timeout(5):
        assert not await reports.settle(end(1))
        assert await reports.settle(end(2))
    await reports.close()
