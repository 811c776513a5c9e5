"""From a request body to a task that is stored."""

from unitask.accounts.model import Caller
from unitask.kit.errors import Unavailable
from unitask.tasks.model import Task
from unitask.tasks.orders import Orders
from unitask.tasks.service import Tasks


async def place(orders: Orders, tasks: Tasks, raw: bytes, caller: Caller, idempotency_key: str | None) -> Task:
    """Check, price and create; files that came with an order which made no task of its own are taken back."""
    order = await orders.prepare(raw, caller, idempotency_key)
    try:
        task = await tasks.create(order)
    except Unavailable:
        raise  # it may have been stored all the same, and then it needs its files
    except Exception:
        await orders.discard(order)
        raise
    if task.id != order.task_id:
        await orders.discard(order)
    return task
