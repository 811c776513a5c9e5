"""What the transitions of tasks add up to on their accounts: balances, counters, turns."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from unitask.accounts.limits import counters, staged_counter
from unitask.accounts.model import Change
from unitask.tasks.lifecycle import Effects

Name = TypeVar("Name", str, tuple[int, str])


@dataclass(frozen=True, slots=True)
class Moved:
    """The effects of one transition, and on whom. `day`: the day on which the task's points count as spent."""

    account_id: int
    api_key_id: int
    family: str
    day: int
    effects: Effects
    engine: str
    turn: int | None


def sum_changes(moved: Iterable[Moved]) -> list[Change]:
    """Add up what transitions do to their accounts."""
    changes: dict[int, Change] = {}
    for one in moved:
        _add(changes.setdefault(one.account_id, Change(one.account_id)), one)
    return list(changes.values())


def _add(change: Change, one: Moved) -> None:
    effects = one.effects
    change.available_points += effects.release - effects.hold
    change.held_points += effects.hold - effects.capture - effects.release
    change.used_points += effects.capture
    if one.turn is not None:
        change.last_turns[one.engine] = one.turn
    if effects.active:
        change.active_tasks += effects.active
        _count(change.active, counters(one.api_key_id, one.family), effects.active)
    if effects.staged:
        change.staged_tasks += effects.staged
        _count(change.active, [staged_counter(one.api_key_id, one.family)], effects.staged)
    spent = effects.hold - effects.release
    if spent:
        _count(change.spent, [(one.day, ""), (one.day, f"#{one.api_key_id}")], spent)


def _count(counts: dict[Name, int], names: Iterable[Name], number: int) -> None:
    for name in names:
        counts[name] = counts.get(name, 0) + number
