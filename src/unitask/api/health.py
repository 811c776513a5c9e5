"""Whether the process lives, and whether it can do its work."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from unitask import __version__
from unitask.api.requests import route, services
from unitask.db.migrate import outgrown
from unitask.kit.errors import UnitaskError
from unitask.queue import repository as queue
from unitask.queue.model import State


async def healthz(_: Request) -> Response:
    """`GET /healthz`: the process answers."""
    return JSONResponse({"status": "ok", "server": "unitask", "version": __version__})


async def readyz(request: Request) -> Response:
    """`GET /readyz`: the database answers too, with a schema that fits; with the number of live tasks by state."""
    database = services(request).database
    try:
        counts, reason = await queue.counts(database), await outgrown(database)
    except UnitaskError as error:
        reason = str(error)
    if reason:
        return JSONResponse({"status": "unavailable", "reason": reason}, 503)
    return JSONResponse({"status": "ready", "queue": dict.fromkeys(State, 0) | counts})


ROUTES = [route("GET", "/healthz", healthz), route("GET", "/readyz", readyz)]
