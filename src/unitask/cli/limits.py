"""Limits as options of a command, the same for accounts, plans and keys. The value `none` takes one away."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Final

import click
from pydantic import ValidationError

from unitask.accounts.limits import NO_LIMITS, Limits
from unitask.api.wording import dollars
from unitask.kit.money import points

Command = Callable[..., Any]
Change = Callable[[Limits], Limits]
NONE: Final = "none"
"""What is given as an option's value to take away what is there."""


class OrNone(click.ParamType[Any]):
    """A value of another kind, or the word `none`."""

    def __init__(self, kind: click.ParamType[Any]) -> None:
        self._kind = kind
        self.name = kind.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read it."""
        return NONE if value == NONE else self._kind.convert(value, param, ctx)


_COUNT: Final = OrNone(click.IntRange(min=0))
_OPTIONS: Final = (
    click.option("--concurrent", "concurrent_tasks", type=_COUNT, help="Tasks pending and processing at a time."),
    click.option("--family", multiple=True, metavar="NAME=N", help="The same for one family: flux=2. Repeatable."),
    click.option("--staged", "staged_tasks", type=_COUNT, help="Tasks that may wait beyond those."),
    click.option("--per-minute", "requests_per_minute", type=OrNone(click.IntRange(min=1)), help="Requests a minute."),
    click.option("--daily-usd", help="Dollars that tasks of one day (UTC) may cost."),
    click.option("--model", "models", multiple=True, metavar="PATTERN", help="Products allowed. Repeatable."),
    click.option("--network", "networks", multiple=True, help="Networks that requests may come from. Repeatable."),
    click.option("--no-limits", is_flag=True, help="Drop the limits there are before setting those given."),
)


def usd_points(text: str) -> int:
    """Read dollars as points."""
    try:
        return points(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no amount in dollars, such as 20 or 19.99") from None


def _families(pairs: tuple[str, ...]) -> dict[str, str]:
    split = [pair.partition("=") for pair in pairs]
    if any(not (name and (number == NONE or number.isdecimal())) for name, _, number in split):
        raise click.BadParameter("--family is a name and a number, such as flux=2, or flux=none")
    return {name: number for name, _, number in split}


def _without(old: Limits, names: Iterable[str], families: Iterable[str]) -> Limits:
    kept = {family: number for family, number in old.family_tasks.items() if family not in set(families)}
    return old.model_copy(update={**dict.fromkeys(names), "family_tasks": kept})


def _change(given: dict[str, Any]) -> Change:
    """Turn the options into what they do to the limits there are."""
    begin_anew = given.pop("no_limits")
    families = _families(given.pop("family"))
    given["family_tasks"] = {name: number for name, number in families.items() if number != NONE}
    daily = given.pop("daily_usd")
    given["daily_points"] = daily if daily in (None, NONE) else usd_points(daily)
    taken = [name for name, value in given.items() if value in (NONE, (NONE,))]
    wanted_values = {name: value for name, value in given.items() if value not in (None, (), {}) and name not in taken}
    try:
        wanted = Limits.model_validate(wanted_values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise click.BadParameter(f"{where}: {first['msg']}") from None
    gone = [name for name, number in families.items() if number == NONE]
    return lambda old: wanted.over(NO_LIMITS if begin_anew else _without(old, taken, gone))


_NAMES: Final = (
    "concurrent_tasks",
    "family",
    "staged_tasks",
    "requests_per_minute",
    "daily_usd",
    "models",
    "networks",
    "no_limits",
)


def with_limits(command: Command) -> Command:
    """Give a command these options; it gets `limits`, a function from the limits there are to those wanted."""

    @wraps(command)
    def call(*args: Any, **given: Any) -> Any:
        return command(*args, limits=_change({name: given.pop(name) for name in _NAMES}), **given)

    for option in reversed(_OPTIONS):
        call = option(call)
    return call


def written(limits: Limits) -> str:
    """Write limits for people, on one line."""
    counts = (
        ("at once", limits.concurrent_tasks),
        *((f"of {family} at once", number) for family, number in limits.family_tasks.items()),
        ("staged", limits.staged_tasks),
        ("requests a minute", limits.requests_per_minute),
    )
    parts = [f"{number} {what}" for what, number in counts if number is not None]
    if limits.daily_points is not None:
        parts.append(f"{dollars(limits.daily_points)} a day")
    if limits.models is not None:
        parts.append(f"only {', '.join(limits.models)}")
    if limits.networks is not None:
        parts.append(f"from {', '.join(map(str, limits.networks))}")
    return "; ".join(parts) or "no limits"
