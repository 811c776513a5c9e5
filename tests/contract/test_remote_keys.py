"""Keys at providers: whose is used, where it goes, and that nobody reads it; `conftest` looks for that, too."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, RedirectResponse

from sim.fal import Fal
from sim.faults import Exchange, Fault, leak
from sim.provider import Stored, served
from sim.replicate import Replicate
from sim.results import TYPES, content
from sim.unified import Unified
from support.keys import API_KEY
from support.remote import CASES, LOOKED_AT, Bench
from unitask.kit.errors import EngineFailure, JobFailed, ProviderRefused, TaskFailure

OWN = "sk-of-an-account-0123456789"
STEPS = ["submit", "look", "result", "file", "upload", "cancel", "ping", "socket"]


def these(names: list[str]) -> pytest.MarkDecorator:
    """Choose engines."""
    return pytest.mark.parametrize("bench", names, indirect=True)


@pytest.fixture
def elsewhere() -> Iterator[Unified]:
    """Run a store of results at an address of its own."""
    with served(Unified()) as sim:
        for extension in ("png", "mp4"):
            sim.store(f"result.{extension}", Stored(content(extension), TYPES[extension]))
        yield sim


def quoting(code: int, form: str) -> Fault:
    """Answer with a text that quotes the key."""

    async def happen(exchange: Exchange) -> None:
        headers = {name.decode(): value.decode() for name, value in exchange.scope["headers"]}
        key = headers.get("x-api-key") or headers.get("authorization", "").rpartition(" ")[2]
        said = form.format(key=key)
        await exchange.say(JSONResponse({"error": said, "detail": said, "message": said}, code))

    return happen


async def test_the_operator_s_key_is_sent(bench: Bench) -> None:
    """In the provider's own header, with every request that needs it, and no other key at all."""
    await bench.run()
    assert bench.keys_seen == {bench.key}
    assert API_KEY not in str(bench.sim.heard)
    if bench.engine.name != "upstream":
        assert not [headers for _, headers in bench.sim.heard if "x-api-key" in headers]


async def test_an_account_s_own_key_is_sent_in_its_place(bench: Bench) -> None:
    """With every request of its task, also of one that cancels or listens; the operator's is not even there."""
    bench.own_key = OWN
    bench.sim.key = OWN if bench.sim.key else ""
    await bench.run()
    assert bench.keys_seen == {OWN}
    assert bench.key not in str(bench.sim.heard)
    await bench.engine.cancel(bench.calls(), bench.last.document["job"] if bench.last.document else {"key": "k"})
    assert bench.keys_seen == {OWN}


async def test_an_own_key_that_is_not_taken_is_the_client_s_to_mend(bench: Bench) -> None:
    """The provider is well: others' tasks go on there."""
    bench.own_key = OWN
    bench.sim.faults.add("submit", quoting(401, "who is {key}?"))
    with pytest.raises(ProviderRefused, match="there does not serve your own key") as caught:
        await bench.run()
    assert OWN not in str(caught.value)
    assert (caught.value.retryable, bench.breaker.state, bench.breaker.failures) == (False, "up", 0)


@pytest.mark.parametrize(
    "form",
    [
        "{key}",
        "the header was Bearer {key}",
        "Authorization: Key {key}!",
        "?key={key}&x=1",
        pytest.param("x" * 290 + "{key}", id="at-the-end-of-what-is-quoted"),
    ],
)
@pytest.mark.parametrize("code", [400, 403, 503])
async def test_a_provider_that_quotes_the_key_is_not_quoted(bench: Bench, form: str, code: int) -> None:
    """At whatever length of its sentence."""
    bench.sim.faults.add("submit", quoting(code, form), times=4)
    with pytest.raises(EngineFailure) as caught:
        await bench.run()
    for told in (str(caught.value), caught.value.raw_message, bench.breaker.why):
        assert bench.key not in told
        assert bench.key[:8] not in told


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("step", STEPS)
async def test_a_key_leaks_at_no_step(bench: Bench, step: Any, *, own: bool) -> None:
    """Whatever comes of the task; what was said is looked at when the test has ended."""
    if own:
        bench.own_key = OWN
        bench.sim.key = OWN if bench.sim.key else ""
    bench.sim.faults.add(step, leak(), times=4)
    try:
        await bench.run()
    except TaskFailure as error:
        bench.said += [str(error), error.raw_message]
    for call in (bench.engine.ping(bench.calls()), bench.engine.cancel(bench.calls(), {"key": "k"})):
        try:
            await call
        except EngineFailure as error:
            bench.said += [str(error), error.raw_message]


async def test_what_failed_there_quotes_no_key(bench: Bench) -> None:
    """Models print their environment."""
    bench.sim.fail(f"could not log in with Bearer {bench.key}, see https://a.test/?token={bench.key}")
    with pytest.raises(TaskFailure) as caught:
        await bench.run()
    assert "could not log in" in caught.value.raw_message


@these(["replicate", "fal", "hub"])
async def test_a_file_elsewhere_is_fetched_without_a_key(bench: Bench, elsewhere: Unified) -> None:
    """Storage is another's server, whoever names it."""
    address = f"{elsewhere.url}/files/result.png"
    names = ("Qubico/flux1-dev/txt2img", "black-forest-labs/flux-dev", "fal-ai/flux/dev")
    template: Any = {Replicate: [address], Fal: {"images": [{"url": address}]}}.get(
        type(bench.sim), {"image_url": address}
    )
    bench.sim.outputs.update(dict.fromkeys(names, template))
    await bench.run()
    assert [path for path, _ in elsewhere.heard] == ["/files/result.png"]
    assert bench.key not in str(elsewhere.heard)
    assert not {"authorization", "x-api-key", "cookie"} & elsewhere.heard[0][1].keys()


@these(LOOKED_AT)
async def test_a_file_that_has_moved_elsewhere_is_fetched_without_a_key(bench: Bench, elsewhere: Unified) -> None:
    """A server may send us on to its storage."""
    extension = "mp4" if bench.case is CASES["openai-film"] else "png"

    async def on(exchange: Exchange) -> None:
        await exchange.say(RedirectResponse(f"{elsewhere.url}/files/result.{extension}"))

    bench.sim.faults.add("result" if extension == "mp4" else "file", on)
    await bench.run()
    assert [path for path, _ in elsewhere.heard] == [f"/files/result.{extension}"]
    assert bench.key not in str(elsewhere.heard)


async def test_no_request_follows_a_provider_to_another_server(bench: Bench, elsewhere: Unified) -> None:
    """An order that is sent on is a provider that is not where it was said to be."""

    async def on(exchange: Exchange) -> None:
        await exchange.say(RedirectResponse(f"{elsewhere.url}/elsewhere", 307))

    for step in ("submit", "look" if bench.engine.name == "fal" else "ping"):
        bench.sim.faults.add(step, on)
    with pytest.raises(EngineFailure):
        await bench.engine.ping(bench.calls())
    with pytest.raises(EngineFailure, match="not available"):
        await bench.run()
    assert elsewhere.heard == []


@these(["fal"])
async def test_an_address_of_another_server_is_not_asked(bench: Bench, elsewhere: Unified) -> None:
    """A provider names where its job is to be looked at: that is below its own address, or nowhere."""
    there = f"{elsewhere.url}/status?key={bench.key}"
    document = {"key": "k", "job": dict.fromkeys(("id", "status", "result", "cancel"), there)}
    with pytest.raises(EngineFailure) as caught:
        await bench.engine.look(bench.job(), document["job"])
    with pytest.raises(EngineFailure):
        await bench.engine.cancel(bench.calls(), document["job"])
    assert elsewhere.heard == []
    assert bench.key not in caught.value.raw_message


@these(["fal"])
async def test_a_note_of_a_provider_quotes_no_key(bench: Bench) -> None:
    """It is shown while the task waits."""

    async def happen(exchange: Exchange) -> None:
        await exchange.say(JSONResponse({"status": "IN_QUEUE", "queue_position": f"one with {bench.key}"}))

    bench.sim.faults.add("look", happen)
    await bench.run()
    assert bench.last.notes[0] == "one with [key] before it at fal"


@these(["hub"])
async def test_a_warning_of_a_provider_quotes_no_key(bench: Bench) -> None:
    """It goes to the client."""
    job = bench.job()
    task = {"output": {"image_url": f"{bench.sim.url}/files/a.png"}, "meta": {"warnings": [f"the key {bench.key}"]}}
    bench.sim.store("a.png", Stored(content("png"), "image/png"))
    await bench.engine.collect(job, {"id": "a"}, task)
    assert job.warnings == ["the key [key]"]


async def test_a_result_on_a_private_network_is_not_read(bench: Bench, tmp_path: Path, elsewhere: Unified) -> None:
    """Of a provider that does not lie there itself."""
    from unitask.kit.net import Guard  # noqa: PLC0415 - in this test alone

    calls = bench.calls()
    calls._guard = Guard(allow_private=False)
    with pytest.raises(JobFailed, match="a result that is not read"):
        await calls.download(f"{elsewhere.url}/files/result.png", tmp_path / "a", limit_bytes=2**20)
    assert elsewhere.heard == []
