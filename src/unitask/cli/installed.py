"""Commands that work on the installation's own database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from unitask.accounts.model import Account
from unitask.app import Services
from unitask.kit.errors import NotFound
from unitask.settings import Settings

T = TypeVar("T")
ACTOR: Final = "command line"
"""Who decides, in the audit log."""
_DIGITS: Final = 15


def with_services(work: Callable[[Services], Awaitable[T]]) -> T:
    """Open the services, work with them, and close them."""

    async def run() -> T:
        services = await Services.open(Settings.load())
        try:
            return await work(services)
        finally:
            await services.close()

    return asyncio.run(run())


async def find_account(services: Services, text: str) -> Account:
    """Find an account by its name or, if none is called so, by its number.

    Raises:
        NotFound: there is none.

    """
    try:
        return await services.registry.named(text)
    except NotFound:
        if not text.isdecimal() or len(text) > _DIGITS:
            raise
        return await services.registry.account(int(text))
