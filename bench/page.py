"""Write docs/benchmarks.md from docs/benchmarks.json; no figure is typed: `python bench/page.py` writes it again."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import orjson

ROOT = Path(__file__).parent.parent
JSON = ROOT / "docs" / "benchmarks.json"
PAGE = ROOT / "docs" / "benchmarks.md"
OURS = ("unitask_postgres_together", "unitask_postgres")
NAMES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
AIMS = {"create_per_s": 5000, "ended_per_s": 2000, "get_of_floor": 0.8, "claim": 1.2, "mb_per_h": 1.0}
INTRO = """\
# Benchmarks

What Unitask and its peers do on the same machine in the same run. This page is written by `bench/page.py` from
[benchmarks.json](benchmarks.json), which the measuring commands write: `make bench-peers` (about ten minutes),
`make bench-backlog` (three) and `make bench-soak` (a quarter of an hour). Ratios tell more than figures: the load generator,
the databases and the servers share the cores.
"""
SIDE = """\
In each round every server is started on empty data, measured and stopped, one after the other; the medians of the rounds
are shown. All do the same with an order: take it over HTTP, run a handler that does nothing, and post a signed webhook, on
whose arrival the task counts as ended. What a peer does not do of what Unitask does stands below the table, and **figures
in parentheses are not comparable**: the peer does not queue or store the order, or loses it when it is restarted, and
posts nothing. Unitask also checks the order against the product's model, holds and captures its price in a ledger, and
goes on trying a webhook that does not arrive. Its plain rows run each task in a process that does nothing else
meanwhile, as Celery's do; those with *batches* run many in one, as the other peers do, and it is those that the aim compares.

- *create*: orders a second over {connections} connections while no worker runs; *get*: reads of one ended task.
- *ended*: tasks a second from the first of {orders:,} orders, sent over {connections} connections as fast as they are taken, to the end
  of the last, or for {orders_s:g} s.
- *CPU*: processor time of its processes, API and workers, for each task that ended.
- *start*: from the sending of an order to the beginning of its work, one order at a time.
- *memory*: of all its processes, API and workers, idle and after the load; pages that they share count once; databases and
  brokers are not counted. *ready*: seconds until it answers; *first*: until its first task has ended.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def number(value: float | None, form: str = ",.0f") -> str:
    """Write a figure, or that there is none."""
    return "–" if value is None else format(value, form)


def stamp(section: dict[str, Any]) -> str:
    """Say when, where and with what a section was measured."""
    machine = section["machine"]
    return (
        f"Measured {section['at']}: {machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} GiB, "
        f"{machine['system']}; Python {machine['python']}, PostgreSQL {machine['postgresql']}"
        + (f", Redis {machine['redis']}" if machine["redis"] else "")
        + f"; Unitask {machine['unitask']} at {machine['commit']}; load before the run {machine['load']}.\n"
    )


def figure(row: dict[str, Any], path: str, *, share: float | None = None) -> float | None:
    """Take the median of a figure over the rounds; `share`: that quantile of all rounds' samples."""
    found = []
    for one in row["rounds"]:
        value: Any = one
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            found.append(value)
    if share is not None:
        samples = sorted(sample for samples in found for sample in samples)
        return samples[min(int(len(samples) * share), len(samples) - 1)] if samples else None
    return median(found) if found else None


COLUMNS: dict[str, tuple[str, Callable[[dict[str, Any]], float | None]]] = {
    "create/s": (",.0f", lambda row: figure(row, "create.per_s")),
    "get/s": (",.0f", lambda row: figure(row, "get.per_s")),
    "ended/s": (",.0f", lambda row: figure(row, "ended_per_s")),
    "CPU ms each": (",.1f", lambda row: figure(row, "cpu_ms")),
    "start p50 ms": (",.1f", lambda row: figure(row, "starts_ms", share=0.5)),
    "start p99 ms": (",.1f", lambda row: figure(row, "starts_ms", share=0.99)),
    "memory idle MiB": (",.0f", lambda row: figure(row, "idle_mib")),
    "after load MiB": (",.0f", lambda row: figure(row, "loaded_mib")),
    "ready s": (",.1f", lambda row: figure(row, "ready_s")),
    "first s": (",.1f", lambda row: figure(row, "first_s")),
}
LESS_IS_BETTER = frozenset(list(COLUMNS)[3:])


def _cells(row: dict[str, Any]) -> list[str]:
    if not row["rounds"]:
        return [f"*{row.get('failed', 'not measured')}*", *["–"] * (len(COLUMNS) - 1)]
    same = row["durable"] or row["title"].startswith("floor")
    cells = [number(read(row), form) for form, read in COLUMNS.values()]
    return [cell if same or cell == "–" else f"({cell})" for cell in cells]


def _ratios(rows: dict[str, Any]) -> str:
    """Say how many times a peer's figures Unitask's are, on the same kind of database, where both do the work."""
    return "Times better (below 1: the peer is):\n\n" + "\n".join(
        _ratios_of(rows[name], _comparable(rows)) for name in OURS if rows.get(name, {}).get("rounds")
    )


def _ratios_of(ours: dict[str, Any], peers: list[dict[str, Any]]) -> str:
    lines = []
    for row in peers:
        cells = []
        for name, (_, read) in COLUMNS.items():
            mine, its = read(ours), read(row)
            ratio = None if mine is None or not its else (its / mine if name in LESS_IS_BETTER else mine / its)
            cells.append(number(ratio, ".1f") + ("x" if ratio is not None else ""))
        lines.append([row["title"], *cells])
    return table([f"{ours['title']} against", *COLUMNS], lines)


def _comparable(rows: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for name, row in rows.items() if row["durable"] and row["rounds"] and not name.startswith("unitask")]


def _behind(rows: dict[str, Any]) -> list[str]:
    """List where a comparable peer is ahead of Unitask on PostgreSQL, when that runs many in one process as well."""
    found = []
    for row in _comparable(rows):
        for name, (form, read) in COLUMNS.items():
            mine, its = read(rows[OURS[0]]), read(row)
            if mine is not None and its is not None and (mine > its if name in LESS_IS_BETTER else mine < its):
                found.append(f"{row['title']}, {name}: {number(its, form)} against {number(mine, form)}")
    return found


def side_by_side(section: dict[str, Any]) -> str:
    """Write the table of all servers, and what each is."""
    rows = section["rows"]
    about = [
        f"- **{row['title']}**"
        + (f" (`{'`, `'.join(row['packages'])}`)" if row["packages"] else "")
        + f": {row['settings']}."
        + (f" What it lacks: {row['lacks']}." if row["lacks"] else "")
        + "".join(f" [{number + 1}]({page})" for number, page in enumerate(row["pages"]))
        + (f" **Left out after {len(row['rounds'])} rounds: {row['failed']}**" if row.get("failed") else "")
        for row in rows.values()
    ]
    return "\n".join(
        [
            "## Side by side\n",
            stamp(section) + f"{section['rounds']} rounds, loads of {section['seconds']:g} s.\n",
            SIDE.format(**section),
            table(["", *COLUMNS], [[row["title"], *_cells(row)] for row in rows.values()]),
            _ratios(rows),
            *about,
            "",
        ]
    )


def aims(document: dict[str, Any]) -> str:
    """Say what was aimed at and what was reached."""
    rows = [
        [aim, found, "–" if good is None else "reached" if good else "**not reached**"]
        for aim, found, good in _aims(document)
    ]
    return "## Aims\n\n" + table(["aim", "measured", ""], rows)


def _of_floor(ours: float, floor: dict[str, Any], path: str) -> str:
    """Compare with what a bare application can do on this machine."""
    least = figure(floor, path)
    return f", {ours / least:.0%} of the floor" if least else ""


def _aims(document: dict[str, Any]) -> Iterable[tuple[str, str, bool | None]]:
    rows = document.get("peers", {}).get("rows", {})
    for key, name in NAMES.items():
        ours = [rows[one] for one in (f"unitask_{key}", f"unitask_{key}_together") if rows.get(one, {}).get("rounds")]
        floor = rows.get(f"floor_{key}", {"rounds": []})
        if not ours:
            continue
        created = max(figure(row, "create.per_s") or 0 for row in ours)
        yield (
            f"durable create, {name}: {AIMS['create_per_s']:,}/s",
            f"{created:,.0f}/s{_of_floor(created, floor, 'create.per_s')}",
            created >= AIMS["create_per_s"],
        )
        ended = max(figure(row, "ended_per_s") or 0 for row in ours)
        yield (
            f"order to webhook, {name}: {AIMS['ended_per_s']:,}/s",
            f"{ended:,.0f}/s{_of_floor(ended, floor, 'ended_per_s')}",
            ended >= AIMS["ended_per_s"],
        )
        least = figure(floor, "get.per_s")
        if least:
            share = max(figure(row, "get.per_s") or 0 for row in ours) / least
            aim = f"get, {name}: {AIMS['get_of_floor']:.0%} of a bare application with the same SELECT"
            yield aim, f"{share:.0%}", share >= AIMS["get_of_floor"]
    if rows.get(OURS[0], {}).get("rounds"):
        behind = _behind(rows)
        yield "ahead of every peer wherever it does the same work", "; ".join(behind) or "everywhere", not behind
    for name, row in document.get("backlog", {}).get("rows", {}).items():
        ratio = row["large"]["p99_ms"] / row["small"]["p99_ms"]
        aim = f"claim, {name}: p99 with a million waiting within 20 % of an almost empty queue"
        yield aim, f"{ratio:.2f} times", ratio <= AIMS["claim"]
    soak = document.get("soak")
    if soak:
        worst = max((one["mb_per_h"] for one in soak["processes"].values()), default=0.0)
        yield (
            f"memory: slope below {AIMS['mb_per_h']:g} MB/h for every process",
            f"{worst:.2f} MB/h at most",
            worst < AIMS["mb_per_h"],
        )


def backlog(section: dict[str, Any]) -> str:
    """Write the claims with a million waiting tasks."""
    rows = [
        [name, *(number(row[queue][at], ".2f") for at in ("p50_ms", "p99_ms") for queue in ("small", "large"))]
        for name, row in section["rows"].items()
    ]
    head = [
        "claim of one task",
        "p50 ms, almost empty",
        f"p50 ms, {section['waiting']:,}",
        "p99 ms, almost empty",
        f"p99 ms, {section['waiting']:,}",
    ]
    return f"## A million waiting\n\n{stamp(section)}{section['claims']:,} claims of each, taking turns.\n\n{table(head, rows)}"


def soak(section: dict[str, Any]) -> str:
    """Write how the memory of each process went on."""
    rows = [
        [
            name,
            *(number(one[part], ".1f") for part in ("first_mib", "last_mib")),
            f"{one['mb_per_h']:+.2f} ± {one['plus_minus']:.2f}",
        ]
        for name, one in section["processes"].items()
    ]
    told = (
        f"{section['minutes']:g} minutes after {section['warm_minutes']:g} of warming up, {section['per_s']:g} orders a second "
        f"with a webhook each, {section['ordered']:,} orders, {section['delivered']:,} webhooks, {section['errors']} errors. The slope is "
        "that of the least squares line, ± twice its standard error.\n"
    )
    return f"## Soak\n\n{stamp(section)}{told}\n{table(['process', 'first MiB', 'last MiB', 'MB/h'], rows)}"


def render(document: dict[str, Any]) -> str:
    """Write the whole page."""
    parts = {"peers": side_by_side, "backlog": backlog, "soak": soak}
    return "\n".join(
        [INTRO, aims(document), *(write(document[name]) for name, write in parts.items() if name in document)]
    )


def write() -> None:
    """Write the page from what is known."""
    PAGE.write_text(render(orjson.loads(JSON.read_bytes())), "utf-8")


if __name__ == "__main__":
    write()
