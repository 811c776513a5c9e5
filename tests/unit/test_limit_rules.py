"""What limits mean: as documents, as slots, as requests a minute."""

from collections import Counter
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from unitask.accounts import rate
from unitask.accounts.limits import NO_LIMITS, Limits, Slots, counters, joined, parse
from unitask.accounts.rate import Rate
from unitask.accounts.repository import document
from unitask.kit.clock import SECOND_US

KEY = 7


def test_without_limits_everything_is_allowed() -> None:
    """An empty document is no limit at all."""
    assert parse("{}") == NO_LIMITS
    assert document(NO_LIMITS) == "{}"
    assert NO_LIMITS.allow_product("Qubico/flux1-dev", "txt2img")
    assert NO_LIMITS.allow_address("203.0.113.9")
    assert NO_LIMITS.allow_address("")


FULL = Limits(
    concurrent_tasks=3,
    family_tasks={"flux": 1, "tts": 0},
    staged_tasks=0,
    requests_per_minute=60,
    daily_points=10**9,
    models=("Qubico/flux*",),
    networks=(ip_network("203.0.113.0/24"), ip_network("2001:db8::/32")),
)


def test_limits_are_read_as_they_were_written() -> None:
    """Zero is a limit, and an empty list of products is one too."""
    assert parse(document(FULL)) == FULL
    nothing = Limits(models=(), networks=())
    assert parse(document(nothing)) == nothing
    assert not nothing.allow_product("Qubico/flux1-dev", "txt2img")
    assert not nothing.allow_address("127.0.0.1")


@pytest.mark.parametrize(
    "wrong",
    [
        '{"concurrent_task": 1}',
        '{"concurrent_tasks": -1}',
        '{"concurrent_tasks": 1.5}',
        '{"concurrent_tasks": 1000000001}',
        '{"family_tasks": {"flux": -1}}',
        '{"requests_per_minute": 0}',
        '{"daily_points": "many"}',
        '{"models": "Qubico/flux*"}',
        '{"networks": ["203.0.113.7/24"]}',
        '{"networks": ["example.com"]}',
        "[]",
        "nothing",
    ],
)
def test_limits_that_say_something_else_are_refused(wrong: str) -> None:
    """A misspelled limit must not be no limit."""
    with pytest.raises(ValidationError):
        parse(wrong)


def test_an_account_has_the_limits_of_its_plan_where_it_has_none_itself() -> None:
    """One by one; the limits of families join."""
    plan = Limits(concurrent_tasks=2, staged_tasks=5, family_tasks={"flux": 1, "tts": 1}, models=("a/*",))
    own = Limits(concurrent_tasks=9, family_tasks={"flux": 4}, daily_points=0)
    both = Limits(
        concurrent_tasks=9, staged_tasks=5, family_tasks={"flux": 4, "tts": 1}, models=("a/*",), daily_points=0
    )
    assert own.over(plan) == both
    assert joined(document(own), document(plan)) == both
    assert NO_LIMITS.over(plan) == plan
    assert Limits(concurrent_tasks=None).over(plan) == plan
    assert plan.over(NO_LIMITS) == plan


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        ("Qubico/flux1-dev/txt2img", True),
        ("qubico/FLUX1-dev/txt2img", True),
        ("Qubico/flux*", True),
        ("QUBICO/FLUX*", True),
        ("Qubico/flux1-dev", True),
        ("*", True),
        ("*/txt2img", True),
        ("Qubico/flux1-schnell", False),
        ("Qubico/flux1", False),
        ("flux1-dev", False),
        ("", False),
        ("Qubico/flux1-dev/img2img", False),
    ],
)
def test_products_are_named_by_patterns_in_any_letter_case(pattern: str, allowed: bool) -> None:  # noqa: FBT001 - a table
    """A model alone means all its task types."""
    assert Limits(models=(pattern,)).allow_product("Qubico/flux1-dev", "txt2img") is allowed
    assert Limits(models=("nothing/*", pattern)).allow_product("Qubico/flux1-dev", "txt2img") is allowed


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("203.0.113.0", True),
        ("203.0.113.255", True),
        ("::ffff:203.0.113.7", True),
        ("203.0.114.0", False),
        ("::ffff:203.0.114.0", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("::1", False),
        ("", False),
        ("localhost", False),
        ("203.0.113.7:80", False),
        ("203.0.113.07", False),
    ],
)
def test_addresses_are_allowed_by_networks(address: str, allowed: bool) -> None:  # noqa: FBT001 - a table
    """Of either version; one of version 4 may come dressed as one of version 6; what is no address is refused."""
    assert FULL.allow_address(address) is allowed


def test_a_network_of_one_version_says_nothing_of_the_other() -> None:
    """All of version 4 is none of version 6."""
    assert Limits(networks=(ip_network("0.0.0.0/0"),)).allow_address("::1") is False
    assert Limits(networks=(ip_network("::/0"),)).allow_address("203.0.113.7") is False


@pytest.mark.parametrize(
    ("account", "key", "free"),
    [
        (Limits(), Limits(), True),
        (Limits(concurrent_tasks=5), Limits(), True),
        (Limits(concurrent_tasks=4), Limits(), False),
        (Limits(family_tasks={"flux": 4}), Limits(), True),
        (Limits(family_tasks={"flux": 3}), Limits(), False),
        (Limits(family_tasks={"tts": 0}), Limits(), True),
        (Limits(), Limits(concurrent_tasks=4), True),
        (Limits(), Limits(concurrent_tasks=3), False),
        (Limits(), Limits(family_tasks={"flux": 3}), True),
        (Limits(), Limits(family_tasks={"flux": 2}), False),
        (Limits(concurrent_tasks=0), Limits(), False),
    ],
)
def test_a_slot_is_free_if_no_limit_of_account_or_key_is_reached(
    account: Limits,
    key: Limits,
    free: bool,  # noqa: FBT001 - a table
) -> None:
    """Four tasks run: three of the key 7, three of flux, two of both."""
    slots = Slots(0, {})
    for key_id, family in ((7, "flux"), (7, "flux"), (7, "tts"), (77, "flux")):
        slots.take(key_id=key_id, family=family)
    assert slots.free(account, key, key_id=KEY, family="flux") is free


names = st.sampled_from(["flux", "tts"])
keys = st.sampled_from([KEY, 77])
counts = st.none() | st.integers(0, 3)
limits = st.builds(
    Limits, concurrent_tasks=counts, family_tasks=st.dictionaries(names, st.integers(0, 2)), staged_tasks=counts
)


@given(limits, st.fixed_dictionaries({KEY: limits, 77: limits}), st.lists(st.tuples(keys, names), max_size=12))
def test_slots_are_given_as_far_as_every_limit_allows_and_no_further(
    account: Limits, of_keys: dict[int, Limits], wanted: list[tuple[int, str]]
) -> None:
    """Compared with counting the tasks that run."""
    slots = Slots(0, {})
    running: list[tuple[int, str]] = []
    for key_id, family in wanted:
        of_key = [one for one in running if one[0] == key_id]
        room = [
            (len(running), account.concurrent_tasks),
            (len(of_key), of_keys[key_id].concurrent_tasks),
            (sum(one[1] == family for one in running), account.family_tasks.get(family)),
            (sum(one[1] == family for one in of_key), of_keys[key_id].family_tasks.get(family)),
        ]
        free = slots.free(account, of_keys[key_id], key_id=key_id, family=family)
        assert free == all(limit is None or number < limit for number, limit in room)
        if free:
            slots.take(key_id=key_id, family=family)
            running.append((key_id, family))


def test_a_staged_task_counts_for_its_own_key_and_family() -> None:
    """Others do not wait behind it; a key whose number begins alike is another."""
    slots = Slots(0, {"~#7/flux": 2, "~#7/tts": 1, "~#77/flux": 5})
    assert slots.waiting(7, "flux")
    assert not slots.waiting(7, "wan")
    assert (slots.staged_of(7), slots.staged_of(77), slots.staged_of(1)) == (3, 5, 0)
    slots.wait(7, "wan")
    assert slots.waiting(7, "wan")
    assert slots.staged_of(7) == 4


def test_no_two_keys_or_families_share_a_counter() -> None:
    """Whatever a family is called."""
    seen = Counter(name for key_id in (1, 11) for family in ("a", "b") for name in set(counters(key_id, family)))
    assert seen == {"a": 2, "b": 2, "#1": 2, "#11": 2, "#1/a": 1, "#1/b": 1, "#11/a": 1, "#11/b": 1}


def test_a_minutes_worth_may_come_at_once_and_then_at_the_rate() -> None:
    """Sixty a minute: sixty now, then one a second; whoever waits as long as told gets through."""
    requests, now = Rate(), 1_000 * SECOND_US
    assert [requests.take("a", 60, now) for _ in range(60)] == [0] * 60
    assert requests.take("a", 60, now) == 1
    assert requests.take("a", 60, now) == 1, "a refused request costs nothing"
    now += SECOND_US
    assert requests.take("a", 60, now) == 0
    assert requests.take("a", 60, now) == 1
    assert requests.take("b", 60, now) == 0, "another name has its own minute"


def test_a_slow_rate_says_how_long_to_wait() -> None:
    """One a minute."""
    requests, now = Rate(), 1_000 * SECOND_US
    assert requests.take("a", 1, now) == 0
    assert requests.take("a", 1, now) == 60
    assert requests.take("a", 1, now + 30 * SECOND_US + 1) == 30
    assert requests.take("a", 1, now + 60 * SECOND_US) == 0


@given(st.integers(1, 1000), st.lists(st.integers(0, 20 * SECOND_US), min_size=1, max_size=60))
def test_no_minute_lets_more_than_two_through_and_waiting_as_told_always_helps(
    per_minute: int, pauses: list[int]
) -> None:
    """A burst and a minute at the rate: in no sixty seconds more than twice as many as allowed."""
    requests, now, passed = Rate(), SECOND_US, []
    for pause in pauses:
        now += pause
        if wait_s := requests.take("a", per_minute, now):
            assert 1 <= wait_s <= 60
            now += wait_s * SECOND_US
            assert requests.take("a", per_minute, now) == 0
        passed.append(now)
    for end in passed:
        assert sum(end - 60 * SECOND_US < moment <= end for moment in passed) <= 2 * per_minute + 1


def test_names_that_have_paid_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow with those who came once; who is still paying is remembered."""
    monkeypatch.setattr(rate, "_REMEMBERED", 3)
    requests, now = Rate(), SECOND_US
    for name in ("a", "b"):
        requests.take(name, 60, now)
    now += 2 * SECOND_US
    assert [requests.take("c", 1, now), requests.take("d", 60, now)] == [0, 0]
    assert set(requests._paid_at) == {"c", "d"}
    assert requests.take("c", 1, now) == 60
