"""Create: idempotency key, hold, task and queue row in one transaction, for a whole group of orders at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import orjson

from unitask.accounts import repository as accounts
from unitask.accounts.model import Account
from unitask.artifacts import repository as artifacts
from unitask.billing import repository as ledger
from unitask.billing.model import Entry, Kind
from unitask.db import Transaction
from unitask.kit import faults
from unitask.kit.errors import IdempotencyMismatch, InsufficientCredits, TooManyTasks, UnitaskError
from unitask.kit.money import usd
from unitask.queue import repository as queue
from unitask.queue.model import State, Ticket
from unitask.tasks import repository
from unitask.tasks.advance import sum_changes
from unitask.tasks.lifecycle import Accepted, Effects, Standing, apply
from unitask.tasks.model import Order, Status, Task

RETRY_AFTER_S = 10


@dataclass(slots=True)
class _Accepted:
    order: Order
    task: Task
    effects: Effects


@dataclass(slots=True)
class _Group:
    """What the orders of one transaction come to, while it is being decided."""

    accounts: dict[int, Account]
    staged_limit: int
    accepted: list[_Accepted] = field(default_factory=list)

    def admit(self, order: Order) -> Task:
        """Accept an order against the balance and slots that the orders before it left."""
        account = self.accounts[order.caller.account_id]
        if not account.covers(order.price_points):
            raise InsufficientCredits(
                f"insufficient credits: the task costs {order.price_points} points (${usd(order.price_points):.4f}), "
                f"available are {account.available_points}; top up the account"
            )
        if not account.has_slot and account.staged_tasks >= self.staged_limit:
            raise TooManyTasks(
                f"too many tasks: {account.active_tasks} run or wait and {account.staged_tasks} are staged; "
                "wait until some have ended",
                retry_after_s=RETRY_AFTER_S,
            )
        status, effects = apply(Standing(None, order.price_points), Accepted(account.has_slot))
        self.accounts[account.id] = replace(
            account,
            available_points=account.available_points - effects.hold,
            active_tasks=account.active_tasks + effects.active,
            staged_tasks=account.staged_tasks + effects.staged,
        )
        task = _task(order, status)
        self.accepted.append(_Accepted(order, task, effects))
        return task


async def create(tx: Transaction, orders: list[Order], staged_limit: int) -> list[Task | UnitaskError]:
    """Turn orders into tasks; each is answered with its task or with the reason why not."""
    now = orders[0].now
    group = _Group(await accounts.lock(tx, {order.caller.account_id for order in orders}), staged_limit)
    kept = await repository.keep_keys(tx, _first_of_each_key(orders), now)
    owners = {key.task_id for key in kept.values()}
    answers: dict[int, Task | UnitaskError] = {}
    replays: dict[int, str] = {}
    for index, order in enumerate(orders):
        if order.idempotency is None or order.task_id in owners:
            answers[index] = _admit(group, order)
            continue
        key = kept[order.caller.account_id, order.idempotency.key]
        if key.body_hash == order.idempotency.body_hash:
            replays[index] = key.task_id
        else:
            answers[index] = IdempotencyMismatch(
                "this Idempotency-Key was used with another body; use a new key for a new order"
            )
    await _write(tx, group, now)
    answers |= await _replay(tx, replays, orders, answers)
    refused = [
        order.task_id
        for index, order in enumerate(orders)
        if order.idempotency and isinstance(answers[index], UnitaskError)
    ]
    await repository.drop_keys(tx, refused)
    faults.point("create.before_commit")
    return [answers[index] for index in range(len(orders))]


def _admit(group: _Group, order: Order) -> Task | UnitaskError:
    try:
        return group.admit(order)
    except UnitaskError as error:
        return error


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


async def _write(tx: Transaction, group: _Group, now: int) -> None:
    accepted = group.accepted
    await repository.add(tx, [(one.order, one.task) for one in accepted])
    await queue.add(tx, [_ticket(one) for one in accepted])
    await ledger.add(
        tx,
        [Entry(one.task.account_id, one.task.id, Kind.HOLD, one.effects.hold) for one in accepted],
        now,
    )
    await accounts.change(tx, sum_changes([(one.task.account_id, one.effects) for one in accepted]))
    await artifacts.add(tx, [artifact for one in accepted for artifact in one.order.artifacts])


def _task(order: Order, status: Status) -> Task:
    return Task(
        id=order.task_id,
        account_id=order.caller.account_id,
        model=order.model,
        task_type=order.task_type,
        status=status,
        input=order.input,
        config=order.config,
        warnings=orjson.dumps(order.warnings).decode(),
        price_points=order.price_points,
        created_at=order.now,
    )


def _ticket(one: _Accepted) -> Ticket:
    return Ticket(
        task_id=one.order.task_id,
        account_id=one.task.account_id,
        product=one.order.product,
        engine=one.order.engine,
        state=State.READY if one.task.status is Status.PENDING else State.STAGED,
        attempt=0,
        price_points=one.order.price_points,
        has_webhook=one.order.has_webhook,
        deadline=one.order.deadline,
    )
