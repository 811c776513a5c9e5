"""Simulate the scheduler at 10,000 workers: `make sim-scheduler`.

The order of tasks is that of the server: `unitask.queue.turns.Turns` gives every task its turn, and a worker takes the
lowest turn of what it can make, where a model that it has in memory counts as `lead` turns earlier, but for one claim
after `in a row` such claims (see `unitask.worker.pool`). First in, first out is the comparison. Time is simulated: a
run with the same seed gives the same figures on any machine.

The world: each worker holds one model of twelve, whose weights take seconds to minutes to load and which are not
equally wanted. Tenants: some with 60,000 tasks at once, some that send a steady stream, some that send 500 at a time,
and many that send one now and then. A task's wait ends when its model is in memory and its work begins.

Writes the section `scheduler` of docs/scale.json, and docs/scale.md.
"""

import argparse
import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, NamedTuple

import results
import scale_page

from unitask.queue.turns import LEAD, Turns
from unitask.worker.pool import IN_A_ROW

ENGINE = "gpu"
WORKERS = 10_000
ARRIVE_S = 600.0
LEADS = (0, 1, 4, 8, 16, 64, 256, 1024)
ROWS = (4, 64, 10**9)
USUAL = LEAD, IN_A_ROW
NEVER = 10**9


@dataclass(frozen=True)
class Model:
    """Seconds to load its weights and to make one task; how often it is wanted, against the others."""

    load_s: float
    run_s: float
    wanted: float


MODELS = [Model(load_s=8 + 9 * number, run_s=4 + 5 * number, wanted=1 / (number + 1)) for number in range(12)]


@dataclass(frozen=True)
class Tenants:
    """Some accounts that behave alike: each sends `size` tasks `per_s` times a second, of `models` models."""

    kind: str
    number: int
    per_s: float
    size: int
    models: int


TENANTS = (
    Tenants("60,000 at once", 3, 0, 60_000, 2),
    Tenants("steady, 4/s", 20, 4.0, 1, 3),
    Tenants("500 every 2 min", 10, 1 / 120, 500, 1),
    Tenants("now and then", 300, 1 / 60, 1, 1),
)


class Task(NamedTuple):
    """As it waits: ordered by turn, then by age."""

    turn: int
    number: int
    at: float
    tenant: int
    run_s: float


class Arrival(NamedTuple):
    """An order, before it has a turn."""

    at: float
    number: int
    tenant: int
    model: int
    run_s: float


def world(seed: int) -> tuple[list[Arrival], list[str]]:
    """Give all orders by time, and each tenant's kind."""
    chance = random.Random(seed)
    orders, kinds = [], []
    for group in TENANTS:
        for _ in range(group.number):
            tenant, weights = len(kinds), [model.wanted for model in MODELS]
            kinds.append(group.kind)
            own = chance.choices(range(len(MODELS)), weights, k=group.models)
            for at in _times(chance, group.per_s):
                for _ in range(group.size):
                    model = chance.choice(own)
                    orders.append((at, tenant, model, MODELS[model].run_s * chance.uniform(0.7, 1.3)))
    orders.sort()
    return [Arrival(at, number, *rest) for number, (at, *rest) in enumerate(orders)], kinds


def _times(chance: random.Random, per_s: float) -> Iterator[float]:
    """Give the moments at which a tenant orders; once, at the beginning, if it has no rate."""
    at = chance.expovariate(per_s) if per_s else 0.0
    while at < ARRIVE_S:
        yield at
        if not per_s:
            return
        at += chance.expovariate(per_s)


@dataclass
class Worker:
    """What it has in memory, and how many claims in a row were made with the preference for that."""

    model: int = -1
    row: int = 0


@dataclass
class Outcome:
    """What a run came to. `waits` by tenant; worker-seconds until the last order."""

    waits: dict[int, list[float]] = field(default_factory=dict)
    loads: int = 0
    working_s: float = 0.0
    loading_s: float = 0.0
    ended_at: float = 0.0


class Run:
    """One policy in one world. `lead` is None for first in, first out."""

    def __init__(self, arrivals: list[Arrival], lead: int | None, in_a_row: int) -> None:
        self._arrivals = arrivals
        self._lead = lead
        self._in_a_row = in_a_row
        self._turns = Turns()
        self._lanes: list[list[Task]] = [[] for _ in MODELS]
        self._active: dict[int, int] = {}
        self._last: dict[int, int] = {}
        self._ends: list[tuple[float, int, int, int]] = []
        self._workers = [Worker() for _ in range(WORKERS)]
        self._idle: list[set[int]] = [set() for _ in range(len(MODELS) + 1)]
        self._idle[-1] = set(range(WORKERS))
        self._outcome = Outcome()

    def run(self) -> Outcome:
        """Play until all tasks have ended."""
        ends = self._ends
        for arrival in self._arrivals:
            while ends and ends[0][0] <= arrival.at:
                self._end()
            self._accept(arrival)
        while ends:
            self._end()
        return self._outcome

    def _accept(self, arrival: Arrival) -> None:
        tenant, turn = arrival.tenant, 0
        if self._lead is not None:
            turn = self._turns.of_next(
                ENGINE, active_tasks=self._active.get(tenant, 0), last_turn=self._last.get(tenant, 0)
            )
            self._last[tenant] = turn
        self._active[tenant] = self._active.get(tenant, 0) + 1
        heapq.heappush(self._lanes[arrival.model], Task(turn, arrival.number, arrival.at, tenant, arrival.run_s))
        self._wake(arrival)

    def _wake(self, arrival: Arrival) -> None:
        """Let a waiting worker claim: one that has the model in memory, where workers are told apart."""
        idle = self._idle
        loaded = idle[arrival.model] if self._lead is not None else None
        found = loaded or max(idle, key=len)
        if found:
            worker = found.pop()
            self._claim(worker, arrival.at)

    def _end(self) -> None:
        now, _, worker, tenant = heapq.heappop(self._ends)
        self._active[tenant] -= 1
        self._outcome.ended_at = now
        self._claim(worker, now)

    def _claim(self, number: int, now: float) -> None:
        worker = self._workers[number]
        prefers = bool(self._lead) and worker.model >= 0 and worker.row < self._in_a_row
        best, at = None, -1
        for model, lane in enumerate(self._lanes):
            if lane:
                head = lane[0]
                turn = head.turn - self._lead if prefers and model == worker.model else head.turn  # type: ignore[operator]
                if best is None or (turn, head.number) < best:
                    best, at = (turn, head.number), model
        if best is None:
            self._idle[worker.model].add(number)
            return
        task = heapq.heappop(self._lanes[at])
        self._turns.serve((ENGINE,), ((ENGINE, task.turn),))
        worker.row = worker.row + 1 if prefers else 0
        self._start(number, worker, task, at, now)

    def _start(self, number: int, worker: Worker, task: Task, model: int, now: float) -> None:
        outcome, load_s = self._outcome, 0.0
        if worker.model != model:
            worker.model, load_s = model, MODELS[model].load_s
            outcome.loads += 1
        outcome.waits.setdefault(task.tenant, []).append(now + load_s - task.at)
        outcome.loading_s += max(0.0, min(now + load_s, ARRIVE_S) - now)
        outcome.working_s += max(0.0, min(now + load_s + task.run_s, ARRIVE_S) - min(now + load_s, ARRIVE_S))
        heapq.heappush(self._ends, (now + load_s + task.run_s, task.number, number, task.tenant))


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def summary(outcome: Outcome, kinds: list[str]) -> dict[str, Any]:
    """Condense a run; seconds and shares."""
    waits: dict[str, list[float]] = {}
    worst: dict[str, float] = {}
    for tenant, ones in outcome.waits.items():
        kind = kinds[tenant]
        waits.setdefault(kind, []).extend(ones)
        worst[kind] = max(worst.get(kind, 0.0), _at(sorted(ones), 0.5))
    tasks = sum(len(ones) for ones in outcome.waits.values())
    return {
        "tenants": {
            kind: {
                "p50_s": _at(ordered := sorted(ones), 0.5),
                "p99_s": _at(ordered, 0.99),
                "worst_s": ordered[-1],
                "worst_tenant_p50_s": worst[kind],
            }
            for kind, ones in waits.items()
        },
        "tasks": tasks,
        "loads_per_1000": outcome.loads / tasks * 1000,
        "working": outcome.working_s / WORKERS / ARRIVE_S,
        "loading": outcome.loading_s / WORKERS / ARRIVE_S,
        "all_ended_s": outcome.ended_at,
    }


def policies() -> list[tuple[str, int | None, int]]:
    """Name what is compared."""
    lead, row = USUAL
    swept = [(f"lead {one}", one, row) for one in LEADS]
    rows = [(f"lead {lead}, {one if one < NEVER else 'any number'} in a row", lead, one) for one in ROWS]
    return [("first in, first out", None, NEVER), *swept, *rows]


def main() -> None:
    """Run all policies in the same world and print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    arrivals, kinds = world(chosen.seed)
    rows = []
    print(f"{len(arrivals):,} tasks of {len(kinds)} tenants, {WORKERS:,} workers, seed {chosen.seed}")
    print(
        f"{'':32} {'loads':>7} {'work':>5} {'load':>5} {'end s':>6}  " + "  ".join(f"{one.kind:>22}" for one in TENANTS)
    )
    for name, lead, in_a_row in policies():
        began = perf_counter()
        found = summary(Run(arrivals, lead, in_a_row).run(), kinds)
        rows.append({"name": name, "lead": lead, "in_a_row": in_a_row, **found})
        cells = [found["tenants"][one.kind] for one in TENANTS]
        shown = "  ".join(f"{one['p50_s']:6.0f} {one['p99_s']:7.0f} {one['worst_s']:7.0f}" for one in cells)
        print(
            f"{name:32} {found['loads_per_1000']:7.1f} {found['working']:5.0%} {found['loading']:5.0%} "
            f"{found['all_ended_s']:6.0f}  {shown}  [{perf_counter() - began:.0f} s]",
            flush=True,
        )
    world_of = {"seed": chosen.seed, "workers": WORKERS, "tasks": len(arrivals), "arrive_s": ARRIVE_S}
    tenants = [{"kind": one.kind, "number": one.number} for one in TENANTS]
    results.save("scheduler", {**world_of, "tenants": tenants, "usual": list(USUAL), "rows": rows}, results.SCALE)
    scale_page.write()


if __name__ == "__main__":
    main()
