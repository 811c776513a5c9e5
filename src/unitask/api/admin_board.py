"""The admin API about the installation itself: queue, workers, engines, weights. For operators alone."""

import asyncio
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request

from unitask.administration import board
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import operator, route, services
from unitask.app import Services
from unitask.engines import installed, lack
from unitask.kit.clock import SECOND_US, rfc3339
from unitask.queue.model import State
from unitask.spec.product import Product
from unitask.weights import Shelf
from unitask.weights.parcel import find, parcels, with_bases


def _product(key: str) -> dict[str, str]:
    model, _, task_type = key.rpartition("/")
    return {"model": model, "task_type": task_type}


def _line(line: board.Line, now: int) -> dict[str, Any]:
    return {
        "engine": line.engine,
        **_product(line.product),
        "staged": line.tasks[State.STAGED],
        "waiting": line.tasks[State.READY],
        "processing": line.tasks[State.PROCESSING],
        "oldest_s": None if line.oldest_at is None else round(max(0, now - line.oldest_at) / SECOND_US, 1),
    }


def _pace(pace: board.Pace) -> dict[str, Any]:
    document = asdict(pace)
    return {"engine": document.pop("engine"), **_product(document.pop("product")), **document}


async def queue(request: Request) -> JsonAnswer:
    """Show what waits and runs, and where the time of recent tasks went."""
    await operator(request)
    unitask = services(request)
    now = unitask.clock.now_us()
    found, paces = await board.lines(unitask.database), await board.paces(unitask.database)
    return success({"lines": [_line(one, now) for one in found], "timings": [_pace(one) for one in paces]})


def _worker(worker: board.WorkerSeen, now: int, lease_us: int) -> dict[str, Any]:
    return {
        "id": worker.id,
        "name": worker.name,
        "alive": worker.lease_until > now,
        "engines": worker.engines,
        "devices": worker.devices,
        "memory_bytes": worker.memory,
        "loaded": worker.loaded,
        "providers": [one.model_dump() for one in worker.providers],
        "started_at": rfc3339(worker.started_at),
        "seen_at": rfc3339(worker.lease_until - lease_us),
        "running": [
            {
                "task_id": one.task_id,
                "engine": one.engine,
                **_product(one.product),
                "attempt": one.attempt,
                "progress": one.progress,
                "note": one.note,
            }
            for one in worker.running
        ],
    }


async def workers(request: Request) -> JsonAnswer:
    """List the workers with what each is doing."""
    await operator(request)
    unitask = services(request)
    now, lease_us = unitask.clock.now_us(), int(unitask.settings.lease_s * SECOND_US)
    return success([_worker(one, now, lease_us) for one in await board.workers(unitask.database)])


def served(shelf: Shelf, products: Iterable[Product]) -> dict[str, list[str]]:
    """Tell which products a recipe makes with each card, be it as the base of another."""
    found: dict[str, list[str]] = {card_id: [] for card_id in shelf.cards}
    for product in products:
        direct = {card for recipe in product.recipes for card in recipe.weights if card in shelf.cards}
        for used in {one.name for card in direct for one in with_bases(shelf, find(shelf, card))}:
            found[used].append(product.key)
    return found


def _installation(unitask: Services) -> dict[str, Any]:
    shelf = Shelf(unitask.settings.models_folder)
    uses = served(shelf, unitask.catalogue)
    allowed = unitask.settings.engines
    choices = [(product, unitask.orders.choice(product)) for product in unitask.catalogue]
    return {
        "engines": [
            {"name": name, "enabled": allowed is None or name in allowed, "missing": lack(name)}
            for name in sorted(installed())
        ],
        "products": [
            {
                "model": product.model,
                "task_type": product.task_type,
                "engine": choice.recipe.engine if choice.recipe else None,
                "engine_level": choice.recipe.level if choice.recipe else None,
                "missing": choice.missing or None,
            }
            for product, choice in choices
        ],
        "weights": [
            {
                "id": one.name,
                "title": one.title,
                "installed": one.is_here,
                "bytes": one.disk_bytes,
                "license": one.license.name,
                "command": f"unitask models pull {one.name}",
                "products": uses.get(one.name, []),
            }
            for one in parcels(shelf).values()
        ],
    }


async def engines(request: Request) -> JsonAnswer:
    """Tell what the machine of this API process has: engines, the level of each product, weights."""
    await operator(request)
    return success(await asyncio.to_thread(_installation, services(request)))


ROUTES = [
    route("GET", "/api/v1/admin/queue", queue),
    route("GET", "/api/v1/admin/workers", workers),
    route("GET", "/api/v1/admin/engines", engines),
]
