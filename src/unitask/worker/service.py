"""The worker's loop: heartbeat, claim, run, settle; drained on request."""

import asyncio
import contextlib
import logging
import math
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from unitask.catalogue import Catalogue
from unitask.engines import remote
from unitask.kit.errors import Unavailable
from unitask.routing import NO_ROUTING, Routing
from unitask.spec import protocol
from unitask.weights import Shelf
from unitask.worker.attempt import Attempt, Reach, failed
from unitask.worker.client import ApiClient, Rejected
from unitask.worker.offers import offers
from unitask.worker.pool import Held, Kind, Pool
from unitask.worker.remote_pool import RemotePool
from unitask.worker.report import Reports
from unitask.worker.scratch import Scratch, sweep

_RETRY_S: Final = 1.0
_SOON_S: Final = 0.1
_LONGER: Final = 1.3
_OFFER_EVERY_S: Final = 10.0
_LAST_BEAT_S: Final = 2.0
_CLEARED: Final = 100
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How a worker works.

    `slots`: tasks at the same time, each in its own process of at most `memory_bytes`. The engines of `devices` run in
    one process for each device instead, up to `batch` tasks at a time and without that limit. `memory`: bytes of the
    devices, where known. `products`: patterns of those that it takes; None for all. When it is told to end it finishes
    what it has for `drain_s` seconds. `routing`: the providers that it uses beside its engines.
    """

    api_url: str
    slots: int
    engines: tuple[str, ...]
    devices: Mapping[str, tuple[str, ...]]
    batch: int
    memory_bytes: int
    allow_private: bool
    models: Path
    products: tuple[str, ...] | None = None
    drain_s: float = 0.0
    memory: Mapping[str, int] = field(default_factory=dict)
    routing: Routing = NO_ROUTING

    def kinds(self) -> list[Kind]:
        """List what pools of processes there are to be."""
        bound = {engine for engines in self.devices.values() for engine in engines}
        free = tuple(engine for engine in self.engines if engine not in bound)
        slots = [Kind(free, self.slots, memory_bytes=self.memory_bytes)] if free else []
        return slots + [
            Kind(engines, 1, together=self.batch, device=device) for device, engines in self.devices.items()
        ]


class Worker:
    """Runs until `stop` is set, then claims nothing more, finishes what it can in time and gives back the rest."""

    def __init__(self, client: ApiClient, options: Options) -> None:
        self._client = client
        self._options = options
        self._files_url = ""
        self._id = uuid4().hex
        self._name = f"{platform.node()}:{os.getpid()}"
        self._unknown: set[tuple[str, int]] = set()
        self._reports = Reports(client)
        self._held = Held(self._id, client, self._reports, self._reach)
        self._catalogue = options.routing.apply(Catalogue.load())
        self._remote = {
            name: RemotePool(
                provider,
                remote()[provider.engine],
                self._held,
                self._catalogue,
                allow_private=options.allow_private,
            )
            for name, provider in options.routing.providers.items()
        }
        self._pools: list[Pool | RemotePool] = [
            *(Pool(kind, self._held) for kind in options.kinds()),
            *self._remote.values(),
        ]
        self._offered: dict[str, frozenset[str]] = {}
        self._clearing: dict[str, asyncio.Task[None]] = {}
        self._cleared: list[protocol.Cleared] = []
        self._offered_at = -math.inf
        self._scratch: Scratch | None = None
        self._draining = False

    async def run(self, stop: asyncio.Event) -> None:
        """Work until asked to stop.

        Raises:
            Rejected: the API does not want this worker: most likely the token is wrong.

        """
        try:
            await asyncio.gather(asyncio.to_thread(sweep), *(pool.open() for pool in self._pools))
            await self._work(stop, await self._first_beat(stop))
        finally:
            for pool in self._pools:
                await pool.close()
            await self._held.storing.close()
            if self._scratch:
                await asyncio.to_thread(self._scratch.close)

    async def _work(self, stop: asyncio.Event, pause_s: float) -> None:
        side: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._beat_forever(pause_s), name="heartbeat"),
            *(asyncio.create_task(pool.work(), name=f"pool-{pool.name}") for pool in self._pools),
        ]
        waiting: asyncio.Task[Any] = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({*side, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                await self._drain(side)
            for task in side:
                if task.done():
                    task.result()
        finally:
            unfinished = list(self._held.attempts.values())
            for task in (*side, waiting):
                task.cancel()
            await asyncio.gather(*side, waiting, return_exceptions=True)
            for task in self._clearing.values():
                task.cancel()
            await self._reports.close()
            await self._give_back(unfinished)

    async def _drain(self, side: Sequence[asyncio.Task[Any]]) -> None:
        """Let what runs end, for a while; heartbeats go on meanwhile."""
        self._draining = True
        log.info("told to end", extra={"tasks": len(self._held.attempts), "drain_s": self._options.drain_s})
        for pool in self._pools:
            pool.drain()
        _, *pools = side
        await asyncio.wait(pools, timeout=self._options.drain_s)
        with contextlib.suppress(Unavailable, Rejected):
            await asyncio.wait_for(self._beat(), _LAST_BEAT_S)

    async def _first_beat(self, stop: asyncio.Event) -> float:
        """Become known before the first claim: what an unknown worker holds is taken from it.

        An API that is started together with it is there in a second; one that is away, perhaps not for long.
        """
        pause_s = _SOON_S
        while not stop.is_set():
            try:
                return await self._beat()
            except Unavailable as error:
                log.info("waiting for the API: %s", error)
                await asyncio.sleep(pause_s)
                pause_s = min(_RETRY_S, _LONGER * pause_s)
        return _RETRY_S

    async def _beat(self) -> float:
        known = list(self._held.attempts.values())
        makes, cleared = self._news(), self._cleared[:_CLEARED]
        answer = await self._client.beat(
            protocol.BeatRequest(
                worker_id=self._id,
                name=self._name,
                engines=[*self._options.engines, *self._remote],
                devices=list(self._options.devices),
                memory=dict(self._options.memory),
                makes=makes,
                loaded=sorted({card for pool in self._pools for card in pool.loaded}),
                progress=[attempt.report() for attempt in known],
                providers=[pool.health for pool in self._remote.values()],
                cleared=cleared,
            )
        )
        self._cleared = self._cleared[len(cleared) :]
        self._clear(answer.leftovers)
        if makes is not None:
            self._offered_at = time.monotonic()
        self._files_url = answer.files_url
        held = {(one.task_id, one.attempt): one for one in answer.held}
        for attempt in known:
            if attempt.name not in held:
                attempt.lost = True
                attempt.cancel.set()
            elif held[attempt.name].cancel_requested:
                attempt.cancel.set()
        await self._disown(set(held))
        return answer.next_in_s

    def _news(self) -> list[protocol.Offer] | None:
        """Say what can be made here, now and then: weights come and go."""
        well = {name: frozenset(pool.lacking) for name, pool in self._remote.items() if pool.breaker.state == "up"}
        if time.monotonic() - self._offered_at < _OFFER_EVERY_S and well == self._offered:
            return None
        self._offered = well
        options = self._options
        made = offers(self._catalogue, [*options.engines, *well], Shelf(options.models), options.products)
        return [one for one in made if one.product not in well.get(one.engine, ())]

    def _clear(self, leftovers: Sequence[protocol.Leftover]) -> None:
        """Cancel jobs at their providers whose tasks have ended without them; the next heartbeat says which are."""
        for left in leftovers:
            name = f"{left.provider}-{left.task_id}"
            done = protocol.Cleared(task_id=left.task_id, provider=left.provider)
            if name not in self._clearing and done not in self._cleared and left.provider in self._remote:
                self._clearing[name] = asyncio.create_task(self._clear_one(left), name=f"clear-{name}")
                self._clearing[name].add_done_callback(partial(self._clearing_ended, name))

    def _clearing_ended(self, name: str, _: asyncio.Task[None]) -> None:
        del self._clearing[name]

    async def _clear_one(self, left: protocol.Leftover) -> None:
        if await self._remote[left.provider].clear(left):
            self._cleared.append(protocol.Cleared(task_id=left.task_id, provider=left.provider))

    async def _disown(self, held: set[tuple[str, int]]) -> None:
        """Report the attempts that the API counts as ours and that do not run here: the answer to a claim was lost.

        At the second sight only, for the answer may still be on its way; unless no claim is under way any more.
        """
        unknown = held - self._held.attempts.keys()
        for task_id, attempt in unknown if self._draining else unknown & self._unknown:
            failure = protocol.AttemptFailure(
                message="the worker lost track of the task",
                raw_message="the answer to a claim was lost",
                retryable=True,
                given_back=self._draining,
            )
            report = protocol.SettleRequest(task_id=task_id, attempt=attempt, failure=failure)
            with contextlib.suppress(Unavailable, Rejected):
                await self._client.settle(report)
        self._unknown = unknown

    async def _beat_forever(self, pause_s: float) -> None:
        while True:
            await asyncio.sleep(pause_s)
            try:
                pause_s = await self._beat()
            except Unavailable as error:
                log.warning("no heartbeat: %s", error)
                pause_s = _RETRY_S

    def _reach(self) -> Reach:
        """Tell how files are reached; the first call makes the folder, for a disk may be full when a worker starts."""
        options = self._options
        if self._scratch is None:
            self._scratch = Scratch()
        own_files_url = f"{options.api_url}/files/"
        return Reach(options.models, self._scratch.path, self._files_url, own_files_url, options.allow_private)

    async def _give_back(self, unfinished: list[Attempt]) -> None:
        """Report what has ended here but for its report, and tell the API that the rest is free for others."""
        for attempt in unfinished:
            stopped = "the worker was stopped"
            report = attempt.end or failed(attempt.task, stopped, raw_message=stopped, given_back=True)
            with attempt.spans.reporting(report) as span, contextlib.suppress(Unavailable, Rejected):
                await self._client.settle(report.model_copy(update={"trace": span.trace}))
            attempt.spans.end()
