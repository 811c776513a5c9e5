"""Which staged tasks of an account get the slots that are free: the oldest whose family and key have room."""

from collections.abc import Callable
from typing import Final

from unitask.accounts import repository as accounts
from unitask.db import Transaction
from unitask.kit.paging import FIRST_ID
from unitask.queue import repository as queue
from unitask.queue.turns import Turns
from unitask.tasks.advance import Step
from unitask.tasks.lifecycle import Promoted
from unitask.tasks.room import Room

_BATCH: Final = 100
_MOST: Final = 100


async def promotions(tx: Transaction, account_id: int, turns: Turns, held: Callable[[str], bool]) -> list[Step]:
    """Lock an account and find the next staged tasks that may run; at most a hundred at a time, none that is held."""
    account = (await accounts.lock(tx, [account_id]))[account_id]
    room = Room(account, turns)
    steps: list[Step] = []
    if account.staged_tasks == 0 or room.is_full():
        return steps
    limits = await accounts.key_limits(tx, account_id)
    after = FIRST_ID
    while batch := await queue.lock_staged(tx, account_id=account_id, after=after, most=_BATCH):
        for ticket in batch:
            if held(ticket.task_id):
                continue
            turn = room.promote(
                limits[ticket.api_key_id], key_id=ticket.api_key_id, family=ticket.family, engine=ticket.engine
            )
            if turn is not None:
                steps.append(Step(ticket, Promoted(), turn=turn))
            if room.is_full() or len(steps) == _MOST:
                return steps
        after = batch[-1].task_id
    return steps
