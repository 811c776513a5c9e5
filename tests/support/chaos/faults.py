"""What is done to the parts of an installation. Each leaves things as they were, or started again."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import Final

import psutil

from support.chaos.cluster import LEASE_S, Cluster, Kind, Part
from support.chaos.postgres import family

HOUR_S: Final = 3600
_END_S: Final = 15.0
Doing = Callable[[Cluster, Part, Random], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that befalls parts of a kind. `needs`: the key of `Cluster.lacking` under which it says why not.

    `other`: the kind of parts from which they are cut off.
    """

    name: str
    kind: Kind
    inflict: Doing
    needs: str = ""
    other: Kind | None = None

    def victims(self, cluster: Cluster) -> list[Part]:
        """List the parts that it can befall here."""
        if self.needs in cluster.lacking or (self.other and not cluster.of(self.other)):
            return []
        parts = cluster.of(self.kind)
        return [part for part in parts if getattr(part, self.needs)] if self.needs in {"clock", "disk"} else parts


async def _killed(_: Cluster, part: Part, random: Random) -> None:
    part.kill()
    await asyncio.sleep(random.uniform(0, 1.5))
    part.start()


async def _told_to_end(_: Cluster, part: Part, random: Random) -> None:
    part.process.send_signal(signal.SIGTERM)
    for _ in range(int(_END_S / 0.1)):
        await asyncio.sleep(0.1)
        if not part.runs:
            break
    else:
        part.kill()
        raise AssertionError(f"{part.name} did not end within {_END_S:g} s of SIGTERM")
    part.start()


async def _shut_down_at_once(_: Cluster, part: Part, random: Random) -> None:
    """Do what `pg_ctl stop -m immediate` does."""
    part.process.send_signal(signal.SIGQUIT)
    await asyncio.sleep(random.uniform(0.2, 1.5))
    part.end()
    part.start()


def _frozen(least_s: float, most_s: float) -> Doing:
    async def freeze(_: Cluster, part: Part, random: Random) -> None:
        part.freeze()
        try:
            await asyncio.sleep(random.uniform(least_s, most_s))
        finally:
            part.thaw()

    return freeze


def _child(number: signal.Signals) -> Doing:
    """Send a signal to one engine process of a worker, and let it go on if it was only stopped."""

    async def suffer(_: Cluster, part: Part, random: Random) -> None:
        children = family(part.process.pid)[1:]
        if not children:
            return
        child = random.choice(children)
        with contextlib.suppress(psutil.NoSuchProcess):
            child.send_signal(number)
            await asyncio.sleep(random.uniform(1, 3))
            child.send_signal(signal.SIGCONT)

    return suffer


async def _connections_cut(cluster: Cluster, _: Part, random: Random) -> None:
    assert cluster.postgres
    for _ in range(random.randint(1, 3)):
        await cluster.postgres.cut_connections()
        await asyncio.sleep(random.uniform(0, 0.5))


def _cut_off(least_s: float, most_s: float, other: Kind | None = None) -> Doing:
    """Lose what goes to and from a host, or what comes from one other."""

    async def cut(cluster: Cluster, part: Part, random: Random) -> None:
        others = [one.host for one in cluster.of(other)] if other else []
        cluster.network.cut(part.host, *others)
        try:
            await asyncio.sleep(random.uniform(least_s, most_s))
        finally:
            cluster.network.heal(part.host, *others)

    return cut


def _clock_set(seconds: int) -> Doing:
    async def jump(_: Cluster, part: Part, random: Random) -> None:
        assert part.clock
        part.clock.set(seconds)
        try:
            await asyncio.sleep(random.uniform(2.5, 5))
        finally:
            part.clock.set(0)

    return jump


async def _disk_full(_: Cluster, part: Part, random: Random) -> None:
    assert part.disk
    await asyncio.to_thread(part.disk.fill)
    try:
        await asyncio.sleep(random.uniform(1, 3))
    finally:
        part.disk.free()


_PAST_LEASE: Final = (LEASE_S + 0.5, LEASE_S + 3.0)
FAULTS: Final = (
    Fault("API killed", Kind.API, _killed),
    Fault("API frozen", Kind.API, _frozen(0.5, 4)),
    Fault("API told to end", Kind.API, _told_to_end),
    Fault("API cut off", Kind.API, _cut_off(1, 4), "network"),
    Fault("API cut off from the database", Kind.API, _cut_off(1, 5, Kind.DATABASE), "network", Kind.DATABASE),
    Fault("API cut off from the store", Kind.API, _cut_off(1, 4, Kind.STORE), "network", Kind.STORE),
    Fault("clock of an API an hour ahead", Kind.API, _clock_set(HOUR_S), "clock"),
    Fault("clock of an API an hour behind", Kind.API, _clock_set(-HOUR_S), "clock"),
    Fault("disk of the API full", Kind.API, _disk_full, "disk"),
    Fault("worker killed", Kind.WORKER, _killed),
    Fault("worker frozen past its lease", Kind.WORKER, _frozen(*_PAST_LEASE)),
    Fault("worker told to end", Kind.WORKER, _told_to_end),
    Fault("worker cut off past its lease", Kind.WORKER, _cut_off(*_PAST_LEASE), "network"),
    Fault("clock of a worker an hour ahead", Kind.WORKER, _clock_set(HOUR_S), "clock"),
    Fault("clock of a worker an hour behind", Kind.WORKER, _clock_set(-HOUR_S), "clock"),
    Fault("disk of a worker full", Kind.WORKER, _disk_full, "disk"),
    Fault("engine process killed", Kind.WORKER, _child(signal.SIGKILL)),
    Fault("engine process frozen", Kind.WORKER, _child(signal.SIGSTOP)),
    Fault("connections to the database ended", Kind.DATABASE, _connections_cut),
    Fault("database killed", Kind.DATABASE, _killed),
    Fault("database shut down at once", Kind.DATABASE, _shut_down_at_once),
    Fault("database frozen", Kind.DATABASE, _frozen(0.5, 3)),
    Fault("disk of the database full", Kind.DATABASE, _disk_full, "disk"),
    Fault("store killed", Kind.STORE, _killed),
    Fault("store frozen", Kind.STORE, _frozen(0.5, 3)),
    Fault("disk of the store full", Kind.STORE, _disk_full, "disk"),
)
