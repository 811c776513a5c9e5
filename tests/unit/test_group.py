"""Group commit on a database that only counts: what is joined, and who hears of which error."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from unitask.db import Group, Transaction
from unitask.kit.errors import Conflict, NotFound, Unavailable, UnitaskError


class CountingDatabase:
    """Runs work without a database; a transaction takes as long as `gate` is closed."""

    def __init__(self) -> None:
        self.transactions = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.error: Exception | None = None

    async def write(self, work: Callable[[Transaction], Awaitable[Any]]) -> Any:
        """Count, wait for the gate, run."""
        self.transactions += 1
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return await work(None)  # type: ignore[arg-type]


class Recorder:
    """Work that notes its groups, doubles numbers, refuses odd ones and chokes on negative ones."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    async def __call__(self, _: Transaction, items: list[int]) -> list[int | UnitaskError]:
        """Do the work of one group."""
        self.groups.append(list(items))
        if min(items) < -10:
            raise Conflict("raised, not returned")
        if min(items) < 0:
            raise ArithmeticError("negative")
        return [Conflict(f"{item} is odd") if item % 2 else item * 2 for item in items]


@pytest.fixture
def recorder() -> Recorder:
    """Prepare work that has done nothing yet."""
    return Recorder()


@pytest.fixture
async def database() -> CountingDatabase:
    """Open the gate and count from zero."""
    return CountingDatabase()


def group_of(database: CountingDatabase, recorder: Recorder, **options: Any) -> Group[int, int]:
    """Group the recorder's work."""
    return Group(lambda items: database.write(lambda tx: recorder(tx, items)), **options)


async def submit_all(group: Group[int, int], items: list[int]) -> list[int | BaseException]:
    """Submit at the same moment; gives results and errors."""
    return await asyncio.gather(*[group.submit(item) for item in items], return_exceptions=True)


async def test_calls_of_the_same_moment_share_one_transaction(database: CountingDatabase, recorder: Recorder) -> None:
    """Each caller gets the answer to its own item."""
    group = group_of(database, recorder)
    assert await submit_all(group, [2, 4, 6]) == [4, 8, 12]
    assert recorder.groups == [[2, 4, 6]]
    assert database.transactions == 1


async def test_calls_during_a_commit_make_the_next_group(database: CountingDatabase, recorder: Recorder) -> None:
    """Whatever arrives while a commit is under way costs one more commit, in the order of arrival."""
    group = group_of(database, recorder)
    database.gate.clear()
    first = asyncio.create_task(group.submit(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert database.transactions == 1
    later = [asyncio.create_task(group.submit(item)) for item in (4, 6, 8)]
    await asyncio.sleep(0)
    database.gate.set()
    assert await asyncio.gather(first, *later) == [4, 8, 12, 16]
    assert recorder.groups == [[2], [4, 6, 8]]


async def test_after_a_group_of_many_the_next_waits_for_those_that_come_again(
    database: CountingDatabase, recorder: Recorder
) -> None:
    """A call that comes a moment after another one joins it, where a lone call before did not wait."""
    group = group_of(database, recorder, linger_s=0.2)
    assert await group.submit(0) == 0
    many = list(range(2, 20, 2))
    await submit_all(group, many)
    calls = []
    for item in (2, 4):
        calls.append(asyncio.create_task(group.submit(item)))
        for _ in range(3):
            await asyncio.sleep(0)
    assert await asyncio.gather(*calls) == [4, 8]
    assert recorder.groups == [[0], many, [2, 4]]


async def test_a_group_has_a_limit(database: CountingDatabase, recorder: Recorder) -> None:
    """More callers than the limit take several transactions."""
    group = group_of(database, recorder, limit=4)
    assert await submit_all(group, list(range(0, 20, 2))) == list(range(0, 40, 4))
    assert [len(items) for items in recorder.groups] == [4, 4, 2]


async def test_a_refused_item_is_the_concern_of_its_caller_alone(
    database: CountingDatabase, recorder: Recorder
) -> None:
    """The others of the group get their results, from the same transaction."""
    first, refused, last = await submit_all(group_of(database, recorder), [2, 3, 4])
    assert (first, last) == (4, 8)
    assert isinstance(refused, Conflict)
    assert database.transactions == 1


@pytest.mark.parametrize(("poison", "error"), [(-1, ArithmeticError), (-11, Conflict)])
async def test_a_group_that_breaks_is_run_one_by_one(
    database: CountingDatabase,
    recorder: Recorder,
    caplog: pytest.LogCaptureFixture,
    poison: int,
    error: type[Exception],
) -> None:
    """An item on which the work itself breaks takes no other with it, whatever kind of error it raises."""
    with caplog.at_level(logging.CRITICAL):
        answers = await submit_all(group_of(database, recorder), [2, poison, 4])
    assert (answers[0], answers[2]) == (4, 8)
    assert isinstance(answers[1], error)
    assert recorder.groups == [[2, poison, 4], [2], [poison], [4]]


async def test_a_database_that_is_away_is_not_asked_again_for_each_item(
    database: CountingDatabase, recorder: Recorder
) -> None:
    """All callers hear at once that it is unavailable."""
    database.error = Unavailable("gone")
    answers = await submit_all(group_of(database, recorder), [2, 4, 6])
    assert [type(answer) for answer in answers] == [Unavailable] * 3
    assert database.transactions == 1


async def test_a_group_works_on_after_an_error(database: CountingDatabase, recorder: Recorder) -> None:
    """What failed leaves nothing behind that later calls would wait for."""
    group = group_of(database, recorder)
    database.error = NotFound("first")
    with pytest.raises(NotFound):
        await group.submit(2)
    database.error = None
    assert await group.submit(2) == 4


async def test_a_caller_that_gives_up_takes_no_other_with_it(database: CountingDatabase, recorder: Recorder) -> None:
    """Its item is run all the same: it may have been under way already."""
    group = group_of(database, recorder)
    database.gate.clear()
    calls = [asyncio.create_task(group.submit(item)) for item in (2, 4)]
    await asyncio.sleep(0)
    calls[0].cancel()
    await asyncio.sleep(0)
    database.gate.set()
    assert await calls[1] == 8
    assert calls[0].cancelled()
    assert recorder.groups == [[2, 4]]
