"""Write docs/scale.md from docs/scale.json; no figure is typed but the assumptions: `python bench/scale_page.py`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from page import number, stamp, table

ROOT = Path(__file__).parent.parent
JSON = ROOT / "docs" / "scale.json"
PAGE = ROOT / "docs" / "scale.md"
FACTORS = (1, 10, 100, 1000)
MONTH_S = 30 * 24 * 3600


@dataclass(frozen=True)
class Assumed:
    """What "today" means, and what is taken as given; all else is measured."""

    tasks_per_s: float = 10
    task_s: float = 10
    reads: int = 3
    busy: float = 0.5
    history_months: int = 12
    output_mb: float = 1.5
    keep_days: int = 3
    disk_dollars: float = 0.10
    bucket_dollars: float = 0.023
    hot_share: float = 0.5
    host_answers_s: float = 0.1
    lost_share: float = 0.1


@dataclass(frozen=True)
class Limit:
    """One thing that grows: how much of it there is at today's load, and how much there may be."""

    name: str
    unit: str
    now: float
    limit: float
    why: str
    measured: str
    then: str

    @property
    def factor(self) -> float:
        """How many times today's load it bears."""
        return self.limit / self.now


def limits(slopes: dict[str, Any], given: Assumed) -> list[Limit]:
    """Compute everything that grows with the load, from what one more costs."""
    work, rate, coded = slopes["work"], given.tasks_per_s, slopes["limits"]
    workers = rate * given.task_s
    database_us = _per_task(work, given, "database_us")
    process_us = _per_task(work, given, "process_us")
    processes = rate * process_us / 1e6 / given.busy
    row_bytes = sum(slopes["bytes_per_task"].values())
    beats_us = work["beat"]["database_us"]
    notifies = min(rate * 3, processes / coded["notify_gap_s"])
    return [
        Limit(
            "rows of the history", "TB", rate * MONTH_S * given.history_months * row_bytes / 1e12, 4,
            "disks and backups of one server that are still handled in hours",
            f"{row_bytes:,.0f} bytes a task with ledger, delivery, file and all indexes, {given.history_months} months kept",
            "keep fewer months (`UNITASK_HISTORY_MONTHS`): a month is dropped whole, in a moment; export them before",
        ),
        Limit(
            "one month's partition", "TB", rate * MONTH_S * slopes["bytes_per_task"]["tasks"] / 1e12, 1,
            "one table that can still be vacuumed and copied in a night",
            f"{slopes['bytes_per_task']['tasks']:,.0f} bytes a row of `tasks` with its indexes",
            "partitions by week or day: the ids sort by time, so that only the borders change",
        ),
        Limit(
            "creates of one account over many API processes", "/s", rate * given.hot_share, work["create_hot_alone"]["per_s"],
            "each create waits for the account's row; nothing is grouped over processes",
            f"{work['create_hot_alone']['per_s']:,.0f}/s one after the other",
            "send an account to one process (hash its key at the load balancer), which groups its creates",
        ),
        Limit(
            "creates of one account in one API process", "/s", rate * given.hot_share, work["create_hot"]["per_s"],
            "one account's row, changed by one group after the other",
            f"{work['create_hot']['per_s']:,.0f}/s in groups",
            "split the account, or its balance into parts that are filled up in turn",
        ),
        Limit(
            "rows that workers' heartbeats write", "cores", workers / coded["beat_s"] * beats_us / 1e6, 4,
            "a quarter of a database of 16 cores",
            f"{beats_us:,.0f} us of database time each, every {coded['beat_s']:g} s for each worker",
            "a longer pause between heartbeats (a third of the lease is enough), or several devices under one worker",
        ),
        Limit(
            "database time of tasks", "cores", rate * database_us / 1e6, 12, "what is left of 16 cores",
            f"{database_us:,.0f} us a task: create, claim of one, settle, delivery, {given.reads} reads",
            "reads to a replica; claims of several at a time; then one database for each group of accounts",
        ),
        Limit(
            "connections", "", processes * slopes["connections"], 100, "PostgreSQL's default `max_connections`",
            f"{slopes['connections']} a process, {slopes['connection_mib']:.1f} MiB each; {process_us:,.0f} us of a process a task, "
            f"{given.busy:.0%} busy, HTTP not counted",
            "PgBouncer between, for all but the connection that listens",
        ),
        Limit(
            "notifications", "/s", notifies, slopes["notify"]["per_s"], "one after the other, as the lock at commit makes them",
            f"{slopes['notify']['per_s']:,.0f}/s from one sender, {slopes['notify_listener_us']:.1f} us more for each that listens; "
            f"a process sends one every {coded['notify_gap_s'] * 1e3:g} ms at most",
            "a longer pause between hints: an API process at which a claim waits looks by itself every second anyway",
        ),
        Limit(
            "webhooks to one host from one API process", "/s", rate * given.hot_share, coded["host_limit"] / given.host_answers_s,
            f"{coded['host_limit']} posts at a time to one host, which answers in {given.host_answers_s:g} s",
            f"{work['delivery']['per_s']:,.0f}/s from one process to a host that answers at once",
            "every further API process delivers as much",
        ),
        Limit(
            "seconds until the housekeeper has taken back a tenth of all tasks", "s",
            max(workers * given.lost_share / coded["sweep"], 1e-9), 15, "the lease: until then they wait as long again",
            f"{coded['sweep']} tasks a second, by one process at a time",
            "sweep on while a sweep finds as much as it may",
        ),
    ]  # fmt: skip


def _per_task(work: dict[str, Any], given: Assumed, what: str) -> float:
    once = sum(work[name][what] for name in ("create", "claim_one", "settle", "delivery"))
    return float(once + given.reads * work["get"][what])


def breaks(slopes: dict[str, Any], given: Assumed) -> str:
    """Write what breaks first, and when."""
    found = sorted(limits(slopes, given), key=lambda one: one.factor)
    first = table(
        ["what grows", *(f"{factor:,}x" for factor in FACTORS), "bears", "breaks at"],
        [
            [
                one.name,
                *(f"{_short(one.now * factor)} {one.unit}".strip() for factor in FACTORS),
                f"{_short(one.limit)} {one.unit}".strip(),
                f"**{_short(one.factor)}x**",
            ]
            for one in found
        ],
    )
    reasons = "\n".join(f"- **{one.name}**: {one.measured}. Bears: {one.why}. Then: {one.then}." for one in found)
    return f"{first}\n{reasons}\n"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def storage(slopes: dict[str, Any], given: Assumed) -> str:
    """Write what keeping costs."""
    rows = []
    row_bytes = sum(slopes["bytes_per_task"].values())
    for factor in FACTORS:
        rate = given.tasks_per_s * factor
        history_gb = rate * MONTH_S * given.history_months * row_bytes / 1e9
        files_gb = rate * given.keep_days * 86400 * given.output_mb / 1e3
        dollars = history_gb * given.disk_dollars, files_gb * given.bucket_dollars
        rows.append([f"{factor:,}x", *(number(value) for value in (history_gb, dollars[0], files_gb, dollars[1]))])
    head = [
        "",
        f"history of {given.history_months} months, GB",
        "dollars a month",
        f"outputs of {given.keep_days} days, GB",
        "dollars a month",
    ]
    bytes_of = ", ".join(f"`{name}` {size:,.0f}" for name, size in slopes["bytes_per_task"].items())
    return (
        f"{table(head, rows)}\nBytes a task, with indexes: {bytes_of}. Assumed: {given.output_mb:g} MB a task in the bucket, "
        f"{given.disk_dollars:.2f} dollars a GB and month on disk, {given.bucket_dollars:.3f} in the bucket.\n"
    )


def costs(slopes: dict[str, Any]) -> str:
    """Write what one more of everything costs."""
    names = {
        "create": "create, many accounts",
        "create_hot": "create, all of one account",
        "create_hot_alone": "create, one after the other",
        "claim": "claim, 32 at a time",
        "claim_one": "claim, one at a time",
        "settle": "settle",
        "delivery": "delivery of a webhook",
        "get": "get",
        "beat": "heartbeat of a worker",
    }
    rows = [
        [title, *(number(slopes["work"][name][part]) for part in ("database_us", "process_us", "per_s"))]
        for name, title in names.items()
    ]
    idle = (
        f"An idle API process asks for {slopes['idle_process_us_per_s'] / 1e4:.2f} % of a core of the database, and keeps "
        f"{slopes['idle_connections']:g} connections.\n"
    )
    return f"{table(['', 'database us', 'process us', '/s'], rows)}\n{idle}"


def scheduler(section: dict[str, Any]) -> str:
    """Write the simulated waits."""
    kinds = [one["kind"] for one in section["tenants"]]
    lead, in_a_row = section["usual"]
    rows = []
    for row in section["rows"]:
        usual = row["lead"] == lead and row["in_a_row"] == in_a_row
        name = f"**{row['name']}**" if usual else row["name"]
        waits = [
            " / ".join(number(row["tenants"][kind][at], ",.0f") for at in ("p50_s", "p99_s", "worst_s"))
            for kind in kinds
        ]
        rows.append(
            [
                name,
                number(row["loads_per_1000"]),
                f"{row['working']:.0%}",
                f"{row['loading']:.0%}",
                number(row["all_ended_s"]),
                *waits,
            ]
        )
    tenants = ", ".join(f"{one['number']} × {one['kind']}" for one in section["tenants"])
    head = [
        "",
        "loads per 1,000 tasks",
        "working",
        "loading",
        "all ended, s",
        *(f"{kind}: wait p50 / p99 / worst, s" for kind in kinds),
    ]
    return (
        f"{section['workers']:,} workers that hold one of twelve models each, {section['tasks']:,} tasks in {section['arrive_s']:g} s, "
        f"seed {section['seed']}; tenants: {tenants}. *Working* and *loading* are shares of the workers' time until the last order; "
        f"*lead* is how many turns early a model in memory counts, for up to {in_a_row} claims in a row. Bold: what the server does.\n\n"
        f"{table(head, rows)}"
    )


INTRO = """\
# Scale, on paper

What breaks first when there is 10, 100 and 1,000 times as much to do. This page is written by `bench/scale_page.py` from
[scale.json](scale.json), which `make bench-scale` and `make sim-scheduler` write. What one more task, worker or process costs is
measured; the rest is multiplication, and no promise: a limit that nobody has reached is a guess until somebody does.
"""
UNKNOWN = """\
## What is not known

- Claims of many API processes side by side: each locks the rows at the head of the same index, and skips those of the others.
  One process was measured.
- A real network and a real disk: client, server and database share one machine here, and a flush of its disk is quick. With a
  slower one, whatever is not grouped slows down with it.
- A database that fails over, replicas that lag, a day of vacuuming behind a snapshot that is held open.
- More than a few million rows in `tasks`: the costs above come from short tables. That a claim costs the same with a million
  waiting is measured in [benchmarks.md](benchmarks.md).
- The bucket: its own limits of requests a second were not met, and what it costs to fetch from it is not counted.
"""


def render(document: dict[str, Any], given: Assumed = Assumed()) -> str:
    """Write the whole page."""
    return "\n".join([INTRO, *_parts(document, given), UNKNOWN])


def _parts(document: dict[str, Any], given: Assumed) -> Iterable[str]:
    if "slopes" in document:
        slopes = document["slopes"]
        today = (
            f"Today is taken as {given.tasks_per_s:g} tasks a second of {given.task_s:g} s each, so {given.tasks_per_s * given.task_s:g} "
            f"workers; each is read {given.reads} times and has a webhook, and half of them are of one account.\n"
        )
        yield f"## What breaks first\n\n{stamp(slopes)}{today}\n{breaks(slopes, given)}"
        yield f"## What keeping costs\n\n{storage(slopes, given)}"
        yield f"## What one more costs\n\n{costs(slopes)}"
    if "scheduler" in document:
        yield f"## The scheduler at 10,000 workers\n\n{scheduler(document['scheduler'])}"


def write() -> None:
    """Write the page from what is known."""
    PAGE.write_text(render(orjson.loads(JSON.read_bytes())), "utf-8")


if __name__ == "__main__":
    write()
