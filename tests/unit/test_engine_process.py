import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from support.loopback import answer, serving
from support.plugin import install_plugin
from support.processes import runs
from support.tester import PNG_HEAD
from support.wait import seen
from unitask.kit.errors import Unavailable, UnitaskError
from unitask.spec.protocol import ClaimedTask, MarksAnswer, SettleRequest
from unitask.worker.attempt import CANCEL_GRACE_S, Attempt, Reach, run
from unitask.worker.client import Rejected
from unitask.worker.process import EngineProcess
from unitask.worker.storing import Storing

TASK_ID = "0192f0c0-0000-7000-8000-000000000001"
STORED = "2026/11/21/0123456789abcdef0123456789abcdef.png"
CAP_BYTES = 256 * 2**20


@dataclass
class Store:
    """The one thing that an attempt wants of the API: a place for its files. Refuses once for each refusal."""

    refusals: list[UnitaskError] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    async def marks(self) -> MarksAnswer:
        """Want no marks: what is stored here is no media."""
        return MarksAnswer(marks=False)

    async def upload(self, task_id: str, attempt: int, path: Path, extension: str) -> str:
        """Keep a copy and give its reference."""
        content = await asyncio.to_thread(path.read_bytes)
        if self.refusals:
            raise self.refusals.pop()
        reference = f"unitask-artifact:{task_id}/{attempt}/{len(self.files)}.{extension}"
        self.files[reference] = content
        return reference


@dataclass
class Bench:
    """An engine process with a store, to run one attempt after another on."""

    engine: EngineProcess
    store: Store
    storing: Storing = field(init=False)
    reach: Reach = field(
        default_factory=lambda: Reach(
            Path("models"),
            Path(tempfile.gettempdir()),
            "http://unitask.test/files/",
            "http://127.0.0.1:9/files/",
            False,
        )
    )

    def __post_init__(self) -> None:
        self.storing = Storing(self.store)

    async def run(self, task: ClaimedTask | Attempt, within_s: float = 30) -> SettleRequest:
        """Run one attempt and give what would be reported."""
        attempt = task if isinstance(task, Attempt) else Attempt(task)
        return await asyncio.wait_for(run(attempt, self.engine, self.storing, self.reach), within_s)


@pytest.fixture(autouse=True)
def scratch_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this process makes temporary folders."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture(scope="module", autouse=True)
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let engine processes find the engine `tester`."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in install_plugin(tmp_path_factory.mktemp("plugin")).items():
            monkeypatch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
async def idle(plugin: None) -> AsyncIterator[list[EngineProcess]]:
    """Keep engine processes that still live after their test for the next one, as a worker does."""
    engines: list[EngineProcess] = []
    yield engines
    for engine in engines:
        await engine.kill()


@pytest.fixture
def memory_bytes() -> int:
    """Set no cap."""
    return 0


@pytest.fixture
async def bench(idle: list[EngineProcess], memory_bytes: int) -> AsyncIterator[Bench]:
    """Take an idle engine process, or start one."""
    capped = memory_bytes > 0
    engine = idle.pop() if idle and not capped else await EngineProcess.start(memory_bytes)
    yield Bench(engine, Store())
    if engine.alive and not capped:
        idle.append(engine)
    else:
        await engine.kill()


def task(
    do: str, *, task_id: str = TASK_ID, task_type: str = "do", seconds_left: float = 20, **inputs: Any
) -> ClaimedTask:
    """Write a claimed task for the engine `tester`."""
    return ClaimedTask(
        task_id=task_id,
        attempt=1,
        model="tester",
        task_type=task_type,
        engine="tester",
        input={"do": do, **inputs},
        seconds_left=seconds_left,
    )


def said(report: SettleRequest) -> dict[str, Any]:
    """Read what the engine says it did."""
    assert report.failure is None, report.failure
    assert report.output is not None
    return report.output["said"]


def why(report: SettleRequest) -> str:
    """Read the sentence of a failure."""
    assert report.output is None
    assert report.failure is not None
    return report.failure.message


async def test_a_result_comes_through(bench: Bench) -> None:
    """Output, progress and the recipe arrive as the engine gave them."""
    attempt = Attempt(task("ok"))
    report = await bench.run(attempt)
    assert (report.task_id, report.attempt) == (TASK_ID, 1)
    assert said(report)["made"] == "do"
    assert (attempt.fraction, attempt.note) == (0.5, "half of ok")


async def test_attempts_share_a_process_that_behaves(bench: Bench) -> None:
    """A process is warm for the next attempt."""
    again = task("ok").model_copy(update={"attempt": 2})
    first, second = said(await bench.run(task("ok"))), said(await bench.run(again))
    assert first["pid"] == second["pid"]
    assert first["scratch"] != second["scratch"]


async def test_the_clients_seed_is_used(bench: Bench) -> None:
    """Zero is a seed like any other; a negative one means that the client does not mind."""
    assert said(await bench.run(task("ok", seed=1234)))["seed"] == 1234
    assert said(await bench.run(task("ok", seed=0)))["seed"] == 0


async def test_a_seed_of_our_own_belongs_to_the_task(bench: Bench) -> None:
    """Another attempt makes the same result, another task makes another."""
    first = said(await bench.run(task("ok")))["seed"]
    again = said(await bench.run(task("ok").model_copy(update={"attempt": 2})))["seed"]
    other = said(await bench.run(task("ok", task_id=TASK_ID[:-1] + "2")))["seed"]
    assert 0 <= first == again != other


async def test_noise_on_the_standard_streams_does_not_disturb(bench: Bench) -> None:
    """What an engine or its libraries print never mixes with what they report."""
    assert said(await bench.run(task("print_noise", steps=20)))["made"] == "do"


async def test_an_exception_fails_the_attempt_and_keeps_the_process(bench: Bench) -> None:
    """The client reads which engine broke; the operator reads why."""
    before = said(await bench.run(task("ok")))["pid"]
    report = await bench.run(task("raise"))
    assert why(report) == "the engine tester failed: ValueError; the operator's log says more"
    assert report.failure.raw_message == "ValueError: not like this: raise"
    assert not report.failure.retryable
    assert said(await bench.run(task("ok")))["pid"] == before


async def test_a_failure_of_the_engine_says_what_the_engine_says(bench: Bench) -> None:
    """Sentence, detail, whether to try again, and warnings."""
    report = await bench.run(task("fail"))
    assert why(report) == "the model is away"
    assert (report.failure.raw_message, report.failure.retryable) == ("it answered 503", True)
    assert report.warnings == ["something was odd"]


@pytest.mark.parametrize(("do", "how"), [("crash", "signal 6"), ("exit", "exit status 3")])
async def test_a_process_that_ends_costs_one_attempt(bench: Bench, do: str, how: str) -> None:
    """The failure says how it ended and that another attempt may succeed; the process is not used again."""
    report = await bench.run(task(do))
    assert why(report) == f"the engine's process ended unexpectedly ({how})"
    assert report.failure.retryable
    assert not bench.engine.alive


@pytest.mark.parametrize("do", ["nonsense", "nan", "many_warnings"])
async def test_an_engine_that_reports_nonsense_fails_or_is_cut_short(bench: Bench, do: str) -> None:
    """Whatever an engine puts into its output, an answer in the protocol's form comes out."""
    report = await bench.run(task(do))
    SettleRequest.model_validate_json(report.model_dump_json())
    if do == "many_warnings":
        assert len(report.warnings) == 100
    else:
        assert "gave a result that cannot be read" in why(report)


async def test_a_process_that_breaks_the_protocol_is_ended(bench: Bench) -> None:
    """A line that no child of ours would write costs the attempt, at once and no more."""
    report = await bench.run(task("babble"))
    assert why(report) == "the engine's process ended unexpectedly (signal 9)"
    assert report.failure.retryable


async def test_a_product_that_this_worker_does_not_know_is_for_another(bench: Bench) -> None:
    """A worker of another release than the API fails the attempt with a sentence and lives on."""
    report = await bench.run(task("ok", task_type="of-tomorrow"))
    assert "this worker does not know tester of-tomorrow" in why(report)
    assert report.failure.retryable
    assert said(await bench.run(task("ok")))


@pytest.mark.parametrize("do", ["hang", "hang_in_c"])
async def test_the_deadline_ends_an_engine_that_does_not(bench: Bench, do: str) -> None:
    """Killed within a second of its time, also where no Python code can run."""
    began = monotonic()
    report = await bench.run(task(do, seconds_left=1.5))
    assert 1.5 <= monotonic() - began < 2.5
    assert why(report) == "the engine did not finish within 2 s"
    assert not report.failure.retryable
    assert not bench.engine.alive


async def test_a_cancel_is_obeyed_at_the_next_progress(bench: Bench) -> None:
    """An engine that reports progress stops by itself, well before it would be killed, and its process is kept."""
    attempt = Attempt(task("slow_steps", seconds=10, steps=500))
    running = asyncio.create_task(bench.run(attempt))
    await seen(lambda: attempt.fraction > 0, within_s=10, what="progress")
    attempt.cancel.set()
    began = monotonic()
    report = await running
    assert monotonic() - began < CANCEL_GRACE_S / 2
    assert why(report) == "the task was cancelled"
    assert said(await bench.run(task("ok")))["pid"] == int(attempt.note.split()[-1])


async def test_a_cancel_that_comes_at_once_is_heard(bench: Bench) -> None:
    """A cancel right behind the order is not taken for one of the attempt before."""
    for _ in range(30):
        attempt = Attempt(task("slow_steps", seconds=10, steps=500))
        attempt.cancel.set()
        assert why(await bench.run(attempt)) == "the task was cancelled"
        assert bench.engine.alive


async def test_a_cancel_does_not_reach_the_next_attempt(bench: Bench) -> None:
    """A process that was told to stop once runs the next order to its end."""
    attempt = Attempt(task("slow_steps", seconds=10, steps=500))
    attempt.cancel.set()
    await bench.run(attempt)
    assert said(await bench.run(task("slow_steps", seconds=0.1, steps=3)))


@pytest.mark.parametrize("do", ["hang", "hang_in_c"])
async def test_a_cancel_that_is_not_obeyed_ends_the_process(bench: Bench, do: str) -> None:
    """After a short grace the engine is killed."""
    attempt = Attempt(task(do))
    running = asyncio.create_task(bench.run(attempt))
    await seen(lambda: attempt.fraction > 0, within_s=10, what="progress")
    attempt.cancel.set()
    began = monotonic()
    assert why(await running) == "the task was cancelled"
    assert CANCEL_GRACE_S <= monotonic() - began < CANCEL_GRACE_S + 1
    assert not bench.engine.alive


async def test_a_lost_attempt_is_ended_without_grace(bench: Bench) -> None:
    """Its result would come to nothing."""
    attempt = Attempt(task("hang"), lost=True)
    attempt.cancel.set()
    began = monotonic()
    await bench.run(attempt)
    assert monotonic() - began < CANCEL_GRACE_S / 2


@pytest.mark.skipif(sys.platform != "linux", reason="the cap is enforced on Linux only")
@pytest.mark.parametrize("memory_bytes", [CAP_BYTES])
@pytest.mark.parametrize("do", ["eat_memory", "eat_crumbs"])
async def test_too_much_memory_is_a_clear_failure(bench: Bench, do: str) -> None:
    """The sentence says so, and the process, whose heap is full of holes, is replaced."""
    report = await bench.run(task(do))
    assert why(report) == "tester do needs more memory than it may use here; try a smaller input"
    assert not bench.engine.alive


@pytest.mark.parametrize(
    ("do", "seconds_left"),
    [("ok", 20), ("save_file", 20), ("raise", 20), ("crash", 20), ("hang", 1.0), ("slow_steps", 0.5)],
)
async def test_the_scratch_folder_is_removed(bench: Bench, scratch_root: Path, do: str, seconds_left: float) -> None:
    """However an attempt ends, nothing of it stays on the disk."""
    await bench.run(task(do, seconds_left=seconds_left, seconds=5))
    assert await asyncio.to_thread(os.listdir, scratch_root) == []


async def test_a_saved_file_is_stored_whole(bench: Bench) -> None:
    """The reference that the engine got is in the output."""
    report = await bench.run(task("save_file", size_bytes=5 * 2**20))
    content = bench.store.files[report.output["image_url"]]
    assert len(content) == 5 * 2**20


@pytest.mark.parametrize("do", ["save_file", "save_missing"])
async def test_a_file_that_cannot_be_stored_fails_the_attempt(bench: Bench, do: str) -> None:
    """The operator reads why; the client may try again; the process lives."""
    bench.store.refusals = [Rejected("the API answered 413: too large for never-made.png")]
    report = await bench.run(task(do))
    assert why(report) == "the result could not be stored"
    assert "never-made.png" in report.failure.raw_message
    assert report.failure.retryable
    bench.store.refusals = []
    assert said(await bench.run(task("save_file")))


async def test_an_upload_waits_for_an_api_that_is_restarted(bench: Bench) -> None:
    """What was made is not thrown away because the API was away for a moment."""
    bench.store.refusals = [Unavailable("the API does not answer")]
    assert said(await bench.run(task("save_file")))
    assert len(bench.store.files) == 1


async def test_a_stored_file_is_read_through_the_api(bench: Bench) -> None:
    """Our own store may be on loopback, where nothing else of an input may be."""
    picture = PNG_HEAD + b"a picture"
    with serving(answer(picture)) as server:
        reach = replace(bench.reach, own_files_url=server.url("/files/"))
        bench = Bench(bench.engine, bench.store, reach)
        report = await bench.run(task("fetch", image=f"http://unitask.test/files/{STORED}"))
        assert said(report)["size_bytes"] == len(picture)
        assert server.heads[0].startswith(f"GET /files/{STORED}?download=1 ".encode())
        refused = await bench.run(task("fetch", image=server.url("/files/" + STORED)))
        assert why(refused) == "failed to get valid image: the address is not allowed"
        assert len(server.heads) == 1


async def test_an_engine_process_holds_no_secret(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a model's code could print or send away is not there: tokens, keys, database."""
    ours = {f"UNITASK_{name}" for name in ("WORKER_TOKEN", "API_KEY", "ADMIN_KEY", "SECRET", "DATABASE_URL")}
    secrets = {*ours, "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN", "OTEL_EXPORTER_OTLP_HEADERS"}
    for name in {*secrets, "UNITASK_LOG_LEVEL"}:
        monkeypatch.setenv(name, "a-long-enough-secret")
    engine = await EngineProcess.start(0)
    report = await Bench(engine, Store()).run(task("environment"))
    await engine.kill()
    names = set(said(report)["names"])
    assert "UNITASK_LOG_LEVEL" in names
    assert not secrets & names


async def test_a_program_that_an_engine_started_ends_with_it(bench: Bench, tmp_path: Path) -> None:
    """An engine that is killed takes along what it started, such as a video encoder."""
    attempt = Attempt(task("start_program", marker=str(tmp_path / "program")), lost=True)
    running = asyncio.create_task(bench.run(attempt))
    await seen(lambda: attempt.note, within_s=10, what="the start of the program")
    attempt.cancel.set()
    await running
    pid = int(attempt.note)
    await seen(lambda: not runs(pid), within_s=2, what="the end of the program")
