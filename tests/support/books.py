"""Everything that must be true of the database after whatever happened: money, counters, queue, webhooks."""

import json
from collections import Counter
from itertools import groupby
from operator import itemgetter
from typing import Any

from support.sql import rows
from unitask.accounts.limits import counters, staged_counter
from unitask.billing import repository as ledger
from unitask.billing.model import BOOKS, Book, Kind
from unitask.db import Database
from unitask.kit.clock import DAY_US

FINAL = {"completed", "failed"}
LIVE = {"ready": "pending", "staged": "staged", "processing": "processing"}


_PASSED = """
    select a.id, a.active_tasks, count(q.task_id) as running from accounts a
    left join queue q on q.account_id = a.id and q.state <> 'staged'
    group by a.id, a.active_tasks
    having count(q.task_id) > cast(a.limits ->> 'concurrent_tasks' as int) or count(q.task_id) <> a.active_tasks
"""


async def limits_passed(database: Database) -> list[dict[str, Any]]:
    """List accounts with more tasks in open states than they may have, or than they count; true at any moment."""
    return await rows(database, _PASSED)


async def troubles(database: Database) -> list[str]:
    """Audit; gives a sentence for everything that is wrong. Needs a moment in which nothing changes."""
    return [
        *await _accounts(database),
        *await _movements(database),
        *await _packs(database),
        *await _spent(database),
        *await _tasks(database),
    ]


async def _accounts(database: Database) -> list[str]:
    replayed = await ledger.replay(database)
    nothing = dict.fromkeys((Book.AVAILABLE, Book.HELD, Book.USED), 0)
    live = await rows(database, "select account_id, api_key_id, family, state, price_points from queue")
    found = []
    for account in await rows(database, "select * from accounts"):
        own = [ticket for ticket in live if ticket["account_id"] == account["id"]]
        staged = [ticket for ticket in own if ticket["state"] == "staged"]
        expected = {
            **{f"{book}_points": points for book, points in replayed.get(account["id"], nothing).items()},
            "active_tasks": len(own) - len(staged),
            "staged_tasks": len(staged),
        }
        found += _differences(f"account {account['id']}", account, expected)
        found += _differences(
            f"holds of account {account['id']}", account, {"held_points": sum(one["price_points"] for one in own)}
        )
        counted, queued = json.loads(account["active"]), dict(_counted(own))
        if counted != queued:
            found.append(f"account {account['id']}: its counters are {counted}, the queue says {queued}")
    return found


def _counted(tickets: list[dict[str, Any]]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for ticket in tickets:
        of = (ticket["api_key_id"], ticket["family"])
        counted.update([staged_counter(*of)] if ticket["state"] == "staged" else counters(*of))
    return counted


async def _movements(database: Database) -> list[str]:
    """Each row moves points between the books of its kind; what came from outside is all there, in some book."""
    found = []
    books: dict[int, Counter[str]] = {}
    for row in await rows(database, "select * from ledger"):
        if (row["debit"], row["credit"]) != BOOKS[Kind(row["kind"])]:
            found.append(f"movement {row} is not between the books of its kind")
        of_account = books.setdefault(row["account_id"], Counter())
        of_account[row["debit"]] -= row["points"]
        of_account[row["credit"]] += row["points"]
    for account in await rows(database, "select * from accounts"):
        of_account = books.get(account["id"], Counter())
        inside = account["available_points"] + account["held_points"] + account["used_points"]
        if of_account[Book.OUTSIDE] + inside + of_account[Book.EXPIRED] != 0:
            found.append(f"the books of account {account['id']} do not sum to zero: {dict(of_account)}, {account}")
        if account["held_points"] < 0 or (account["available_points"] < 0 and not account["unlimited"]):
            found.append(f"account {account['id']} is below zero: {account}")
    return found


async def _packs(database: Database) -> list[str]:
    """Packs never hold less than is left, and what expired in them is what the ledger says."""
    packs = await rows(database, "select * from credit_packs")
    found = [
        f"the pack {pack} holds more than it may, or less than nothing"
        for pack in packs
        if min(pack["remaining"], pack["expired"], pack["capacity"] - pack["remaining"] - pack["expired"]) < 0
    ]
    entries = await rows(database, "select account_id, points from ledger where kind = 'expire'")
    for account in await rows(database, "select * from accounts"):
        own = [pack for pack in packs if pack["account_id"] == account["id"]]
        remaining, expired = (sum(pack[what] for pack in own) for what in ("remaining", "expired"))
        gone = sum(entry["points"] for entry in entries if entry["account_id"] == account["id"])
        if expired != gone:
            found.append(f"account {account['id']}: {expired} points of packs expired, the ledger says {gone}")
        if remaining < account["available_points"] + account["held_points"] and not account["unlimited"]:
            found.append(f"account {account['id']}: its packs hold {remaining} points, fewer than are left: {account}")
    return found


async def _spent(database: Database) -> list[str]:
    """What counts for the caps of a day is what the tasks of that day cost, or may still cost."""
    spent: dict[tuple[int, int], Counter[str]] = {}
    for task in await rows(database, "select * from tasks"):
        live = task["status"] not in {"completed", "failed"}
        points = task["price_points"] if live else task["charged_points"]
        of_day = spent.setdefault((task["account_id"], task["created_at"] // DAY_US), Counter())
        of_day.update({"": points, f"#{task['api_key_id']}": points})
    found = []
    for account in await rows(database, "select id, spent_day, spent from accounts"):
        noted, day = json.loads(account["spent"]), account["spent_day"]
        tasks = {name: points for name, points in spent.get((account["id"], day), {}).items() if points}
        if noted != tasks:
            found.append(f"account {account['id']}: {noted} were spent on day {day}, its tasks say {tasks}")
        found += [
            f"account {account['id']}: {dict(points)} of day {late} are not noted"
            for (account_id, late), points in spent.items()
            if account_id == account["id"] and late > day and points.total()
        ]
    return found


async def _tasks(database: Database) -> list[str]:
    queue = {row["task_id"]: row for row in await rows(database, "select * from queue")}
    entries: dict[str, list[Any]] = {}
    for row in await rows(database, "select * from ledger where task_id is not null"):
        entries.setdefault(row["task_id"], []).append(row)
    owed: dict[str, list[str]] = {}
    for row in await rows(database, "select task_id, event from deliveries"):
        owed.setdefault(row["task_id"], []).append(row["event"].removeprefix("task."))
    found = await _deliveries(database)
    known = set()
    for task in await rows(database, "select * from tasks"):
        known.add(task["id"])
        found += _task(task, queue.get(task["id"]), entries.get(task["id"], []), owed.get(task["id"], []))
    for name, ids in (("queue", queue), ("ledger", entries), ("deliveries", owed)):
        found += [f"{name} knows {task_id}, which is no task" for task_id in set(ids) - known]
    return found


# One statement sees one moment: messages go on being sent while the books are read.
_TRIED = """
select d.id, d.state, d.settled_at, d.sent, a.number, a.reason
from deliveries d left join delivery_attempts a on a.delivery_id = d.id order by d.id, a.number
"""


async def _deliveries(database: Database) -> list[str]:
    found = []
    for _, attempts in groupby(await rows(database, _TRIED), itemgetter("id")):
        seen = list(attempts)
        one, tried = seen[0], [row for row in seen if row["number"]]
        must_be = {
            "an end, if it is not owed": (one["settled_at"] is None) == (one["state"] == "owed"),
            "all its attempts": [row["number"] for row in tried] == list(range(1, one["sent"] + 1)),
            "a success, if it was delivered": one["state"] != "delivered" or (bool(tried) and not tried[-1]["reason"]),
        }
        found += [f"delivery {one} needs {what}: {tried}" for what, holds in must_be.items() if not holds]
    return found


def _task(task: dict[str, Any], ticket: dict[str, Any] | None, entries: list[Any], owed: list[str]) -> list[str]:
    final = task["status"] in {"completed", "failed"}
    kinds = [entry["kind"] for entry in entries]
    sums = Counter({entry["kind"]: entry["points"] for entry in entries})
    settled = {"completed": ["capture", "hold"], "failed": ["hold", "release"]}.get(task["status"], ["hold"])
    webhook = json.loads(task["config"])["webhook_config"]
    wanted = (webhook.get("events") or ["completed", "failed"]) if webhook["endpoint"] else []
    must_be = {
        "one movement of each kind": len(set(kinds)) == len(kinds),
        "the movements of its status": sorted(set(kinds) | set(settled)) == sorted(kinds)
        and set(kinds) <= {*settled, *(["release"] if final else [])},
        "a hold of its price": sums["hold"] == task["price_points"],
        "a settled hold": not final or sums["hold"] == sums["capture"] + sums["release"],
        "a charge that was captured": sums["capture"] == task["charged_points"],
        "its place in the queue": (ticket and LIVE[ticket["state"]]) == (None if final else task["status"]),
        "one delivery of its end, if it ended and someone wants to know": [one for one in owed if one in FINAL]
        == ([task["status"]] if final and task["status"] in wanted else []),
        "no other delivery than someone wants": set(owed) <= set(wanted),
        "a time of its end": (task["ended_at"] is not None) == final,
        "an output": (task["output"] is not None) == (task["status"] == "completed"),
        "an error": (task["error"] is not None) == (task["status"] == "failed"),
    }
    seen = f"{task}, ticket {ticket}, ledger {entries}, deliveries {owed}"
    return [f"task {task['id']} needs {what}: {seen}" for what, holds in must_be.items() if not holds]


def _differences(name: str, row: dict[str, Any], expected: dict[str, int]) -> list[str]:
    return [
        f"{name}: {column} is {row[column]}, must be {value}"
        for column, value in expected.items()
        if row[column] != value
    ]
