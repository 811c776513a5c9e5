"""The part of the OpenAPI document for operators, and for an account's own keys."""

from collections.abc import Callable
from typing import Any, Final

from unitask.accounts.model import Scope
from unitask.administration.registry import PLAN_NAME
from unitask.api.admin_messages import (
    AccountChange,
    Adjustment,
    Body,
    KeyChange,
    NewAccount,
    NewKey,
    OwnKey,
    PlanLimits,
    Rotation,
    TopUp,
)
from unitask.api.keys import MOST_KEYS
from unitask.api.openapi_money import statement_operation
from unitask.api.openapi_schemas import complete, ref
from unitask.api.product_schemas import lift
from unitask.api.requests import PAGE_LIMIT, PAGE_USUAL
from unitask.api.wording import KEY

Json = dict[str, Any]
Refusals = Callable[..., Json]
TAG: Final = "operators"
_BODIES: Final[tuple[type[Body], ...]] = (
    NewAccount,
    AccountChange,
    TopUp,
    Adjustment,
    NewKey,
    OwnKey,
    KeyChange,
    Rotation,
    PlanLimits,
)
_TEXT: Final[Json] = {"type": "string"}
_NUMBER: Final[Json] = {"type": "integer"}
_DOLLARS: Final[Json] = {"type": "number"}
_SWITCH: Final[Json] = {"type": "boolean"}
_MAYBE_TEXT: Final[Json] = {"type": ["string", "null"]}
_NULL: Final[Json] = {"type": "null"}
_ALWAYS: Final = (*KEY, 500, 503)
_WITH_BODY: Final = (400, 413)


def _account() -> Json:
    books = ("available", "held", "used")
    return complete(
        {
            "id": _NUMBER,
            "name": _TEXT,
            "plan": _TEXT,
            "enabled": _SWITCH,
            "unlimited": _SWITCH,
            "limits": {**ref("Limits"), "description": "Those that hold: its own, else its plan's."},
            "own_limits": ref("Limits"),
            **{f"{book}_points": _NUMBER for book in books},
            **{f"{book}_usd": _DOLLARS for book in books},
            "spent_today_points": _NUMBER,
            "active_tasks": {**_NUMBER, "description": "Pending and processing."},
            "staged_tasks": _NUMBER,
            "active_by_family": {"type": "object", "additionalProperties": _NUMBER},
            "created_at": _TEXT,
            "updated_at": _TEXT,
        },
        "An account.",
    )


def _key() -> Json:
    return complete(
        {
            "id": _NUMBER,
            "account_id": _NUMBER,
            "account": _TEXT,
            "name": _TEXT,
            "hint": {**_TEXT, "description": "Its last four characters."},
            "scopes": {"type": "array", "items": {"enum": list(Scope)}},
            "limits": ref("Limits"),
            "created_at": _TEXT,
            "expires_at": _MAYBE_TEXT,
            "revoked_at": _MAYBE_TEXT,
            "last_used_at": {**_MAYBE_TEXT, "description": "To the minute."},
        },
        "A key, without its secret.",
    )


def _new_key() -> Json:
    key = _key()
    secret = {**_TEXT, "description": "What is sent as `X-API-Key`. Shown this once."}
    return complete({**key["properties"], "secret": secret}, "A new key.")


def _pack() -> Json:
    return complete(
        {
            "id": _NUMBER,
            "points": {**_NUMBER, "description": "What came in."},
            "usd": _DOLLARS,
            "remaining_points": _NUMBER,
            "expired_points": _NUMBER,
            "reason": _TEXT,
            "reference": _MAYBE_TEXT,
            "created_at": _TEXT,
            "expires_at": _MAYBE_TEXT,
        },
        "Points that came in together. Those that expire first are used first.",
    )


def _plan() -> Json:
    return complete({"name": _TEXT, "limits": ref("Limits"), "updated_at": _TEXT}, "Limits that accounts share.")


def _entry() -> Json:
    return complete(
        {
            "id": _NUMBER,
            "time": _TEXT,
            "actor": {**_TEXT, "description": "`command line`, `admin key`, or a key such as `key 7`."},
            "action": _TEXT,
            "account_id": {"type": ["integer", "null"]},
            "detail": {"type": "object"},
        },
        "A decision.",
    )


def _schemas() -> dict[str, Json]:
    return {
        "Account": _account(),
        "Key": _key(),
        "MadeKey": _new_key(),
        "Pack": _pack(),
        "Plan": _plan(),
        "AuditEntry": _entry(),
    }


def components() -> dict[str, Json]:
    """Give the named schemas of these routes: what they take and what they answer."""
    _, definitions = lift(_BODIES, "", "validation")
    return {**definitions, **_schemas()}


def _number(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {**_NUMBER, "minimum": 1}}


def _query(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


_CURSORS: Final = (
    _query("limit", "Entries on a page.", {**_NUMBER, "minimum": 1, "maximum": PAGE_LIMIT, "default": PAGE_USUAL}),
    _query("cursor", "`next_cursor` of the page before.", _TEXT),
)
ACCOUNT_ID: Final = _number("account_id")
_KEY_ID: Final = _number("key_id")
_PLAN: Final[Json] = {**_TEXT, "pattern": f"^{PLAN_NAME}$"}
_PLAN_NAME: Final[Json] = {"name": "name", "in": "path", "required": True, "schema": _PLAN}


def _list(name: str) -> Json:
    return {"type": "array", "items": ref(name)}


def _page(what: str, name: str) -> Json:
    return complete({what: _list(name), "next_cursor": _MAYBE_TEXT}, "A page; `next_cursor` leads to the next.")


class Group:
    """Operations of one tag, with the refusals that each may answer."""

    def __init__(self, refusals: Refusals, tag: str) -> None:
        self._refusals = refusals
        self._tag = tag

    def operation(
        self,
        name: str,
        summary: str,
        data: Json,
        *others: int,
        parameters: tuple[Json, ...] = (),
        body: type[Body] | None = None,
        **beside: Any,
    ) -> Json:
        """Describe an operation; `others` are the refusals beside those of every route with a key."""
        answer = complete({"code": {"const": 200}, "data": data, "message": {"const": "success"}}, "An answer.")
        statuses = sorted({*_ALWAYS, *others, *(_WITH_BODY if body else ())})
        found = {
            "tags": [self._tag],
            "operationId": name,
            "summary": summary,
            "parameters": list(parameters),
            "responses": {
                "200": {"description": "The answer.", "content": {"application/json": {"schema": answer}}},
                **self._refusals(*statuses),
            },
            **beside,
        }
        if body:
            content = {"application/json": {"schema": ref(body.__name__)}}
            # Nothing at all counts as an empty object.
            found["requestBody"] = {"required": "required" in body.model_json_schema(), "content": content}
        return found


def paths(refusals: Refusals) -> Json:
    """Give the paths of these routes."""
    operators = Group(refusals, TAG)
    statement = statement_operation(refusals, TAG, "getAccountStatement", parameters=[ACCOUNT_ID])
    return {
        **_own_keys(Group(refusals, "account")),
        **_accounts(operators),
        "/api/v1/admin/accounts/{account_id}/statement": {"get": statement},
        **_credit(operators),
        **_keys(operators),
        **_plans_and_checks(operators),
    }


def _own_keys(group: Group) -> Json:
    more = "A key with limits of its own may not do this, nor give scopes that it lacks, nor a longer life than its own"
    one = "/api/v1/keys/{key_id}"
    return {
        "/api/v1/keys": {
            "get": group.operation(
                "listOwnKeys", "List the account's keys by number", _page("keys", "Key"), 400, parameters=_CURSORS
            ),
            "post": group.operation(
                "addOwnKey",
                "Make a key for the account",
                ref("MadeKey"),
                409,
                body=OwnKey,
                description=f"{more}. An account has at most {MOST_KEYS} keys that work.",
            ),
        },
        f"{one}/rotate": {
            "post": group.operation(
                "rotateOwnKey",
                "Make a key with the same rights; the old one works on for a time",
                ref("MadeKey"),
                404,
                409,
                parameters=(_KEY_ID,),
                body=Rotation,
                description=f"{more}.",
            )
        },
        one: {"delete": group.operation("revokeOwnKey", "Revoke a key", _NULL, 404, parameters=(_KEY_ID,))},
    }


def _accounts(group: Group) -> Json:
    one = (ACCOUNT_ID,)
    return {
        "/api/v1/admin/accounts": {
            "get": group.operation(
                "listAccounts", "List accounts by number", _page("accounts", "Account"), 400, parameters=_CURSORS
            ),
            "post": group.operation("openAccount", "Open an account", ref("Account"), 404, 409, body=NewAccount),
        },
        "/api/v1/admin/accounts/{account_id}": {
            "get": group.operation("readAccount", "Read an account", ref("Account"), 404, parameters=one),
            "patch": group.operation(
                "setAccount",
                "Change plan, limits, enabled, unlimited",
                ref("Account"),
                404,
                parameters=one,
                body=AccountChange,
            ),
        },
    }


def _credit(group: Group) -> Json:
    path = "/api/v1/admin/accounts/{account_id}"
    one = (ACCOUNT_ID,)
    return {
        f"{path}/credit": {
            "post": group.operation("topUp", "Add a pack of points", ref("Pack"), 404, 409, parameters=one, body=TopUp)
        },
        f"{path}/adjustments": {
            "post": group.operation(
                "adjustBalance", "Correct a balance", ref("Account"), 402, 404, parameters=one, body=Adjustment
            )
        },
        f"{path}/packs": {
            "get": group.operation("listPacks", "List the packs of an account", _list("Pack"), 404, parameters=one)
        },
    }


def _keys(group: Group) -> Json:
    one = (_KEY_ID,)
    return {
        "/api/v1/admin/accounts/{account_id}/keys": {
            "get": group.operation(
                "listKeys",
                "List the keys of an account by number",
                _page("keys", "Key"),
                400,
                404,
                parameters=(ACCOUNT_ID, *_CURSORS),
            ),
            "post": group.operation(
                "addKey", "Make a key for an account", ref("MadeKey"), 404, parameters=(ACCOUNT_ID,), body=NewKey
            ),
        },
        "/api/v1/admin/keys/{key_id}": {
            "patch": group.operation(
                "setKey", "Change name, scopes, limits, end", ref("Key"), 404, parameters=one, body=KeyChange
            ),
            "delete": group.operation("revokeKey", "Revoke any key", _NULL, 404, parameters=one),
        },
        "/api/v1/admin/keys/{key_id}/rotate": {
            "post": group.operation(
                "rotateKey",
                "Make a key with the same rights as any other; the old one works on for a time",
                ref("MadeKey"),
                404,
                409,
                parameters=one,
                body=Rotation,
            )
        },
    }


def _plans_and_checks(group: Group) -> Json:
    troubles = {"type": "array", "items": _TEXT, "description": "Empty: the books are right."}
    only = _query("account_id", "Only decisions about this account.", {**_NUMBER, "minimum": 1})
    action = _query("action", "Only this action, such as `key.add`.", _TEXT)
    one = (_PLAN_NAME,)
    return {
        "/api/v1/admin/plans": {"get": group.operation("listPlans", "List plans", _list("Plan"))},
        "/api/v1/admin/plans/{name}": {
            "put": group.operation(
                "putPlan", "Make a plan, or give it other limits", ref("Plan"), 404, parameters=one, body=PlanLimits
            ),
            "delete": group.operation(
                "removePlan", "Remove a plan without accounts", _NULL, 400, 404, 409, parameters=one
            ),
        },
        "/api/v1/admin/audit": {
            "get": group.operation(
                "readAudit",
                "Who decided what, newest first",
                _page("entries", "AuditEntry"),
                400,
                parameters=(*_CURSORS, only, action),
            )
        },
        "/api/v1/admin/ledger/check": {
            "get": group.operation(
                "checkLedger",
                "Check the books of all accounts",
                complete({"troubles": troubles}, "What is wrong, a sentence each."),
            )
        },
    }
