"""How many workers a pool is to have."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from unitask.cluster.pools import Pool
from unitask.cluster.scaling import Backoff, Crew, Demand, needed, pause_s, wanted

POOL = Pool.model_validate(
    {"name": "a", "least": 1, "most": 10, "tasks_per_worker": 4, "wait_s": 30, "idle_s": 100, "cooldown_s": 20}
)
demands = st.builds(Demand, st.integers(0, 200), st.integers(0, 50), st.floats(0, 500))
pools = st.builds(
    lambda least, more, rate, wait_s, idle_s, cooldown_s: Pool.model_validate(
        {
            "name": "a",
            "engines": ["cpu"],
            "least": least,
            "most": max(1, least + more),
            "tasks_per_worker": rate,
            "wait_s": wait_s,
            "idle_s": idle_s,
            "cooldown_s": cooldown_s,
        }
    ),
    st.integers(0, 5),
    st.integers(0, 20),
    st.floats(0.5, 20),
    st.integers(0, 60),
    st.integers(0, 120),
    st.integers(0, 60),
)
crews = st.builds(
    Crew,
    st.integers(0, 40),
    st.floats(0, 1000),
    st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 40)), max_size=5).map(tuple),
    st.floats(0, 1000),
)


def bound(pool: Pool) -> int:
    """Give the most workers of a pool that says so itself."""
    return pool.limit({})


@given(pools, demands, crews)
def test_the_number_stays_within_the_bounds(pool: Pool, demand: Demand, crew: Crew) -> None:
    """Whatever is wanted, whatever there is."""
    assert pool.least <= wanted(pool, demand, crew, 1000.0, most=bound(pool)) <= bound(pool)


@given(pools, demands, crews, demands)
def test_more_demand_never_asks_for_fewer(pool: Pool, demand: Demand, crew: Crew, further: Demand) -> None:
    """In the number of tasks that wait, of those that run, and in how long the oldest has waited."""
    more = Demand(
        demand.waiting + further.waiting, demand.processing + further.processing, demand.oldest_s + further.oldest_s
    )
    most = bound(pool)
    assert wanted(pool, more, crew, 1000.0, most=most) >= wanted(pool, demand, crew, 1000.0, most=most)


@settings(max_examples=60)
@given(pools, st.lists(demands, min_size=1, max_size=60), st.integers(1, 30))
def test_it_shrinks_only_to_what_was_enough_for_the_idle_time(pool: Pool, story: list[Demand], step_s: int) -> None:
    """No flapping: what is drained was not needed for `idle_s`, and nothing was started for `cooldown_s`."""
    crew = Crew(pool.least, since=0.0)
    asked: list[tuple[float, int]] = []
    for place, demand in enumerate(story):
        now = float(place * step_s)
        need = needed(pool, demand, crew, now)
        asked.append((now, need))
        crew = crew.needing(pool, need, now)
        number = wanted(pool, demand, crew, now, most=bound(pool))
        if number < crew.number:
            assert now >= pool.idle_s
            assert now - crew.grown_at >= pool.cooldown_s
            assert all(need <= number for when, need in asked if when > now - pool.idle_s)
        crew = replace(crew, number=number, grown_at=now if number > crew.number else crew.grown_at)


def test_it_grows_at_once_to_what_the_queue_asks_for() -> None:
    """Four waiting tasks for each worker, and a cool-down does not hold that back."""
    crew = Crew(1, since=0.0, grown_at=999.0)
    assert wanted(POOL, Demand(waiting=17), crew, 1000.0, most=10) == 5
    assert wanted(POOL, Demand(waiting=400), crew, 1000.0, most=10) == 10


def test_an_old_task_starts_one_more_whatever_the_depth() -> None:
    """Again after each cool-down, while it goes on waiting."""
    late = Demand(waiting=1, processing=2, oldest_s=31)
    assert wanted(POOL, late, Crew(2, since=0.0), 1000.0, most=10) == 3
    assert wanted(POOL, late, Crew(3, since=0.0, grown_at=981.0), 1000.0, most=10) == 3
    assert wanted(POOL, late, Crew(3, since=0.0, grown_at=980.0), 1000.0, most=10) == 4


def test_busy_workers_are_wanted() -> None:
    """Tasks that run hold their workers, and start no others."""
    quiet = ((1000.0, 0),)
    assert wanted(POOL, Demand(processing=3), Crew(5, since=0.0, needs=quiet), 1000.0, most=10) == 3
    assert wanted(POOL, Demand(processing=9), Crew(5, since=0.0, needs=quiet), 1000.0, most=10) == 5


def test_workers_are_of_use_while_tasks_wait_beside_those_that_run() -> None:
    """The first of three has taken a task, two are still starting: what waits is theirs, and starts no fourth."""
    quiet = ((1000.0, 0),)
    one_each = POOL.model_copy(update={"tasks_per_worker": 1})
    begun = Demand(waiting=2, processing=1)
    crew = Crew(3, since=0.0, needs=quiet)
    assert (
        wanted(one_each, begun, crew.needing(one_each, needed(one_each, begun, crew, 1000.0), 1000.0), 1000.0, most=10)
        == 3
    )


def test_a_controller_that_has_just_begun_drains_nobody() -> None:
    """It has not seen an idle time yet."""
    assert wanted(POOL, Demand(), Crew(5, since=950.0), 1000.0, most=10) == 5
    assert wanted(POOL, Demand(), Crew(5, since=900.0), 1000.0, most=10) == 1


def test_pauses_after_failures_grow_and_are_forgotten() -> None:
    """1, 2, 4 seconds and so on up to a minute; a failure long after the last counts as the first."""
    assert [pause_s(failures) for failures in (0, 1, 2, 5, 6, 60)] == [1, 2, 4, 32, 60, 60]
    backoff = Backoff().failed(100.0).failed(101.0)
    assert backoff == Backoff(2, 103.0)
    assert backoff.failed(1000.0) == Backoff(1, 1001.0)
