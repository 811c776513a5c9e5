"""`POST /api/v1/quote`: the price of a request without running it."""

from starlette.requests import Request

from unitask.accounts import repository as accounts
from unitask.accounts.model import Scope
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import caller, document, route, services
from unitask.kit.errors import NotFound
from unitask.kit.money import usd


async def quote(request: Request) -> JsonAnswer:
    """Price the body of a create; `points` is the most it can cost."""
    who = await caller(request, Scope.TASKS)
    unitask = services(request)
    found = await unitask.orders.quote(await document(request), who)
    account = await accounts.read(unitask.database, who.account_id)
    if account is None:
        raise NotFound("the account of this key is gone")
    product, recipe = found.product, found.choice.recipe
    return success(
        {
            "model": product.model,
            "task_type": product.task_type,
            "points": found.points,
            "usd": usd(found.points),
            "price": {"points": product.price.points_per_unit, "unit": product.price.unit},
            "available_points": account.available_points,
            "covered": account.unlimited or account.available_points >= found.points,
            "engine": recipe.engine if recipe else None,
            "engine_level": recipe.level if recipe else None,
            "missing": found.choice.missing or None,
            "expected_s": product.expected_s,
            "warnings": found.warnings,
        }
    )


ROUTES = [route("POST", "/api/v1/quote", quote)]
