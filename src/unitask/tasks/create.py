"""Create: idempotency key, hold, task and queue row in one transaction, for a whole group of orders at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from unitask.accounts import repository as accounts
from unitask.accounts.model import Account
from unitask.artifacts import repository as artifacts
from unitask.billing import repository as ledger
from unitask.billing.model import Entry, Kind
from unitask.db import Transaction
from unitask.kit import faults
from unitask.kit.clock import DAY_US
from unitask.kit.errors import IdempotencyMismatch, UnitaskError
from unitask.queue import repository as queue
from unitask.queue.model import State, Ticket
from unitask.queue.turns import Turns
from unitask.tasks import repository
from unitask.tasks.changes import Moved, sum_changes
from unitask.tasks.lifecycle import Effects
from unitask.tasks.model import Order, Status, Task
from unitask.tasks.room import Room


@dataclass(frozen=True, slots=True)
class _Accepted:
    order: Order
    task: Task
    effects: Effects
    turn: int


async def create(tx: Transaction, orders: list[Order], *, staged_limit: int, turns: Turns) -> list[Task | UnitaskError]:
    """Turn orders into tasks; each is answered with its task or with the reason why not."""
    now = orders[0].now
    locked = await accounts.lock(tx, {order.caller.account_id for order in orders})
    rooms = {account.id: Room(account, turns) for account in locked.values()}
    accepted: list[_Accepted] = []
    kept = await repository.keep_keys(tx, _first_of_each_key(orders), now)
    owners = {key.task_id for key in kept.values()}
    answers: dict[int, Task | UnitaskError] = {}
    replays: dict[int, str] = {}
    for index, order in enumerate(orders):
        if order.idempotency is None or order.task_id in owners:
            answers[index] = _admit(rooms[order.caller.account_id], order, accepted, staged_limit)
            continue
        key = kept[order.caller.account_id, order.idempotency.key]
        if key.body_hash == order.idempotency.body_hash:
            replays[index] = key.task_id
        else:
            answers[index] = IdempotencyMismatch(
                "this Idempotency-Key was used with another body; use a new key for a new order"
            )
    await _write(tx, locked, accepted, now)
    answers |= await _replay(tx, replays, orders, answers)
    refused = [
        order.task_id
        for index, order in enumerate(orders)
        if order.idempotency and isinstance(answers[index], UnitaskError)
    ]
    await repository.drop_keys(tx, refused)
    faults.point("create.before_commit")
    return [answers[index] for index in range(len(orders))]


def _admit(room: Room, order: Order, accepted: list[_Accepted], staged_limit: int) -> Task | UnitaskError:
    try:
        status, effects, turn = room.admit(order, staged_limit=staged_limit, day=order.now // DAY_US)
    except UnitaskError as error:
        return error
    accepted.append(_Accepted(order, _task(order, status), effects, turn))
    return accepted[-1].task


def _first_of_each_key(orders: Sequence[Order]) -> list[Order]:
    first: dict[tuple[int, str], Order] = {}
    for order in orders:
        if order.idempotency:
            first.setdefault((order.caller.account_id, order.idempotency.key), order)
    return list(first.values())


async def _replay(
    tx: Transaction,
    replays: dict[int, str],
    orders: Sequence[Order],
    answers: dict[int, Task | UnitaskError],
) -> dict[int, Task | UnitaskError]:
    """Answer repeated orders with the task of the first one, or with why that one was refused."""
    if not replays:
        return {}
    refused = {orders[index].task_id: answer for index, answer in answers.items() if isinstance(answer, UnitaskError)}
    tasks = await repository.find_many(tx, set(replays.values()) - set(refused))
    return {index: refused.get(task_id) or tasks[task_id] for index, task_id in replays.items()}


async def _write(tx: Transaction, locked: Mapping[int, Account], accepted: list[_Accepted], now: int) -> None:
    holds = [Entry(one.task.account_id, one.task.id, Kind.HOLD, one.effects.hold) for one in accepted]
    async with tx.together() as together:
        await repository.add(together, [one.task for one in accepted])
        await queue.add(together, [_ticket(one) for one in accepted])
        await ledger.add(together, holds, now)
        await accounts.change(together, locked, sum_changes(_moved(one) for one in accepted))
        await artifacts.add(together, [artifact for one in accepted for artifact in one.order.artifacts])


def _moved(one: _Accepted) -> Moved:
    caller = one.order.caller
    day = one.order.now // DAY_US
    turn = one.turn if one.task.status is Status.PENDING else None
    return Moved(caller.account_id, caller.api_key_id, one.order.family, day, one.effects, one.order.engine, turn)


def _task(order: Order, status: Status) -> Task:
    return Task(
        id=order.task_id,
        account_id=order.caller.account_id,
        api_key_id=order.caller.api_key_id,
        model=order.model,
        task_type=order.task_type,
        status=status,
        input=order.input,
        config=order.config,
        warnings=orjson.dumps(order.warnings).decode(),
        price_points=order.price_points,
        created_at=order.now,
        trace=order.trace,
    )


def _ticket(one: _Accepted) -> Ticket:
    return Ticket(
        task_id=one.order.task_id,
        account_id=one.task.account_id,
        api_key_id=one.task.api_key_id,
        product=one.order.product,
        family=one.order.family,
        engine=one.order.engine,
        state=State.READY if one.task.status is Status.PENDING else State.STAGED,
        turn=one.turn,
        attempt=0,
        price_points=one.order.price_points,
        has_webhook=one.order.has_webhook,
        deadline=one.order.deadline,
        routes=one.order.routes,
    )
