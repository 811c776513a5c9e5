"""Packs: which points are used, and which expire."""

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from unitask.billing.model import Pack
from unitask.billing.packs import drawn, expire, in_order

NEVER = None
moments = st.integers(1, 100)
sizes = st.integers(0, 50)


def pack(number: int, remaining: int, expires_at: int | None, capacity: int | None = None) -> Pack:
    """Make a pack of which nothing has expired."""
    size = remaining if capacity is None else capacity
    return Pack(number, 1, size, remaining, 0, "", None, 0, expires_at)


@st.composite
def some_packs(draw: st.DrawFn) -> list[Pack]:
    """Draw packs in the order in which they came."""
    drawn_packs = draw(st.lists(st.tuples(sizes, st.none() | moments), max_size=6))
    return [pack(number, size, expires_at) for number, (size, expires_at) in enumerate(drawn_packs)]


def sums(packs: list[Pack]) -> tuple[int, int]:
    """Add up what remains and what has expired."""
    return sum(one.remaining for one in packs), sum(one.expired for one in packs)


def by_id(packs: list[Pack]) -> list[Pack]:
    """Put packs into the order in which they came."""
    return sorted(packs, key=lambda one: one.id)


def test_the_pack_that_expires_first_is_used_first() -> None:
    """Then the older one; those that never expire come last."""
    packs = [pack(1, 10, NEVER), pack(2, 10, 50), pack(3, 10, 20), pack(4, 10, 50)]
    assert [one.id for one in in_order(packs)] == [3, 2, 4, 1]
    assert {one.id: one.remaining for one in drawn(packs, 15)} == {3: 0, 2: 0, 4: 5, 1: 10}


def test_a_pack_past_its_time_loses_what_nobody_holds() -> None:
    """Points that tasks hold are those of the pack that expires first; the others go at their time."""
    packs = [pack(1, 10, 20), pack(2, 10, 30), pack(3, 10, NEVER)]
    assert [(one.remaining, one.expired) for one in expire(packs, 4, 19)] == [(10, 0), (10, 0), (10, 0)]
    assert [(one.remaining, one.expired) for one in expire(packs, 4, 20)] == [(4, 6), (10, 0), (10, 0)]
    assert [(one.remaining, one.expired) for one in expire(packs, 14, 30)] == [(10, 0), (4, 6), (10, 0)]
    assert [(one.remaining, one.expired) for one in expire(packs, 0, 10**9)] == [(0, 10), (0, 10), (10, 0)]


@given(some_packs(), st.integers(-50, 400))
def test_drawn_packs_hold_what_is_left_and_none_is_below_zero(packs: list[Pack], left: int) -> None:
    """Unless they held less before: drawing never adds."""
    before, after = by_id(packs), by_id(drawn(packs, left))
    assert sums(after)[0] == min(sums(before)[0], max(0, left))
    assert all(0 <= new.remaining <= old.remaining for new, old in zip(after, before, strict=True))
    assert [replace(one, remaining=0) for one in after] == [replace(one, remaining=0) for one in before]


@given(some_packs(), st.integers(0, 400))
def test_a_later_pack_is_touched_only_when_the_earlier_ones_are_empty(packs: list[Pack], left: int) -> None:
    """Earliest end first, so that as little as possible expires."""
    touched = False
    for new in reversed(drawn(packs, left)):
        assert not (touched and new.remaining), "an earlier pack still holds points"
        touched = touched or new.remaining < new.capacity


@given(some_packs(), st.lists(sizes, max_size=5))
def test_drawing_late_is_drawing_at_once(packs: list[Pack], uses: list[int]) -> None:
    """One look after many uses gives what a look after each one gives."""
    left = total = sums(packs)[0]
    at_once = packs
    for points in uses:
        left = max(0, left - points)
        at_once = drawn(at_once, left)
    assert by_id(at_once) == by_id(drawn(packs, min(left, total)))


@given(some_packs(), sizes, moments)
def test_what_tasks_hold_never_expires(packs: list[Pack], held: int, now: int) -> None:
    """What remains covers the held points, and nothing is lost from the books."""
    before, after = by_id(packs), by_id(expire(packs, held, now))
    assert sums(after)[0] >= min(held, sums(before)[0])
    for new, old in zip(after, before, strict=True):
        assert new.remaining >= 0
        assert new.remaining + new.expired == old.remaining
        assert not new.expired or (old.expires_at is not None and old.expires_at <= now)


@given(some_packs(), sizes, moments)
def test_nothing_past_its_time_is_left_but_what_is_held(packs: list[Pack], held: int, now: int) -> None:
    """No point outlives its pack for free; a second look changes nothing."""
    after = expire(packs, held, now)
    over = [one for one in after if one.expires_at is not None and one.expires_at <= now]
    assert sums(over)[0] <= held
    assert expire(after, held, now) == after


@dataclass
class Eager:
    """Packs that are touched at every use: what the lazy ones must come to.

    Holding takes points from the packs at once; giving them back puts them where they came from.
    """

    packs: list[Pack]
    used: int = 0
    holds: list[int] = field(default_factory=list)

    @property
    def held(self) -> int:
        """Add up what tasks hold."""
        return sum(self.holds)

    @property
    def available(self) -> int:
        """Tell what could be held now."""
        return sums(self.packs)[0] - self.held


deeds = st.lists(
    st.one_of(
        st.tuples(st.just("hold"), st.integers(1, 40)),
        st.tuples(st.just("use"), st.integers(0, 5)),
        st.tuples(st.just("give back"), st.integers(0, 5)),
        st.tuples(st.just("add"), st.integers(1, 40)),
        st.tuples(st.just("expire"), st.integers(0, 30)),
    ),
    max_size=25,
)


@given(some_packs(), deeds, st.lists(st.none() | st.integers(1, 200), min_size=25, max_size=25))
def test_packs_drawn_at_last_are_those_drawn_at_every_use(
    packs: list[Pack], story: list[tuple[str, int]], ends: list[int | None]
) -> None:
    """Through holds, uses, returns, new packs and expiries; drawn lazily only where a pack is added or expires."""
    eager, lazy, now = Eager(packs), packs, 0
    for (deed, number), end in zip(story, ends, strict=False):
        left = sums(eager.packs)[0]
        if deed == "hold" and eager.available >= number:
            eager.holds.append(number)
        elif deed in {"use", "give back"} and eager.holds:
            points = eager.holds.pop(number % len(eager.holds))
            if deed == "use":
                eager.packs = drawn(eager.packs, left - points)
        elif deed == "add":
            new = pack(100 + len(eager.packs), number, end)
            eager.packs, lazy = [*eager.packs, new], [*drawn(lazy, left), new]
        elif deed == "expire":
            now += number
            eager.packs, lazy = expire(eager.packs, eager.held, now), expire(drawn(lazy, left), eager.held, now)
        assert eager.available >= 0, "held points expired"
        assert in_order(drawn(lazy, sums(eager.packs)[0])) == in_order(eager.packs)
