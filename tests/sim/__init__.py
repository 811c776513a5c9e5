"""Simulators of the providers that engines hand tasks to, true to their protocols and scripted by tests.

    with served(Fal(looks=3)) as sim:
        sim.faults.add("submit", hang_up(after=True))
        ...  # whoever orders at sim.url, with sim.key
        assert (sim.submitted, sim.duplicates, sim.job.fetched) == (1, 0, 1)

Nothing in them takes time: a job goes from queued over running to its end as it is looked at, `looks` times.
"""
