"""What a provider says by mistake, or a proxy in its name: nothing is ordered twice or left behind for it."""

from typing import Any

import pytest
from starlette.responses import HTMLResponse, Response
from starlette.types import Message

from sim.cog import Cog
from sim.faults import Exchange, Fault, hang_up, status
from sim.provider import served
from sim.results import TYPES, content
from support.remote import LOOKED_AT, Bench, Pauses, then
from unitask.engines.cog import CogEngine
from unitask.kit.errors import EngineFailure, JobFailed
from unitask.remote.access import Access
from unitask.remote.breaker import FAILURES
from unitask.remote.drive import _DOUBTS_S
from unitask.spec.remote import Provider

FILES = [name for name in LOOKED_AT if name != "openai-film"]
"""Those whose results are files at addresses of their own."""


def these(names: list[str]) -> pytest.MarkDecorator:
    """Choose engines."""
    return pytest.mark.parametrize("bench", names, indirect=True)


def page(code: int) -> Fault:
    """Answer as a proxy does that knows of nothing behind it."""
    return lambda exchange: exchange.say(HTMLResponse("<!doctype html><title>default backend</title>", code))


def of_kind(extension: str) -> Fault:
    """Answer with a file."""
    return lambda exchange: exchange.say(Response(content(extension), media_type=TYPES[extension]))


def with_cookie() -> Fault:
    """Let the simulator answer, and begin a session."""

    async def happen(exchange: Exchange) -> None:
        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"set-cookie", b"session=of-somebody; Path=/")]
            await exchange.send(message)

        await exchange.let(send)

    return happen


@these(LOOKED_AT)
@pytest.mark.parametrize("fault", [page(404), page(400), page(405), status(404)], ids=["404", "400", "405", "theirs"])
async def test_a_stray_refusal_of_a_look_costs_no_job(bench: Bench, fault: Fault) -> None:
    """It is asked again, and goes on where it was."""
    bench.sim.faults.add("submit", then(bench, fault, times=2))
    pauses = Pauses()
    job = bench.job()
    await bench.drive(job, pauses.__call__).run()
    assert (bench.sim.submitted, bench.sim.faults.left, bench.sim.job.cancelled) == (1, 0, False)
    if bench.engine.name != "comfyui":
        assert pauses[:2] == list(_DOUBTS_S[:2])


@these(LOOKED_AT)
@pytest.mark.parametrize("code", [404, 400])
async def test_a_job_that_is_given_up_is_cancelled_first(bench: Bench, code: int) -> None:
    """It may run all the same, and be paid for."""
    bench.sim.hold()
    bench.sim.faults.add("submit", then(bench, page(code), times=20))
    with pytest.raises(EngineFailure) as caught:
        await bench.run()
    assert (bench.sim.submitted, caught.value.retryable) == (1, False)
    if bench.engine.name == "comfyui":
        assert bench.last.document, "it cannot be asked for its queue: whoever clears up does it later"
    else:
        assert bench.last.document is None
        assert bench.sim.job.cancelled


@these(FILES)
@pytest.mark.parametrize("extension", ["wav", "mp4"])
async def test_a_file_of_another_kind_is_no_result(bench: Bench, extension: str) -> None:
    """Another engine may do better; nobody gets a sound for a picture, or pays for it."""
    bench.sim.faults.add("file", of_kind(extension))
    with pytest.raises(JobFailed, match=r"where one of image was ordered") as caught:
        await bench.run()
    assert (caught.value.retryable, bench.last.saved, bench.last.document) == (False, {}, None)


@these(FILES)
@pytest.mark.parametrize("code", [400, 401, 402, 405])
async def test_a_file_that_is_refused_once_is_asked_for_again(bench: Bench, code: int) -> None:
    """It is there, and was paid for."""
    bench.sim.faults.add("file", page(code))
    await bench.run()
    assert (bench.sim.submitted, bench.sim.faults.left) == (1, 0)


@these(["cog"])
async def test_a_prediction_that_is_paid_for_is_ordered_once(bench: Bench) -> None:
    """The container keeps none that has ended, so that a second order would make a second one."""
    bench.paid = True
    bench.sim.faults.add("submit", hang_up(after=True))
    with pytest.raises(EngineFailure, match="was not sent again"):
        await bench.run()
    assert bench.sim.submitted == 1


async def test_what_a_provider_says_of_one_account_is_told_by_no_other() -> None:
    """A session of one would make, show or bill what another orders."""
    with served(Cog()) as sim:
        sim.faults.add("ping", with_cookie())
        access = Access(Provider(name="there", engine="cog", url=sim.url), CogEngine(), allow_private=True)
        try:
            for _ in range(2):
                await access.calls().send("GET", "health-check")
        finally:
            await access.close()
        told: list[Any] = [headers.get("cookie") for _, headers in sim.heard]
    assert told == [None, None]


async def test_one_that_takes_no_order_is_left_alone(bench: Bench) -> None:
    """Though it answers whatever else it is asked."""
    for _ in range(FAILURES):
        bench.sim.faults.add("submit", status(503), times=4)
        with pytest.raises(EngineFailure):
            await bench.run()
        await bench.engine.ping(bench.calls())
    assert bench.breaker.failures == FAILURES
    bench.sim.faults.add("submit", status(503), times=4)
    with pytest.raises(EngineFailure):
        await bench.run()
    assert bench.breaker.state == "down"
