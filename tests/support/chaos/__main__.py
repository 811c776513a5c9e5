"""`make chaos`: run it on each database and report."""

import argparse
import asyncio
import logging
import secrets
import sys
from pathlib import Path

from support.chaos.report import write
from support.chaos.run import DATABASES, Plan, run


def main() -> int:
    """Read the arguments; the status is 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000, help="Orders on each database (10000).")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="Which faults come (by chance).")
    parser.add_argument("--databases", default="postgres,sqlite", help="postgres, sqlite or both (postgres,sqlite).")
    parser.add_argument("--seconds", type=float, default=180, help="Over which the orders are spread (180).")
    parser.add_argument("--lanes", type=int, default=2, help="Faults at a time (2).")
    parser.add_argument("--workers", type=int, default=3, help="Workers (3).")
    parser.add_argument("--slots", type=int, default=6, help="Tasks at a time of each worker (6).")
    parser.add_argument("--faults", default="", help="Only those whose name has this pattern (all).")
    parser.add_argument("--report", type=Path, help="Also write it to this file: *.md or *.json.")
    given = parser.parse_args()
    databases = given.databases.split(",")
    if set(databases) - set(DATABASES):
        parser.error("--databases: name postgres, sqlite or both")
    logging.getLogger("asyncpg").setLevel(logging.ERROR)  # the audit's own pool tells of every cut at length
    reports = []
    for database in databases:
        plan = Plan(
            database, given.seed, given.tasks, given.seconds, given.lanes, given.workers, given.slots, given.faults
        )
        reports.append(asyncio.run(run(plan)))
        sys.stdout.write(reports[-1].page() + "\n")
    if given.report:
        write(reports, given.report)
    return 1 if any(report.broken for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
