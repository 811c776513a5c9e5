"""The ASGI application, put together from the routes of each file."""

import contextlib
from collections.abc import AsyncIterator
from uuid import uuid4

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from unitask.api import errors, files, health, reference, tasks, workers
from unitask.app import Services
from unitask.kit.errors import UnitaskError
from unitask.tasks.housekeeping import Housekeeper


def create_app(services: Services) -> Starlette:
    """Build the application on open services; while it runs, it also does the housekeeping if no other does."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with Housekeeper(services.tasks, services.artifacts, uuid4().hex).running():
            yield

    app = Starlette(
        routes=[
            *tasks.ROUTES,
            *workers.ROUTES,
            *files.ROUTES,
            *health.ROUTES,
            *reference.routes(services.catalogue, services.orders, services.settings.base_url),
        ],
        exception_handlers={
            UnitaskError: errors.on_unitask_error,
            HTTPException: errors.on_http_error,
            Exception: errors.on_crash,
        },
        lifespan=lifespan,
    )
    app.state.services = services
    return app
