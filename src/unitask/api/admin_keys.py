"""The admin API for keys. For operators alone."""

from typing import Final

from starlette.requests import Request

from unitask.administration.keyring import Keep
from unitask.api.admin_documents import key_document, key_page
from unitask.api.admin_messages import KeyChange, NewKey, Rotation, expiry
from unitask.api.envelope import JsonAnswer, success
from unitask.api.requests import message, operator, page, path_number, route, services

_KEYS: Final = "/api/v1/admin/accounts/{account_id}/keys"
_KEY: Final = "/api/v1/admin/keys/{key_id}"


async def list_keys(request: Request) -> JsonAnswer:
    """List the keys of an account by number."""
    await operator(request)
    unitask = services(request)
    account = await unitask.registry.account(path_number(request, "account_id"))
    after, size = page(request)
    return success(key_page(await unitask.keyring.keys(account.id, after=after, most=size + 1), size))


async def add_key(request: Request) -> JsonAnswer:
    """Make a key for an account; its secret is in this answer alone."""
    actor = await operator(request)
    wanted = await message(request, NewKey)
    unitask = services(request)
    key, secret = await unitask.keyring.add(
        path_number(request, "account_id"),
        actor=actor,
        name=wanted.name,
        scopes=wanted.scopes,
        limits=wanted.limits,
        expires_at=expiry(wanted.expires_in_days, unitask.clock.now_us()),
    )
    return success(key_document(key, secret))


async def set_key(request: Request) -> JsonAnswer:
    """Change what the body names: name, scopes, limits, end."""
    actor = await operator(request)
    wanted = await message(request, KeyChange)
    unitask = services(request)
    key = await unitask.keyring.set(
        path_number(request, "key_id"),
        actor=actor,
        name=wanted.name,
        scopes=wanted.scopes,
        limits=wanted.limits,
        expires_at=expiry(wanted.expires_in_days, unitask.clock.now_us()) if wanted.names_end else Keep.KEEP,
    )
    return success(key_document(key))


async def revoke_key(request: Request) -> JsonAnswer:
    """End a key."""
    actor = await operator(request)
    await services(request).keyring.revoke(path_number(request, "key_id"), actor=actor)
    return success(None)


async def rotate_key(request: Request) -> JsonAnswer:
    """Make a key with the same rights; the old one goes on working for a time."""
    actor = await operator(request)
    wanted = await message(request, Rotation)
    key, secret = await services(request).keyring.rotate(
        path_number(request, "key_id"), actor=actor, overlap_s=wanted.overlap_s
    )
    return success(key_document(key, secret))


ROUTES = [
    route("GET", _KEYS, list_keys),
    route("POST", _KEYS, add_key),
    route("PATCH", _KEY, set_key),
    route("DELETE", _KEY, revoke_key),
    route("POST", f"{_KEY}/rotate", rotate_key),
]
