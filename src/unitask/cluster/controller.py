"""The controller: looks at the queue and at its actors every few seconds, and starts and drains so that they agree.

It keeps nothing that matters: actors are found by their names, so one that was killed is followed by another.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event
from typing import Final

from unitask import __version__
from unitask.cluster.door import Door
from unitask.cluster.fleet import Fleet, Member
from unitask.cluster.pools import Pool, everything
from unitask.cluster.scaling import Backoff, Crew, Demand, needed, wanted
from unitask.kit.errors import Unavailable
from unitask.spec.cluster import ActorReport, ActorState, ClusterReport, DemandAnswer, PoolReport

_MOST_REPORTED: Final = 2000
_PATIENCE_S: Final = 10.0
_RUNNING: Final = frozenset({ActorState.RUNNING, ActorState.FAILING})
_NOWHERE: Final = frozenset({ActorState.PENDING, ActorState.RESTARTING})
_ORDER: Final = (ActorState.PENDING, ActorState.FAILING, ActorState.RESTARTING, ActorState.RUNNING)
log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Watch:
    """What the controller remembers of a pool since it began."""

    crew: Crew
    known: set[str] = field(default_factory=set)
    backoff: Backoff = field(default_factory=Backoff)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a controller is for. No `pools`: one for all that the cluster holds, with these `engines`, if any."""

    name: str
    pools: tuple[Pool, ...]
    engines: tuple[str, ...]
    worker: Mapping[str, str]
    every_s: float

    def for_cluster(self, resources: dict[str, float]) -> tuple[Pool, ...]:
        """Give the pools to keep."""
        return self.pools or everything(resources, self.engines)


class Controller:
    """Runs rounds while it leads. Blocks; for one thread."""

    def __init__(self, fleet: Fleet, door: Door, plan: Plan, now: Callable[[], float] = time.monotonic) -> None:
        self._fleet = fleet
        self._door = door
        self._plan = plan
        self._now = now
        self._watches: dict[str, _Watch] = {}
        self._drained: dict[str, float] = {}

    def run(self, stop: Event) -> None:
        """Go on until told to stop. Workers go on without it.

        Raises:
            Unauthorized: the API does not want this token.

        """
        waits = False
        while not stop.is_set():
            if self._fleet.leads():
                self.round()
                waits = False
            elif not waits:
                waits = True
                log.warning("another controller named %s leads on this cluster; waiting for its end", self._plan.name)
            stop.wait(self._plan.every_s)

    def round(self) -> None:
        """Look once, and do what follows. While the API is away nothing is started or drained."""
        members = self._clear(self._fleet.look())
        resources = self._fleet.resources()
        try:
            demand = self._door.demand()
            reports = self._tend(members, demand, resources)
            self._door.report(
                ClusterReport(name=self._plan.name, version=__version__, nodes=self._fleet.nodes(), pools=reports)
            )
        except Unavailable as error:
            log.warning("everything stays as it is: %s", error)

    def retire(self, stop: Event) -> None:
        """Drain all workers of all pools and wait until they are gone, or until told to stop."""
        while not stop.is_set():
            left = self._clear(self._fleet.look())
            if not left:
                return
            for member in left:
                self._drain(member, "all are to go")
            stop.wait(self._plan.every_s)

    def _clear(self, members: Sequence[Member]) -> list[Member]:
        """Remove the actors that have drained, and those that are to drain and do not run; gives the others."""
        left = []
        for member in members:
            if member.ended or self._is_nowhere(member):
                self._fleet.remove(member)
                log.info("a worker has drained and is gone", extra={"actor": member.name})
                continue
            if member.name in self._drained and member.state in _RUNNING:
                self._fleet.drain(member)  # it has not heard yet, or Ray has started it again since
            left.append(member)
        return left

    def _is_nowhere(self, member: Member) -> bool:
        """Tell whether an actor was told to drain and has not been there to hear it."""
        told_at = self._drained.get(member.name, math.inf)
        return member.state in _NOWHERE and self._now() - told_at >= _PATIENCE_S

    def _tend(self, members: Sequence[Member], demand: DemandAnswer, resources: dict[str, float]) -> list[PoolReport]:
        pools = self._plan.for_cluster(resources)
        left = list(demand.lines)
        reports = []
        for pool in pools:
            mine = [line for line in left if pool.takes(line)]
            left = [line for line in left if line not in mine]
            crew = [member for member in members if member.pool == pool.name]
            reports.append(self._tend_pool(pool, crew, Demand.of(mine), demand.holding, pool.limit(resources)))
        for member in members:
            if member.pool not in {pool.name for pool in pools}:
                self._drain(member, "there is no such pool any more")
        return reports

    def _tend_pool(
        self, pool: Pool, members: list[Member], demand: Demand, holding: Mapping[str, int], most: int
    ) -> PoolReport:
        now = self._now()
        watch = self._watch(pool, members, now)
        active = [one for one in members if not self._drains(one)]
        crew = replace(watch.crew, number=len(active))
        crew = crew.needing(pool, needed(pool, demand, crew, now), now)
        number = wanted(pool, demand, crew, now, most=most)
        watch.crew = crew
        shape = pool.shape(__version__, self._plan.worker["UNITASK_API_URL"])
        if number > len(active):
            self._grow(pool, shape, number - len(active), watch, now)
        elif number < len(active):
            for member in _expendable(active, holding)[: len(active) - number]:
                self._drain(member, f"{number} of {len(active)} are wanted")
        else:
            self._renew(members, active, shape, holding)
        return PoolReport(
            name=pool.name,
            products=list(pool.products),
            engines=list(pool.engines),
            wanted=number,
            most=most,
            waiting=demand.waiting,
            processing=demand.processing,
            oldest_s=round(demand.oldest_s, 1) if demand.waiting else None,
            actors=[self._report(one, holding) for one in members[:_MOST_REPORTED]],
        )

    def _watch(self, pool: Pool, members: Sequence[Member], now: float) -> _Watch:
        """Recall what is known of a pool; those that are gone without having been drained put off the next start."""
        watch = self._watches.setdefault(pool.name, _Watch(Crew(0, since=now)))
        names = {member.name for member in members}
        for name in watch.known - names - self._drained.keys():
            watch.backoff = watch.backoff.failed(now)
            log.warning("an actor is gone", extra={"actor": name})
        for name in watch.known - names:
            self._drained.pop(name, None)
        watch.known = names
        return watch

    def _grow(self, pool: Pool, shape: str, number: int, watch: _Watch, now: float) -> None:
        if now < watch.backoff.until:
            return
        for _ in range(number):
            self._fleet.start(pool, shape, {**self._plan.worker, **pool.settings()})
        watch.crew = replace(watch.crew, grown_at=now)
        log.info("starting workers", extra={"pool": pool.name, "number": number})

    def _renew(
        self, members: Sequence[Member], active: Sequence[Member], shape: str, holding: Mapping[str, int]
    ) -> None:
        """Drain one worker that was started with something else, when none drains: another comes in its place."""
        old = [one for one in active if one.shape != shape]
        if old and len(active) == len(members):
            self._drain(_expendable(old, holding)[0], "its pool has changed")

    def _drains(self, member: Member) -> bool:
        return member.state is ActorState.DRAINING or member.name in self._drained

    def _drain(self, member: Member, why: str) -> None:
        if self._drains(member):
            return
        self._drained[member.name] = self._now()
        self._fleet.drain(member)
        log.info("draining a worker: %s", why, extra={"actor": member.name})

    def _report(self, member: Member, holding: Mapping[str, int]) -> ActorReport:
        return ActorReport(
            id=member.name.rpartition(".")[2],
            state=ActorState.DRAINING if self._drains(member) else member.state,
            node=member.node,
            worker=member.worker,
            tasks=holding.get(member.worker, 0),
            restarts=member.restarts,
            note=member.note[:200],
        )


def _expendable(members: Sequence[Member], holding: Mapping[str, int]) -> list[Member]:
    """Sort workers by how little is lost without them: not there yet, of no use, idle, busy."""
    ranks = {state: rank for rank, state in enumerate(_ORDER)}
    return sorted(members, key=lambda one: (ranks.get(one.state, math.inf), holding.get(one.worker, 0), one.name))
