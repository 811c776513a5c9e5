"""What each scope opens: exactly these routes."""

import re

import httpx

from support.accounts import ACTOR, open_account
from support.answers import refused
from unitask.accounts.model import Scope
from unitask.api.application import PUBLIC
from unitask.app import Services

OPEN = {"/files/{path:path}", "/uploads/{token}", "/healthz", "/readyz"}
NEEDED = {
    "tasks": {
        "POST /api/v1/task",
        "GET /api/v1/task",
        "GET /api/v1/task/{task_id}",
        "DELETE /api/v1/task/{task_id}",
        "POST /api/v1/task/{task_id}/cancel",
        "GET /api/v1/task/{task_id}/events",
        "DELETE /api/v1/tasks",
        "GET /api/v1/catalogue",
        "POST /api/v1/quote",
        "GET /api/open/tasks/histories",
        "GET /api/v1/webhooks/deliveries",
        "GET /api/v1/webhooks/deliveries/{id}",
        "POST /api/v1/webhooks/deliveries/{id}/replay",
        "POST /api/v1/webhooks/replay",
        "POST /api/v1/webhooks/test",
        "POST /api/face_swap/v1/async",
        "POST /api/face_swap/v1/fetch",
    },
    "files": {
        "POST /api/ephemeral_resource",
        "POST /api/v1/uploads",
        "POST /api/v1/uploads/{upload_id}/complete",
        "GET /api/v1/verify",
        "GET /api/v1/artifacts",
        "GET /api/v1/artifacts/{artifact_id}",
        "DELETE /api/v1/artifacts/{artifact_id}",
        "POST /api/v1/artifacts/{artifact_id}/pin",
        "DELETE /api/v1/artifacts/{artifact_id}/pin",
    },
    "account": {
        "GET /account/info",
        "GET /account/active_tasks",
        "GET /api/v1/account/credentials",
        "PUT /api/v1/account/credentials/{provider}",
        "DELETE /api/v1/account/credentials/{provider}",
        "GET /api/v1/bucket",
        "PUT /api/v1/bucket",
        "DELETE /api/v1/bucket",
        "GET /api/v1/statement",
        "GET /api/v1/usage",
        "GET /api/v1/keys",
        "POST /api/v1/keys",
        "POST /api/v1/keys/{key_id}/rotate",
        "DELETE /api/v1/keys/{key_id}",
    },
    "admin": {
        "GET /api/v1/admin/accounts",
        "POST /api/v1/admin/accounts",
        "GET /api/v1/admin/accounts/{account_id}",
        "PATCH /api/v1/admin/accounts/{account_id}",
        "POST /api/v1/admin/accounts/{account_id}/credit",
        "POST /api/v1/admin/accounts/{account_id}/adjustments",
        "GET /api/v1/admin/accounts/{account_id}/packs",
        "GET /api/v1/admin/accounts/{account_id}/statement",
        "GET /api/v1/admin/accounts/{account_id}/keys",
        "POST /api/v1/admin/accounts/{account_id}/keys",
        "PATCH /api/v1/admin/keys/{key_id}",
        "DELETE /api/v1/admin/keys/{key_id}",
        "POST /api/v1/admin/keys/{key_id}/rotate",
        "GET /api/v1/admin/plans",
        "PUT /api/v1/admin/plans/{name}",
        "DELETE /api/v1/admin/plans/{name}",
        "GET /api/v1/admin/audit",
        "GET /api/v1/admin/ledger/check",
        "GET /api/v1/admin/accounts/{account_id}/usage",
        "GET /api/v1/admin/queue",
        "GET /api/v1/admin/workers",
        "GET /api/v1/admin/engines",
        "GET /api/v1/admin/clusters",
        "GET /metrics",
    },
}


def routes() -> set[str]:
    """List the routes that ask for a key, with their methods."""
    return {
        f"{method} {route.path}"
        for module in PUBLIC
        for route in module.ROUTES
        if route.path not in OPEN
        for method in route.methods - {"HEAD"}
    }


def test_every_route_has_one_scope() -> None:
    """Whatever is added must stand in the list above."""
    listed = [route for found in NEEDED.values() for route in found]
    assert set(NEEDED) == {scope.value for scope in Scope}
    assert sorted(listed) == sorted(routes())


async def test_a_scope_opens_its_routes_and_no_other(client: httpx.AsyncClient, services: Services) -> None:
    """A key with one scope is let through where it is the right one; everywhere else 403 names the scope it lacks."""
    person = await open_account(services, "somebody", unlimited=True)
    for scope in Scope:
        _, secret = await services.keyring.add(person.account_id, actor=ACTOR, scopes=[scope])
        for needed, found in NEEDED.items():
            for route in found:
                method, _, path = route.partition(" ")
                address = re.sub(r"{\w+}", "nobody", path)
                answer = await client.request(method, address, headers={"X-API-Key": secret})
                if needed == scope:
                    assert answer.status_code not in {401, 403, 500}, f"{scope} {route}: {answer.text}"
                else:
                    assert refused(answer, 403) == f"this key may not do that: it lacks the scope {needed}", route
