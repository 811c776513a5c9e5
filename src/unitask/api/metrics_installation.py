"""The part of `GET /metrics` that is read from the database, and so is the same from every API process."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from unitask.administration import board
from unitask.administration import demand as administration
from unitask.app import Services
from unitask.kit.clock import SECOND_US
from unitask.spec.cluster import COUNTED, ActorState, ClusterReport
from unitask.spec.protocol import ProviderHealth
from unitask.webhooks import repository as webhooks

_UP: Final = {"up": 1.0, "trying": 0.5, "down": 0.0}
_HOSTS: Final = 200
Family = tuple[str, str, Sequence[str], Iterable[tuple[Sequence[str], float]]]
Gauges = Iterator[Family]


async def of_installation(unitask: Services) -> list[Family]:
    """Read everything; raises what the database raises."""
    now = unitask.clock.now_us()
    wanted = await administration.demand(unitask.database, unitask.catalogue)
    workers = await board.workers(unitask.database)
    left = await board.leftovers(unitask.database)
    standing = await board.standing(unitask.database, COUNTED)
    due = [at for _, at in await webhooks.owed_hosts(unitask.database, after="", most=_HOSTS)]
    clusters = [one.report for one in await administration.reports(unitask.database, now)]
    alive = [one for one in workers if one.lease_until > now]
    return [
        *_of_queue(wanted, now),
        *_of_workers(workers, alive),
        *_of_providers([health for one in alive for health in one.providers], left),
        *_of_clusters(clusters),
        *_of_promises(standing, min(due, default=now), now),
    ]


def _of_queue(wanted: Sequence[administration.Wanted], now: int) -> Gauges:
    names = ("engine", "product")
    yield (
        "unitask_queue_waiting",
        f"Tasks that wait for a worker; counted up to {COUNTED} for each product at each engine.",
        names,
        [((one.engine, one.product), one.waiting) for one in wanted],
    )
    yield (
        "unitask_queue_processing",
        "Tasks that a worker has.",
        names,
        [((one.engine, one.product), one.processing) for one in wanted],
    )
    yield (
        "unitask_queue_oldest_seconds",
        "How long the oldest waiting task has been there.",
        names,
        [
            ((one.engine, one.product), max(0, now - one.oldest_at) / SECOND_US)
            for one in wanted
            if one.oldest_at is not None
        ],
    )


def _of_workers(workers: Sequence[board.WorkerSeen], alive: Sequence[board.WorkerSeen]) -> Gauges:
    states = {"alive": len(alive), "silent": len(workers) - len(alive)}
    by_engine = Counter(engine for one in alive for engine in one.engines)
    yield "unitask_workers", "Workers seen in the last day.", ("state",), [((name,), n) for name, n in states.items()]
    yield (
        "unitask_workers_by_engine",
        "Workers that are alive, by engine; one of several engines counts for each.",
        ("engine",),
        [((name,), number) for name, number in sorted(by_engine.items())],
    )


def _of_providers(found: Sequence[ProviderHealth], left: Mapping[str, int]) -> Gauges:
    """Tell how the workers that are alive find their providers: who finds one well can use it, whatever others say."""
    names = ("provider", "engine")
    by_name: dict[tuple[str, str], list[ProviderHealth]] = defaultdict(list)
    for one in found:
        by_name[one.provider, one.engine].append(one)
    groups = sorted(by_name.items())
    latencies = {name: [one.latency_ms for one in group if one.latency_ms is not None] for name, group in groups}
    yield (
        "unitask_provider_up",
        "1: it answers; 0.5: it is being tried; 0: it is left alone. As the worker says that finds it best.",
        names,
        [(name, max(_UP[one.state] for one in group)) for name, group in groups],
    )
    yield (
        "unitask_provider_latency_seconds",
        "How long its answers take, as the worker says that waits longest.",
        names,
        [(name, max(spent) / 1000) for name, spent in latencies.items() if spent],
    )
    yield (
        "unitask_provider_failures",
        "Calls that failed since its last answer, as the worker says that has most.",
        names,
        [(name, max(one.failures for one in group)) for name, group in groups],
    )
    yield (
        "unitask_provider_leftovers",
        "Jobs there whose tasks have ended without them, and that are still to be cancelled.",
        ("provider",),
        [((name,), number) for name, number in sorted(left.items())],
    )


def _of_clusters(clusters: Sequence[ClusterReport]) -> Gauges:
    pools = [(cluster.name, pool) for cluster in clusters for pool in cluster.pools]
    yield "unitask_cluster_nodes", "Nodes of Ray.", ("cluster",), [((one.name,), one.nodes) for one in clusters]
    yield (
        "unitask_cluster_workers_wanted",
        "Workers that a pool should have.",
        ("cluster", "pool"),
        [((name, pool.name), pool.wanted) for name, pool in pools],
    )
    yield (
        "unitask_cluster_workers",
        "Workers of a pool by state.",
        ("cluster", "pool", "state"),
        [
            ((name, pool.name, state.value), sum(actor.state is state for actor in pool.actors))
            for name, pool in pools
            for state in ActorState
        ],
    )


def _of_promises(standing: board.Standing, due: int, now: int) -> Gauges:
    since = standing.owed_since
    yield (
        "unitask_webhooks_owed",
        f"Webhook messages that are still to be delivered; counted up to {COUNTED}.",
        (),
        [((), standing.owed)],
    )
    yield (
        "unitask_webhooks_oldest_owed_seconds",
        "How long the oldest of them has been owed; 0 if none is.",
        (),
        [((), 0 if since is None else max(0, now - since) / SECOND_US)],
    )
    yield (
        "unitask_webhooks_late_seconds",
        f"For how long the next of them should have been sent; looks at the first {_HOSTS} receivers by name.",
        (),
        [((), max(0, now - due) / SECOND_US)],
    )
    yield (
        "unitask_housekeeping_led",
        "1: one of the processes keeps house; 0: none does.",
        (),
        [((), float(standing.led_until is not None and standing.led_until > now))],
    )
