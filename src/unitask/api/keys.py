"""The account's own keys. No key makes, replaces or ends one that may do more than itself."""

from typing import Final

from starlette.requests import Request

from unitask.accounts.limits import NO_LIMITS
from unitask.accounts.model import CUSTOMER_SCOPES, Caller, Key, Scope
from unitask.api.admin_documents import key_document, key_page
from unitask.api.admin_messages import OwnKey, Rotation, expiry
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import caller, message, page, path_number, route, services
from unitask.kit.errors import Conflict, Forbidden, NotFound

MOST_KEYS: Final = 100
"""Keys that an account may have working at a time; an operator may make more."""


def _actor(who: Caller) -> str:
    return f"key {who.api_key_id}"


def _ends_later(ends_at: int | None, mine: int | None) -> bool:
    return mine is not None and (ends_at is None or ends_at > mine)


def _check_maker(who: Caller) -> None:
    if who.key_limits != NO_LIMITS:
        raise Forbidden("this key has limits of its own, so it may not make or rotate keys; use one without")


def _check_scopes(who: Caller, scopes: frozenset[Scope], what: str = "give scopes") -> None:
    beyond = scopes - who.scopes
    if beyond:
        raise Forbidden(f"this key may not {what} that it lacks: {', '.join(sorted(beyond))}")


async def _check_room(request: Request, who: Caller) -> None:
    if await services(request).keyring.working(who.account_id) >= MOST_KEYS:
        raise Conflict(f"this account has {MOST_KEYS} keys that work; revoke one first")


async def _key(request: Request, who: Caller, key_id: int) -> Key:
    key = await services(request).keyring.key(key_id, who.account_id)
    if key is None:
        raise NotFound(f"no key {key_id}; GET /api/v1/keys lists them")
    return key


async def list_keys(request: Request) -> JsonAnswer:
    """`GET /api/v1/keys`: the keys of this account by number, without their secrets."""
    who = await caller(request, Scope.ACCOUNT)
    after, size = page(request)
    found = await services(request).keyring.keys(who.account_id, after=after, most=size + 1)
    return success(key_page(found, size))


async def add_key(request: Request) -> JsonAnswer:
    """`POST /api/v1/keys`: make a key; its secret is in this answer alone."""
    who = await caller(request, Scope.ACCOUNT)
    wanted = await message(request, OwnKey)
    _check_maker(who)
    scopes = (who.scopes & CUSTOMER_SCOPES) if wanted.scopes is None else wanted.scopes
    if Scope.ADMIN in scopes:
        raise Forbidden("only an operator gives the scope admin: POST /api/v1/admin/accounts/{account_id}/keys")
    _check_scopes(who, scopes)
    unitask = services(request)
    expires_at = expiry(wanted.expires_in_days, unitask.clock.now_us())
    own = await _key(request, who, who.api_key_id)
    if _ends_later(expires_at, own.expires_at):
        raise Forbidden("this key expires, so it may not make one that works longer; send a smaller expires_in_days")
    await _check_room(request, who)
    key, secret = await unitask.keyring.add(
        who.account_id,
        actor=_actor(who),
        name=wanted.name,
        scopes=scopes,
        limits=wanted.limits,
        expires_at=expires_at,
    )
    return success(key_document(key, secret))


async def rotate_key(request: Request) -> JsonAnswer:
    """`POST /api/v1/keys/{key_id}/rotate`: a new key with the same rights; the old one goes on working for a time."""
    who = await caller(request, Scope.ACCOUNT)
    wanted = await message(request, Rotation)
    _check_maker(who)
    old = await _key(request, who, path_number(request, "key_id"))
    _check_scopes(who, old.scopes)
    own = await _key(request, who, who.api_key_id)
    if _ends_later(old.expires_at, own.expires_at):
        raise Forbidden("this key expires, so it may not rotate one that works longer")
    await _check_room(request, who)
    key, secret = await services(request).keyring.rotate(
        old.id, actor=_actor(who), overlap_s=wanted.overlap_s, account_id=who.account_id
    )
    return success(key_document(key, secret))


async def revoke_key(request: Request) -> JsonAnswer:
    """`DELETE /api/v1/keys/{key_id}`: end a key, also the one that asks."""
    who = await caller(request, Scope.ACCOUNT)
    key = await _key(request, who, path_number(request, "key_id"))
    _check_scopes(who, key.scopes, "revoke a key with scopes")
    await services(request).keyring.revoke(key.id, actor=_actor(who), account_id=who.account_id)
    return success(None)


ROUTES = [
    route("GET", "/api/v1/keys", list_keys),
    route("POST", "/api/v1/keys", add_key),
    route("POST", "/api/v1/keys/{key_id}/rotate", rotate_key),
    route("DELETE", "/api/v1/keys/{key_id}", revoke_key),
]
