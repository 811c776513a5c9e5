"""What a run went through, for people and for programs."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.chaos.cluster import Cluster
from support.chaos.load import Load
from support.chaos.storm import Storm, Suffered

_LAST = 12


@dataclass
class Report:
    """Numbers of one run; `broken` holds every promise that was not kept."""

    database: str
    seed: int
    orders: int
    duration_s: float
    tasks: dict[str, int]
    attempts: dict[int, int]
    answers: dict[str, int]
    looked_up: int
    slowest_end_s: float
    messages: int
    limit_samples: int
    stale_reports: int
    restarts: int
    faults: dict[str, dict[str, Any]]
    lacking: list[str]
    last_faults: list[str]
    broken: list[str] = field(default_factory=list)

    @property
    def survived(self) -> int:
        """How many faults were survived."""
        return sum(int(one["survived"]) for one in self.faults.values())

    @property
    def inflicted(self) -> int:
        """How many faults there were."""
        return sum(int(one["inflicted"]) for one in self.faults.values())

    def page(self) -> str:
        """Write a page of Markdown."""
        kept = f"PROMISES BROKEN: {len(self.broken)}" if self.broken else "every promise kept"
        verdict = f"{self.survived} of {self.inflicted} faults survived, {kept}"
        facts = {
            "orders": f"{self.orders:,}, spread over two APIs" if self.database == "postgres" else f"{self.orders:,}",
            "tasks by status": _listed(self.tasks),
            "tasks by attempts": _listed(self.attempts),
            "answers to orders": f"{_listed(self.answers)}; {self.looked_up} found again by their key at the end",
            "messages received": f"{self.messages:,}",
            "slowest end": f"{self.slowest_end_s:.1f} s after the order was acknowledged",
            "limits looked at": f"{self.limit_samples} times",
            "reports of lost attempts that came to nothing": str(self.stale_reports),
            "processes started again that ended by themselves": str(self.restarts),
            "duration": f"{self.duration_s:.0f} s",
        }
        lines = [
            f"# Chaos on {self.database}, seed {self.seed}: {verdict}",
            "",
            *(f"- {name}: {value}" for name, value in facts.items()),
            "",
            "| fault | inflicted | survived | slowest way back |",
            "| --- | ---: | ---: | ---: |",
            *(
                f"| {name} | {one['inflicted']} | {one['survived']} | {one['slowest_back_s']:.1f} s |"
                for name, one in self.faults.items()
            ),
            *(f"\nNot tried: {sentence}." for sentence in self.lacking),
        ]
        if self.broken:
            lines += ["", "## Broken", "", *(f"- {one}" for one in self.broken)]
            lines += [
                "",
                f"Again with: seed {self.seed}. The last faults:",
                "",
                *(f"    {one}" for one in self.last_faults),
            ]
        return "\n".join(lines) + "\n"


def write(reports: list[Report], file: Path) -> None:
    """Write reports as JSON or, by the file's name, as a page of Markdown."""
    if file.suffix == ".json":
        counted = [{**vars(one), "survived": one.survived, "inflicted": one.inflicted} for one in reports]
        file.write_text(json.dumps(counted, indent=2) + "\n")
    else:
        file.write_text("\n".join(one.page() for one in reports))


def _listed(counted: dict[Any, int]) -> str:
    return ", ".join(f"{name}: {number:,}" for name, number in sorted(counted.items()))


def made_of(storm: Storm, tasks: list[dict[str, Any]], **facts: Any) -> Report:
    """Count."""
    load: Load = storm.load
    cluster: Cluster = storm.cluster
    waited = [seen - load.acknowledged_at[one] for one, seen in storm.first_seen.items() if one in load.acknowledged_at]
    return Report(
        orders=len(load.orders),
        tasks=dict(Counter(task["status"] for task in tasks)),
        attempts=dict(Counter(task["attempt"] for task in tasks)),
        answers=dict(load.answers),
        looked_up=load.looked_up,
        slowest_end_s=max(waited, default=0.0),
        messages=len(storm.sink.received),
        limit_samples=storm.samples,
        stale_reports=storm.stale,
        restarts=sum(part.restarts for part in cluster.parts),
        faults={fault.name: _survival(fault.name, storm.suffered) for fault in storm.possible},
        lacking=sorted(set(cluster.lacking.values())),
        last_faults=[str(one) for one in storm.suffered[-_LAST:]],
        **facts,
    )


def _survival(name: str, suffered: list[Suffered]) -> dict[str, Any]:
    back = [one.back_s for one in suffered if one.name == name]
    survived = [seconds for seconds in back if seconds is not None]
    return {"inflicted": len(back), "survived": len(survived), "slowest_back_s": max(survived, default=0.0)}
