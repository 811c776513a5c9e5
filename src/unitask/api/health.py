"""Whether the process lives, and whether it can do its work."""

import asyncio
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from unitask import __version__
from unitask.api.requests import route, services
from unitask.app import Services
from unitask.db.load import Load
from unitask.db.migrate import outgrown
from unitask.kit.errors import UnitaskError
from unitask.queue import repository as queue
from unitask.queue.model import State

_DATABASE_S: Final = 3.0
_WRITE_S: Final = 15.0
"""A commit takes milliseconds. A copy or a migration beside us may hold the database for some seconds."""
_LEAST_FREE_BYTES: Final = 32 * 2**20
_FINE: Final = "ok"
_UNKNOWN: Final = "not known while the database does not answer"


async def healthz(_: Request) -> Response:
    """`GET /healthz`: the process answers."""
    return JSONResponse({"status": "ok", "server": "unitask", "version": __version__})


async def readyz(request: Request) -> Response:
    """`GET /readyz`: every check by name, with what to do where one fails; and the number of live tasks by state."""
    unitask = services(request)
    counts, database, schema = await _asked(unitask)
    writes, disk = judged(unitask.database.load())
    if database != _FINE:
        writes = _UNKNOWN
    ending = "the server was told to end; send requests to another" if request.app.is_ending else _FINE
    checks = {"database": database, "schema": schema, "writes": writes, "disk": disk, "ending": ending}
    wrong = [said for said in checks.values() if said not in {_FINE, _UNKNOWN}]
    answer: dict[str, Any] = {"status": "unavailable", "reason": "; ".join(wrong)} if wrong else {"status": "ready"}
    if counts is not None:
        answer["queue"] = dict.fromkeys(State, 0) | counts
    return JSONResponse({**answer, "checks": checks}, 503 if wrong else 200)


async def _asked(unitask: Services) -> tuple[dict[str, int] | None, str, str]:
    """Ask the database for what waits, and for its schema."""
    try:
        async with asyncio.timeout(_DATABASE_S):
            counts, outdated = await queue.counts(unitask.database), await outgrown(unitask.database)
    except UnitaskError as error:
        return None, f"{error}; see that the database runs and that UNITASK_DATABASE_URL leads to it", _UNKNOWN
    except TimeoutError:
        late = f"the database did not answer within {_DATABASE_S:g} seconds"
        return None, f"{late}; look for statements there that hold it up", _UNKNOWN
    return counts, _FINE, outdated or _FINE


def judged(load: Load) -> tuple[str, str]:
    """Say what is wrong with what a process writes, and with the disk below it where that is ours."""
    writes = disk = _FINE
    if load.failed:
        writes = "what was written last was refused by the database; the log says why: mostly its disk is full"
    elif load.oldest_s > _WRITE_S:
        since = f"a write has been under way for {load.oldest_s:.0f} seconds"
        writes = f"{since}; look for another program that holds the database, or for a disk that does not answer"
    if load.free_bytes is not None and load.free_bytes < _LEAST_FREE_BYTES:
        disk = f"the disk of the database is full: {load.free_bytes} bytes are free; make room in UNITASK_DATA"
    return writes, disk


ROUTES = [route("GET", "/healthz", healthz), route("GET", "/readyz", readyz)]
