"""What an account has left while its tasks are admitted one after another, in a transaction that locked the account."""

from unitask.accounts.limits import Limits, Slots
from unitask.accounts.model import Account, Caller
from unitask.kit.errors import InsufficientCredits, TooManyTasks
from unitask.kit.money import usd
from unitask.queue.turns import Turns
from unitask.tasks.lifecycle import Accepted, Effects, Standing, apply
from unitask.tasks.model import Order, Status

RETRY_AFTER_S = 10


class Room:
    """Slots, turns, points and staged places of one account; what is given out here is gone for the next task."""

    def __init__(self, account: Account, turns: Turns) -> None:
        self._account = account
        self._turns = turns
        self._slots = Slots(account.active_tasks, account.active)
        self._last_turns = dict(account.last_turns)
        self._available = account.available_points
        self._staged = account.staged_tasks
        self._spent_on: dict[tuple[int, str], int] = {}

    def admit(self, order: Order, *, staged_limit: int, day: int) -> tuple[Status, Effects, int]:
        """Accept an order: its status, its effects and its turn.

        Raises:
            InsufficientCredits: the balance does not cover it, or the day's spending has reached its cap.
            TooManyTasks: no slot is free, and as many are staged as may be.

        """
        self._check_money(order, day)
        key = order.caller.api_key_id
        has_slot = not self._slots.waiting(key, order.family) and self._slots.free(
            self._account.limits, order.caller.key_limits, key_id=key, family=order.family
        )
        if not has_slot:
            self._check_staged(order.caller, staged_limit)
        status, effects = apply(Standing(None, order.price_points), Accepted(has_slot))
        self._available -= effects.hold
        for name in ("", f"#{key}"):
            self._spent_on[day, name] = self._spent(name, day) + effects.hold
        if not has_slot:
            self._staged += 1
            self._slots.wait(key, order.family)
        return status, effects, self._take(key, order.family, order.engine) if has_slot else 0

    def promote(self, key_limits: Limits, *, key_id: int, family: str, engine: str) -> int | None:
        """Give a staged task a slot: its turn, or None if it has to go on waiting."""
        if not self._slots.free(self._account.limits, key_limits, key_id=key_id, family=family):
            return None
        return self._take(key_id, family, engine)

    def is_full(self) -> bool:
        """Whether no task of any kind can have a slot."""
        limit = self._account.limits.concurrent_tasks
        return limit is not None and self._slots.in_all >= limit

    def _take(self, key_id: int, family: str, engine: str) -> int:
        last_turn = self._last_turns.get(engine, 0)
        turn = self._turns.of_next(engine, active_tasks=self._slots.in_all, last_turn=last_turn)
        self._last_turns[engine] = turn
        self._slots.take(key_id=key_id, family=family)
        return turn

    def _spent(self, name: str, day: int) -> int:
        before = self._account.spent.get(name, 0) if day == self._account.spent_day else 0
        return self._spent_on.get((day, name), before)

    def _check_money(self, order: Order, day: int) -> None:
        price = order.price_points
        if not self._account.unlimited and self._available < price:
            raise InsufficientCredits(
                f"insufficient credits: the task costs {price} points (${usd(price):.4f}), "
                f"available are {self._available}; top up the account"
            )
        caps = (
            ("account", "", self._account.limits.daily_points),
            ("key", f"#{order.caller.api_key_id}", order.caller.key_limits.daily_points),
        )
        for what, name, cap in caps:
            spent = self._spent(name, day)
            if cap is not None and spent + price > cap:
                raise InsufficientCredits(
                    f"insufficient credits: this {what} may spend {cap} points a day and has spent {spent}; "
                    f"the task costs {price}; the next day begins at 00:00 UTC"
                )

    def _check_staged(self, caller: Caller, staged_limit: int) -> None:
        of_key = self._slots.staged_of(caller.api_key_id)
        taken = (
            (self._staged, staged_limit),
            (self._staged, self._account.limits.staged_tasks),
            (of_key, caller.key_limits.staged_tasks),
        )
        if any(limit is not None and number >= limit for number, limit in taken):
            raise TooManyTasks(
                f"too many tasks: {self._slots.in_all} run or wait and {self._staged} are staged; "
                "wait until some have ended",
                retry_after_s=RETRY_AFTER_S,
            )
