"""A customer and two workers on either database."""

from collections.abc import AsyncIterator

import pytest

from support.books import troubles
from support.customer import Customer
from support.worker import HandWorker
from unitask.app import Services


@pytest.fixture
async def customer(services: Services) -> AsyncIterator[Customer]:
    """Someone with points enough and no limit of tasks; after the story the books must be right."""
    yield await Customer.of(services)
    assert await troubles(services.database) == []


@pytest.fixture
async def limited(services: Services) -> AsyncIterator[Customer]:
    """Someone who may run two tasks at a time; after the story the books must be right."""
    yield await Customer.of(services, "limited", task_limit=2)
    assert await troubles(services.database) == []


@pytest.fixture
def worker(services: Services) -> HandWorker:
    """Give the worker of most stories."""
    return HandWorker(services)


@pytest.fixture
def other(services: Services) -> HandWorker:
    """Give another worker, which takes over."""
    return HandWorker(services, "worker-2")
