"""Every remote engine makes one job of one order: what arrives there, what comes back, and what it waits for."""

import threading
from typing import Any

import pytest

from sim.faults import Fault, delay, hang_up, status
from support.decoding import film, picture
from support.remote import CASES, LOOKED_AT, ONCE, OWN, Bench, then
from unitask.kit.errors import EngineFailure, JobFailed, ProviderAway
from unitask.spec.remote import Made

REPEATING = [name for name in CASES if name not in ONCE]


def these(names: list[str]) -> pytest.MarkDecorator:
    """Choose engines."""
    return pytest.mark.parametrize("bench", names, indirect=True)


def check(bench: Bench, made: Made) -> None:
    """Find the result stored and in the product's form, made by one job."""
    job = bench.last
    output = job.product.output.model_validate(made.output.fields).model_dump(exclude_none=True)
    references = [value for value in output.values() if value]
    assert references == list(job.saved)
    for stored in job.saved.values():
        (film if job.product.media == "video" else picture)(stored)
    assert (bench.sim.submitted, bench.sim.duplicates) == (1, 0)


def within(order: Any, expected: Any) -> bool:
    """Tell whether an order has at least what is expected."""
    if isinstance(expected, dict):
        return all(within(order[name], value) for name, value in expected.items())
    return bool(order == expected)


async def test_an_order_arrives_in_the_words_of_the_provider(bench: Bench) -> None:
    """And its result is stored in ours; what is kept names the job, and then nothing more is done."""
    made = await bench.run()
    check(bench, made)
    order = bench.sim.job.order
    assert within(
        order["input"] if "replicate" in bench.engine.name or bench.engine.name == "cog" else order, bench.case.order
    )
    assert made.level == "full"
    assert [set(one or ()) - {"free"} for one in bench.last.kept] == [{"key"}, {"key", "job"}]
    assert bench.sim.faults.left == 0


@these(["replicate", "openai-film"])
async def test_progress_is_told(bench: Bench) -> None:
    """It grows, and comes with a sentence."""
    bench.sim.looks = 4
    await bench.run()
    fractions = bench.last.fractions
    assert len(fractions) >= 2
    assert fractions == sorted(fractions)
    assert 0 < fractions[-1] < 1
    assert "running at there" in bench.last.notes


@these(["hub", "fal"])
async def test_waiting_is_told_from_running(bench: Bench) -> None:
    """Also where there is no fraction."""
    bench.sim.looks = 4
    await bench.run()
    assert bench.last.notes[0] != bench.last.notes[-1] == "running at there"


@these(["replicate"])
@pytest.mark.parametrize(("limit_s", "told"), [(60, "60s"), (None, "1800s")])
async def test_a_job_ends_by_itself_when_its_time_is_over(bench: Bench, limit_s: int | None, told: str) -> None:
    """The time that the operator gives it, also where that is short; else the usual one."""
    bench.limit_s = limit_s
    await bench.run()
    assert bench.sim.job.headers["cancel-after"] == told


async def test_own_files_go_there_in_a_form_that_can_be_read(bench: Bench) -> None:
    """Nobody but us reads an address of our own store."""
    await bench.run(bench.job(product=bench.case.edit, inputs={"prompt": "a dog", "image": OWN["image"]}))
    order = str(bench.sim.job.order)
    assert OWN["image"] not in order
    if bench.engine.name == "comfyui":
        assert len(bench.sim.uploads) == 1
        picture(bench.sim.uploads[0].content)
    else:
        assert "data:image/png;base64,iVBOR" in order or "'type': 'image/png', 'data': 'iVBOR" in order


async def test_an_answer_that_takes_long_is_waited_for(bench: Bench) -> None:
    """The job is made while nothing is heard of it."""
    event = threading.Event()
    bench.sim.faults.add("submit", delay(event))
    threading.Timer(0.05, event.set).start()
    check(bench, await bench.run())


@pytest.mark.parametrize(("retry_after", "waits"), [("7", [7.0, 7.0]), (None, [0.5, 1.0]), ("900", [30.0, 30.0])])
async def test_a_busy_provider_is_asked_again_when_it_says(
    bench: Bench, retry_after: str | None, waits: list[float]
) -> None:
    """Else soon and then later; never longer than half a minute."""
    bench.sim.faults.add("submit", status(429, retry_after=retry_after), times=2)
    check(bench, await bench.run())
    assert bench.pauses == waits


async def test_a_broken_provider_is_asked_again(bench: Bench) -> None:
    """One job is made in the end."""
    bench.sim.faults.add("submit", status(503), times=3)
    check(bench, await bench.run())
    assert bench.breaker.state == "up"


@pytest.mark.parametrize("code", [429, 503])
async def test_a_provider_that_stays_broken_is_left(bench: Bench, code: int) -> None:
    """Nothing was begun there, so that another may make the task."""
    bench.sim.faults.add("submit", status(code), times=4)
    with pytest.raises(ProviderAway, match="the provider there is not available at present") as caught:
        await bench.run()
    assert str(code) in caught.value.raw_message
    assert (bench.sim.submitted, bench.last.document, bench.breaker.failures) == (0, None, 1)


@pytest.mark.parametrize("code", [401, 402, 403])
async def test_a_provider_that_does_not_take_our_key_is_left(bench: Bench, code: int) -> None:
    """It is the operator's to mend, not the client's."""
    bench.sim.faults.add("submit", status(code))
    with pytest.raises(ProviderAway, match="not available"):
        await bench.run()
    assert (bench.sim.submitted, bench.pauses) == (0, [])


@these(["unitask", "cog"])
@pytest.mark.parametrize("code", [500, 502, 504])
async def test_a_server_that_broke_is_asked_again_under_the_same_key(bench: Bench, code: int) -> None:
    """It may have taken the order, and then it makes no second job of it."""
    bench.sim.faults.add("submit", status(code), times=3)
    check(bench, await bench.run())


@these(ONCE)
@pytest.mark.parametrize(
    ("fault", "jobs", "kind"),
    [
        (hang_up(), 0, EngineFailure),
        (hang_up(after=True), 1, EngineFailure),
        (status(500), 0, JobFailed),
        (status(502), 0, JobFailed),
        (status(504), 0, JobFailed),
    ],
    ids=["before", "after", "500", "502", "504"],
)
async def test_an_order_of_unknown_fate_is_not_sent_again(
    bench: Bench, fault: Fault, jobs: int, kind: type[EngineFailure]
) -> None:
    """Whoever is paid for each order gets one at most; another may have it from one who says that it broke."""
    bench.sim.faults.add("submit", fault)
    with pytest.raises(EngineFailure, match=r"the provider there (was lost|broke)") as caught:
        await bench.run()
    assert "was not sent again" in str(caught.value)
    assert (type(caught.value), caught.value.retryable) == (kind, False)
    assert (bench.sim.submitted, bench.last.document) == (jobs, None)
    assert bench.pauses == []


@these(ONCE)
async def test_an_order_of_unknown_fate_is_sent_again_where_nobody_pays(bench: Bench) -> None:
    """By the next attempt, under the same key."""
    bench.paid = False
    bench.sim.faults.add("submit", hang_up())
    with pytest.raises(EngineFailure, match="contact with the provider there was lost") as caught:
        await bench.run()
    assert caught.value.retryable
    check(bench, await bench.run(bench.job(document=bench.last.document)))


async def attempts(bench: Bench) -> Made:
    """Run an order while it says that it may yet succeed; each attempt knows what the one before kept."""
    for _ in range(5):
        try:
            return await bench.run(bench.job(document=bench.last.document if bench.jobs else None))
        except EngineFailure as error:
            if not error.retryable or isinstance(error, ProviderAway):
                raise
    raise AssertionError("it did not end")


@these(["unitask", "comfyui"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("times", [1, 4])
async def test_an_order_that_may_be_repeated_makes_one_job(bench: Bench, *, after: bool, times: int) -> None:
    """Whether it had arrived or not, and however often the connection broke."""
    bench.sim.faults.add("submit", hang_up(after=after), times=times)
    check(bench, await attempts(bench))


@these(["cog"])
async def test_cog_makes_a_prediction_again_that_nobody_waited_for(bench: Bench) -> None:
    """Under the same id; it keeps none that has ended, and ends one whose client has gone."""
    bench.sim.faults.add("submit", hang_up())
    check(bench, await bench.run())
    bench.sim.faults.add("submit", hang_up(after=True))
    await bench.run()
    assert len({job.id for job in bench.sim.jobs[1:]}) == 1


@these(LOOKED_AT)
@pytest.mark.parametrize("fault", [hang_up(), status(500), status(503), status(429)], ids=["hang", "500", "503", "429"])
async def test_a_look_that_fails_is_repeated(bench: Bench, fault: Fault) -> None:
    """However often: the job goes on meanwhile."""
    bench.sim.faults.add("submit", then(bench, fault, times=9))
    check(bench, await bench.run())
    assert bench.sim.faults.left == 0


@these([name for name in LOOKED_AT if name != "openai-film"])
@pytest.mark.parametrize("fault", [hang_up(), status(500)], ids=["hang", "500"])
@pytest.mark.parametrize("times", [2, 4])
async def test_a_file_that_cannot_be_read_at_once_is_read_later(bench: Bench, fault: Fault, times: int) -> None:
    """By the same attempt: the job is there still, and was perhaps paid for."""
    bench.sim.faults.add("file", fault, times=times)
    check(bench, await bench.run())
    assert bench.sim.submitted == 1


@these(["openai-film", "fal"])
@pytest.mark.parametrize("fault", [hang_up(), status(503)], ids=["hang", "503"])
async def test_a_result_that_cannot_be_read_at_once_is_read_later(bench: Bench, fault: Fault) -> None:
    """Where it is asked for by itself."""
    bench.sim.faults.add("result", fault, times=3)
    check(bench, await bench.run())


@these(["hub", "replicate"])
async def test_what_is_charged_by_the_result_is_measured(bench: Bench) -> None:
    """The quote is the most that it can cost: without a measure the client would pay that."""
    inputs = {"image": OWN["image"], "scale": 2}
    made = await bench.run(bench.job(product="Qubico/image-toolkit/upscale", inputs=inputs))
    width, height = picture(next(iter(bench.last.saved.values()))).size
    assert made.output.measures == {"output megapixel": pytest.approx(width * height / 1_000_000)}
