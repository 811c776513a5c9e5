"""Checking the books of an installation, also while it runs: each question is one statement, and so one moment."""

from unitask.db import Database, Queries, Row

SQL = Queries(__package__)

_QUESTIONS = (
    (SQL.wrong_balances, "account {account_id}: {book} is {points} points, the ledger says {expected}"),
    (SQL.wrong_holds, "account {account_id}: {points} points are held, its live tasks hold {expected}"),
    (SQL.wrong_counters, "account {account_id}: {points} tasks are counted as {book}, the queue has {expected}"),
    (SQL.wrong_movements, "ledger row {id}: a {kind} does not move points from {debit} to {credit}"),
    (
        SQL.wrong_tasks,
        "task {id} is {status}: held {held}, captured {captured}, released {released}, charged {charged}",
    ),
    (SQL.wrong_packs, "account {account_id}: its packs hold {points} points, fewer than the {expected} that are left"),
)


async def troubles(database: Database) -> list[str]:
    """Say what is wrong in the books, a sentence each; an empty list means that they are right."""
    found = []
    for statement, sentence in _QUESTIONS:
        found += [_write(sentence, row) for row in await database.fetch(statement)]
    return found


def _write(sentence: str, row: Row) -> str:
    return sentence.format_map(row)
