"""The queue between rows and model. Locks come in the order of task ids."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from unitask.db import Database, Queries, Row, Transaction
from unitask.queue.makers import Makes
from unitask.queue.model import Announcement, Claimed, Held, Lane, Leftover, Offer, Place, Progress, State, Ticket

SQL = Queries(__package__)


def _ticket(row: Row) -> Ticket:
    return Ticket(
        task_id=row["task_id"],
        account_id=row["account_id"],
        api_key_id=row["api_key_id"],
        product=row["product"],
        family=row["family"],
        engine=row["engine"],
        state=State(row["state"]),
        turn=row["turn"],
        attempt=row["attempt"],
        price_points=row["price_points"],
        has_webhook=bool(row["has_webhook"]),
        deadline=row["deadline"],
        attempt_deadline=row["attempt_deadline"],
        cancel_requested=bool(row["cancel_requested"]),
        given_back=row["given_back"],
        routes=row["routes"],
        remote=row["remote"],
    )


def _tickets(rows: Iterable[Row]) -> list[Ticket]:
    return [_ticket(row) for row in rows]


async def add(tx: Transaction, tickets: Sequence[Ticket]) -> None:
    """Put new tasks in the queue."""
    if tickets:
        await tx.execute(SQL.add_tickets, rows=list(tickets))


async def claim(tx: Transaction, *, worker_id: str, lanes: Sequence[Lane], most: int, now: int) -> list[Claimed]:
    """Give the oldest ready tasks of these lanes to a worker."""
    return _claimed(await tx.fetch(SQL.claim, rows=list(lanes), worker_id=worker_id, most=most, now=now))


async def claim_named(tx: Transaction, *, worker_id: str, task_ids: Sequence[str]) -> list[Claimed]:
    """Give these tasks to a worker, as far as they are ready; each may run until its task must have ended."""
    return _claimed(await tx.fetch(SQL.claim_named, rows=list(task_ids), worker_id=worker_id))


def _claimed(rows: Iterable[Row]) -> list[Claimed]:
    return [
        Claimed(
            row["task_id"],
            row["attempt"],
            row["engine"],
            row["attempt_deadline"],
            row["turn"],
            row["account_id"],
            row["remote"],
        )
        for row in sorted(rows, key=lambda row: str(row["task_id"]))
    ]


async def live(database: Database, *, most: int) -> list[Ticket]:
    """List the oldest tasks that have not ended."""
    return _tickets(await database.fetch(SQL.live, most=most))


async def lock_attempts(tx: Transaction, attempts: Iterable[tuple[str, int]]) -> dict[tuple[str, int], Ticket]:
    """Lock the tasks whose current attempt this is; those that were lost are not in the answer."""
    rows = [{"task_id": task_id, "attempt": attempt} for task_id, attempt in attempts]
    found = _tickets(await tx.fetch(SQL.lock_attempts, rows=rows))
    return {(ticket.task_id, ticket.attempt): ticket for ticket in found}


async def lock_task(tx: Transaction, task_id: str) -> Ticket | None:
    """Lock one live task."""
    row = await tx.fetch_one(SQL.lock_task, task_id=task_id)
    return _ticket(row) if row else None


async def lock_overdue(tx: Transaction, *, now: int, most: int) -> list[Ticket]:
    """Lock tasks that are past the time by which they must have ended."""
    return _tickets(await tx.fetch(SQL.lock_overdue, now=now, most=most))


async def lock_abandoned(tx: Transaction, *, now: int, grace_us: int, most: int) -> list[Ticket]:
    """Lock tasks whose worker lost its lease or runs past the attempt's deadline."""
    return _tickets(await tx.fetch(SQL.lock_abandoned, now=now, grace=grace_us, most=most))


async def lock_staged(tx: Transaction, *, account_id: int, after: str, most: int) -> list[Ticket]:
    """Lock the oldest staged tasks of an account that come after the id `after`."""
    return _tickets(await tx.fetch(SQL.lock_staged, account_id=account_id, after=after, most=most))


async def accounts_with_staged(database: Database, *, after: int, most: int) -> list[int]:
    """Find the next accounts that have staged tasks, by their ids."""
    return [row["account_id"] for row in await database.fetch(SQL.accounts_with_staged, after=after, most=most)]


async def remove(tx: Transaction, task_ids: Sequence[str]) -> None:
    """Take ended tasks out."""
    if task_ids:
        await tx.execute(SQL.remove_tickets, rows=list(task_ids))


async def make_ready(tx: Transaction, places: Sequence[Place]) -> None:
    """Let tasks be claimed (again), each in its place; what is known of a job is forgotten where the engine changes."""
    if places:
        await tx.execute(SQL.make_ready, rows=list(places))


async def keep_remote(tx: Transaction, task_id: str, remote: str | None) -> None:
    """Write down what is known of a task's job at its provider, JSON text."""
    await tx.execute(SQL.keep_remote, task_id=task_id, remote=remote)


async def routed(database: Database) -> list[tuple[str, str]]:
    """List product and engine of the tasks that wait and may go elsewhere."""
    return [(row["product"], row["engine"]) for row in await database.fetch(SQL.routed)]


async def lock_routed(tx: Transaction, *, product: str, engine: str, most: int) -> list[Ticket]:
    """Lock tasks of a product that wait at an engine and may go elsewhere."""
    return _tickets(await tx.fetch(SQL.lock_routed, product=product, engine=engine, most=most))


async def leave(tx: Transaction, leftovers: Sequence[Leftover], now: int) -> None:
    """Write down jobs that are to be cancelled at their providers."""
    if leftovers:
        await tx.execute(SQL.leave, rows=list(leftovers), now=now)


async def leftovers(database: Database, providers: Sequence[str], *, most: int) -> list[Leftover]:
    """List the oldest jobs that are to be cancelled at these providers."""
    rows = await database.fetch(SQL.leftovers, rows=list(providers), most=most)
    return [Leftover(row["task_id"], row["provider"], row["account_id"], row["remote"]) for row in rows]


async def clear_leftovers(tx: Transaction, jobs: Iterable[tuple[str, str]]) -> None:
    """Forget jobs, by task and provider."""
    await tx.execute(SQL.clear_leftovers, rows=[{"task_id": task, "provider": provider} for task, provider in jobs])


async def forget_leftovers(tx: Transaction, *, before: int) -> None:
    """Give up jobs that nobody could cancel."""
    await tx.execute(SQL.forget_leftovers, before=before)


async def turns(database: Database) -> dict[str, int]:
    """Tell which turn each engine serves, as far as it was noted."""
    return {row["engine"]: row["turn"] for row in await database.fetch(SQL.turns)}


async def note_turns(tx: Transaction, turns: Mapping[str, int]) -> None:
    """Note which turn engines serve; no engine goes back."""
    await tx.execute(SQL.note_turns, rows=[{"engine": engine, "turn": turn} for engine, turn in turns.items()])


async def uncount(tx: Transaction, task_ids: Sequence[str]) -> None:
    """Do not count the attempts that these tasks have just had."""
    if task_ids:
        await tx.execute(SQL.uncount, rows=list(task_ids))


async def request_cancel(tx: Transaction, task_id: str) -> None:
    """Ask the worker that holds a task to stop; it hears of it with its next heartbeat."""
    await tx.execute(SQL.request_cancel, task_id=task_id)


async def beat(tx: Transaction, said: Announcement, *, now: int, lease_until: int) -> None:
    """Renew a worker's lease, and with it the lease of all it holds; write down what it says of itself."""
    await tx.execute(
        SQL.beat,
        id=said.worker_id,
        name=said.name,
        engines=list(said.engines),
        devices=list(said.devices),
        memory=orjson.dumps(said.memory).decode(),
        makes=None if said.makes is None else list(said.makes),
        loaded=list(said.loaded),
        providers=list(said.providers),
        now=now,
        lease_until=lease_until,
    )


async def announced(database: Database, *, since: int) -> dict[str, tuple[int, int]]:
    """Tell of each worker whose lease ends after `since` when it last said something new, and when the lease ends."""
    rows = await database.fetch(SQL.announced, since=since)
    return {row["id"]: (row["announced_at"], row["lease_until"]) for row in rows}


async def makes(database: Database, worker_ids: Iterable[str]) -> list[Makes]:
    """Read what workers make."""
    rows = await database.fetch(SQL.makes, rows=list(worker_ids))
    return [
        Makes(
            row["id"],
            row["announced_at"],
            None if row["makes"] is None else frozenset(Offer(**one) for one in orjson.loads(row["makes"])),
        )
        for row in rows
    ]


async def note_progress(tx: Transaction, progress: Sequence[Progress]) -> list[str]:
    """Write down how far attempts are; gives the tasks with a webhook that are further than before."""
    if not progress:
        return []
    rows = await tx.fetch(SQL.note_progress, rows=list(progress))
    return [row["task_id"] for row in rows if row["has_webhook"]]


async def put_off(tx: Transaction, waiting: Sequence[tuple[str, int]], *, lanes: Sequence[Lane], now: int) -> None:
    """Give attempts that have not begun yet their whole time from now on."""
    if waiting:
        await tx.execute(SQL.put_off, rows=list(waiting), lanes=list(lanes), now=now)


async def held_by(tx: Transaction, worker_id: str) -> list[Held]:
    """List what a worker holds."""
    rows = await tx.fetch(SQL.held_by, worker_id=worker_id)
    return [Held(row["task_id"], row["attempt"], bool(row["cancel_requested"])) for row in rows]


async def forget_workers(tx: Transaction, *, before: int) -> None:
    """Drop workers that have not been seen since."""
    await tx.execute(SQL.forget_workers, before=before)


async def take_lease(tx: Transaction, *, name: str, holder: str, now: int, until: int) -> bool:
    """Become or stay the one holder of a named lease."""
    return await tx.fetch_one(SQL.take_lease, name=name, holder=holder, now=now, until=until) is not None


async def counts(database: Database) -> dict[str, Any]:
    """Count live tasks by state."""
    return {row["state"]: row["number"] for row in await database.fetch(SQL.count_live)}


async def count_account(database: Database, account_id: int) -> list[tuple[str, State, int]]:
    """Count an account's live tasks by product and state."""
    rows = await database.fetch(SQL.count_account, account_id=account_id)
    return [(row["product"], State(row["state"]), row["number"]) for row in rows]


async def lock_waiting(
    tx: Transaction, *, account_id: int, before: str, product_prefix: str, most: int
) -> list[Ticket]:
    """Lock an account's oldest tasks that wait, made before the id `before`; an empty prefix matches all products."""
    return _tickets(
        await tx.fetch(SQL.lock_waiting, account_id=account_id, before=before, product_prefix=product_prefix, most=most)
    )
