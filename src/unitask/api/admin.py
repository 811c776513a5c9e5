"""The admin API: accounts, their credit, plans, the audit log and the check of the books. For operators alone."""

from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp

from unitask.administration import audit as log
from unitask.administration import books
from unitask.api.admin_documents import account_document, audit_document, pack_document, plan_document
from unitask.api.admin_messages import AccountChange, Adjustment, NewAccount, PlanLimits, TopUp, expiry
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import message, number, operator, page, path_number, route, services, text
from unitask.api.statement import statement_answer
from unitask.api.usage import usage_answer
from unitask.kit.errors import InvalidRequest
from unitask.kit.money import points as points_of

_ACCOUNT: Final = "/api/v1/admin/accounts/{account_id}"


async def list_accounts(request: Request) -> JsonAnswer:
    """List accounts by number."""
    await operator(request)
    unitask = services(request)
    after, size = page(request)
    found = await unitask.registry.accounts(after=after, most=size + 1)
    now = unitask.clock.now_us()
    return success(
        {
            "accounts": [account_document(account, now) for account in found[:size]],
            "next_cursor": str(found[size - 1].id) if len(found) > size else None,
        }
    )


async def open_account(request: Request) -> JsonAnswer:
    """Open an account with an empty balance."""
    actor = await operator(request)
    wanted = await message(request, NewAccount)
    unitask = services(request)
    account = await unitask.registry.open_account(
        wanted.name, actor=actor, plan=wanted.plan, limits=wanted.limits, unlimited=wanted.unlimited
    )
    return success(account_document(account, unitask.clock.now_us()))


async def read_account(request: Request) -> JsonAnswer:
    """Read an account."""
    await operator(request)
    unitask = services(request)
    account = await unitask.registry.account(path_number(request, "account_id"))
    return success(account_document(account, unitask.clock.now_us()))


async def set_account(request: Request) -> JsonAnswer:
    """Change what the body names: plan, limits, enabled, unlimited."""
    actor = await operator(request)
    wanted = await message(request, AccountChange)
    unitask = services(request)
    account = await unitask.registry.set_account(
        path_number(request, "account_id"),
        actor=actor,
        plan=wanted.plan,
        limits=wanted.limits,
        enabled=wanted.enabled,
        unlimited=wanted.unlimited,
    )
    unitask.accounts.forget()
    return success(account_document(account, unitask.clock.now_us()))


def _points(wanted: TopUp) -> int:
    if (wanted.points is None) == (wanted.usd is None):
        raise InvalidRequest("invalid request: give either points or usd")
    if wanted.usd is None:
        return wanted.points or 0
    try:
        return points_of(wanted.usd)
    except ValueError:
        raise InvalidRequest('invalid request: usd: must be dollars as text, such as "19.99"') from None


async def top_up(request: Request) -> JsonAnswer:
    """Add a pack of points to an account."""
    actor = await operator(request)
    wanted = await message(request, TopUp)
    unitask = services(request)
    account_id = path_number(request, "account_id")
    added = await unitask.credit.top_up(
        account_id,
        _points(wanted),
        actor=actor,
        reason=wanted.reason,
        reference=wanted.reference,
        expires_at=expiry(wanted.expires_in_days, unitask.clock.now_us()),
    )
    # Of a pack that this reference made before, something may be used by now.
    packs = await unitask.credit.packs(await unitask.registry.account(account_id))
    return success(pack_document(next(pack for pack in packs if pack.id == added.id)))


async def adjust(request: Request) -> JsonAnswer:
    """Correct the balance of an account."""
    actor = await operator(request)
    wanted = await message(request, Adjustment)
    unitask = services(request)
    account = await unitask.credit.adjust(
        path_number(request, "account_id"), wanted.points, actor=actor, reason=wanted.reason
    )
    return success(account_document(account, unitask.clock.now_us()))


async def packs(request: Request) -> JsonAnswer:
    """List the packs of an account, those that expire first at the beginning."""
    await operator(request)
    unitask = services(request)
    account = await unitask.registry.account(path_number(request, "account_id"))
    return success([pack_document(pack) for pack in await unitask.credit.packs(account)])


async def statement(request: Request) -> ASGIApp:
    """Give the statement of an account, as JSON or CSV."""
    await operator(request)
    account = await services(request).registry.account(path_number(request, "account_id"))
    return await statement_answer(request, account.id)


async def usage(request: Request) -> JsonAnswer:
    """Count what ended on the last days of an account."""
    await operator(request)
    account = await services(request).registry.account(path_number(request, "account_id"))
    return await usage_answer(request, account.id)


async def list_plans(request: Request) -> JsonAnswer:
    """List plans by name."""
    await operator(request)
    return success([plan_document(plan) for plan in await services(request).registry.plans()])


async def put_plan(request: Request) -> JsonAnswer:
    """Make a plan, or give it other limits."""
    actor = await operator(request)
    wanted = await message(request, PlanLimits)
    unitask = services(request)
    plan = await unitask.registry.put_plan(request.path_params["name"], wanted.limits, actor=actor)
    unitask.accounts.forget()
    return success(plan_document(plan))


async def remove_plan(request: Request) -> JsonAnswer:
    """Remove a plan that no account is on."""
    actor = await operator(request)
    await services(request).registry.remove_plan(request.path_params["name"], actor=actor)
    return success(None)


async def audit(request: Request) -> JsonAnswer:
    """Read the audit log, newest first."""
    await operator(request)
    before, size = page(request)
    only = number(request, "account_id", 0)
    older = {"before": before} if before else {}
    action = text(request, "action")
    found = await log.read(services(request).database, account_id=only or None, action=action, most=size + 1, **older)
    return success(
        {
            "entries": [audit_document(entry) for entry in found[:size]],
            "next_cursor": str(found[size - 1].id) if len(found) > size else None,
        }
    )


async def check_ledger(request: Request) -> JsonAnswer:
    """Check the books; no troubles means that they are right."""
    await operator(request)
    return success({"troubles": await books.troubles(services(request).database)})


ROUTES = [
    route("GET", "/api/v1/admin/accounts", list_accounts),
    route("POST", "/api/v1/admin/accounts", open_account),
    route("GET", _ACCOUNT, read_account),
    route("PATCH", _ACCOUNT, set_account),
    route("POST", f"{_ACCOUNT}/credit", top_up),
    route("POST", f"{_ACCOUNT}/adjustments", adjust),
    route("GET", f"{_ACCOUNT}/packs", packs),
    route("GET", f"{_ACCOUNT}/statement", statement),
    route("GET", f"{_ACCOUNT}/usage", usage),
    route("GET", "/api/v1/admin/plans", list_plans),
    route("PUT", "/api/v1/admin/plans/{name}", put_plan),
    route("DELETE", "/api/v1/admin/plans/{name}", remove_plan),
    route("GET", "/api/v1/admin/audit", audit),
    route("GET", "/api/v1/admin/ledger/check", check_ledger),
]
