"""A short storm over every part of an installation; `make chaos` runs the long ones."""

import pytest

from support.chaos.faults import FAULTS
from support.chaos.network import Loopback, NotAllowed
from support.chaos.postgres import can_start
from support.chaos.run import Plan, run

PLANS = {
    "postgres": Plan("postgres", seed=11, tasks=240, seconds=20, lanes=3, workers=2, slots=3),
    "sqlite": Plan("sqlite", seed=12, tasks=120, seconds=10, lanes=2, workers=2, slots=3),
}


@pytest.mark.parametrize("database", PLANS)
async def test_every_promise_is_kept_while_everything_suffers(database: str) -> None:
    """Orders, money, messages, files and limits are as promised, and every fault is survived."""
    if database == "postgres" and (why := can_start()):
        pytest.skip(why)
    report = await run(PLANS[database])
    print(report.page())  # noqa: T201
    assert report.broken == []
    assert report.orders == PLANS[database].tasks == sum(report.tasks.values())
    assert report.inflicted == report.survived > PLANS[database].lanes
    assert report.limit_samples > 0
    assert report.messages >= report.orders


def test_every_fault_has_a_name_of_its_own() -> None:
    """They are counted by it."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


def test_on_one_loopback_nothing_is_cut() -> None:
    """A cut would be none there: it is refused with the sentence that says why."""
    net = Loopback("only root may")
    with pytest.raises(NotAllowed, match="only root may"):
        net.cut(net.host("one"))
