"""The account's own keys. No key can make one that may do more than itself."""

from collections.abc import Container, Iterable
from typing import Final

from starlette.requests import Request

from unitask.accounts.limits import NO_LIMITS
from unitask.accounts.model import CUSTOMER_SCOPES, Caller, Key, Scope
from unitask.api.admin_documents import key_document
from unitask.api.admin_messages import OwnKey, Rotation, expiry
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import caller, message, path_number, route, services
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


def _check_scopes(who: Caller, scopes: frozenset[Scope]) -> None:
    beyond = scopes - who.scopes
    if beyond:
        raise Forbidden(f"this key may not give scopes that it lacks: {', '.join(sorted(beyond))}")


def _check_room(keys: Iterable[Key], now: int) -> None:
    if sum(key.works(now) for key in keys) >= MOST_KEYS:
        raise Conflict(f"this account has {MOST_KEYS} keys that work; revoke one first")


def _require(keys: Container[int], key_id: int) -> None:
    if key_id not in keys:
        raise NotFound(f"no key {key_id}; GET /api/v1/keys lists them")


async def _keys(request: Request, who: Caller) -> tuple[dict[int, Key], Key]:
    """Read the keys of the account by number, and among them the one that asks."""
    keys = {key.id: key for key in await services(request).keyring.keys(who.account_id)}
    return keys, keys[who.api_key_id]


async def list_keys(request: Request) -> JsonAnswer:
    """`GET /api/v1/keys`: the keys of this account, without their secrets."""
    who = await caller(request, Scope.ACCOUNT)
    keys, _ = await _keys(request, who)
    return success([key_document(key) for key in keys.values()])


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
    now = unitask.clock.now_us()
    expires_at = expiry(wanted.expires_in_days, now)
    keys, own = await _keys(request, who)
    if _ends_later(expires_at, own.expires_at):
        raise Forbidden("this key expires, so it may not make one that works longer; send a smaller expires_in_days")
    _check_room(keys.values(), now)
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
    key_id = path_number(request, "key_id")
    keys, own = await _keys(request, who)
    _require(keys, key_id)
    _check_scopes(who, keys[key_id].scopes)
    if _ends_later(keys[key_id].expires_at, own.expires_at):
        raise Forbidden("this key expires, so it may not rotate one that works longer")
    _check_room(keys.values(), services(request).clock.now_us())
    key, secret = await services(request).keyring.rotate(
        key_id, actor=_actor(who), overlap_s=wanted.overlap_s, account_id=who.account_id
    )
    return success(key_document(key, secret))


async def revoke_key(request: Request) -> JsonAnswer:
    """`DELETE /api/v1/keys/{key_id}`: end a key, also the one that asks."""
    who = await caller(request, Scope.ACCOUNT)
    key_id = path_number(request, "key_id")
    keys, _ = await _keys(request, who)
    _require({key.id for key in keys.values() if key.revoked_at is None}, key_id)
    await services(request).keyring.revoke(key_id, actor=_actor(who), account_id=who.account_id)
    return success(None)


ROUTES = [
    route("GET", "/api/v1/keys", list_keys),
    route("POST", "/api/v1/keys", add_key),
    route("POST", "/api/v1/keys/{key_id}/rotate", rotate_key),
    route("DELETE", "/api/v1/keys/{key_id}", revoke_key),
]
