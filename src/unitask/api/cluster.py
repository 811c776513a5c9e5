"""What controllers of workers on Ray ask and say, see `unitask.spec.cluster`; and what operators see of it."""

from starlette.requests import Request

from unitask.administration import demand as administration
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import message, operator, require_worker, route, services
from unitask.kit.clock import SECOND_US
from unitask.spec import cluster


async def demand(request: Request) -> JsonAnswer:
    """Tell what is wanted of workers, in one query whose cost does not grow with the queue."""
    require_worker(request)
    unitask = services(request)
    now = unitask.clock.now_us()
    lines = [
        cluster.ProductDemand(
            product=one.product,
            engine=one.engine,
            waiting=one.waiting,
            processing=one.processing,
            oldest_s=None if one.oldest_at is None else round(max(0, now - one.oldest_at) / SECOND_US, 3),
        )
        for one in await administration.demand(unitask.database, unitask.catalogue)
    ]
    answer = cluster.DemandAnswer(lines=lines, holding=await administration.holding(unitask.database))
    return JsonAnswer(answer.model_dump_json().encode())


async def report(request: Request) -> JsonAnswer:
    """Hear how a cluster is."""
    require_worker(request)
    said = await message(request, cluster.ClusterReport)
    unitask = services(request)
    await administration.report(unitask.database, said, unitask.clock.now_us())
    return JsonAnswer(b"{}")


async def _seen(request: Request) -> list[cluster.ReportSeen]:
    unitask = services(request)
    now = unitask.clock.now_us()
    return [
        cluster.ReportSeen(**one.report.model_dump(), age_s=round(max(0, now - one.reported_at) / SECOND_US, 1))
        for one in await administration.reports(unitask.database, now)
    ]


async def reports(request: Request) -> JsonAnswer:
    """Show a holder of the worker token what all controllers have said."""
    require_worker(request)
    return JsonAnswer(cluster.ReportsAnswer(clusters=await _seen(request)).model_dump_json().encode())


async def clusters(request: Request) -> JsonAnswer:
    """Show operators what all controllers have said."""
    await operator(request)
    return success([one.model_dump(mode="json") for one in await _seen(request)])


WORKERS_ROUTES = [
    route("GET", cluster.DEMAND, demand),
    route("PUT", cluster.REPORT, report),
    route("GET", cluster.REPORTS, reports),
]
ROUTES = [route("GET", "/api/v1/admin/clusters", clusters)]
