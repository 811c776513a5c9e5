"""An engine that does what its input says: succeed, fail, hang, die. Processes under test get it as a plug-in.

`support.plugin` installs a copy of this file, so it imports nothing of the tests.
"""

import contextlib
import ctypes
import hashlib
import os
import resource
import select
import stat
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from unitask.kit.errors import EngineFailure, TaskFailure
from unitask.spec.engine import Job, Output, Work
from unitask.spec.media import Image, Media
from unitask.spec.price import Price
from unitask.spec.product import Example, Input, Product, Recipe

PRICE_POINTS = 10_000
PNG_HEAD = b"\x89PNG\r\n\x1a\n"
NOISE = b'noise {"say": "done"}\n\xff\xfe\x00 no newline at the end'


class Do(Input):
    """What to do, and how much of it."""

    do: Literal[
        "ok",
        "babble",
        "big_result",
        "crash",
        "crash_once",
        "eat_crumbs",
        "eat_memory",
        "environment",
        "exit",
        "fail",
        "fetch",
        "hang",
        "hang_in_c",
        "many_warnings",
        "memory_limit",
        "nan",
        "nonsense",
        "print_noise",
        "raise",
        "save_file",
        "save_missing",
        "save_strange",
        "save_when_told",
        "show",
        "show_strange",
        "slow_save",
        "slow_steps",
        "start_program",
        "wait_for_file",
    ] = "ok"
    image: Image = ""
    seed: int = -1
    seconds: float = Field(1.0, ge=0, le=3600)
    steps: int = Field(10, ge=1, le=10_000)
    size_bytes: int = Field(1000, ge=8)
    marker: str = Field("", description="A path: a file that tells the attempts of one task apart, or a pid.")
    together: str = Field("", description="What the engine `keeper` makes at once; empty: alone.")


class Done(BaseModel):
    """What was done. `said` names at least the seed, the process and the scratch folder."""

    image_url: str = ""
    said: dict[str, Any]


def _ok(inputs: Do, job: Job) -> dict[str, Any]:
    job.progress(0.5, f"half of {inputs.do}")
    return {}


def _babble(_: Do, __: Job) -> dict[str, Any]:
    """Write into every socket of this process, the one to the parent too, and go on."""
    for descriptor in range(3, 100):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                os.write(descriptor, b"babble\n")
    time.sleep(3600)
    return {}


def _big_result(inputs: Do, _: Job) -> dict[str, Any]:
    return {"text": "x" * inputs.size_bytes}


def _crash(_: Do, __: Job) -> dict[str, Any]:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.abort()


def _crash_once(inputs: Do, job: Job) -> dict[str, Any]:
    marker = Path(inputs.marker)
    if marker.exists():
        return {"crashed": int(marker.read_text())}
    marker.write_text(str(os.getpid()))
    return _crash(inputs, job)


def _eat_crumbs(_: Do, __: Job) -> dict[str, Any]:
    eaten: list[Any] = []
    while True:
        eaten = [eaten, [None] * 100]


def _eat_memory(_: Do, __: Job) -> dict[str, Any]:
    eaten = []
    while True:
        eaten.append(bytearray(32 * 2**20))


def _environment(_: Do, __: Job) -> dict[str, Any]:
    return {"names": sorted(os.environ)}


def _exit(_: Do, __: Job) -> dict[str, Any]:
    sys.exit(3)


def _fail(_: Do, job: Job) -> dict[str, Any]:
    job.warn("something was odd")
    raise EngineFailure("the model is away", raw_message="it answered 503", retryable=True)


def _fetch(inputs: Do, job: Job) -> dict[str, Any]:
    content = job.fetch(inputs.image, Media("image")).read_bytes()
    return {"size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _hang(_: Do, job: Job) -> dict[str, Any]:
    job.progress(0.1)
    while True:
        pass


def _hang_in_c(inputs: Do, job: Job) -> dict[str, Any]:
    """Sleep in C and keep the interpreter lock, as a library that misbehaves does: no other thread runs."""
    job.progress(0.1, str(os.getpid()))
    ctypes.PyDLL(None).sleep(3600)
    return {}


def _many_warnings(_: Do, job: Job) -> dict[str, Any]:
    for number in range(500):
        job.warn(f"warning {number}")
    return {}


def _memory_limit(_: Do, __: Job) -> dict[str, Any]:
    return {"limit_bytes": resource.getrlimit(resource.RLIMIT_DATA)[0]}


def _nan(_: Do, __: Job) -> dict[str, Any]:
    return {"number": float("nan")}


def _nonsense(_: Do, __: Job) -> dict[str, Any]:
    return {"object": object()}


def _print_noise(inputs: Do, job: Job) -> dict[str, Any]:
    for _ in range(inputs.steps):
        print("noise", '{"say": "done"}')  # noqa: T201 - the noise
        os.write(1, NOISE)
        os.write(2, NOISE)
        job.progress(0.5)
    return {}


def _raise(inputs: Do, __: Job) -> dict[str, Any]:
    raise ValueError(f"not like this: {inputs.do}")


def _save_file(inputs: Do, job: Job) -> dict[str, Any]:
    content = PNG_HEAD + os.urandom(inputs.size_bytes - len(PNG_HEAD))
    return {"image_url": job.save(content, "png"), "sha256": hashlib.sha256(content).hexdigest()}


def _save_missing(_: Do, job: Job) -> dict[str, Any]:
    return {"image_url": job.save(job.scratch / "never-made.png", "png")}


def _save_strange(_: Do, job: Job) -> dict[str, Any]:
    return {"image_url": job.save(b"MZ", "exe")}


def _save_when_told(inputs: Do, job: Job) -> dict[str, Any]:
    return _wait_for_file(inputs, job) | _save_file(inputs, job)


def _show(inputs: Do, job: Job) -> dict[str, Any]:
    """Show something if somebody wants to see it, and go on until a file is there."""
    job.progress(0.3)
    wanted = job.shows
    job.show(PNG_HEAD + b"so far", "png")
    return _wait_for_file(inputs, job) | {"wanted": wanted, "again": job.shows}


def _show_strange(_: Do, job: Job) -> dict[str, Any]:
    job.progress(0.3)
    job.show(b"MZ", "exe")
    return {}


def _slow_save(inputs: Do, job: Job) -> dict[str, Any]:
    return _slow_steps(inputs, job) | _save_file(inputs, job)


def _slow_steps(inputs: Do, job: Job) -> dict[str, Any]:
    for step in range(inputs.steps):
        job.progress(step / inputs.steps, f"step {step} in {os.getpid()}")
        # Not `time.sleep`: under libfaketime, which sets the clocks of some tests, it fails.
        select.select([], [], [], inputs.seconds / inputs.steps)
    return {}


def _start_program(inputs: Do, job: Job) -> dict[str, Any]:
    """Work as an engine does that calls another program, such as ffmpeg."""
    import subprocess  # noqa: PLC0415 - for this one alone

    with subprocess.Popen(["/bin/sleep", "3600"]) as program:
        Path(inputs.marker).write_text(str(program.pid))
        job.progress(0.5, str(program.pid))
    return {}


def _wait_for_file(inputs: Do, job: Job) -> dict[str, Any]:
    while not Path(inputs.marker).exists():
        job.progress(0.5, f"waits in {os.getpid()}")
        time.sleep(0.02)
    return {}


_DEEDS: dict[str, Callable[[Do, Job], dict[str, Any]]] = {
    name.removeprefix("_"): deed
    for name, deed in list(globals().items())
    if callable(deed) and getattr(deed, "__module__", "") == __name__ and name.startswith("_")
}


class TesterEngine:
    """Satisfies `unitask.spec.engine.Engine`."""

    name = "tester"

    def missing(self) -> str | None:
        """Need nothing."""
        return None

    def run(self, product: Product, inputs: Any, job: Job) -> Output:
        """Do as the input says."""
        (job.scratch / "left-behind.bin").write_bytes(b"x" * 1000)
        said = _DEEDS[inputs.do](inputs, job)
        said |= {"seed": job.seed, "pid": os.getpid(), "scratch": str(job.scratch), "made": job.recipe.make}
        said |= {"device": os.environ.get("UNITASK_DEVICE", ""), "together": [job.task_id]}
        measures = {product.price.unit: float("nan")} if inputs.do == "nan" else {}
        return Output({"image_url": said.pop("image_url", ""), "said": said}, measures)


class NeedyEngine(TesterEngine):
    """Lacks something that can be installed."""

    name = "needy"

    def missing(self) -> str | None:
        """Say so."""
        return "install the package needy-weights"


class KeeperEngine(TesterEngine):
    """Satisfies `unitask.spec.engine.BatchEngine`, on the devices that `TESTER_DEVICES` names."""

    name = "keeper"
    most_in_batch = 3
    last = ""

    def run(self, product: Product, inputs: Any, job: Job) -> Output:
        """Do as the input says, and remember what it was about."""
        self.last = inputs.together
        return super().run(product, inputs, job)

    def devices(self) -> tuple[str, ...]:
        """List them."""
        return tuple(os.environ.get("TESTER_DEVICES", "fake:0,fake:1").split(","))

    def loaded(self, models: Path) -> list[str]:
        """Have what the last input named; see `Do.together`."""
        del models
        return [self.last] if self.last else []

    def batch_key(self, product: Product, inputs: Any, recipe: Recipe) -> str | None:
        """Do as the input says."""
        del product, recipe
        return inputs.together or None

    def run_batch(self, works: Sequence[Work]) -> list[Output | TaskFailure]:
        """Wait until each may go on, as if all were in one computation; then do what each input says."""
        waiting = [work for work in works if work.inputs.do == "wait_for_file"]
        while not all(Path(work.inputs.marker).exists() for work in waiting):
            for work in waiting:
                work.job.progress(0.5, f"waits with {len(works)} in {os.getpid()}")
            time.sleep(0.02)
        results: list[Output | TaskFailure] = []
        for work in works:
            try:
                output = self.run(work.product, work.inputs, work.job)
                output.fields["said"]["together"] = [one.job.task_id for one in works]
                results.append(output)
            except TaskFailure as error:
                results.append(error)
        return results


if os.environ.get("TESTER_BROKEN") and os.environ.get("UNITASK_DEVICE"):
    sys.exit("this device is broken")


def _product(task_type: str, *, engine: str = "tester", limit_s: int = 60) -> Product:
    return Product(
        model="tester",
        task_type=task_type,
        family="tester",
        title=f"Tester: {task_type}",
        summary="Does what it is told.",
        input=Do,
        output=Done,
        price=Price(PRICE_POINTS),
        recipes=(Recipe(engine, "basic", task_type),),
        examples=(Example("Succeed", {"do": "ok"}),),
        expected_s=0.1,
        limit_s=limit_s,
    )


ENGINE = TesterEngine()
NEEDY = NeedyEngine()
KEEPER = KeeperEngine()
PRODUCTS = (_product("do"), _product("brief", limit_s=1), _product("needy", engine="needy"))
KEPT = (_product("kept", engine="keeper"),)
