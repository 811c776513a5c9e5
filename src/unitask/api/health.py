"""Whether the process lives, and whether it can do its work."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from unitask import __version__
from unitask.api.requests import route, services
from unitask.kit.errors import UnitaskError
from unitask.queue import repository as queue


async def healthz(_: Request) -> Response:
    """`GET /healthz`: the process answers."""
    return JSONResponse({"status": "ok", "version": __version__})


async def readyz(request: Request) -> Response:
    """`GET /readyz`: the database answers too; with the number of live tasks by state."""
    try:
        counts = await queue.counts(services(request).database)
    except UnitaskError as error:
        return JSONResponse({"status": "unavailable", "reason": str(error)}, 503)
    return JSONResponse({"status": "ready", "queue": counts})


ROUTES = [route("GET", "/healthz", healthz), route("GET", "/readyz", readyz)]
