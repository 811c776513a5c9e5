"""`GET /api/v1/usage`: what an account ordered and spent, by day and product, for charts."""

from typing import Any, Final

from starlette.requests import Request

from unitask.accounts.model import Scope
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import caller, number, route, services
from unitask.billing.model import Usage
from unitask.kit.clock import DAY_US, rfc3339
from unitask.kit.errors import InvalidRequest
from unitask.kit.money import usd

DAYS_USUAL: Final = 30
DAYS_LIMIT: Final = 366


def _date(day: int) -> str:
    return rfc3339(day * DAY_US).partition("T")[0]


def _row(one: Usage) -> dict[str, Any]:
    model, _, task_type = one.product.rpartition("/")
    return {
        "date": _date(one.day),
        "model": model,
        "task_type": task_type,
        "completed": one.completed,
        "failed": one.failed,
        "points": one.points,
        "usd": usd(one.points),
    }


async def usage_answer(request: Request, account_id: int) -> JsonAnswer:
    """Answer with what ended on the last days of an account, today among them; days are those of UTC.

    Raises:
        InvalidRequest: so many days cannot be asked for.

    """
    unitask = services(request)
    days = number(request, "days", DAYS_USUAL)
    if not 1 <= days <= DAYS_LIMIT:
        raise InvalidRequest(f"invalid request: days is 1 to {DAYS_LIMIT}")
    today = unitask.clock.now_us() // DAY_US
    since = today - days + 1
    found = await unitask.credit.usage(account_id, since=since, until=today)
    return success({"start_date": _date(since), "end_date": _date(today), "usage": [_row(one) for one in found]})


async def usage(request: Request) -> JsonAnswer:
    """Count what ended on the last days of this account."""
    who = await caller(request, Scope.ACCOUNT)
    return await usage_answer(request, who.account_id)


ROUTES = [route("GET", "/api/v1/usage", usage)]
