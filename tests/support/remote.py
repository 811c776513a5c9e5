"""A remote engine without an API: a job that keeps what it is told, and every engine beside the server it speaks to."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr

from sim.cog import Cog
from sim.comfyui import ComfyUI
from sim.fal import Fal
from sim.faults import Exchange, Fault
from sim.openai_media import OpenAIMedia
from sim.provider import Simulator, served
from sim.replicate import Replicate
from sim.results import content
from sim.unified import Unified
from unitask.catalogue import Catalogue
from unitask.engines.cog import CogEngine
from unitask.engines.comfyui import ComfyuiEngine
from unitask.engines.fal import FalEngine
from unitask.engines.openai import OpenaiEngine
from unitask.engines.replicate import ReplicateEngine
from unitask.engines.upstream import UpstreamEngine
from unitask.kit.errors import JobFailed, TaskFailure
from unitask.kit.media import HEAD_BYTES, sniff
from unitask.kit.net import Guard
from unitask.remote.breaker import Breaker
from unitask.remote.calls import HttpCalls
from unitask.remote.drive import Drive
from unitask.spec.media import Media, media_values
from unitask.spec.product import Input, Product
from unitask.spec.remote import Calls, Document, Made, Provider, RemoteEngine
from unitask.worker.job import seed_of
from unitask.worker.sources import Sources

TASK_ID: Final = "0192f0c0-0000-7000-8000-000000000000"
PROXY_KEY: Final = "a-key-for-the-proxy"
"""The operator's key where the server itself asks none."""
FILES_URL: Final = "http://unitask.test/files/"
Pause = Callable[[float], Awaitable[None]]
OWN: Final = {
    kind: f"{FILES_URL}2026/02/03/{number:032x}.{extension}"
    for number, (kind, extension) in enumerate({"image": "png", "video": "mp4", "audio": "wav"}.items())
}
"""Addresses of small files in our own store, by kind."""
NODES: Final = Path(__file__).parents[1] / "sim" / "object_info.json"
PRODUCTS: Final = {product.key: product for product in Catalogue.load()}


class Pauses(list[float]):
    """Waits no time and remembers how long it should have been."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)
        await asyncio.sleep(0)


class LocalRemoteJob:
    """Satisfies `unitask.remote.drive.Attended`; remembers what was kept, reported and stored.

    Files of our own store lie on disk; all others are read as a worker does.
    """

    def __init__(
        self, product: Product, inputs: Input, calls: Calls, folder: Path, document: Document | None = None
    ) -> None:
        self.task_id = TASK_ID
        self.attempt = 1
        self.product = product
        self.inputs = inputs
        self.seed = seed_of(TASK_ID, inputs)
        self.calls = calls
        self.scratch = folder
        self.document = document
        self.kept: list[Document | None] = []
        self.fractions: list[float] = []
        self.notes: list[str] = []
        self.answer: Any = None
        self.warnings: list[str] = []
        self.saved: dict[str, bytes] = {}
        self._files = 0
        self._sources = Sources(files_url=FILES_URL, own_files_url=FILES_URL, allow_private=True)

    async def keep(self, document: Document | None) -> None:
        self.document = document if document is None else json.loads(json.dumps(document))
        self.kept.append(self.document)

    async def progress(self, fraction: float | None, note: str) -> None:
        self.fractions += [] if fraction is None else [fraction]
        self.notes.append(note)

    async def fetch(self, source: str, media: Media) -> Path:
        path = self.new_path("input")
        if self.is_own(source):
            extension = source.rpartition(".")[2]
            await asyncio.to_thread(path.write_bytes, content(extension))
            return path.rename(path.with_suffix(f".{extension}"))
        found = await asyncio.to_thread(self._sources.fetch, source, media, path, timeout_s=10)
        return path.rename(path.with_suffix(f".{found.extension}"))

    def is_own(self, source: str) -> bool:
        return self._sources.own_name(source) is not None

    def new_path(self, name: str) -> Path:
        self._files += 1
        self.scratch.mkdir(parents=True, exist_ok=True)
        return self.scratch / f"{self._files:03d}-{name}"

    async def save(self, path: Path) -> str:
        stored = await asyncio.to_thread(path.read_bytes)
        found = sniff(stored[:HEAD_BYTES])
        if found is None:
            raise JobFailed("the provider gave a result of an unknown format")
        reference = f"unitask-artifact:2026/02/03/{len(self.saved):032x}.{found.extension}"
        self.saved[reference] = stored
        return reference

    def warn(self, sentence: str) -> None:
        self.warnings.append(sentence)


@dataclass(frozen=True)
class Case:
    """An engine and its server. `answers`: the result is the answer to the order itself, so that nothing is looked at.

    `repeats`: an order that comes twice under the same key makes one job. `paid`: each order costs. `order`: what
    arrives of `input`, but for what ComfyUI gets, which is looked at elsewhere. `edit`: a product that takes a picture.
    """

    make: Callable[[], Simulator]
    engine: Callable[[], RemoteEngine]
    product: str = "Qubico/flux1-dev/txt2img"
    order: Mapping[str, Any] = field(default_factory=dict)
    answers: bool = False
    repeats: bool = False
    paid: bool = True
    recipes: str = ""
    edit: str = "Qubico/flux1-dev/img2img"

    @property
    def input(self) -> dict[str, Any]:
        """What a client orders."""
        return {"prompt": "a cat"} if "video" in self.product else {**PICTURE}


PICTURE: Final = {"prompt": "a cat", "width": 512, "height": 256, "seed": 11, "steps": 9}
FILM: Final = "Qubico/wanx/txt2video-1.3b"
RECIPES: Final = """
["Qubico/flux1-dev/txt2img"]
call = "flux"
files = [""]
unused = ["denoise: there is no picture to leave"]
input.prompt = "$prompt"
input.seed = "$seed"
input.aspect_ratio = { text = "{width}:{height}" }

["Qubico/flux1-dev/img2img"]
call = "flux"
files = [""]
input.image = "@image"
"""


def hub_order(**more: Any) -> dict[str, Any]:
    """Write what the hub gets, whose words are ours."""
    product = PRODUCTS["Qubico/flux1-dev/txt2img"]
    told = product.input.model_validate(PICTURE).model_dump(mode="json", exclude_none=True)
    return {"model": product.model, "task_type": product.task_type, "input": told, **more}


def comfyui() -> ComfyUI:
    """Make a ComfyUI with the nodes of all graphs."""
    return ComfyUI(json.loads(NODES.read_text()))


CASES: Final = {
    "hub": Case(Unified, UpstreamEngine, order=hub_order()),
    "unitask": Case(lambda: Unified(idempotent=True), UpstreamEngine, order=hub_order(), repeats=True),
    "openai-film": Case(
        OpenAIMedia,
        OpenaiEngine,
        FILM,
        {"model": "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", "prompt": "a cat", "size": "832x480", "num_frames": "85"},
        edit="Qubico/wanx/img2video-14b",
    ),
    "openai-picture": Case(
        OpenAIMedia,
        OpenaiEngine,
        order={"prompt": "a cat", "size": "512x256", "seed": 11, "num_inference_steps": 9, "n": 1},
        answers=True,
        edit="Qubico/flux1-dev-advanced/kontext",
    ),
    "replicate": Case(
        Replicate, ReplicateEngine, order={"prompt": "a cat", "seed": 11, "num_inference_steps": 9, "go_fast": False}
    ),
    "fal": Case(
        Fal,
        FalEngine,
        order={"prompt": "a cat", "seed": 11, "num_images": 1, "image_size": {"width": 512, "height": 256}},
    ),
    "comfyui": Case(comfyui, ComfyuiEngine, repeats=True),
    "cog": Case(
        Cog,
        CogEngine,
        order={"prompt": "a cat", "seed": 11, "aspect_ratio": "512:256"},
        answers=True,
        repeats=True,
        paid=False,
        recipes=RECIPES,
    ),
}
LOOKED_AT: Final = [name for name, case in CASES.items() if not case.answers]
ONCE: Final = [name for name, case in CASES.items() if not case.repeats]
"""Those of whom an order whose fate is unknown may have made a job that nobody can find."""


class Bench:
    """One engine at its server. `secrets`: keys that nothing said here may hold; `said`: what the errors told."""

    def __init__(self, case: Case, sim: Simulator, folder: Path, http: httpx.AsyncClient) -> None:
        self.case, self.sim, self.folder = case, sim, folder
        self.engine = case.engine()
        self.breaker = Breaker()
        self.pauses = Pauses()
        self.key = sim.key or PROXY_KEY
        self.own_key: str | None = None
        self.paid = case.paid
        self.limit_s: int | None = None
        self.said: list[str] = []
        self.jobs: list[LocalRemoteJob] = []
        self._http = http

    @property
    def provider(self) -> Provider:
        """What the operator says of the server."""
        recipes = self.folder / "recipes.toml" if self.case.recipes else None
        if recipes:
            recipes.write_text(self.case.recipes)
        key = SecretStr(self.key)
        return Provider(
            name="there",
            engine=self.engine.name,
            url=self.sim.url,
            key=key,
            recipes=recipes,
            limit_s=self.limit_s,
            paid=self.paid,
        )

    def calls(self) -> HttpCalls:
        """Open the way to the server."""
        return HttpCalls(
            self.provider,
            self.engine,
            self._http,
            guard=Guard(allow_private=True),
            breaker=self.breaker,
            own_key=SecretStr(self.own_key) if self.own_key else None,
            pause=self.pauses,
        )

    def job(
        self, *, document: Document | None = None, product: str | None = None, inputs: Mapping[str, Any] | None = None
    ) -> LocalRemoteJob:
        """Make an attempt of the case's order, or of another, in place of an earlier one that kept `document`."""
        found = PRODUCTS[product or self.case.product]
        given = found.input.model_validate(dict(self.case.input if inputs is None else inputs))
        folder = self.folder / f"attempt-{len(self.jobs)}"
        self.jobs.append(LocalRemoteJob(found, given, self.calls(), folder, document))
        return self.jobs[-1]

    def drive(self, job: LocalRemoteJob, pause: Pause | None = None) -> Drive:
        """Make the drive of an attempt, which waits no time."""
        return Drive(self.engine, job, pause=pause or Pauses())

    async def run(self, job: LocalRemoteJob | None = None) -> Made:
        """Run an attempt to its end."""
        try:
            return await self.drive(job or self.job()).run()
        except TaskFailure as error:
            self.said += [str(error), error.raw_message]
            raise

    @property
    def last(self) -> LocalRemoteJob:
        """The last attempt."""
        return self.jobs[-1]

    def told(self) -> str:
        """Join all that a client or an operator gets to read."""
        heard = [line for job in self.jobs for line in (*job.warnings, *job.notes)]
        return "\n".join([*self.said, *heard, self.breaker.why])

    @property
    def keys_seen(self) -> set[str]:
        """The keys that the server was sent."""
        names = ("authorization", "x-api-key")
        return {headers[name].rpartition(" ")[2] for _, headers in self.sim.heard for name in names if name in headers}


def then(bench: Bench, fault: Fault, *, times: int = 5) -> Fault:
    """Let the order pass, and its looks meet a fault from then on."""

    async def happen(exchange: Exchange) -> None:
        bench.sim.faults.add("look", fault, times=times)
        await exchange.let(exchange.send)

    return happen


def example_of(product: Product) -> dict[str, Any]:
    """Give the first example of a product, with files of our own store for its media."""
    inputs = product.input.model_validate(product.examples[0].input)
    for value in media_values(inputs):
        value.replace(OWN[value.media.kind])
    return inputs.model_dump(mode="json", exclude_unset=True)


@asynccontextmanager
async def benched(case: Case, folder: Path) -> AsyncIterator[Bench]:
    """Run a server and open the way to it, for one test."""
    limits = httpx.Timeout(10)
    with served(case.make()) as sim:
        async with httpx.AsyncClient(trust_env=False, timeout=limits) as http:
            yield Bench(case, sim, folder, http)
