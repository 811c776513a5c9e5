"""The part of `GET /metrics` that is of the answering process alone: its counts, what it has under way, its disks."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from unitask import __version__
from unitask.api.metrics_installation import Family, Gauges
from unitask.app import Services
from unitask.kit.disks import free_bytes
from unitask.kit.meters import METERS, Counter, Histogram


def of_process(unitask: Services, *, is_complete: bool) -> list[Family]:
    """Tell how this process stands."""
    return [*_of_itself(unitask, is_complete=is_complete)]


def _of_itself(unitask: Services, *, is_complete: bool) -> Gauges:
    load = unitask.database.load()
    yield "unitask_info", "The release.", ("version",), [((__version__,), 1)]
    yield (
        "unitask_scrape_complete",
        "1: all of this answer is there; 0: the database did not answer in time, and what is read from it is missing.",
        (),
        [((), float(is_complete))],
    )
    yield (
        "unitask_database_writes",
        "Use cases of this process that are being written or wait for it.",
        (),
        [((), load.writes)],
    )
    yield (
        "unitask_database_oldest_write_seconds",
        "How long the oldest of them has been under way.",
        (),
        [((), load.oldest_s)],
    )
    yield (
        "unitask_database_write_failed",
        "1: the last that this process wrote was not written; 0: it was.",
        (),
        [((), float(bool(load.failed)))],
    )
    yield (
        "unitask_database_connections_busy",
        "Connections of this process in use; on SQLite the one that writes.",
        (),
        [((), load.busy)],
    )
    yield "unitask_database_connections_most", "So many there may be.", (), [((), load.places)]
    yield (
        "unitask_disk_free_bytes",
        "Room on the disks of this process's machine: of its data folder, of its scratch files, and of a SQLite file.",
        ("place",),
        [((place,), free) for place, free in _disks(unitask, load.free_bytes)],
    )


def _disks(unitask: Services, database: int | None) -> Iterator[tuple[str, int]]:
    data, scratch = free_bytes(unitask.settings.data.resolve()), free_bytes(Path(tempfile.gettempdir()))
    for place, free in {"data": data, "scratch": scratch, "database": database}.items():
        if free is not None:
            yield place, free


def counted() -> Iterator[Any]:
    """Give what was counted, as families of the library."""
    from prometheus_client.core import (  # noqa: PLC0415 - for scrapes
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )

    for meter in METERS:
        if isinstance(meter, Histogram):
            histogram = HistogramMetricFamily(meter.name, meter.meaning, labels=meter.labels)
            for labels, counts in meter.values.items():
                histogram.add_metric(labels, _buckets(meter, counts), sum_value=meter.sums[labels])
            yield histogram
            continue
        kind = CounterMetricFamily if isinstance(meter, Counter) else GaugeMetricFamily
        family = kind(meter.name, meter.meaning, labels=meter.labels)
        for labels, value in meter.values.items():
            family.add_metric(labels, value)
        yield family


def _buckets(meter: Histogram, counts: list[int]) -> list[tuple[str, float]]:
    """Add the counts up, as the format wants it: each bound with all that is not above it."""
    found: list[tuple[str, float]] = []
    total = 0
    for bound, number in zip([*map(str, meter.bounds), "+Inf"], counts, strict=True):
        total += number
        found.append((bound, total))
    return found
