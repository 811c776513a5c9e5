"""Which pack a used point came from: the one that expires first.

Work does not touch packs: an account's balance says how many points are left in all, so what its packs hold beyond that
has been used. It is drawn from the packs when one is looked at, added or expires. Between those moments the packs are
the same, so drawing late gives what drawing at once would have given.
"""

from collections.abc import Sequence
from dataclasses import replace

from unitask.billing.model import Pack

_NEVER = 2**63


def in_order(packs: Sequence[Pack]) -> list[Pack]:
    """Sort packs as they are used: those that expire first come first."""
    return sorted(packs, key=lambda pack: (pack.expires_at or _NEVER, pack.id))


def drawn(packs: Sequence[Pack], left: int) -> list[Pack]:
    """Take from the packs what was used, so that they hold `left` points together (available and held)."""
    to_draw = max(0, sum(pack.remaining for pack in packs) - max(0, left))
    result = []
    for pack in in_order(packs):
        taken = min(to_draw, pack.remaining)
        to_draw -= taken
        result.append(replace(pack, remaining=pack.remaining - taken))
    return result


def expire(packs: Sequence[Pack], held: int, now: int) -> list[Pack]:
    """Let packs expire that are past their time, except for the points that running tasks hold.

    Held points are those of the packs that expire first. They expire later if they are given back.
    """
    result = []
    for pack in in_order(packs):
        kept = min(held, pack.remaining)
        held -= kept
        over = pack.expires_at is not None and pack.expires_at <= now
        gone = pack.remaining - kept if over else 0
        result.append(replace(pack, remaining=pack.remaining - gone, expired=pack.expired + gone))
    return result
