"""`GET /metrics`: the installation and the answering process in the text format of Prometheus, or in OpenMetrics.

What `metrics_installation` reads from the database is the same from every API process; what `metrics_process` has is
each one's own. The labels are routes, engines, products, pools and states, of which there are as many as the operator
has set up.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from unitask.api.metrics_installation import Family, of_installation
from unitask.api.metrics_process import counted, of_process
from unitask.api.requests import header, is_worker, operator, route, services
from unitask.kit.errors import Unavailable

_LIMIT_S: Final = 5.0


async def metrics(request: Request) -> Response:
    """Answer a scrape, with the admin key or the worker token; without its database a process tells of itself."""
    if not is_worker(request):
        await operator(request)
    unitask = services(request)
    try:
        async with asyncio.timeout(_LIMIT_S):
            shared = await of_installation(unitask)
    except (TimeoutError, Unavailable):
        shared = []
    own = of_process(unitask, is_complete=bool(shared))
    content, kind = _written([*own, *shared], header(request, b"accept"))
    return Response(content, media_type=kind)


def _written(gauges: Iterable[Family], accepted: str) -> tuple[bytes, str]:
    from prometheus_client import CollectorRegistry, ProcessCollector  # noqa: PLC0415 - for scrapes
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - same
    from prometheus_client.exposition import choose_encoder  # noqa: PLC0415 - same

    class Collected:
        """What the library asks for its families."""

        def collect(self) -> Iterator[Any]:
            """Give them."""
            for name, meaning, labels, values in gauges:
                family = GaugeMetricFamily(name, meaning, labels=labels)
                for texts, value in values:
                    family.add_metric(texts, value)
                yield family
            yield from counted()

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collected())
    ProcessCollector(registry=registry)
    write, kind = choose_encoder(accepted)
    return write(registry), kind


ROUTES = [route("GET", "/metrics", metrics)]
